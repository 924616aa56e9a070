"""What trusted proxies say about the client, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from eventlet._serve.forwarded import Forwarded
from eventlet._serve.peers import Peers


def seen(peer: str, trusted: str = "10.0.0.0/8,unix,::1", **headers: str) -> dict[str, Any]:
    """Return the environ that the application gets."""
    environ: dict[str, Any] = {
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": "1234",
        "wsgi.url_scheme": "http",
        **{f"HTTP_X_FORWARDED_{name}": value for name, value in headers.items()},
    }
    Forwarded(lambda environ, start_response: environ, Peers(trusted))(environ, None)  # type: ignore[arg-type]  # never called
    return environ


def test_a_trusted_proxy_is_believed() -> None:
    environ = seen("10.1.2.3", FOR="192.0.2.7", PROTO="https", HOST="example.org")

    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("192.0.2.7", "")
    assert (environ["wsgi.url_scheme"], environ["HTTPS"]) == ("https", "on")
    assert environ["HTTP_X_FORWARDED_HOST"] == "example.org"


def test_nobody_else_is_believed_and_the_headers_are_gone() -> None:
    environ = seen("192.0.2.1", FOR="192.0.2.7", PROTO="https", HOST="evil", PORT="1", PREFIX="/")

    assert environ == {"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "1234", "wsgi.url_scheme": "http"}


@pytest.mark.parametrize(
    "chain, client",
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("1.1.1.1, 192.0.2.7,10.0.0.2 , 10.0.0.3", "192.0.2.7"),
        ("10.0.0.9, 10.0.0.2", "10.0.0.9"),
        ("nonsense, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, nonsense", "10.1.2.3"),
        ("192.0.2.7, nonsense, 10.0.0.2", "10.0.0.2"),
        ("192.0.2.7:5000", "192.0.2.7"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("", "10.1.2.3"),
        ("unix", "10.1.2.3"),
    ],
)
def test_the_chain_is_read_from_its_end(chain: str, client: str) -> None:
    assert seen("10.1.2.3", FOR=chain)["REMOTE_ADDR"] == client


def test_without_a_header_nothing_changes() -> None:
    assert seen("10.1.2.3")["REMOTE_ADDR"] == "10.1.2.3"


@pytest.mark.parametrize(
    "said, scheme",
    [("HTTPS", "https"), ("http,https", "https"), ("https, http", "http"), ("ftp", "http")],
)
def test_the_scheme(said: str, scheme: str) -> None:
    environ = seen("unix", PROTO=said)

    assert environ["wsgi.url_scheme"] == scheme
    assert ("HTTPS" in environ) == (scheme == "https")


def test_who_is_a_peer() -> None:
    peers = Peers("10.0.0.0/8, 192.0.2.1,::1")

    assert "10.255.0.1" in peers
    assert "::ffff:10.0.0.1" in peers
    assert "::1" in peers
    assert "::1%lo" in peers
    for host in ("192.0.2.2", "::2", "unix", "", "localhost"):
        assert host not in peers
    assert "unix" in Peers("unix")
    assert "::2" in Peers("*")
    assert "unix" in Peers("*")
