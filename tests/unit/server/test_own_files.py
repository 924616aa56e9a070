"""Sockets whose `makefile` somebody has replaced: what it gives is what the server reads."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from unittest import mock

import pytest

from eventlet import wsgi
from eventlet.greenio import GreenSocket

from tests.unit.server.site import Site

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Shouting(io.RawIOBase):
    """What a client sent, in capitals."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._sock.recv(len(buffer)).replace(b"/path", b"/PATH")
        buffer[: len(data)] = data
        return len(data)


def shout(sock: GreenSocket, mode: str, bufsize: int) -> Any:
    if "r" in mode:
        return io.BufferedReader(Shouting(sock))
    return GreenSocket.makefile(sock, mode, bufsize)


def test_files_of_an_overridden_makefile_are_used() -> None:
    class OwnClass(GreenSocket):
        makefile = shout  # type: ignore[assignment]  # has fewer ways to be called

    def own_attribute() -> GreenSocket:
        sock = GreenSocket()
        accept = sock.accept

        def accept_and_change() -> Any:
            client, address = accept()
            client.makefile = partial(shout, client)
            return client, address

        sock.accept = accept_and_change  # type: ignore[method-assign]  # which is the point
        return sock

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    for listener in (OwnClass(), own_attribute()):
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        with Site(app, listener) as site:
            replies = site.replies(GET.replace(b"/ ", b"/path ") * 2)
        assert [reply.body for reply in replies] == [b"/PATH"] * 2


class InPlace:
    """A pool that runs what it is given there and then."""

    def spawn(self, function: Callable[..., Any], *args: Any) -> Any:
        function(*args)
        return mock.Mock(link=lambda callback, *more: callback(self, *more))

    spawn_n = spawn

    def waitall(self) -> None:
        pass


class Overriding(wsgi.HttpProtocol):
    def parse_request(self) -> bool:
        return super().parse_request()


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Overriding])
def test_mocks_may_stand_for_listener_and_connection(protocol: Any) -> None:
    """This is how Swift tests its protocol classes."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    files = {"rb": io.BytesIO(GET.replace(b"/ ", b"/path ") * 2), "wb": io.BytesIO()}
    address = ("127.0.0.1", 8359)
    connection = mock.Mock(makefile=lambda mode, bufsize: files[mode], getsockname=lambda: address)
    listener = mock.Mock(
        accept=mock.Mock(side_effect=[(connection, address), KeyboardInterrupt]),
        getsockname=lambda: address,
    )
    del listener.do_handshake

    with mock.patch.object(files["wb"], "close"):
        wsgi.server(listener, app, protocol=protocol, custom_pool=InPlace(), log_output=False)

    written = files["wb"].getvalue()
    assert written.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert written.endswith(b"/path")
