"""`wsgi.file_wrapper`: files as bodies."""

from __future__ import annotations

import errno
import gzip
import io
import os
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from eventlet import wsgi
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket
from eventlet.timeout import Timeout

from tests.unit.server.site import LONG, PATIENCE, Reply, Site, listen, parse_replies, read_to_end

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BIG = os.urandom(1024) * 300


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


@pytest.fixture
def sendfiles(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of bytes that were sent without being read."""
    sent: list[int] = []
    original = GreenSocket.sendfile

    def spy(self: GreenSocket, file: Any, offset: int = 0, count: int | None = None) -> int:
        sent.append(original(self, file, offset, count))
        return sent[-1]

    monkeypatch.setattr(GreenSocket, "sendfile", spy)
    return sent


class Files:
    """Answers with a file; `opens` makes it, and each is closed in the end."""

    def __init__(self, opens: Callable[[], Any], *headers: tuple[str, str]) -> None:
        self.opens = opens
        self.headers = list(headers)
        self.opened: list[Any] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", self.headers)
        self.opened.append(self.opens())
        return environ["wsgi.file_wrapper"](self.opened[-1], 1000)


def opened_at(path: Path, position: int) -> Any:
    file = path.open("rb")
    file.seek(position)
    return file


class Classic(wsgi.HttpProtocol):
    """Reads line by line."""

    def get_environ(self) -> dict[str, Any]:
        return super().get_environ()


def fetch(app: Files, request: bytes = GET * 2, *methods: str, **options: Any) -> list[Reply]:
    with Site(app, **options) as site:
        replies = site.replies(request, *methods)
    assert all(file.closed for file in app.opened)
    assert "Traceback" not in site.log.text
    return replies


def test_a_file_is_sent_by_the_kernel_with_its_length(big: Path, sendfiles: list[int]) -> None:
    replies = fetch(Files(lambda: big.open("rb")))

    assert [reply.body == BIG for reply in replies] == [True, True]
    assert replies[0].headers["Content-Length"] == str(len(BIG))
    assert sendfiles == [len(BIG)] * 2


def test_a_file_is_sent_from_its_position_on(big: Path, sendfiles: list[int]) -> None:
    replies = fetch(Files(lambda: opened_at(big, 100_000)))

    assert [reply.body == BIG[100_000:] for reply in replies] == [True, True]
    assert sum(sendfiles) == 2 * (len(BIG) - 100_000)


def test_no_more_than_the_length_is_sent(big: Path, sendfiles: list[int]) -> None:
    replies = fetch(Files(lambda: opened_at(big, 10), ("Content-Length", "100000")))

    assert [reply.body == BIG[10:100_010] for reply in replies] == [True, True]
    assert sendfiles == [100_000] * 2


def test_a_file_shorter_than_its_length_ends_the_connection(big: Path) -> None:
    app = Files(lambda: opened_at(big, 1000), ("Content-Length", str(len(BIG))))
    with Site(app) as site:
        raw = site.exchange(GET * 2)

    assert raw.endswith(BIG[-1000:])
    assert raw.count(b"HTTP/1.1 200") == 1
    assert "1000 bytes shorter than its Content-Length" in site.log.text


def test_a_small_file_goes_out_with_the_head(tmp_path: Path, sendfiles: list[int]) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"small")

    replies = fetch(Files(lambda: small.open("rb")))

    assert [reply.body for reply in replies] == [b"small"] * 2
    assert sendfiles == []


def test_an_empty_file_and_one_that_is_read_to_its_end(tmp_path: Path, big: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()

    for path, position in ((empty, 0), (big, len(BIG)), (big, 2 * len(BIG))):
        replies = fetch(Files(lambda p=path, at=position: opened_at(p, at)))  # type: ignore[misc]
        assert [reply.body for reply in replies] == [b"", b""]
        assert replies[0].headers["Content-Length"] == "0"


def test_head_sends_no_byte_of_a_file(big: Path, sendfiles: list[int]) -> None:
    replies = fetch(Files(lambda: big.open("rb")), b"HEAD / HTTP/1.1\r\n\r\n" + GET, "HEAD", "GET")

    assert replies[0].body == b""
    assert replies[1].body == BIG
    assert sendfiles == [len(BIG)]


def test_what_is_no_file_of_the_system_is_read() -> None:
    (reply,) = fetch(Files(lambda: io.BytesIO(b"memory")), GET)

    assert reply.body == b"memory"
    assert reply.headers["Transfer-Encoding"] == "chunked"


def unpacked(path: Path) -> Any:
    path.write_bytes(gzip.compress(BIG))
    return gzip.open(path)


class Shouting(io.BufferedReader):
    def read(self, size: int | None = -1) -> bytes:
        return super().read(size).upper()


@pytest.mark.parametrize(
    "opens, body",
    [
        (unpacked, BIG),
        (lambda path: io.BufferedReader(unpacked(path)), BIG),
        (lambda path: Shouting(io.FileIO(path)), b"BIG" * 100_000),
    ],
)
def test_what_is_more_than_its_descriptor_is_read(
    opens: Any, body: bytes, tmp_path: Path, sendfiles: list[int]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"big" * 100_000)

    replies = fetch(Files(lambda: opens(path)))

    assert [reply.body == body for reply in replies] == [True, True]
    assert sendfiles == []


def temporary(path: Path) -> Any:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115  # closed by the server
    file.write(BIG)
    file.seek(5)
    return file


@pytest.mark.parametrize("opens", [temporary, io.FileIO, lambda path: path.open("r+b")])
def test_files_of_each_kind_are_sent_by_the_kernel(
    opens: Any, big: Path, sendfiles: list[int]
) -> None:
    def opened() -> Any:
        file = opens(big)
        file.seek(5)
        return file

    replies = fetch(Files(opened), GET)

    assert replies[0].body == BIG[5:]
    assert sendfiles == [len(BIG) - 5]


def test_a_pipe_is_read() -> None:
    def opens() -> Any:
        reader, writer = os.pipe()
        os.write(writer, b"from a pipe")
        os.close(writer)
        return open(reader, "rb")

    (reply,) = fetch(Files(opens), GET)

    assert reply.body == b"from a pipe"


def test_version_1_0_learns_the_length_too(big: Path) -> None:
    (reply,) = fetch(Files(lambda: big.open("rb")), b"GET / HTTP/1.0\r\n\r\n")

    assert reply.body == BIG
    assert reply.headers["Content-Length"] == str(len(BIG))


def test_a_file_system_that_knows_no_sendfile(big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(GreenSocket, "sendfile", refuse)

    (reply,) = fetch(Files(lambda: opened_at(big, 5)), GET)

    assert reply.body == BIG[5:]


def test_a_file_after_a_written_beginning_is_read(big: Path) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])(b"first ")
        return environ["wsgi.file_wrapper"](big.open("rb"))

    with Site(app) as site:
        assert site.reply(GET).body == b"first " + BIG


def test_a_file_through_a_middleware_is_read(big: Path) -> None:
    files = Files(lambda: big.open("rb"))

    def middleware(environ: dict[str, Any], start_response: Any) -> Any:
        result = files(environ, start_response)
        try:
            for block in result:
                yield block[::-1]
        finally:
            result.close()

    with Site(middleware) as site:
        body = site.reply(GET).body
    assert len(body) == len(BIG)
    assert files.opened[0].closed


def test_a_client_that_leaves_in_the_midst_of_a_file(big: Path) -> None:
    app = Files(lambda: big.open("rb"))
    with Site(app) as site:
        with site.connect() as sock:
            sock.sendall(GET)
            sock.recv(100)
        assert site.reply(GET).body == BIG

    assert [file.closed for file in app.opened] == [True, True]
    assert "Traceback" not in site.log.text


def test_a_file_is_sent_with_patience(big: Path, sendfiles: list[int]) -> None:
    app = Files(lambda: big.open("rb"))
    (reply,) = fetch(app, GET, limits=wsgi.Limits(write_timeout=LONG, idle_timeout=PATIENCE))

    assert reply.body == BIG
    assert len(sendfiles) == 5


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Classic])
def test_under_tls_a_file_is_read(protocol: Any, big: Path, sendfiles: list[int]) -> None:
    authority = trustme.CA()
    server_side = green_ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_side)
    client_side = green_ssl.create_default_context()
    authority.configure_trust(client_side)
    listener = server_side.wrap_socket(listen(), server_side=True, do_handshake_on_connect=False)

    app = Files(lambda: opened_at(big, 7))
    with Site(app, listener, protocol=protocol) as site, Timeout(PATIENCE):
        plain = GreenSocket()
        plain.connect(site.address)
        with client_side.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.sendall(GET.replace(b"Host", b"Connection: close\r\nHost"))
            (reply,) = parse_replies(read_to_end(sock))

    assert reply.body == BIG[7:]
    assert reply.headers["Content-Length"] == str(len(BIG) - 7)
    assert sendfiles == []


def test_over_a_unix_socket(big: Path, tmp_path: Path, sendfiles: list[int]) -> None:
    listener = listen(socket.AF_UNIX, str(tmp_path / "socket"))
    with Site(Files(lambda: big.open("rb")), listener) as site:
        assert site.reply(GET).body == BIG

    assert sendfiles == [len(BIG)]


# --- line by line ----------------------------------------------------------------------------


def test_a_subclass_has_its_files_sent_by_the_kernel_too(big: Path, sendfiles: list[int]) -> None:
    requests = b"HEAD / HTTP/1.1\r\n\r\n" + GET * 2
    replies = fetch(Files(lambda: opened_at(big, 7)), requests, "HEAD", protocol=Classic)

    assert [reply.body for reply in replies] == [b"", BIG[7:], BIG[7:]]
    assert sendfiles == [len(BIG) - 7] * 2


def test_what_a_subclass_has_written_comes_before_the_file(big: Path, sendfiles: list[int]) -> None:
    class Writing(wsgi.HttpProtocol):
        def handle_one_response(self) -> None:
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            super().handle_one_response()

    with Site(Files(lambda: big.open("rb")), protocol=Writing) as site:
        raw = site.exchange(GET)

    assert raw.startswith(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert raw.endswith(BIG)
    assert sendfiles == [len(BIG)]


class OwnFile(wsgi.HttpProtocol):
    """Sees what is written, through a file of its own."""

    seen = b""

    def setup(self) -> None:
        super().setup()
        self.wfile = self.Copying(self.wfile)  # type: ignore[assignment]  # has what is needed

    class Copying:
        def __init__(self, file: Any) -> None:
            self.file = file
            self.flush, self.close = file.flush, file.close

        def write(self, data: bytes) -> None:
            OwnFile.seen += data
            self.file.write(data)


class OwnWrite(OwnFile):
    """Sees what is written, through a method of its own."""

    def setup(self) -> None:
        wsgi.HttpProtocol.setup(self)
        write = self.wfile.write

        def copying(data: Any) -> int:
            OwnFile.seen += data
            return write(data)

        self.wfile.write = copying  # type: ignore[method-assign]  # a buffered writer has a dict


@pytest.mark.parametrize("protocol", [OwnFile, OwnWrite])
def test_who_wraps_the_file_for_writing_sees_every_byte(
    protocol: Any, big: Path, sendfiles: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OwnFile, "seen", b"")
    replies = fetch(Files(lambda: big.open("rb")), GET, protocol=protocol)

    assert replies[0].body == BIG
    assert OwnFile.seen.endswith(BIG)
    assert sendfiles == []
