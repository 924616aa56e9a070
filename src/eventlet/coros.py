"""`metaphore`, a semaphore the other way round: wait until a counter is back at zero."""

from eventlet._unpatched import Mutex
from eventlet.event import Event

__all__ = ["metaphore"]


class metaphore:  # noqa: N801  # the name programs know
    """A counter; `wait` waits until it is zero.

    Attributes:
        counter: how many `dec` are to come.
    """

    def __init__(self) -> None:
        self.counter = 0
        self._zero = Event()
        self._zero.send()
        self._mutex = Mutex()

    def inc(self, by: int = 1) -> None:
        """Count up. From now on `wait` waits.

        Raises:
            AssertionError: `by` is not above zero.
        """
        _check(by)
        with self._mutex:
            self.counter += by
            if self._zero.ready():
                self._zero = Event()

    def dec(self, by: int = 1) -> None:
        """Count down. At zero, or where it would be below, those who wait go on.

        Raises:
            AssertionError: `by` is not above zero, or the counter is at zero already.
        """
        _check(by)
        with self._mutex:
            if self.counter <= 0:
                raise AssertionError("dec() without inc(): the counter is at zero already")
            self.counter = max(0, self.counter - by)
            if self.counter == 0:
                self._zero.send()

    def wait(self) -> None:
        """Wait until the counter is zero; at once if it is."""
        self._zero.wait()


def _check(by: int) -> None:
    if by <= 0:
        raise AssertionError(f"a metaphore counts by a number above zero, not {by!r}")
