"""The other side of a WebSocket, in raw bytes, and sites that serve one."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

from eventlet.green import socket
from eventlet.greenthread import spawn
from eventlet.timeout import Timeout
from eventlet.websocket import RFC6455WebSocket, WebSocketWSGI

from tests.unit.green.test_ssl import make_client_context, make_server_context
from tests.unit.server.site import PATIENCE, Site

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x11\x22\x33\x44"
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def xor(data: bytes, mask: bytes = MASK) -> bytes:
    pieces = [bytes(byte ^ key for byte in range(256)) for key in mask]
    mixed = bytearray(data)
    for i, table in enumerate(pieces):
        mixed[i::4] = mixed[i::4].translate(table)
    return bytes(mixed)


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    first: int = FIN,
    mask: bool = True,
    length: int | None = None,
) -> bytes:
    """Build a frame; `length` is what it says, whatever the payload has."""
    size = len(payload) if length is None else length
    flag = 0x80 if mask else 0
    head = bytes([first | opcode])
    if size < 126:
        head += bytes([flag | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", flag | 126, size)
    else:
        head += struct.pack("!BQ", flag | 127, size)
    return head + (MASK + xor(payload) if mask else payload)


def close_frame(code: int, reason: bytes = b"", *, mask: bool = True) -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason, mask=mask)


def deflate(data: bytes) -> bytes:
    """Compress one message as RFC 7692 has it."""
    stream = zlib.compressobj(wbits=-15)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


class Frame(NamedTuple):
    first: int
    payload: bytes = b""
    masked: bool = False

    @property
    def opcode(self) -> int:
        return self.first & 0x0F

    @property
    def code(self) -> int:
        """Of a close frame."""
        (code,) = struct.unpack_from("!H", self.payload)
        return int(code)


class Peer:
    """Speaks frames over a socket, right or wrong."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)
        self._buffer = io.BytesIO()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.sock.close()

    def send(self, *frames: bytes) -> None:
        self.sock.sendall(b"".join(frames))

    def head(self) -> str:
        """Read the answer to the handshake."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += self._exactly(1)
        return data.decode("latin-1")

    def frame(self) -> Frame:
        """Read the next frame."""
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
        mask = self._exactly(4) if second & 0x80 else b""
        payload = self._exactly(length)
        return Frame(first, xor(payload, mask) if mask else payload, bool(mask))

    def rest(self) -> bytes:
        """Read what comes until the other side ends."""
        parts = []
        while data := self.sock.recv(65536):
            parts.append(data)
        return b"".join(parts)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            assert more, f"the other side ended after {data!r}"
            data += more
        return data


def request(**fields: str | None) -> bytes:
    """Build a request for a WebSocket; None leaves a field out, `_` stands for `-`."""
    usual = {
        "Host": "localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    method = fields.pop("method", "GET")
    version = fields.pop("version", "HTTP/1.1")
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in (usual | named).items() if value is not None]
    return "\r\n".join([f"{method} /path?x=1 {version}", *lines, "", ""]).encode()


def echo(ws: RFC6455WebSocket) -> None:
    for message in ws:
        ws.send(message)


class WebSite(Site):
    """Serves WebSockets while the `with` block runs."""

    def __init__(self, handler: Callable[[RFC6455WebSocket], Any] = echo, **options: Any) -> None:
        self.errors = io.StringIO()
        app = options.pop("app", None) or WebSocketWSGI.configured(handler, **options)
        super().__init__(app, environ={"wsgi.errors": self.errors})

    def open(self, *after: bytes, **fields: str | None) -> Peer:
        """Do the handshake, with frames right behind the request."""
        peer = self.ask(*after, **fields)
        head = peer.head()
        assert head.startswith("HTTP/1.1 101 "), head
        return peer

    def ask(self, *after: bytes, **fields: str | None) -> Peer:
        """Send a request."""
        peer = Peer(self.connect())
        peer.send(request(**fields), *after)
        return peer


@contextmanager
def pair(**options: Any) -> Any:
    """A WebSocket of the server's side, and its peer, over a pair of sockets."""
    with _both(*sockets(), **options) as both:
        yield both


@contextmanager
def tls_pair(**options: Any) -> Any:
    """The same with TLS."""
    with _both(*tls_sockets(), **options) as both:
        yield both


def sockets() -> tuple[Any, Any]:
    """Make a pair of sockets that are connected."""
    near, far = socket.socketpair()
    return near, far


def tls_sockets() -> tuple[Any, Any]:
    """Make a pair of sockets that speak TLS; the first is the server's."""
    near, far = socket.socketpair()
    accepting = spawn(make_server_context().wrap_socket, near, server_side=True)
    far = make_client_context().wrap_socket(far, server_hostname="localhost")
    return accepting.wait(), far


@contextmanager
def _both(near: Any, far: Any, **options: Any) -> Any:
    ws = RFC6455WebSocket(near, {}, **options)
    with Timeout(PATIENCE), Peer(far) as peer:
        try:
            yield ws, peer
        finally:
            ws.abandon()
