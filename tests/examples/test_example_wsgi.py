from __future__ import annotations

import http.client
import ssl
import time
from pathlib import Path

import pytest
import trustme

from tests.examples.programs import Running, example

pytestmark = pytest.mark.slow


def ask(
    server: Running, method: str, path: str, body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, dict(response.headers), response.read()
    finally:
        connection.close()


def test_pages_and_their_statuses() -> None:
    with example("wsgi") as server:
        status, headers, body = ask(server, "GET", "/")
        assert (status, body) == (200, b"Hello from a green thread\n")
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert ask(server, "GET", "/count?to=3")[2] == b"1\n2\n3\n"
        assert ask(server, "GET", "/slow?seconds=0")[2] == b"that took 0 s\n"
        assert ask(server, "GET", "/nowhere")[0] == 404
        assert ask(server, "DELETE", "/")[0] == 405
        assert ask(server, "POST", "/echo", b"\0\xffbody")[2] == b"\0\xffbody"
        assert server.stop() == 0


def test_head_has_no_body_and_the_connection_goes_on() -> None:
    with example("wsgi") as server:
        connection = http.client.HTTPConnection(*server.address, timeout=60)
        connection.request("HEAD", "/")
        assert connection.getresponse().read() == b""
        connection.request("GET", "/count?to=2")
        assert connection.getresponse().read() == b"1\n2\n"
        connection.close()
        assert server.stop() == 0


def test_slow_request_keeps_nobody_waiting() -> None:
    with example("wsgi") as server:
        slow = http.client.HTTPConnection(*server.address, timeout=60)
        slow.request("GET", "/slow?seconds=60")
        began = time.monotonic()
        for _ in range(5):
            assert ask(server, "GET", "/")[0] == 200
        assert time.monotonic() - began < 50
        slow.close()
        assert ask(server, "GET", "/slow?seconds=0.2")[2] == b"that took 0.2 s\n"


def test_https_with_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(chain), append=True)
    certificate.private_key_pem.write_to_path(str(key))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with example("wsgi", f"--certfile={chain}", f"--keyfile={key}") as server:
        assert server.announced.startswith("https://")
        connection = http.client.HTTPSConnection(
            "localhost", server.address[1], timeout=60, context=trust
        )
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"Hello from a green thread\n"
        connection.close()
        assert server.stop() == 0
