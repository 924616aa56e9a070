"""The end of a hub: what its green threads and its own greenlet still get to do."""

from typing import TYPE_CHECKING, Any, Final

from greenlet import GreenletExit, getcurrent

from eventlet._core.timers import Timer
from eventlet._core.wait_queue import PENDING, interrupt, live_ticket
from eventlet._errors import HubClosed

if TYPE_CHECKING:
    from eventlet._core.hub import Hub

__all__ = ["end_hub_greenlet", "end_threads"]

_PASSES: Final = 8


def end_threads(hub: "Hub") -> None:
    """Drop the calls that `hub` was to make, interrupt its threads, let their clean-up run.

    Clean-up that yields gets a few passes; what waits in it is interrupted again. A thread
    that has not ended by then is reported, and stays suspended for ever.
    """
    if hub._embedder is not None:
        return
    hub.timers.clear()
    for call in hub.ready.copy():
        if isinstance(call, Timer):
            call.cancel()
    for n in range(_PASSES):
        for thread in _living_threads(hub):
            ticket = live_ticket(thread)
            if not thread:
                thread.abandon(GreenletExit())
            elif ticket is None:
                hub.call_soon(thread.throw, GreenletExit)  # it waits in a plain switch
            elif n == 0 or ticket.state == PENDING:
                interrupt(ticket, GreenletExit())
        try:
            hub.run_once(0)
        except BaseException as exc:
            hub.report(None, exc)  # the main program of this OS thread is over
        if not _living_threads(hub):
            return
    for thread in _living_threads(hub):
        hub.report(thread, HubClosed())


def _living_threads(hub: "Hub") -> list[Any]:
    plain = [each for each in hub.plain_threads if live_ticket(each) is not None]
    return [each for each in [*hub.threads, *plain] if not each.dead and each is not getcurrent()]


def end_hub_greenlet(hub: "Hub") -> None:
    """End the hub's own greenlet: the garbage collector cannot see into its stack.

    One that has not started is ended too: greenlet (3.5.6) crashes in the garbage collector
    over an unstarted greenlet whose OS thread is gone.
    """
    if hub.greenlet.dead or getcurrent() is hub.greenlet:
        return
    try:
        hub.greenlet.parent = getcurrent()
    except ValueError:
        return  # we run below it; it ends when control comes back to it
    hub.greenlet.throw(GreenletExit)
