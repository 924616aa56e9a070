"""The program of `docs/wsgi.md` runs; its listener and its subclass do what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import trustme

from eventlet.green import ssl as green_ssl

from tests.isolated_runner import ROOT, run_isolated
from tests.unit.server.site import Site, read_to_end

PAGE = (ROOT / "docs" / "wsgi.md").read_text(encoding="utf-8")
PROGRAM, HTTPS, SUBCLASS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_program_serves_and_ends_in_peace() -> None:
    client = """
def ask():
    import os
    with eventlet.connect(listener.getsockname()) as sock:
        sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        while data := sock.recv(1000):
            print(data.decode())
    os.kill(os.getpid(), signal.SIGTERM)

eventlet.spawn(ask)
server.serve()
"""
    result = run_isolated(PROGRAM.replace("server.serve()\n", client))

    assert result.stdout.endswith("\n\nhello\n\n")
    assert "wsgi exited" in result.stderr


def test_the_wrapped_listener_speaks_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = green_ssl.create_default_context()
    authority.configure_trust(context)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.url_scheme"].encode()]

    names: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    exec(HTTPS.replace("8443", "0"), names)
    with (
        Site(app, names["listener"]) as site,
        context.wrap_socket(site.connect(), server_hostname="localhost") as sock,
    ):
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_to_end(sock).endswith(b"\r\n\r\nhttps")


def test_the_subclass_reads_the_address() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["REMOTE_ADDR"].encode()]

    names: dict[str, Any] = {}
    exec(SUBCLASS, names)
    with Site(app, protocol=names["Proxied"]) as site:
        assert site.reply(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\nGET / HTTP/1.0\r\n\r\n").body == (
            b"192.0.2.7"
        )
        assert site.exchange(b"GET / HTTP/1.0\r\n\r\n") == b""
