"""Find green threads that keep the others from running: `debug.hub_blocking_detection`.

Theory of operation
-------------------
A green thread that runs longer than the *resolution* without a switch is a hog. Each switch
notes the time. A SIGALRM comes when somebody could have run that long; if there was a switch
meanwhile, the alarm is set for the rest, else the handler raises: right where the hog is.

The hub's own waiting is no hog, so the alarm is taken back around each poll. That is an
attribute set on the poller; a switch that finds another poller (a new hub, a forked child)
sets it there. While another loop drives the hub, what runs between two passes is that loop's.

There is one SIGALRM and one real-time timer in a process. A handler and an alarm that were
there before keep working: our timer also goes off when that alarm is due, and calls it.
"""

import atexit
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from eventlet._core import switch_hooks
from eventlet._core.current import existing_hub
from eventlet._core.switch_hooks import add_switch_hook, remove_switch_hook, renew_switch_hooks
from eventlet._unpatched import get_ident, getpid, getsignal, main_thread, monotonic, set_signal

__all__ = ["detect_hogs"]

_AT_ONCE: Final = 1e-6  # seconds; 0 would take the timer back
_OWN_CODE: Final = frozenset({__name__, switch_hooks.__name__})


class _ForeignAlarm:
    """The alarm that somebody else had set, and what it calls.

    Attributes:
        handler: as `signal.getsignal` tells.
        deadline: when it is due, in seconds on the monotonic clock; None: never.
        interval: seconds from one to the next; 0: it comes once.
    """

    def __init__(self) -> None:
        self.handler: Any = getsignal(signal.SIGALRM)
        if self.handler is None:
            raise RuntimeError(
                "the handler of SIGALRM was not set by Python and could not be set again; "
                "blocking detection needs that signal"
            )
        left, self.interval = signal.getitimer(signal.ITIMER_REAL)
        self.deadline = monotonic() + left if left else None

    def left(self) -> float | None:
        """Seconds until it is due; None: never."""
        return None if self.deadline is None else max(self.deadline - monotonic(), _AT_ONCE)

    def take_due(self) -> bool:
        """Whether it is due; then it counts as delivered."""
        if self.deadline is None or self.deadline > monotonic():
            return False
        self.deadline = self.deadline + self.interval if self.interval else None
        return True

    def deliver(self, signum: int, frame: FrameType | None) -> None:
        """Do what SIGALRM would do without us."""
        if callable(self.handler):
            self.handler(signum, frame)
        elif self.handler == signal.SIG_DFL:
            set_signal(signal.SIGALRM, signal.SIG_DFL)
            os.kill(getpid(), signal.SIGALRM)

    def restore(self) -> None:
        """Give the signal and the timer back."""
        set_signal(signal.SIGALRM, self.handler)
        signal.setitimer(signal.ITIMER_REAL, self.left() or 0, self.interval)


class _Detector:
    """The detection while it is on. It belongs to the main OS thread."""

    def __init__(self, resolution: float) -> None:
        self.resolution = resolution
        self._pid = getpid()
        self._is_armed = False
        self._since = 0.0
        self._poller: Any = None
        self._own_poll: Any = None  # the attribute of that name that the poller itself had
        self._foreign = _ForeignAlarm()
        set_signal(signal.SIGALRM, self._alarmed)
        self._set_timer(None)
        add_switch_hook(self._switched)

    def stop(self) -> None:
        """Give everything back."""
        self._is_armed = False
        remove_switch_hook(self._switched)
        self._watch_polls_of(None)
        self._set_timer(None)
        if getsignal(signal.SIGALRM) == self._alarmed:
            self._foreign.restore()

    # -- who runs since when ---------------------------------------------------------------

    def _switched(self, _origin: object, _target: object) -> None:
        self._since = monotonic()
        hub = existing_hub()
        if hub is not None and hub.poller is not self._poller:
            self._watch_polls_of(hub.poller)
            self._arm()

    def _watch_polls_of(self, poller: Any) -> None:
        """Take the alarm back around the polls of this poller, and of no other."""
        if getpid() != self._pid:  # a forked child: it has no alarm, neither ours nor theirs
            self._pid = getpid()
            self._foreign.deadline = None
        if self._poller is not None:
            if self._own_poll is None:
                del self._poller.poll
            else:
                self._poller.poll = self._own_poll
        self._poller = poller
        if poller is not None:
            self._own_poll = vars(poller).get("poll")
            poller.poll = self._around(poller.poll)

    def _around(self, poll: Callable[..., Any]) -> Callable[..., Any]:
        def poll_without_alarm(timeout: float | None = None) -> Any:
            self._is_armed = False
            self._set_timer(None)
            try:
                return poll(timeout)
            finally:
                self._arm()

        return poll_without_alarm

    def _arm(self) -> None:
        self._is_armed = True
        self._since = monotonic()
        self._set_timer(self.resolution)

    def _set_timer(self, seconds: float | None) -> None:
        """Have SIGALRM come in `seconds`, or when the foreign alarm is due if that is earlier."""
        wanted = [each for each in (seconds, self._foreign.left()) if each is not None]
        signal.setitimer(signal.ITIMER_REAL, min(wanted, default=0))

    # -- the signal ------------------------------------------------------------------------

    def _alarmed(self, signum: int, frame: FrameType | None) -> None:
        if self._foreign.take_due():
            self._set_timer(self.resolution if self._is_armed else None)
            self._foreign.deliver(signum, frame)
        elif self._is_armed:
            self._look_for_hog(frame)
        else:
            self._set_timer(None)

    def _look_for_hog(self, frame: FrameType | None) -> None:
        renew_switch_hooks()
        hub = existing_hub()
        left = self._since + self.resolution - monotonic()
        if hub is None or hub.asleep or hub.poller is not self._poller:
            self._arm()  # nobody runs on the hub, or it is one that we have not met
        elif left > 0:
            self._set_timer(max(left, _AT_ONCE))
        elif frame is None or frame.f_globals.get("__name__") in _OWN_CODE:
            self._set_timer(self.resolution)  # a switch is being noted at this moment
        else:
            self._arm()
            code = frame.f_code
            raise RuntimeError(
                f"Blocking detector ALARMED at {code.co_filename}:{frame.f_lineno} in "
                f"{code.co_name}: it ran for more than {self.resolution} seconds without letting "
                "other green threads run"
            )


class _Detection:
    """Owns the detector of this process, while there is one."""

    detector: _Detector | None = None


_detection = _Detection()


def detect_hogs(resolution: float | None) -> None:
    """Begin, change or end the detection.

    Args:
        resolution: seconds that one may run; None ends it.

    Raises:
        RuntimeError: not in the main OS thread, which alone gets signals; or somebody's
            SIGALRM handler could not be restored.
        ValueError: the resolution is not positive.
    """
    detector = _detection.detector
    if resolution is None and detector is None:
        return
    if get_ident() != main_thread().ident:
        raise RuntimeError(
            "blocking detection works by a signal, which only the main OS thread gets; "
            "switch it there"
        )
    if resolution is None:
        _detection.detector = None
        assert detector is not None
        atexit.unregister(detector.stop)
        detector.stop()
    elif resolution <= 0:
        raise ValueError(f"the resolution is a positive number of seconds, not {resolution!r}")
    elif detector is None:
        _detection.detector = _Detector(resolution)
        # When Python has gone the handler has, too, and the signal would kill the process.
        atexit.register(_detection.detector.stop)
    else:
        detector.resolution = resolution
