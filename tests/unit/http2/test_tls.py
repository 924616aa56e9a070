"""HTTP/2 over TLS, where the client has the choice."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable
from typing import Any

import pytest
import trustme

from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket

from tests.unit.http2.peer import Peer
from tests.unit.http2.site import echo, hello, site
from tests.unit.server.site import PATIENCE, Site, listen, read_to_end, read_until


class Tls:
    """A certificate, a listener with it, and clients that trust it."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.server = green_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost").configure_cert(self.server)

    def listen(self) -> Any:
        return self.server.wrap_socket(listen(), server_side=True, do_handshake_on_connect=False)

    def connect(self, served: Site, *protocols: str, certificate: str = "") -> Any:
        context = green_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if certificate:
            self.authority.issue_cert(certificate).configure_cert(context)
        sock = GreenSocket()
        sock.settimeout(PATIENCE)
        sock.connect(served.address)
        return context.wrap_socket(sock, server_hostname="localhost")


@pytest.fixture(scope="module")
def tls() -> Tls:
    return Tls()


def tell(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    peer = environ["eventlet.input"].get_socket().getpeercert()
    names = ("SERVER_PROTOCOL", "wsgi.url_scheme", "HTTPS")
    return [json.dumps([*[environ[name] for name in names], peer]).encode()]


def test_who_offers_both_gets_http_2(tls: Tls) -> None:
    with site(tell, listener=tls.listen()) as served:
        sock = tls.connect(served, "h2", "http/1.1")
        assert sock.selected_alpn_protocol() == "h2"
        with Peer(sock) as peer:
            for stream_id in (1, 3):
                peer.get(stream_id)
                answer = json.loads(peer.answer(stream_id).body)
                assert answer == ["HTTP/2", "https", "on", None]


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_who_does_not_offer_it_gets_http_1(tls: Tls, protocols: tuple[str, ...]) -> None:
    with (
        site(hello, listener=tls.listen()) as served,
        tls.connect(served, *protocols) as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_until(sock, b"hello").startswith(b"HTTP/1.1 200 OK")


def test_who_has_not_agreed_on_it_cannot_begin_it(tls: Tls) -> None:
    with site(hello, listener=tls.listen()) as served, tls.connect(served) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert read_to_end(sock).startswith(b"HTTP/1.0 505")


def test_who_has_agreed_on_it_must_begin_it(tls: Tls) -> None:
    with (
        site(hello, listener=tls.listen()) as served,
        Peer(tls.connect(served, "h2"), None) as peer,
    ):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert peer.ending() == 1


def test_nothing_is_offered_where_it_is_off() -> None:
    tls = Tls()
    with (
        Site(hello, tls.listen()) as served,
        tls.connect(served, "h2", "http/1.1") as sock,
    ):
        assert sock.selected_alpn_protocol() is None


def test_bodies_cross_over(tls: Tls) -> None:
    body = bytes(range(256)) * 8000
    with (
        site(echo, listener=tls.listen()) as served,
        Peer(tls.connect(served, "h2"), {4: 2**31 - 1}) as peer,
    ):
        peer.make_room(2**31 - 65536)
        peer.post(1)
        peer.upload(1, body)
        assert peer.answer(1, reads=False).body == body


def test_the_certificate_of_a_client_can_be_seen() -> None:
    tls = Tls()
    tls.authority.configure_trust(tls.server)
    tls.server.verify_mode = ssl.CERT_REQUIRED
    with site(tell, listener=tls.listen()) as served:
        sock = tls.connect(served, "h2", certificate="somebody@example.org")
        with Peer(sock) as peer:
            peer.get(1)
            certificate = json.loads(peer.answer(1).body)[3]
            assert certificate["subjectAltName"] == [["email", "somebody@example.org"]]


def test_the_end_is_announced(tls: Tls) -> None:
    with site(hello, listener=tls.listen(), keepalive=False) as served:
        sock = tls.connect(served, "h2")
        sock.suppress_ragged_eofs = False
        with Peer(sock) as peer:
            peer.get(1)
            assert peer.answer(1).body == b"hello"
            assert peer.ending() == 0
