"""The green form of what `time` waits in."""

from eventlet.greenthread import sleep as park

__all__ = ["sleep"]


def sleep(seconds: float) -> None:
    """Let other green threads run for at least `seconds`; always yields once.

    Raises:
        ValueError: `seconds` is negative or not a number.
        TypeError: it is no number at all.
    """
    try:
        is_valid = seconds >= 0
    except TypeError:
        message = f"sleep length must be an integer or float, not {seconds!r}"
        raise TypeError(message) from None
    if not is_valid:
        raise ValueError(f"sleep length must be non-negative, not {seconds!r}")
    park(seconds)
