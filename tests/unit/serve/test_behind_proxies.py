"""Options that come from files, and clients that come through proxies."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from tests.unit.serve.served import Served, connect, wait_until, write

pytestmark = pytest.mark.slow  # each starts processes

WHO = """\
    def app(environ, start_response):
        start_response("200 OK", [])
        names = ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme")
        return [" ".join(environ[name] for name in names).encode()]
"""
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def read_to_end(sock: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            data = sock.recv(4096)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data


def test_options_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text(
        'app = "site_app:app"\nbind = "127.0.0.1:0"\nworkers = 3\naccess-log = "none"\n'
    )
    with Served(tmp_path, "--config=serve.toml", "--workers=2", app="") as served:
        assert "serves site_app:app with 2 workers" in served.said
        assert int(served.fetch()) in served.pids


def test_variables_from_a_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        site_app="""\
            import os
            text = f"{os.environ['ONE']} {os.environ['TWO']}"
            def app(environ, start_response):
                start_response("200 OK", [])
                return [text.encode()]
        """,
    )
    (tmp_path / "vars").write_text("ONE='from the file'\nTWO=from the file\n")

    with Served(tmp_path, "--env-file=vars", TWO="here before") as served:
        assert served.fetch() == "from the file here before"


def test_log_lines_as_json(tmp_path: Path) -> None:
    write(tmp_path, site_app="def app(e, s): raise ValueError('wrong')")
    with Served(tmp_path, "--log-format=json", workers_wait=False) as served:
        served.wait_for("serving with")
        port = int(re.findall(r"http://127.0.0.1:(\d+)", served.said)[0])
        with connect(("127.0.0.1", port)) as sock:
            sock.sendall(GET.replace(b"/ ", b"/\x01\xff ") + GET)
            assert read_to_end(sock).startswith(b"HTTP/1.0 400")
        with connect(("127.0.0.1", port)) as sock:
            sock.sendall(GET)
            assert b" 500 " in read_to_end(sock)
        assert served.end() == 0
        said = [json.loads(line) for line in served.said.splitlines()]
        printed = [json.loads(line) for line in served.printed.splitlines()]

    assert [each["status"] for each in printed] == [400, 500]
    assert printed[0]["request"] == "GET /\x01\u00ff HTTP/1.1"
    assert printed[1]["request"] == "GET / HTTP/1.1"
    assert all(each["client_ip"] == "127.0.0.1" for each in printed)
    assert [each for each in said if each["message"].endswith("ValueError: wrong")]
    assert [each["level"] for each in said if "ValueError" in each["message"]] == ["error"]


def test_a_format_of_our_own(tmp_path: Path) -> None:
    with Served(tmp_path, "--log-format=%(status_code)s %(request_line)s!") as served:
        served.fetch("/x")
        wait_until(lambda: served.printed)
        assert served.printed == "200 GET /x HTTP/1.1!\n"


def test_forwarded_headers_are_believed_from_those_named(tmp_path: Path) -> None:
    write(tmp_path, site_app=WHO)
    headers = {"X-Forwarded-For": "198.51.100.1, 192.0.2.7", "X-Forwarded-Proto": "https"}

    with Served(tmp_path, "--forwarded-allow-ips=127.0.0.1") as served:
        assert served.fetch(headers=headers) == "192.0.2.7  https"
        wait_until(lambda: served.printed.startswith("192.0.2.7 - - ["))
    with Served(tmp_path, "--forwarded-allow-ips=192.0.2.1") as served:
        assert re.fullmatch(r"127\.0\.0\.1 \d+ http", served.fetch(headers=headers))
        wait_until(lambda: served.printed.startswith("127.0.0.1 - - ["))


HEADERS = {
    "line": b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n",
    "binary": b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
    + struct.pack("!H", 17)
    + bytes([192, 0, 2, 1, 192, 0, 2, 2])
    + struct.pack("!HH", 4000, 80)
    + b"\x01\0\2h2",
}


def test_the_proxy_protocol(tmp_path: Path) -> None:
    write(tmp_path, site_app=WHO)
    options = ("--proxy-protocol", "--forwarded-allow-ips=127.0.0.1")
    with Served(tmp_path, *options) as served:

        def answer(*pieces: bytes) -> bytes:
            with connect(("127.0.0.1", served.port)) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with suppress(OSError):  # it may turn us away before we are done
                    for piece in pieces:
                        sock.sendall(piece)
                    sock.shutdown(socket.SHUT_WR)
                return read_to_end(sock)

        for header in HEADERS.values():
            assert answer(header + GET).endswith(b"\r\n\r\n192.0.2.1 4000 http")
            assert answer(*[bytes([each]) for each in header], GET).endswith(b" 4000 http")
        assert re.search(rb"\r\n\r\n127.0.0.1 \d+ http$", answer(b"PROXY UNKNOWN\r\n" + GET))
        wrong = [
            (GET, "it begins otherwise"),
            (b"PROXY TCP4 nobody\r\n" + GET, "the line is of another form"),
            (b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n" + GET, "the line is too long"),
            (b"PROXY TCP4 1.2", "the connection ended in it"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\0", "the family is 0x12"),
        ]
        for sent, why in wrong:
            assert answer(sent) == b""
            served.wait_for(why)
        before = served.said
        assert answer() == b""  # a proxy that only looks whether we are there
        assert served.said == before
        wait_until(lambda: served.printed.count("192.0.2.1 - - [") == 4)


def test_the_proxy_protocol_before_tls(tmp_path: Path, authority: trustme.CA) -> None:
    write(tmp_path, site_app=WHO)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    options = ("--proxy-protocol", "--forwarded-allow-ips=127.0.0.1", "--tls-cert=both.pem")
    with Served(tmp_path, *options) as served, connect(("127.0.0.1", served.port)) as plain:
        plain.sendall(HEADERS["binary"])
        with context.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.sendall(GET)
            assert read_to_end(sock).endswith(b"\r\n\r\n192.0.2.1 4000 https")


def test_nobody_but_the_proxy_may_speak_the_proxy_protocol(tmp_path: Path) -> None:
    options = ("--proxy-protocol", "--forwarded-allow-ips=192.0.2.1")
    with Served(tmp_path, *options) as served, connect(("127.0.0.1", served.port)) as sock:
        sock.sendall(HEADERS["line"] + GET)

        assert read_to_end(sock) == b""
        assert "the peer is not in --forwarded-allow-ips" in served.said


def test_a_proxy_that_says_nothing_is_turned_away_in_time(tmp_path: Path) -> None:
    options = ("--proxy-protocol", "--forwarded-allow-ips=127.0.0.1", "--head-timeout=0.2")
    with Served(tmp_path, *options) as served, connect(("127.0.0.1", served.port)) as sock:
        sock.sendall(HEADERS["line"][:20])

        assert read_to_end(sock) == b""
