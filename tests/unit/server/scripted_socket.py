"""A socket that hands out what a test wrote down, and keeps what it was sent."""

from __future__ import annotations

from collections.abc import Iterable


class ScriptedSocket:
    """Each `recv` gives the next piece, or raises it; then the peer has closed."""

    def __init__(self, pieces: Iterable[bytes | BaseException] = ()) -> None:
        self.pieces = list(pieces)
        self.sent: list[bytes] = []
        self.timeouts: list[float | None] = []
        self.send_error: BaseException | None = None

    def recv(self, bufsize: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if isinstance(piece, BaseException):
            raise piece
        if len(piece) > bufsize:
            self.pieces.insert(0, piece[bufsize:])
        return piece[:bufsize]

    def sendall(self, data: bytes) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent.append(data)

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def settimeout(self, value: float | None) -> None:
        self.timeouts.append(value)

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 80)

    def getpeername(self) -> tuple[str, int]:
        return ("127.0.0.1", 40000)

    def setsockopt(self, *args: int) -> None:
        self.options = args

    def fileno(self) -> int:
        return 7

    def shutdown(self, how: int) -> None:
        self.shut_down = how

    def close(self) -> None:
        self.pieces.clear()
