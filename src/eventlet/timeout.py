"""Timeouts that start at construction and are raised in the green thread that made them."""

import builtins
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from greenlet import getcurrent

from eventlet._core.current import get_hub
from eventlet._core.thread import throw_into
from eventlet._core.timers import Timer

__all__ = ["Timeout", "is_timeout", "with_timeout", "wrap_is_timeout"]

_UNSET = object()


class Timeout(BaseException):
    """Raise an exception in the current green thread after `seconds`.

    It counts from construction, not from `with`. A body that never yields is never
    interrupted. `with Timeout(5):` cancels it at the end of the block.

    Args:
        seconds: None never fires; 0 or less fires at the next yield.
        exception: None or True raises this object itself; False raises it too, and the
            `with` statement swallows it (and only it); else an exception class or
            instance to raise instead.

    Raises:
        TypeError: `exception` is something that cannot be raised.
    """

    is_timeout = True

    def __init__(self, seconds: float | None = None, exception: Any = None) -> None:
        if not (
            exception is None
            or isinstance(exception, (bool, BaseException))
            or (isinstance(exception, type) and issubclass(exception, BaseException))
        ):
            raise TypeError(
                "Timeout(exception=...) takes None, a bool, an exception class or instance, "
                f"not {exception!r}"
            )
        if seconds is not None and not hasattr(seconds, "__float__"):
            raise TypeError(f"a Timeout takes a number of seconds or None, not {seconds!r}")
        super().__init__()
        self.seconds = seconds
        self.exception = exception
        self.timer: Timer | None = None
        self.start()

    def start(self) -> "Timeout":
        """Start counting; the constructor did so already.

        Raises:
            AssertionError: it is counting already.
        """
        if self.pending:
            raise AssertionError(f"{self!r} is already started; to restart it, cancel it first")
        if self.seconds is None:
            return self
        self.timer = get_hub().call_later(
            self.seconds, self._fire, getcurrent(), self._what_to_raise()
        )
        return self

    def _fire(self, thread: Any, exc: BaseException) -> None:
        if not throw_into(thread, exc):
            # Another interrupt comes first. This one follows, unless that one cancels it.
            self.timer = get_hub().call_soon(self._fire, thread, exc)

    def _what_to_raise(self) -> BaseException:
        if self.exception is None or isinstance(self.exception, bool):
            self.__traceback__ = None  # of an earlier time, if it was started again
            return self
        if isinstance(self.exception, BaseException):
            return self.exception
        made: BaseException = self.exception()
        return made

    @property
    def pending(self) -> bool:
        """Whether it is still to fire."""
        return self.timer is not None and self.timer.pending

    def cancel(self) -> None:
        """Stop counting; harmless when it has fired or was cancelled."""
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()

    def __enter__(self) -> Self:
        if self.timer is None:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        # Not plain `bool`: for a type checker that means that any Timeout may swallow.
        self.cancel()
        return value is self and self.exception is False

    def __str__(self) -> str:
        if self.seconds is None:
            return ""
        plural = "" if self.seconds == 1 else "s"
        text = f"{self.seconds} second{plural}"
        if self.exception is None or self.exception is True:
            return text
        if self.exception is False:
            return f"{text} (silent)"
        return f"{text} ({self.exception})"

    def __repr__(self) -> str:
        state = "pending" if self.pending else "not pending"
        return f"<{type(self).__name__} {self.seconds!r} {self.exception!r} {state}>"


def with_timeout(
    seconds: float | None, function: Callable[..., Any], *args: Any, **kwds: Any
) -> Any:
    """Call `function(*args, **kwds)` and give up after `seconds`.

    Args:
        seconds: None waits for ever.
        function: what to call.
        args: its positional arguments.
        kwds: its keyword arguments; `timeout_value` is taken out, and returned when this
            time-out fires.

    Raises:
        Timeout: the time was up and there is no `timeout_value`.
    """
    timeout_value = kwds.pop("timeout_value", _UNSET)
    timeout = Timeout(seconds)
    try:
        return function(*args, **kwds)
    except Timeout as exc:
        if exc is timeout and timeout_value is not _UNSET:
            return timeout_value
        raise
    finally:
        timeout.cancel()


def wrap_is_timeout(base: Any) -> Any:
    """Mark time-outs of other libraries, so that `is_timeout` knows them.

    Args:
        base: an exception class, which gets a read-only `is_timeout`, or a callable.

    Returns:
        The class itself, or a callable whose results are marked.
    """
    if isinstance(base, type):
        base.is_timeout = property(lambda _self: True)  # type: ignore[attr-defined]  # the point
        return base

    def marked(*args: Any, **kwargs: Any) -> Any:
        result = base(*args, **kwargs)
        result.is_timeout = True
        return result

    return marked


def is_timeout(obj: Any) -> bool:
    """Whether `obj` is a time-out: ours, the builtin one, or one that says so."""
    return bool(getattr(obj, "is_timeout", False)) or isinstance(obj, builtins.TimeoutError)
