"""A client of HTTP/2 in raw frames, as well-behaved or not as a test wants it."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple, Self

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from eventlet._http2.frames import PREFACE, ErrorCode

__all__ = ["Answer", "Peer"]

Fields = Iterable[tuple[str, str]]

FIRST_WINDOW = 65535

GET = ((":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/"))
POST = ((":method", "POST"), *GET[1:])


class Answer(NamedTuple):
    """What came for one stream; `reset` is the code of RST_STREAM, None where there was none."""

    status: int
    fields: dict[str, str]
    body: bytes
    reset: ErrorCode | None
    interim: tuple[int, ...]


class Peer:
    """Speak frames over a socket; opens with the preface and SETTINGS.

    Args:
        sock: connected.
        settings: pairs of numbers, as SETTINGS has them; None to send nothing at all.
    """

    def __init__(self, sock: Any, settings: dict[int, int] | None = {}) -> None:  # noqa: B006
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.frames: list[Frame] = []
        self.fields: dict[HeadersFrame, list[tuple[str, str]]] = {}
        self._data = b""
        self._found: defaultdict[int, _Found] = defaultdict(_Found)
        self._first_window = FIRST_WINDOW
        self._windows: dict[int, int] = {0: FIRST_WINDOW}
        if settings is not None:
            self.sock.sendall(PREFACE)
            self.send(SettingsFrame(0, settings=settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sock.close()

    # --- sending ----------------------------------------------------------------------------

    def send(self, *frames: Frame | bytes) -> Self:
        """Send frames, or bytes as they are."""
        self.sock.sendall(
            b"".join(each if isinstance(each, bytes) else each.serialize() for each in frames)
        )
        return self

    def head(self, stream_id: int, fields: Fields, *flags: str) -> HeadersFrame:
        """Make a HEADERS frame; ends the block, and the stream unless flags are given."""
        data = self.encoder.encode(list(fields))
        return HeadersFrame(stream_id, data, flags=["END_HEADERS", *(flags or ["END_STREAM"])])

    def get(self, stream_id: int, *extra: tuple[str, str], path: str = "/") -> Self:
        """Send a request without a body."""
        return self.send(self.head(stream_id, (*GET[:3], (":path", path), *extra)))

    def post(self, stream_id: int, *extra: tuple[str, str], path: str = "/") -> Self:
        """Send the head of a request whose body follows."""
        fields = (*POST[:3], (":path", path), *extra)
        return self.send(
            HeadersFrame(stream_id, self.encoder.encode(list(fields)), flags=["END_HEADERS"])
        )

    def data(self, stream_id: int, data: bytes, is_last: bool = False) -> Self:
        """Send one DATA frame."""
        return self.send(DataFrame(stream_id, data, flags=["END_STREAM"] if is_last else []))

    def upload(self, stream_id: int, data: bytes) -> None:
        """Send a body, as the server gives room for it, and end the stream."""
        self._windows.setdefault(stream_id, self._first_window)
        rest = data
        while rest:
            room = min(self._windows[stream_id], self._windows[0], 16384)
            if room <= 0:
                self.wait_for(WindowUpdateFrame)
                continue
            piece, rest = rest[:room], rest[room:]
            self._windows[stream_id] -= len(piece)
            self._windows[0] -= len(piece)
            self.data(stream_id, piece)
        self.data(stream_id, b"", True)

    def reset(self, stream_id: int, code: ErrorCode = ErrorCode.CANCEL) -> Self:
        """Reset a stream."""
        return self.send(RstStreamFrame(stream_id, error_code=code))

    def make_room(self, size: int, *stream_ids: int) -> Self:
        """Open windows; that of the connection by default."""
        return self.send(
            *[WindowUpdateFrame(each, window_increment=size) for each in stream_ids or [0]]
        )

    # --- receiving ----------------------------------------------------------------------------

    def next_frame(self) -> Frame | None:
        """Wait for a frame; None at the end of the connection."""
        while (frame := self._cut()) is None:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._data += data
        self.frames.append(frame)
        if isinstance(frame, HeadersFrame):
            assert "END_HEADERS" in frame.flags
            self.fields[frame] = [
                (_text(name), _text(value)) for name, value in self.decoder.decode(frame.data)
            ]
        if frame.stream_id:
            self._note(frame)
        self._count_room(frame)
        return frame

    def _count_room(self, frame: Frame) -> None:
        if isinstance(frame, WindowUpdateFrame):
            room = self._windows.setdefault(frame.stream_id, self._first_window)
            self._windows[frame.stream_id] = room + frame.window_increment
        elif isinstance(frame, SettingsFrame) and 4 in frame.settings:
            for stream_id in self._windows.keys() - {0}:
                self._windows[stream_id] += frame.settings[4] - self._first_window
            self._first_window = frame.settings[4]

    def _cut(self) -> Frame | None:
        if len(self._data) < 9:
            return None
        frame, length = Frame.parse_frame_header(memoryview(self._data[:9]))
        if len(self._data) < 9 + length:
            return None
        frame.parse_body(memoryview(self._data[9 : 9 + length]))
        self._data = self._data[9 + length :]
        return frame

    def wait_for(self, kind: type[Frame], stream_id: int | None = None) -> Any:
        """Wait for a frame of a kind."""
        while (frame := self.next_frame()) is not None:
            if isinstance(frame, kind) and stream_id in (None, frame.stream_id):
                return frame
        raise AssertionError(f"no {kind.__name__} before the end: {self.frames}")

    def answer(self, stream_id: int, *, reads: bool = True) -> Answer:
        """Wait until a stream has ended; opens windows as data comes."""
        (answer,) = self.answers(stream_id, reads=reads)
        return answer

    def answers(self, *stream_ids: int, reads: bool = True) -> list[Answer]:
        """Wait until streams have ended, in whatever order."""
        found = [self._found[each] for each in stream_ids]
        while not all(each.is_over for each in found):
            frame = self.next_frame()
            assert frame is not None, f"the end, before the answers: {self.frames}"
            if not (reads and isinstance(frame, DataFrame)) or "END_STREAM" in frame.flags:
                continue
            if frame.flow_controlled_length:
                self.make_room(frame.flow_controlled_length, 0, frame.stream_id)
        return [each.answer() for each in found]

    def _note(self, frame: Frame) -> None:
        """Take notice of what belongs to an answer, whoever waits for it or for something else."""
        one = self._found[frame.stream_id]
        if isinstance(frame, HeadersFrame):
            one.take_head(self.fields[frame])
        elif isinstance(frame, DataFrame):
            one.body += frame.data
        elif isinstance(frame, RstStreamFrame):
            one.reset = ErrorCode(frame.error_code)
        one.is_over = one.is_over or "END_STREAM" in frame.flags or one.reset is not None

    def ending(self) -> ErrorCode | None:
        """Wait for the end of the connection; give the code of the last GOAWAY."""
        while self.next_frame() is not None:
            pass
        codes = [each.error_code for each in self.frames if isinstance(each, GoAwayFrame)]
        return ErrorCode(codes[-1]) if codes else None

    def ping(self) -> None:
        """Wait until all that was sent before has been read."""
        self.send(PingFrame(0, b"12345678"))
        while "ACK" not in self.wait_for(PingFrame).flags:
            pass


class _Found:
    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.body = bytearray()
        self.reset: ErrorCode | None = None
        self.interim: tuple[int, ...] = ()
        self.is_over = False

    def take_head(self, pairs: list[tuple[str, str]]) -> None:
        status = int(dict(pairs)[":status"])
        if status < 200:
            self.interim += (status,)
        else:
            self.fields = dict(pairs)

    def answer(self) -> Answer:
        status = int(self.fields.get(":status", 0))
        return Answer(status, self.fields, bytes(self.body), self.reset, self.interim)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
