"""What one side sends: whole frames, in order, however senders are interrupted.

Theory of operation
-------------------
Whoever writes to the socket holds the *pen*. A sender waits for it, first come, first served;
interrupted there, nothing has happened. Once it writes, only the whole message is right: an
interrupt or an error in between leaves half a frame on the wire (and a compressor that is ahead
of the peer's), so the outbox *tears*: nothing is ever written again, and the connection goes.

With a queue (`max_queue` above 0) senders leave their messages in it and go on; they wait only
while it is full. A green thread writes them; it exists only as long as there is something to
write.

Control frames of our own making (pongs, pings of the keep-alive) must not wait behind long
messages, and who reads must never be held up by who does not: they are posted, and written
between two frames by whoever holds the pen, or by a green thread made for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from eventlet._websocket.errors import ProtocolError
from eventlet._websocket.packing import FramePacker
from eventlet.greenthread import spawn_n
from eventlet.semaphore import Semaphore

__all__ = ["Outbox"]

# Pongs that may wait: an answer to the latest pings is enough (RFC 6455, section 5.5.3).
_MAX_POSTED = 16


class _Piece(NamedTuple):
    """A message, or what the user sends of one at a time."""

    data: str | bytes
    continuation: bool
    final: bool


class Outbox:
    """Sends messages and control frames over one socket.

    Args:
        write: writes all of some bytes to the socket.
        packer: makes frames.
        max_queue: messages that may wait for the socket after `send` has returned.
        make_refusal: makes what is raised where nothing can be sent any more.
        on_tear: called once when a frame went out in part.

    Attributes:
        packer: may be exchanged before the first message.
        fragment_length: characters or bytes of a message that go into one frame; None means
            all of them.
    """

    fragment_length: int | None = None

    def __init__(
        self,
        write: Callable[[bytes], object],
        packer: FramePacker,
        max_queue: int,
        make_refusal: Callable[[], BaseException],
        on_tear: Callable[[], None],
    ) -> None:
        self.packer = packer
        self._write_all = write
        self._make_refusal = make_refusal
        self._on_tear = on_tear
        self._pen = Semaphore(1)
        self._room = Semaphore(max_queue) if max_queue else None
        self._queue: deque[_Piece] = deque()
        self._posted: deque[bytes] = deque()
        self._takes_messages = True
        self._is_over = False
        self._is_draining = False
        self._open_type: type | None = None  # of the message the user sends in pieces

    # --- what a sender does -----------------------------------------------------------

    def send(self, data: str | bytes, continuation: bool = False, final: bool = True) -> None:
        """Send a message, or a piece of one; with a queue, leave it there.

        Raises:
            ProtocolError: the piece does not fit to the one before.
            ConnectionClosedError: nothing can be sent any more.
            OSError: the socket failed.
        """
        piece = _Piece(data, continuation, final)
        if self._room is None:
            with self._pen:
                self._admit(piece)
                self._write_posted()  # what answers earlier frames of the peer comes first
                self._write_piece(piece)
                self._write_posted()
            return
        self._room.acquire()
        try:
            self._admit(piece)
        except BaseException:
            self._room.release()
            raise
        self._queue.append(piece)
        self._start_draining()

    def send_control(self, frame: bytes) -> None:
        """Send a control frame now, between the messages of others.

        Raises:
            ConnectionClosedError, OSError: as `send` does.
        """
        with self._pen:
            self._check_open()
            self._write(frame)
            self._write_posted()

    def post(self, frame: bytes) -> None:
        """Have a control frame sent soon; never waits. Of too many the oldest are dropped."""
        if self._is_over:
            return
        if len(self._posted) == _MAX_POSTED:
            self._posted.popleft()
        self._posted.append(frame)
        self._start_draining()  # whoever has the pen may be quicker, or not send at all

    # --- how it ends --------------------------------------------------------------------

    def refuse_messages(self) -> None:
        """Let no further message in."""
        self._takes_messages = False

    def end(self, frame: bytes, seconds: float) -> None:
        """Send what is queued, then a close frame, and nothing more.

        Args:
            frame: the close frame.
            seconds: how long to wait for a sender that is at it; writing has the time-out of
                the socket.

        Raises:
            OSError: the socket failed, or it took too long.
        """
        self.refuse_messages()
        if self._is_over:
            return
        if not self._pen.acquire(timeout=max(seconds, 0.0)):
            self.tear()
            return
        try:
            self._write_queue()
            if not self._is_over:
                self._write(frame)
            self._is_over = True
            self._drop_all()
        finally:
            self._pen.release()

    def tear(self) -> None:
        """Give up: what is not written will never be."""
        self._is_over = True
        self.refuse_messages()
        self._drop_all()

    def _drop_all(self) -> None:
        self._posted.clear()
        while self._queue:
            self._queue.popleft()
            assert self._room is not None
            self._room.release()

    # --- writing, with the pen ------------------------------------------------------------

    def _check_open(self) -> None:
        if self._is_over or not self._takes_messages:
            raise self._make_refusal()

    def _admit(self, piece: _Piece) -> None:
        """Check that a piece can come next, and note that it does."""
        self._check_open()
        kind = type(piece.data)
        if piece.continuation != (self._open_type is not None):
            raise ProtocolError(
                "there is no message to continue"
                if piece.continuation
                else "another message is being sent in pieces; end it with final=True first"
            )
        if piece.continuation and kind is not self._open_type:
            raise ProtocolError("a message is either text or bytes, in all of its pieces")
        if isinstance(piece.data, str):
            piece.data.encode()  # half a surrogate pair must not stop us in the middle
        self._open_type = None if piece.final else kind

    def _write_piece(self, piece: _Piece) -> None:
        """Write a piece, in several frames when it is long."""
        data, continuation, final = piece
        length = len(data)
        step = self.fragment_length or length
        if length <= step:
            self._write(self.packer.pack_data(data, continuation, final))
            return
        for start in range(0, length, step):
            end = start + step
            self._write(
                self.packer.pack_data(
                    data[start:end], continuation or start > 0, final and end >= length
                )
            )
            self._write_posted()

    def _write_posted(self) -> None:
        while self._posted:
            self._write(self._posted.popleft())

    def _write_queue(self) -> None:
        while self._posted or self._queue:
            self._write_posted()
            if not self._queue:
                continue
            piece = self._queue.popleft()
            try:
                self._write_piece(piece)
            finally:
                assert self._room is not None
                self._room.release()

    def _write(self, frame: bytes) -> None:
        if self._is_over:
            raise self._make_refusal()
        try:
            self._write_all(frame)
        except OSError as exc:
            if self._fail():
                raise self._make_refusal() from exc
            raise
        except BaseException:
            self._fail()
            raise

    def _fail(self) -> bool:
        """Tear in the middle of a frame; tell whether it was us who closed the socket."""
        was_over = self._is_over
        self.tear()
        self._on_tear()
        return was_over

    # --- the green thread that writes for others ----------------------------------------------

    def _start_draining(self) -> None:
        if not self._is_draining:
            self._is_draining = True
            spawn_n(self._drain)

    def _drain(self) -> None:
        try:
            with self._pen:
                self._write_queue()
        except OSError:
            pass  # torn: whoever sends or waits next is told
        finally:
            self._is_draining = False
