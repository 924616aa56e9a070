"""Signal handlers that run in the name of the main thread, and may wait.

Python runs a handler on top of whatever the main OS thread is doing, and programs rely on two
things: the current thread is the main one, and what the handler raises is raised there.

In a program that waits the signal finds the hub, which must never park. So there the handler
gets a greenlet of its own, run at once: one that does not wait is over before the hub goes on,
and what it raises is raised as ever. One that waits is a green thread from then on, and what
it raises later is raised where the main green thread waits.

A signal that finds another green thread borrows it: it has the identity of the main thread
while the handler runs, and what that raises goes to where the main green thread waits.
"""

import signal as _module
from collections.abc import Callable
from types import FrameType
from typing import Any

from greenlet import getcurrent, greenlet

from eventlet._core.current import existing_hub
from eventlet._core.hub import Hub
from eventlet._core.signals import InterruptRouter
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
        if hub is None or current is main:
            self.handler(signum, frame)
        elif current is hub.greenlet:
            _call_beside(hub, self.handler, signum, frame)
        elif main is None:
            self.handler(signum, frame)
        else:
            _call_as_main(hub, current, get_ident(main), lambda: self.handler(signum, frame))


def _call_beside(
    hub: Hub, handler: Callable[..., Any], signum: int, frame: FrameType | None
) -> None:
    """Call a handler in a greenlet, from the hub's; return when it has ended or parked."""
    is_first_turn = True

    def run() -> BaseException | None:
        try:
            handler(signum, frame)
        except BaseException as exc:
            if is_first_turn:
                return exc
            hub.interrupt_main(exc)
        return None

    own: Any = greenlet(run, hub.greenlet)
    main = hub.main_greenlet()
    if main is not None:
        own._thread_ident = get_ident(main)
    outcome = own.switch()
    is_first_turn = False
    if not own.dead:
        if hub.asleep:
            hub.notify()  # the kernel does not know of its time limit
        return
    if outcome is not None:
        try:
            raise outcome
        finally:
            outcome = None  # it refers to this frame


def _call_as_main(hub: Hub, borrowed: Any, ident: int, handler: Callable[[], Any]) -> None:
    """Call a handler in a green thread that the signal has found."""
    own = vars(borrowed).get("_thread_ident")
    borrowed._thread_ident = ident
    try:
        handler()
    except BaseException as exc:
        if not hub.offer_main(exc):
            raise
    finally:
        if own is None:
            del borrowed._thread_ident
        else:
            borrowed._thread_ident = own


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
