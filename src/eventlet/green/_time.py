"""The green form of what `time` waits in."""

from eventlet.greenthread import sleep as park

__all__ = ["sleep"]


def sleep(seconds: float) -> None:
    """Let other green threads run for at least `seconds`; always yields once.

    Raises:
        ValueError: `seconds` is negative or not a number.
        TypeError: it is no number at all.
    """
    if not seconds >= 0:
        raise ValueError(f"sleep length must be non-negative, not {seconds!r}")
    park(seconds)
