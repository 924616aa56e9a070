"""Builds what calls wait for, and takes it away at the end."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import trustme

from eventlet._core.current import get_hub
from eventlet.convenience import connect, listen
from eventlet.event import Event
from eventlet.green import ssl as green_ssl
from eventlet.green import subprocess as green_subprocess
from eventlet.greenio import GreenPipe, GreenSocket
from eventlet.greenthread import GreenThread, spawn

__all__ = ["LONG", "Connection", "Stage", "send_once"]

LONG = 1000.0
T = TypeVar("T")

authority = trustme.CA()
certificate = authority.issue_cert("localhost")


class Connection:
    """Two ends of one connection, or of a pair of datagram sockets."""

    def __init__(self, near: Any, far: Any) -> None:
        self.near = near
        self.far = far

    def fill(self, size: int = 1024) -> None:
        """Send from the near end, `size` bytes at once, until the kernel takes no more.

        Not over TCP, which moves what it has to the other side later, and takes more then.
        """
        self.near.setblocking(False)
        try:
            while True:
                self.near.send(bytes(size))
        except (BlockingIOError, ssl.SSLWantWriteError):
            self.near.setblocking(True)

    def drain(self) -> None:
        """Read at the far end what is there."""
        self.far.setblocking(False)
        try:
            while self.far.recv(1 << 20):
                pass
        except BlockingIOError:
            self.far.setblocking(True)

    def keep_draining(self) -> None:
        """Read at the far end until the connection ends."""
        while self.far.recv(1 << 20):
            pass


class Stage:
    """Builds what a call waits for; `with` takes it away at the end, last come, first gone."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._things: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def at_end(self, call: Callable[..., object], *args: Any) -> None:
        self._stack.callback(call, *args)

    def keep(self, thing: T) -> T:
        """Close `thing` at the end."""
        self._things.append(thing)
        self._stack.callback(thing.close)  # type: ignore[attr-defined]  # whatever has one
        return thing

    def mind(self, thing: T) -> T:
        """Take `thing` for ours, without ending it."""
        self._things.append(thing)
        return thing

    def has(self, thing: object) -> bool:
        return any(thing is each for each in self._things)

    def owns(self, leak: str) -> bool:
        """Tell whether what `find_leaks` found is ours, and goes at the end."""
        names = [f"descriptor {each.fileno()} " for each in self._things if hasattr(each, "fileno")]
        names += [f"green thread is alive: {each!r}" for each in self._things]
        return leak.startswith(tuple(names))

    def replace(self, module: Any, name: str, value: object) -> None:
        """Set an attribute until the end."""
        self._stack.callback(setattr, module, name, getattr(module, name))
        setattr(module, name, value)

    # -- threads and time ------------------------------------------------------------------

    def thread(self, func: Callable[..., Any], *args: Any) -> GreenThread:
        """Start a green thread that is killed at the end."""
        thread = spawn(func, *args)
        self._things.append(thread)
        self.at_end(thread.kill)
        return thread

    def skip_time(self, seconds: float = LONG + 1) -> None:
        """Let the hub's clock go forward by so much, until the end."""
        hub = get_hub()
        before = hub.clock
        hub.clock = lambda: before() + seconds
        self.at_end(setattr, hub, "clock", before)

    def os_gate(self) -> threading.Event:
        """Something to wait for in an OS thread; open at the end."""
        gate = threading.Event()
        self.at_end(gate.set)
        return gate

    # -- sockets -----------------------------------------------------------------------------

    def listener(self, backlog: int = 50) -> GreenSocket:
        return self.keep(listen(("127.0.0.1", 0), backlog=backlog))

    def tcp(self) -> Connection:
        with listen(("127.0.0.1", 0)) as listener:
            client = self.keep(connect(listener.getsockname()))
            server, _ = listener.accept()
        return Connection(client, self.keep(server))

    def stream(self) -> Connection:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return Connection(self.keep(GreenSocket(near)), self.keep(GreenSocket(far)))

    def full_stream(self) -> Connection:
        connection = self.stream()
        connection.fill(1 << 16)
        connection.fill(1)
        return connection

    def datagrams(self) -> Connection:
        """Two connected datagram sockets of the unix family: full, they make the sender wait."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        return Connection(self.keep(GreenSocket(near)), self.keep(GreenSocket(far)))

    def udp(self) -> Connection:
        near = self.keep(GreenSocket(socket.AF_INET, socket.SOCK_DGRAM))
        far = self.keep(GreenSocket(socket.AF_INET, socket.SOCK_DGRAM))
        near.bind(("127.0.0.1", 0))
        far.bind(("127.0.0.1", 0))
        far.connect(near.getsockname())
        return Connection(near, far)

    def crowded_listener(self) -> tuple[GreenSocket, Callable[[], None]]:
        """A listener that takes no more connections, and what makes it take them again."""
        listener = self.listener(backlog=0)
        first = self.keep(connect(listener.getsockname()))
        assert first.getpeername() == listener.getsockname()

        def take_them() -> None:
            listener.settimeout(0)
            try:
                while True:
                    self.keep(listener.accept()[0])
            except BlockingIOError:
                listener.settimeout(None)

        return listener, take_them

    # -- TLS ---------------------------------------------------------------------------------

    def server_context(self) -> Any:
        context: Any = green_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    def client_context(self) -> Any:
        context: Any = green_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(context)
        return context

    def unshaken_tls(self, plain: Connection | None = None) -> Connection:
        """A TLS client and server whose handshake has not begun."""
        plain = plain or self.tcp()
        client = self.client_context().wrap_socket(
            plain.near, server_hostname="localhost", do_handshake_on_connect=False
        )
        server = self.server_context().wrap_socket(
            plain.far, server_side=True, do_handshake_on_connect=False
        )
        return Connection(self.keep(client), self.keep(server))

    def tls(self, plain: Connection | None = None) -> Connection:
        connection = self.unshaken_tls(plain)
        shaking = spawn(connection.far.do_handshake)
        connection.near.do_handshake()
        shaking.wait()
        return connection

    def full_tls(self) -> Connection:
        """The kernel has taken a part of the last record, whose rest has to go out first."""
        connection = self.tls(self.stream())
        connection.fill(1 << 14)
        return connection

    # -- pipes and processes -----------------------------------------------------------------

    def keep_number(self, fd: int) -> int:
        """Close a descriptor number at the end, unless it names another file by then."""
        self._things.append(_Number(fd))
        self.at_end(close_number, fd, os.fstat(fd).st_ino)
        return fd

    def pipe(self) -> tuple[int, int]:
        """Two descriptor numbers; closed at the end unless that was done before."""
        reader, writer = os.pipe()
        return self.keep_number(reader), self.keep_number(writer)

    def green_pipe(self) -> tuple[Any, Any]:
        """An unbuffered pipe: a green file to read and one to write."""
        reader, writer = os.pipe()
        return self.keep(GreenPipe(reader, "rb", 0)), self.keep(GreenPipe(writer, "wb", 0))

    def child(self, *command: str, **options: Any) -> Any:
        """A child process that runs until its standard input ends."""
        child: Any = green_subprocess.Popen(command or ["cat"], stdin=subprocess.PIPE, **options)
        self.at_end(child.wait)
        self.at_end(child.kill)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                self.at_end(stream.close)
        return child

    def directory(self) -> Path:
        path = tempfile.mkdtemp()  # no TemporaryDirectory, which a forked child would remove
        self.at_end(shutil.rmtree, path)
        return Path(path)


def send_once(event: Event) -> None:
    """Send an event unless that was done before."""
    if not event.ready():
        event.send()


class _Number(int):
    """A descriptor number."""

    def fileno(self) -> int:
        return self


def close_number(fd: int, inode: int) -> None:
    """Close a descriptor number if it still names the file that it did."""
    try:
        if os.fstat(fd).st_ino == inode:
            os.close(fd)
    except OSError:
        return
