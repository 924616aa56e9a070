"""A running `wsgi.server` and clients that talk to it in raw bytes."""

from __future__ import annotations

import http.client
import io
import select
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from eventlet import wsgi
from eventlet._server.accepting import has_more
from eventlet.greenio import GreenSocket
from eventlet.greenthread import GreenThread, kill, sleep, spawn
from eventlet.timeout import Timeout

App = Callable[..., Iterable[Any]]
PATIENCE = 30.0  # seconds that anything in these tests may take
LONG = 100.0  # seconds that nothing waits out


class Lines:
    """A log: what was written to it, line by line."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def __iter__(self) -> Any:
        return iter(self.text.splitlines())

    @property
    def requests(self) -> list[str]:
        """The lines of the access log."""
        return [line for line in self if '] "' in line]


class Reply:
    """One response, as the standard library's client reads it."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.version = response.version
        self.status = response.status
        self.reason = response.reason
        self.headers = response.headers
        self.body = response.read()


class _Readable:
    """What `HTTPResponse` needs of a socket."""

    def __init__(self, file: io.BytesIO) -> None:
        self._file = file

    def makefile(self, mode: str) -> Any:
        return io.BufferedReader(_Unclosed(self._file))


class _Unclosed(io.RawIOBase):
    """Read byte by byte, so that nothing of the next response is lost."""

    def __init__(self, file: io.BytesIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(1)
        buffer[: len(data)] = data
        return len(data)


def parse_replies(raw: bytes, methods: Iterable[str] = ()) -> list[Reply]:
    """Take a row of responses apart; all bytes must belong to one."""
    file = io.BytesIO(raw)
    replies = []
    rest = list(methods)
    while file.tell() < len(raw):
        method = rest.pop(0) if rest else "GET"
        response = http.client.HTTPResponse(_Readable(file), method=method)  # type: ignore[arg-type]
        response.begin()
        replies.append(Reply(response))
    return replies


class Site:
    """Serve `app` while the `with` block runs."""

    def __init__(self, app: App, listener: Any = None, **options: Any) -> None:
        self.app = app
        self.listener = listen() if listener is None else listener
        self.address = self.listener.getsockname()
        self.log = options.pop("log", Lines())
        self.options = options
        self.thread: GreenThread

    def __enter__(self) -> Self:
        self.thread = spawn(wsgi.server, self.listener, self.app, self.log, **self.options)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with Timeout(PATIENCE):
            self.stop()

    def stop(self) -> None:
        """Kill the server and wait until it has ended."""
        if not self.thread.dead:
            kill(self.thread)
        wait_until(lambda: self.thread.dead)

    def connect(self) -> GreenSocket:
        """Open a connection."""
        return connect(self.address, family=self.listener.family)

    def exchange(self, data: bytes, *, half_close: bool = True) -> bytes:
        """Send bytes over one connection, return all that came back until its end."""
        with self.connect() as sock:
            with suppress(OSError):  # refused before the end: the answer is there to be read
                sock.sendall(data)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            return read_to_end(sock)

    def replies(self, data: bytes, *methods: str) -> list[Reply]:
        """Send bytes over one connection, return the responses."""
        return parse_replies(self.exchange(data), methods)

    def reply(self, data: bytes, *methods: str) -> Reply:
        """Send one request, return its only response."""
        (reply,) = self.replies(data, *methods)
        return reply


def listen(family: int = socket.AF_INET, address: Any = ("127.0.0.1", 0)) -> GreenSocket:
    """Open a listening socket on a port that the kernel chooses."""
    sock = GreenSocket(family)
    sock.bind(address)
    sock.listen(200)
    return sock


def connect(address: Any, data: bytes = b"", *, family: int = socket.AF_INET) -> GreenSocket:
    """Open a connection to a listening socket, which nobody need serve yet.

    Args:
        address: of the listening socket.
        data: sent at once, so that a server that begins after this need not wait for it.
        family: of the listening socket.
    """
    sock = GreenSocket(family)
    sock.settimeout(PATIENCE)
    sock.connect(address)
    sock.sendall(data)
    return sock


def read_to_end(sock: Any) -> bytes:
    """Read until the peer closes; a reset ends it too."""
    parts = []
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            break
        if not data:
            break
        parts.append(data)
    return b"".join(parts)


def read_until(sock: Any, end: bytes) -> bytes:
    """Read until what came ends in `end`."""
    data = b""
    while not data.endswith(end):
        more = sock.recv(65536)
        assert more, f"the server closed after {data!r}"
        data += more
    return data


def read_exactly(sock: Any, count: int) -> bytes:
    """Read so many bytes, however they come."""
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        assert more, f"the server closed after {data!r}"
        data += more
    return data


def reset(sock: Any) -> None:
    """Close so that the other side gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def wait_until(claim: Callable[[], bool]) -> None:
    """Let other green threads run until a claim is true."""
    with Timeout(PATIENCE):
        while not claim():
            sleep(0.001)


def wait_for_arrival(sock: Any) -> None:
    """Let nobody run until something has come to a socket."""
    assert select.select([sock.fileno()], [], [], PATIENCE)[0]


def wait_until_read(sock: Any) -> None:
    """Let other green threads run until they have read what was just sent to a socket."""
    wait_for_arrival(sock)
    with Timeout(PATIENCE):
        while has_more(sock):
            sleep(0)
