"""Ordinary sockets that a program hands to a server."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.backdoor import backdoor_server
from eventlet.convenience import serve
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket
from eventlet.greenio.adoption import make_green

LOCAL = ("127.0.0.1", 0)


class OwnAccept(socket.socket):
    """A socket whose class says how to accept."""

    def accept(self) -> tuple[socket.socket, object]:
        return socket.socket(), None


def test_an_ordinary_socket_gets_a_green_one_over_its_descriptor() -> None:
    with socket.create_server(LOCAL) as plain:
        green = make_green(plain)

        assert type(green) is GreenSocket
        assert green.fileno() == plain.fileno()
        green.close()
        assert plain.fileno() == -1


def test_whatever_parks_already_stays_what_it_is() -> None:
    context = green_ssl.create_default_context(green_ssl.Purpose.CLIENT_AUTH)
    with GreenSocket() as green, context.wrap_socket(GreenSocket(), server_side=True) as tls:
        assert make_green(green) is green
        assert make_green(tls) is tls


def test_a_class_with_an_accept_of_its_own_is_trusted() -> None:
    stranger = object()
    with OwnAccept() as own:
        assert make_green(own) is own
    assert make_green(stranger) is stranger


def _nothing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return []


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(lambda sock: wsgi.server(sock, _nothing, log_output=False), id="wsgi"),
        pytest.param(lambda sock: serve(sock, print), id="serve"),
        pytest.param(backdoor_server, id="backdoor"),
    ],
)
def test_servers_refuse_a_standard_tls_socket_and_name_the_way_out(
    start: Callable[[ssl.SSLSocket], object],
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    plain = socket.create_server(LOCAL)
    with (
        context.wrap_socket(plain, server_side=True) as tls,
        pytest.raises(TypeError, match=r"hold up every green thread; .* eventlet\.wrap_ssl"),
    ):
        start(tls)
