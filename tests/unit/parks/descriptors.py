"""Parks of what waits for descriptors, of pipes and of names."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from eventlet import _resolver
from eventlet._thread_pool import in_pool_thread
from eventlet.green import os as green_os
from eventlet.green import select as green_select
from eventlet.green import selectors as green_selectors
from eventlet.green import socket as green_socket
from eventlet.greenio import GreenFileIO, GreenPipe, GreenSocket
from eventlet.hubs import notify_close, trampoline

from tests.unit.parks.park import Table, Wait
from tests.unit.parks.stage import LONG, Stage

__all__ = ["PARKS", "fill_pipe"]

PARKS = Table()
park = PARKS.park


# -- waiting for descriptors -------------------------------------------------------------------


@park(trampoline, closes=True)
def trampoline_read(stage: Stage) -> Wait:
    reader, writer = stage.pipe()
    call = partial(trampoline, reader, read=True)
    return Wait(
        call, partial(os.write, writer, b"data"), reader, close=partial(_close_aloud, reader)
    )


@park(trampoline, closes=True)
def trampoline_write(stage: Stage) -> Wait:
    connection = stage.full_stream()
    fd = connection.near.fileno()
    call = partial(trampoline, fd, write=True)
    return Wait(call, connection.drain, fd, close=connection.near.close)


def _close_aloud(fd: int) -> None:
    notify_close(fd)
    os.close(fd)


@park(green_select.select, closes=True)
def select_one_of_two(stage: Stage) -> Wait:
    connection, other = stage.tcp(), stage.tcp()
    both = [connection.near, other.near]
    return Wait(
        partial(green_select.select, both, [], []),
        partial(connection.far.sendall, b"data"),
        ([connection.near], [], []),
        close=connection.near.close,
    )


@park(green_select.select)
def select_urgent_data(stage: Stage) -> Wait:
    connection = stage.tcp()
    return Wait(
        partial(green_select.select, [], [], [connection.near], LONG),
        partial(connection.far.send, b"!", socket.MSG_OOB),
        ([], [], [connection.near]),
    )


@park(green_select.poll.poll)
def poll(stage: Stage) -> Wait:
    connection = stage.tcp()
    poller: Any = green_select.poll()
    poller.register(connection.near, green_select.POLLIN)
    gives = [(connection.near.fileno(), green_select.POLLIN)]
    return Wait(poller.poll, partial(connection.far.sendall, b"data"), gives)


@park(green_select.epoll.poll, closes=True)
def epoll(stage: Stage) -> Wait:
    connection = stage.tcp()
    poller: Any = stage.keep(green_select.epoll())
    poller.register(connection.near.fileno(), green_select.EPOLLIN)
    gives = [(connection.near.fileno(), green_select.EPOLLIN)]
    complete = partial(connection.far.sendall, b"data")
    return Wait(poller.poll, complete, gives, close=poller.close)


def _selecting(stage: Stage, make: Any) -> Wait:
    connection = stage.tcp()
    selector = stage.keep(make())
    key = selector.register(connection.near, green_selectors.EVENT_READ)
    gives = [(key, green_selectors.EVENT_READ)]
    return Wait(selector.select, partial(connection.far.sendall, b"data"), gives)


@park(green_selectors.DefaultSelector.select)
def default_selector(stage: Stage) -> Wait:
    return _selecting(stage, green_selectors.DefaultSelector)


@park(green_selectors.SelectSelector.select)
def select_selector(stage: Stage) -> Wait:
    return _selecting(stage, green_selectors.SelectSelector)


@park(green_selectors.PollSelector.select)
def poll_selector(stage: Stage) -> Wait:
    return _selecting(stage, green_selectors.PollSelector)


@park(green_selectors.EpollSelector.select)
def epoll_selector(stage: Stage) -> Wait:
    return _selecting(stage, green_selectors.EpollSelector)


# -- pipes -------------------------------------------------------------------------------------


@park(GreenFileIO.read, closes=True)
def pipe_read(stage: Stage) -> Wait:
    reader, writer = stage.green_pipe()
    return Wait(
        partial(reader.read, 10), partial(writer.write, b"data"), b"data", close=reader.close
    )


@park(GreenFileIO.readinto, closes=True)
def pipe_readinto(stage: Stage) -> Wait:
    reader, writer = stage.green_pipe()
    call = partial(reader.readinto, bytearray(10))
    return Wait(call, partial(writer.write, b"data"), 4, close=reader.close)


@park(GreenFileIO.readall)
def pipe_readall(stage: Stage) -> Wait:
    reader, writer = stage.green_pipe()
    return Wait(reader.readall, writer.close, b"")


@park(GreenPipe)
def pipe_readline(stage: Stage) -> Wait:
    fd, writer = stage.pipe()
    reader = stage.keep(GreenPipe(fd, "r", closefd=False))
    return Wait(reader.readline, partial(os.write, writer, b"a line\n"), "a line\n")


@park(GreenFileIO.write, closes=True)
def pipe_write(stage: Stage) -> Wait:
    reader, writer = stage.green_pipe()
    fill_pipe(writer.fileno())
    read = partial(os.read, reader.fileno(), 1 << 20)
    return Wait(partial(writer.write, b"data"), read, 4, close=writer.close)


@park(GreenFileIO.read, closes=True)
def inherited_pipe_read(stage: Stage) -> Wait:
    """One that is shared with others is never put in non-blocking mode."""
    fd, writer = os.pipe()
    os.set_inheritable(fd, True)
    reader = stage.keep(GreenPipe(fd, "rb", 0))
    stage.keep_number(writer)
    assert os.get_blocking(fd)
    return Wait(
        partial(reader.read, 10), partial(os.write, writer, b"data"), b"data", close=reader.close
    )


def fill_pipe(fd: int) -> None:
    was_blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, bytes(65536))
    except BlockingIOError:
        os.set_blocking(fd, was_blocking)


@park(GreenPipe)
def fifo_open(stage: Stage) -> Wait:
    """Opening it waits for the other side, in an OS thread that nobody can call back."""
    path = stage.directory() / "fifo"
    os.mkfifo(path)
    stage.at_end(_release_openers, path)

    def call() -> bool:
        with GreenPipe(str(path), "rb", 0) as file:
            return bool(file.readable())

    def complete() -> None:
        stage.keep_number(os.open(path, os.O_RDWR))

    return Wait(call, complete, True)


@park(green_os.open)
def os_open_fifo(stage: Stage) -> Wait:
    path = stage.directory() / "fifo"
    os.mkfifo(path)
    stage.at_end(_release_openers, path)

    def call() -> bool:
        os.close(green_os.open(path, os.O_RDONLY))
        return True

    def complete() -> None:
        stage.keep_number(os.open(path, os.O_RDWR))

    return Wait(call, complete, True)


def _release_openers(path: Any) -> None:
    """Let OS threads go on that wait for the other side of a FIFO."""
    os.close(os.open(path, os.O_RDWR))


@park(green_os.read, closes=True)
def os_read(stage: Stage) -> Wait:
    reader, writer = stage.pipe()
    return Wait(
        partial(green_os.read, reader, 10),
        partial(os.write, writer, b"data"),
        b"data",
        close=partial(_close_aloud, reader),
    )


@park(green_os.write, closes=True)
def os_write(stage: Stage) -> Wait:
    reader, writer = stage.pipe()
    fill_pipe(writer)
    return Wait(
        partial(green_os.write, writer, b"data"),
        partial(os.read, reader, 1 << 20),
        4,
        close=partial(_close_aloud, writer),
    )


# -- names -------------------------------------------------------------------------------------


def _asking(stage: Stage, real_name: str, answer: Any, ask: Callable[[], Any], gives: Any) -> Wait:
    gate = stage.os_gate()
    real = getattr(_resolver, real_name)

    def ask_the_system(*args: Any) -> Any:
        if not in_pool_thread():  # a literal address: somebody else's, and never slow
            return real(*args)
        assert gate.wait(600)
        return answer

    stage.replace(_resolver._plugged, "load", None)
    stage.replace(_resolver, real_name, ask_the_system)
    plug_in = getattr(_resolver, "plug_in", None)
    if plug_in is not None:  # the operating system's resolver is meant, not the green one
        stage.at_end(plug_in, plug_in(None))
    return Wait(ask, gate.set, gives)


_FOUND = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
_HOST: tuple[str, list[str], list[str]] = ("a.example", [], ["127.0.0.1"])


@park(green_socket.getaddrinfo)
def getaddrinfo(stage: Stage) -> Wait:
    ask = partial(green_socket.getaddrinfo, "a.example", 80)
    return _asking(stage, "real_getaddrinfo", [_FOUND], ask, [_FOUND])


@park(green_socket.gethostbyname)
def gethostbyname(stage: Stage) -> Wait:
    ask = partial(green_socket.gethostbyname, "a.example")
    return _asking(stage, "real_gethostbyname", "127.0.0.1", ask, "127.0.0.1")


@park(green_socket.gethostbyname_ex)
def gethostbyname_ex(stage: Stage) -> Wait:
    ask = partial(green_socket.gethostbyname_ex, "a.example")
    return _asking(stage, "real_gethostbyname_ex", _HOST, ask, _HOST)


@park(green_socket.gethostbyaddr)
def gethostbyaddr(stage: Stage) -> Wait:
    ask = partial(green_socket.gethostbyaddr, "127.0.0.1")
    return _asking(stage, "real_gethostbyaddr", _HOST, ask, _HOST)


@park(green_socket.getfqdn)
def getfqdn(stage: Stage) -> Wait:
    ask = partial(green_socket.getfqdn, "127.0.0.1")
    return _asking(stage, "real_gethostbyaddr", _HOST, ask, "a.example")


@park(green_socket.getnameinfo)
def getnameinfo(stage: Stage) -> Wait:
    ask = partial(green_socket.getnameinfo, ("127.0.0.1", 80), 0)
    return _asking(stage, "real_getnameinfo", ("a.example", "http"), ask, ("a.example", "http"))


@park(GreenSocket.connect, GreenSocket.bind)
def bind_to_a_name(stage: Stage) -> Wait:
    sock = stage.keep(GreenSocket())
    return _asking(
        stage,
        "real_getaddrinfo",
        [_FOUND],
        partial(sock.bind, ("a.example", 0)),
        None,
    )
