"""Signal handlers that run in the name of the main thread, and may wait.

Python runs a handler on top of whatever the main OS thread is doing, and programs rely on two
things: the current thread is the main one, and what the handler raises is raised there.

A signal that finds the main green thread runs on top of it. Mostly it finds the hub, which must
never park, or another green thread, which may hold what the handler waits for. So there the
handler gets a greenlet of its own, run at once: one that does not wait is over before the hub
or that thread goes on. One that waits is a green thread from then on. What it raises is raised
where the main green thread waits.
"""

import signal as _module
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from greenlet import getcurrent, greenlet

from eventlet._core.current import existing_hub
from eventlet._core.hub import Hub
from eventlet._core.signals import InterruptRouter
from eventlet._core.wait_queue import WOKEN
from eventlet._core.waiting import give_up_ticket, ticket_here
from eventlet._patching.table import patched
from eventlet.green._polling import let_others_poll
from eventlet.green._thread import get_ident

__all__ = ["getsignal", "signal"]

_ordinary_signal: Any = _module.signal
_ordinary_getsignal: Any = _module.getsignal


class _WaitingHandler:
    """A handler written in Python, as `signal.signal` was given it."""

    __slots__ = ("handler",)

    def __init__(self, handler: Callable[[int, FrameType | None], Any]) -> None:
        self.handler = handler

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        hub = existing_hub()
        current = getcurrent()
        main = None if hub is None else hub.main_greenlet()
        if hub is None or (current is not hub.greenlet and (main is None or current is main)):
            self.handler(signum, frame)
        else:
            _call_beside(hub, current, lambda: self.handler(signum, frame))


def _call_beside(hub: Hub, found: Any, handler: Callable[[], Any]) -> None:
    """Call a handler in a greenlet of its own; return when it has ended or parked."""
    outcome: BaseException | None = None
    is_first_turn = True

    def run() -> None:
        nonlocal outcome
        try:
            handler()
        except BaseException as exc:
            if is_first_turn:
                outcome = exc
            else:
                hub.interrupt_main(exc)

    own: Any = greenlet(run, found)
    main = hub.main_greenlet()
    if main is not None:
        own._thread_ident = get_ident(main)
        own._acts_for = main  # may take re-entrant locks again that main holds
    try:
        if found is hub.greenlet:
            own.switch()
        else:
            _switch_for_a_turn(hub, found, own.switch)
    finally:
        is_first_turn = False
        if not own.dead:
            own.parent = hub.greenlet
            if hub.asleep:
                hub.notify()  # the kernel does not know of its time limit
    if outcome is None or (found is not hub.greenlet and hub.offer_main(outcome)):
        return
    try:
        raise outcome
    finally:
        outcome = None  # it refers to this frame


def _switch_for_a_turn(hub: Hub, found: Any, switch: Callable[[], Any]) -> None:
    """Leave a green thread that the signal has found; it goes on as soon as the handler parks.

    It may have been about to park: a wake for that, which comes meanwhile, comes again.
    """
    ticket = ticket_here()
    ticket.state = WOKEN
    found._ticket = ticket
    hub.ready.append(ticket)
    for around in hub.around_parks:
        switch = partial(around, switch)
    try:
        switch()
    finally:
        give_up_ticket(ticket)


def signal(signalnum: Any, handler: Any) -> Any:
    """Set the action for a signal, and return the previous one.

    The handler may wait: whatever parks a green thread is allowed in it.

    Raises:
        ValueError: not in the main OS thread, or there is no such signal.
        TypeError: `handler` is no action.
    """
    let_others_poll()
    is_plain = not callable(handler) or handler is _module.default_int_handler
    if not is_plain and not isinstance(handler, InterruptRouter):
        handler = _WaitingHandler(handler)
    return _as_given(_ordinary_signal(signalnum, handler))


def getsignal(signalnum: Any) -> Any:
    """Return the current action for a signal, as it was given; None if Python did not set it."""
    return _as_given(_ordinary_getsignal(signalnum))


def _as_given(action: Any) -> Any:
    return action.handler if isinstance(action, _WaitingHandler) else action


__patched__ = patched(globals())
