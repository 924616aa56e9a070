"""Sockets whose `makefile` somebody has replaced: what it gives is what the server reads."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import partial
from typing import Any

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
    return GreenSocket.makefile(sock, mode, bufsize)  # type: ignore[call-overload]  # any mode


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
