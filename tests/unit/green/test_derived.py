"""The derived network modules: real conversations between green threads, real errors."""

from __future__ import annotations

import http.client as real_client
import smtplib as real_smtplib
import ssl as real_ssl
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from eventlet.event import Event
from eventlet.green import ftplib, imaplib, poplib, smtplib, socket, socketserver, ssl
from eventlet.green.concurrent import futures
from eventlet.green.http import client, cookiejar, server
from eventlet.green.urllib import request, robotparser
from eventlet.green.xmlrpc import client as xml_client
from eventlet.green.xmlrpc import server as xml_server
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep, spawn

PAUSE = 0.05
TOGETHER = 30


class Site(server.BaseHTTPRequestHandler):
    """Answers after a pause, or when all are there."""

    in_hand = 0

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/robots.txt":
            self.answer(b"User-agent: *\nDisallow: /private\n")
            return
        if self.path.startswith("/together"):
            Site.in_hand += 1
            while Site.in_hand < TOGETHER:  # nobody is answered before all have asked
                sleep(0.001)
        else:
            sleep(PAUSE)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/there")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/missing":
            self.send_error(404)
        else:
            self.answer(self.path.encode(), ("Set-Cookie", "taste=sweet"))

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(server.ThreadingHTTPServer):
    request_queue_size = 100


Serving = Callable[[Any], Any]


@pytest.fixture
def serving() -> Iterator[Serving]:
    """Hand out a function that runs a server of `socketserver` until the test is over."""
    running: list[tuple[Any, Any]] = []

    def serve(made: Any) -> Any:
        running.append((made, spawn(made.serve_forever, 0.01)))
        return made

    yield serve
    for made, thread in running:
        made.shutdown()
        thread.wait()
        made.server_close()


@pytest.fixture
def site(serving: Serving) -> str:
    made = serving(Server(("127.0.0.1", 0), Site))
    return f"http://127.0.0.1:{made.server_port}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_site(serving: Serving, authority: trustme.CA) -> str:
    made = Server(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    made.socket = context.wrap_socket(made.socket, server_side=True)
    serving(made)
    return f"https://127.0.0.1:{made.server_port}"


def trusting(authority: trustme.CA) -> real_ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def fetch(url: str, **options: Any) -> bytes:
    with request.urlopen(url, **options) as response:
        body: bytes = response.read()
    return body


def test_fetches_run_at_the_same_time(site: str) -> None:
    Site.in_hand = 0
    paths = [f"/together/{number}" for number in range(TOGETHER)]

    bodies = list(GreenPool().imap(fetch, [site + path for path in paths]))

    assert bodies == [path.encode() for path in paths]


def test_fetches_over_tls_are_verified(tls_site: str, authority: trustme.CA) -> None:
    assert fetch(f"{tls_site}/x", context=trusting(authority)) == b"/x"
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(f"{tls_site}/x")


def test_redirects_errors_and_posts(site: str) -> None:
    assert fetch(f"{site}/moved") == b"/there"
    assert fetch(f"{site}/", data=b"posted") == b"posted"
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(f"{site}/missing")
    caught.value.close()

    assert caught.value.code == 404


def test_a_time_out_of_a_fetch_is_the_standard_one(site: str) -> None:
    with pytest.raises(TimeoutError):
        fetch(f"{site}/slow", timeout=PAUSE / 5)


def test_cookies_are_kept(site: str) -> None:
    jar = cookiejar.CookieJar()
    opener = request.build_opener(request.HTTPCookieProcessor(jar))
    opener.open(f"{site}/").close()

    assert [(cookie.name, cookie.value) for cookie in jar] == [("taste", "sweet")]


def test_robots_are_read(site: str) -> None:
    parser = robotparser.RobotFileParser(f"{site}/robots.txt")
    parser.read()

    assert parser.can_fetch("me", f"{site}/public")
    assert not parser.can_fetch("me", f"{site}/private")


def test_a_connection_is_kept_alive_and_refuses_line_breaks(site: str) -> None:
    connection = client.HTTPConnection(site.removeprefix("http://"))
    for path in ("/one", "/two"):
        connection.request("GET", path, encode_chunked=False)
        assert connection.getresponse().read() == path.encode()

    with pytest.raises(real_client.InvalidURL):
        connection.request("GET", "/a b\r\nX: y")
    connection.close()


def test_a_green_connection_that_is_refused_says_so() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        connection = client.HTTPConnection(*sock.getsockname())

        with pytest.raises(ConnectionRefusedError):
            connection.connect()


def test_xmlrpc_speaks_both_ways(serving: Serving) -> None:
    made: Any = xml_server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
    made.register_function(lambda a, b: a + b, "add")
    serving(made)

    with xml_client.ServerProxy(f"http://127.0.0.1:{made.server_address[1]}") as proxy:
        assert proxy.add(1, 2) == 3
        with pytest.raises(xml_client.Fault):
            proxy.missing()


def talk(lines: list[tuple[bytes, bytes]]) -> int:
    """Serve one client by a script of (line expected, answer); return the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        listener.close()
        with connection, connection.makefile("rwb") as file:
            for expected, answer in lines:
                if expected:
                    line = file.readline().strip()
                    assert line.startswith(expected), line
                file.write(answer)
                file.flush()

    spawn(serve)
    port: int = listener.getsockname()[1]
    return port


def test_smtplib_speaks_to_a_server() -> None:
    port = talk([(b"", b"220 hi\r\n"), (b"ehlo", b"250 ok\r\n"), (b"mail", b"550 no\r\n")])
    port_of_refuser = talk([(b"", b"554 go away\r\n")])

    with pytest.raises(real_smtplib.SMTPConnectError):
        smtplib.SMTP("127.0.0.1", port_of_refuser)
    smtp = smtplib.SMTP("127.0.0.1", port)
    assert smtp.ehlo()[0] == 250
    assert smtp.mail("a@b")[0] == 550
    smtp.close()


def test_ftplib_speaks_to_a_server() -> None:
    port = talk([(b"", b"220 hi\r\n"), (b"USER me", b"530 no\r\n")])

    ftp = ftplib.FTP()
    ftp.connect("127.0.0.1", port)
    with pytest.raises(ftplib.error_perm, match="530 no"):
        ftp.login("me", "x")
    ftp.close()


def test_poplib_speaks_to_a_server() -> None:
    port = talk([(b"", b"+OK hi\r\n"), (b"USER me", b"-ERR no\r\n")])

    pop = poplib.POP3("127.0.0.1", port)
    with pytest.raises(poplib.error_proto, match="ERR no"):
        pop.user("me")
    pop.close()


def test_imaplib_speaks_to_a_server() -> None:
    port = talk([(b"", b"* BAD hi\r\n")])

    with pytest.raises(imaplib.IMAP4.error):
        imaplib.IMAP4("127.0.0.1", port)


class Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


@pytest.mark.parametrize("kind", [socketserver.TCPServer, socketserver.ThreadingTCPServer])
def test_socketserver_serves_and_obeys_shutdown(kind: Any, serving: Serving) -> None:
    made = serving(kind(("127.0.0.1", 0), Echo))

    with socket.create_connection(made.server_address) as sock:
        sock.sendall(b"hello\n")
        assert sock.recv(100) == b"hello\n"


def test_a_pool_of_threads_runs_green() -> None:
    def pause(number: int) -> int:
        inside.append(number)
        while len(inside) < 8:
            sleep(0.001)
        return number

    inside: list[int] = []
    with futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(pause, range(8)))
        failing = pool.submit(int, "x")

        assert results == list(range(8))
        assert isinstance(failing.exception(), ValueError)


def test_futures_are_awaited_together() -> None:
    gate = Event()
    with futures.ThreadPoolExecutor(2) as pool:
        quick, slow = pool.submit(sleep, 0), pool.submit(gate.wait)
        done, left = futures.wait([quick, slow], return_when=futures.FIRST_COMPLETED)
        gate.send()
        order = list(futures.as_completed([slow, quick]))

    assert (done, left) == ({quick}, {slow})
    assert order == [quick, slow]
