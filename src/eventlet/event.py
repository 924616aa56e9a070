"""Events: one green thread sends a value or an exception, any number wait for it."""

from typing import Any, Final

from eventlet._core.current import get_hub
from eventlet._core.thread import exception_from
from eventlet._core.wait_queue import EXPIRED, SPENT, WaitQueue, wake

__all__ = ["NOT_USED", "Event"]


class _NotUsed:
    """The result of an event that nobody has sent yet."""

    def __repr__(self) -> str:
        return "NOT_USED"


NOT_USED: Final = _NotUsed()


class Event:
    """Something that happens once, with a result or an exception.

    Unlike `threading.Event` it carries a value, and sending twice is an error. `send` may
    be called from a hub callback or from another OS thread.
    """

    def __init__(self) -> None:
        self._waiters = WaitQueue()
        self._result: Any = NOT_USED
        self._exc: tuple[Any, ...] | None = None

    def __repr__(self) -> str:
        if self._result is NOT_USED:
            state = f"not sent, {len(self._waiters)} waiting"
        elif self._exc is not None:
            state = f"exception {self._exc[1]!r}"
        else:
            state = f"result {self._result!r}"
        return f"<{type(self).__name__} at {id(self):#x}: {state}>"

    # -- waiting -------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Any:
        """Return what is sent, or raise it. An event that was sent answers without a yield.

        Args:
            timeout: seconds; None waits for ever; 0 or less yields once.

        Returns:
            The result; None also when the time was up first.

        Raises:
            BaseException: the exception that was sent.
        """
        if self._result is not NOT_USED:
            return _deliver(self._result, self._exc)
        hub = get_hub()
        ticket = hub.ticket()
        self._waiters.append(ticket)
        try:
            if self._result is not NOT_USED:  # sent by another OS thread in between
                wake(ticket, (self._result, self._exc))
            outcome = hub.park(ticket, timeout)
        except BaseException:
            self._waiters.discard(ticket)
            ticket.state |= SPENT  # also when a signal handler raised before the park
            raise
        if outcome is EXPIRED:
            self._waiters.discard(ticket)
            if self._result is NOT_USED:
                return None
            outcome = self._result, self._exc  # sent before we could run
        return _deliver(*outcome)

    # -- sending -------------------------------------------------------------------------

    def send(self, result: Any = None, exc: Any = None) -> None:
        """Wake everybody who waits, in the order of their arrival. Never switches.

        Args:
            result: what `wait` returns.
            exc: what `wait` raises instead: an exception instance, a class, or a tuple of
                the arguments of `greenlet.throw`, as `sys.exc_info()` gives them.

        Raises:
            AssertionError: the event was sent before; `reset()` allows another.
            TypeError: `exc` is nothing that can be raised.
        """
        if exc is None:
            self._settle(result, None)
        else:
            self._settle(None, _throw_args(exc if isinstance(exc, tuple) else (exc,)))

    def send_exception(self, *args: Any) -> None:
        """Wake everybody who waits with an exception.

        Args:
            args: as for `greenlet.throw`; a single tuple, such as `sys.exc_info()`, is
                unpacked; none at all means GreenletExit.

        Raises:
            AssertionError: the event was sent before.
            TypeError: `args` are nothing that can be raised.
        """
        if len(args) == 1 and isinstance(args[0], tuple):
            (args,) = args
        self._settle(None, _throw_args(args))

    def _settle(self, result: Any, exc: tuple[Any, ...] | None) -> None:
        if self._result is not NOT_USED:
            raise AssertionError("Trying to re-send() an already-triggered event.")
        self._exc = exc
        self._result = result
        self._waiters.wake_all((result, exc))

    def reset(self) -> None:
        """Make a sent event waitable again. Better make a new one.

        Who was woken by the earlier `send` and has not run yet still gets its outcome.

        Raises:
            AssertionError: the event was not sent.
        """
        if self._result is NOT_USED:
            raise AssertionError("Trying to re-reset() a fresh event.")
        self._result = NOT_USED
        self._exc = None

    # -- looking -------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether it was sent, so that `wait` will not park."""
        return self._result is not NOT_USED

    def has_exception(self) -> bool:
        """Whether an exception was sent."""
        return self._exc is not None

    def has_result(self) -> bool:
        """Whether a result was sent."""
        return self._result is not NOT_USED and self._exc is None

    def poll(self, notready: Any = None) -> Any:
        """Return or raise what was sent; `notready` when nothing was."""
        return self.wait() if self.ready() else notready

    def poll_result(self, notready: Any = None) -> Any:
        """Return the result that was sent; `notready` when there is none."""
        return self.wait() if self.has_result() else notready

    def poll_exception(self, notready: Any = None) -> Any:
        """Raise the exception that was sent; return `notready` when there is none."""
        return self.wait() if self.has_exception() else notready


def _throw_args(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the class, instance and present traceback of an exception to send."""
    exc = exception_from(args)
    return type(exc), exc, exc.__traceback__


def _deliver(result: Any, exc: tuple[Any, ...] | None) -> Any:
    if exc is None:
        return result
    # Each waiter starts from the sender's traceback; else it would grow with every wait.
    raise exc[1].with_traceback(exc[2])
