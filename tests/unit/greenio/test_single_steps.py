"""Steps of connecting and accepting, and the old names of the package."""

import errno
import socket
import sys
import types
from typing import Any

import pytest

from eventlet import greenio
from eventlet.green import _socket_nodns
from eventlet.green import socket as green_socket
from eventlet.greenio import base, py3
from eventlet.greenio.openssl_errors import _find
from eventlet.greenio.single_steps import socket_accept, socket_checkerr, socket_connect
from eventlet.hubs import trampoline


def test_a_connection_step_by_step() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    client = socket.socket()
    client.setblocking(False)

    assert socket_accept(listener) is None
    assert socket_connect(client, listener.getsockname()) in (None, client)
    trampoline(client, write=True)
    socket_checkerr(client)
    assert socket_connect(client, listener.getsockname()) is client
    trampoline(listener, read=True)
    accepted = socket_accept(listener)

    assert accepted is not None
    server, address = accepted
    assert address == client.getsockname()
    for each in (client, server, listener):
        each.close()


def test_errors_come_at_once_or_from_the_background() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    nobody = listener.getsockname()
    listener.close()
    client = socket.socket()
    client.setblocking(False)

    with pytest.raises(ConnectionRefusedError):  # noqa: PT012  # which of them, the kernel decides
        socket_connect(client, nobody)
        trampoline(client, write=True)
        socket_checkerr(client)
    client.close()
    with pytest.raises(OSError, match="descriptor") as closed:
        socket_connect(client, nobody)
    assert closed.value.errno == errno.EBADF


def test_old_names_are_the_same_objects() -> None:
    assert base.GreenSocket is greenio.GreenSocket
    assert base.socket_connect is socket_connect
    assert py3.GreenFileIO is greenio.GreenFileIO
    assert _socket_nodns.socket is green_socket.socket
    assert _socket_nodns.socketpair is green_socket.socketpair
    assert _socket_nodns.fromfd is green_socket.fromfd
    assert _socket_nodns.timeout is TimeoutError
    assert _socket_nodns._GLOBAL_DEFAULT_TIMEOUT is greenio._GLOBAL_DEFAULT_TIMEOUT


def test_a_socket_without_names_is_green() -> None:
    left, right = _socket_nodns.socketpair()
    left.sendall(b"x")

    assert isinstance(left, greenio.GreenSocket)
    assert right.recv(1) == b"x"
    left.close()
    right.close()


@pytest.mark.parametrize(
    "name", ["WantReadError", "WantWriteError", "ZeroReturnError", "SysCallError"]
)
def test_exceptions_of_openssl_can_be_caught(name: str) -> None:
    assert issubclass(getattr(greenio.SSL, name), Exception)


def test_openssl_is_used_if_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    package: Any = types.ModuleType("OpenSSL")
    package.SSL = types.ModuleType("OpenSSL.SSL")
    monkeypatch.setitem(sys.modules, "OpenSSL", package)
    monkeypatch.setitem(sys.modules, "OpenSSL.SSL", package.SSL)
    with_it = _find()
    monkeypatch.setitem(sys.modules, "OpenSSL.SSL", None)

    assert with_it is package.SSL
    assert issubclass(_find().WantReadError, Exception)


def test_names_that_are_not_there() -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        greenio.nothing_like_it  # noqa: B018  # looking it up is the subject
