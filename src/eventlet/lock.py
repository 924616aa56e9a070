"""A mutual exclusion lock with the interface of `threading.Lock`."""

from eventlet._core.wait_queue import WaitQueue
from eventlet.semaphore import Semaphore

__all__ = ["Lock"]


class Lock(Semaphore):
    """A lock for green threads: the first to wait is the next to have it.

    Any green thread may release it, also of another OS thread. `release` stays a few
    plain steps: it is called from finalizers, in the middle of anything.

    Args:
        value: 1 for a free lock, 0 for one that is held.
    """

    def __repr__(self) -> str:
        kind = type(self)
        state = "locked" if self.locked() else "unlocked"
        return f"<{state} {kind.__module__}.{kind.__qualname__} object at {id(self):#x}>"

    def release(self, blocking: bool = True) -> bool:
        """Free the lock, or hand it to the first waiter.

        Raises:
            RuntimeError: nobody holds it.
        """
        if self.counter > 0:
            raise RuntimeError("release unlocked lock")
        self.counter += 1
        if self._waiters.tickets:
            self._hand_over()
        return True

    def _at_fork_reinit(self) -> None:
        """Forget holder and waiters: `threading` calls this in a forked child."""
        self.counter = 1
        self._waiters = WaitQueue()
