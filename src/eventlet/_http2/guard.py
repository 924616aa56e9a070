"""Judge the frames of a client one by one: which it may send now, and how many.

Theory of operation
-------------------
`h2` keeps the states of the streams and refuses what does not fit them. What it lets pass is
what a client may do by the letter and without end: frames that carry nothing (PING, SETTINGS,
PRIORITY, empty DATA, WINDOW_UPDATE, frames nobody knows), header blocks in countless pieces, and
streams that are opened and reset at once, or are too large to be requests. The first kind is paid for from one purse, which
fills with time and with what we send (that is what WINDOW_UPDATE answers, but room for a few
bytes, which makes us send as few, fills nothing); resets are paid for
from another, also those the client makes us send. An empty purse ends the connection with
ENHANCE_YOUR_CALM. Bodies in crumbs cost us much more than their sender, but may be what somebody
has to say: a third purse goes into debt for them, and they are read slowly while it does.
"""

from __future__ import annotations

from typing import Final

from eventlet._http2.allowance import Allowance
from eventlet._http2.frames import ErrorCode, Flag, Frame, Kind, ProtocolBroken

__all__ = ["CRUMB_BYTES", "Guard"]

IDLE_FRAMES: Final = 1000
IDLE_FRAMES_PER_SECOND: Final = 100
EARNED_BY_DATA: Final = 3  # one WINDOW_UPDATE for the stream, one for the connection, one to spare
EARNED_BY_REQUEST: Final = 4
RESETS: Final = 300
RESETS_PER_SECOND: Final = 30
MAX_CONTINUATIONS: Final = 32
CRUMB_BYTES: Final = 512
CRUMBS: Final = 2000
CRUMBS_PER_SECOND: Final = 1000


class Guard:
    """What one connection has cost so far.

    Args:
        block_bytes: a compressed header block may be as long.
        now: the moment, on the clock that `check` is told.
    """

    def __init__(self, block_bytes: int, now: float) -> None:
        self._block_bytes = block_bytes
        self._idle = Allowance(IDLE_FRAMES, IDLE_FRAMES_PER_SECOND, now)
        self._resets = Allowance(RESETS, RESETS_PER_SECOND, now)
        self._crumbs = Allowance(CRUMBS, CRUMBS_PER_SECOND, now)
        self._has_settings = False
        self._block_left: int | None = None
        self._continuations = 0

    @property
    def is_in_block(self) -> bool:
        """A header block has begun and not ended."""
        return self._block_left is not None

    def is_crumbling(self, now: float) -> bool:
        """Tell whether to wait a little before the next frame is looked at."""
        return self._crumbs.is_owing(now)

    def check(self, frame: Frame, highest_stream_id: int, now: float) -> None:
        """Judge a frame before `h2` sees it.

        Raises:
            ProtocolBroken: the connection must end.
        """
        kind = frame.kind
        if not self._has_settings:
            if kind != Kind.SETTINGS or frame.flags & Flag.ACK:
                raise ProtocolBroken(ErrorCode.PROTOCOL_ERROR, "no SETTINGS at the beginning")
            self._has_settings = True
        if kind in (Kind.HEADERS, Kind.CONTINUATION):
            self._count_block(frame)
        elif kind == Kind.DATA:
            if not frame.flags & Flag.END_STREAM:  # there is one for a request
                self._count_piece(frame, now)
        else:
            if kind == Kind.RST_STREAM and frame.stream_id > highest_stream_id:
                raise ProtocolBroken(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on an idle stream")
            self.spend_idle(now)

    def spend_reset(self, now: float) -> None:
        """Count a stream that was reset by the client, or because of it.

        Raises:
            ProtocolBroken: they are too many.
        """
        if not self._resets.spend(now):
            raise ProtocolBroken(ErrorCode.ENHANCE_YOUR_CALM, "too many streams reset")

    def sent_data(self) -> None:
        """Allow for what a client answers to a DATA frame."""
        self._idle.earn(EARNED_BY_DATA)

    def saw_request(self) -> None:
        """Allow for what a client sends around a request."""
        self._idle.earn(EARNED_BY_REQUEST)

    def spend_idle(self, now: float) -> None:
        if not self._idle.spend(now):
            raise ProtocolBroken(ErrorCode.ENHANCE_YOUR_CALM, "too many frames without content")

    def _count_piece(self, frame: Frame, now: float) -> None:
        if not frame.size:
            self.spend_idle(now)
        elif frame.size < CRUMB_BYTES:
            self._crumbs.charge(now)

    def _count_block(self, frame: Frame) -> None:
        if frame.kind == Kind.HEADERS:
            left = self._block_bytes
            self._continuations = 0
        elif self._block_left is None:
            raise ProtocolBroken(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        else:
            left = self._block_left
            self._continuations += 1
        left -= frame.size
        if left < 0 or self._continuations > MAX_CONTINUATIONS:
            raise ProtocolBroken(ErrorCode.ENHANCE_YOUR_CALM, "a header block without end")
        self._block_left = None if frame.flags & Flag.END_HEADERS else left
