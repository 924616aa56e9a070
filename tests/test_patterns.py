"""The three patterns, word for word as users know them, each in a fresh interpreter.

Only addresses and sizes are changed, and what a script prints is added.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import trustme

from tests.conftest import RunIsolated
from tests.examples.programs import Running, read_until
from tests.examples.web import Answer, serve_web

pytestmark = pytest.mark.slow

# --- client --------------------------------------------------------------------------

CLIENT = """
import sys
import eventlet
from eventlet.green.urllib.request import urlopen

urls = sys.argv[1:]

def fetch(url):
    return urlopen(url).read()

pool = eventlet.GreenPool()
for body in pool.imap(fetch, urls):
    print("got body", len(body))
"""

PAGES = """
import sys
import eventlet
from eventlet import wsgi

together, arrived, all_are_here = int(sys.argv[1]), [], eventlet.Event()

def app(environ, start_response):
    arrived.append(environ['PATH_INFO'])
    if len(arrived) == together:
        all_are_here.send()
    with eventlet.Timeout(30):
        all_are_here.wait()
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'x' * int(environ['PATH_INFO'][1:])]

listener = eventlet.listen(('127.0.0.1', 0), backlog=128)
port = listener.getsockname()[1]
if len(sys.argv) > 2:
    listener = eventlet.wrap_ssl(listener, certfile=sys.argv[2], server_side=True)
print('listening on', f'127.0.0.1:{port}', flush=True)
wsgi.server(listener, app, log_output=False)
"""


@dataclass(frozen=True)
class Certificate:
    authority: str
    server: str


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return Certificate(str(folder / "authority.pem"), str(folder / "server.pem"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_client_fetches_sixty_four_slow_pages_at_the_same_time(
    scheme: str, certificate: Certificate, run_isolated: RunIsolated
) -> None:
    arguments = [certificate.server] if scheme == "https" else []
    with Running(PAGES, "64", *arguments) as pages:
        urls = [f"{scheme}://localhost:{pages.address[1]}/{size}" for size in range(1, 65)]
        finished = run_isolated(CLIENT, *urls, env={"SSL_CERT_FILE": certificate.authority})

    assert finished.stdout.splitlines() == [f"got body {size}" for size in range(1, 65)]


def test_client_meets_an_error_at_its_place(run_isolated: RunIsolated) -> None:
    client = """
        import sys
        import eventlet
        from eventlet.green.urllib.request import urlopen

        def fetch(url):
            return urlopen(url).read()

        bodies = eventlet.GreenPool().imap(fetch, sys.argv[1:])
        for url in sys.argv[1:]:
            try:
                print(len(next(bodies)))
            except Exception as exc:
                print(type(exc).__name__)
    """
    answers = {"/a": Answer(b"a", delay=0.1), "/b": Answer(b"bb")}
    with serve_web(answers) as web:
        paths = ("/a", "/missing", "/b")
        finished = run_isolated(client, *(web.url + path for path in paths), "http://localhost:1")

    lines = finished.stdout.splitlines()
    assert lines == ["1", "HTTPError", "2", "URLError"]


def test_client_refuses_a_certificate_nobody_trusts(
    certificate: Certificate, run_isolated: RunIsolated
) -> None:
    with Running(PAGES, "1", certificate.server) as pages:
        url = f"https://localhost:{pages.address[1]}/1"
        finished = run_isolated(CLIENT, url, expect_status=1)

        assert "CERTIFICATE_VERIFY_FAILED" in finished.stderr
        # The server minds only its own business: the next client is served.
        again = run_isolated(CLIENT, url, env={"SSL_CERT_FILE": certificate.authority})
    assert again.stdout.startswith("got body 1\n")


# --- server --------------------------------------------------------------------------

SERVER = """
import eventlet

def handle(client):
    while True:
        c = client.recv(1)
        if not c:
            break
        client.sendall(c)

server = eventlet.listen(('127.0.0.1', 0))
print('listening on', '%s:%d' % server.getsockname(), flush=True)
pool = eventlet.GreenPool(10000)
while True:
    new_sock, address = server.accept()
    pool.spawn_n(handle, new_sock)
"""

# The handler leaves closing to the end of its socket's life, which `-W error` would not forgive.
AS_USERS_RUN_IT: tuple[str, ...] = ()

SERVER_WITH_ROOM = (
    """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
"""
    + SERVER
)

CLIENTS = """
import asyncio, resource, sys

async def converse(number, port, connecting, everyone):
    async with connecting:
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
    question = b'number %d' % number
    writer.write(question)
    assert await reader.readexactly(len(question)) == question
    await everyone.wait()
    writer.write(question)
    assert await reader.readexactly(len(question)) == question
    await everyone.wait()
    writer.close()
    await writer.wait_closed()

class Barrier:
    def __init__(self, size):
        self.size = size
        self.arrived = 0
        self.opened = asyncio.Event()
    async def wait(self):
        self.arrived += 1
        if self.arrived == self.size:
            self.opened.set()
            self.arrived, self.opened = 0, asyncio.Event()
        else:
            await self.opened.wait()

async def main(port, wanted):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    size = min(wanted, hard - 100)
    connecting, everyone = asyncio.Semaphore(40), Barrier(size)
    async with asyncio.timeout(300):
        await asyncio.gather(*(converse(n, port, connecting, everyone) for n in range(size)))
    print(size, 'conversations at once')

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.time_limit(400)
def test_server_holds_ten_thousand_clients_at_once(run_isolated: RunIsolated) -> None:
    with Running(SERVER_WITH_ROOM, flags=AS_USERS_RUN_IT) as server:
        finished = run_isolated(CLIENTS, str(server.address[1]), "10000", timeout=350)

        assert server.stderr == ""
    held = int(finished.stdout.split()[0])
    possible = hard_descriptor_limit() - 100
    assert held == min(10_000, possible)


def hard_descriptor_limit() -> int:
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@dataclass
class Flood:
    """A client that sends without end, on an OS thread of its own; reads, or never does."""

    sock: socket.socket
    reads: bool
    sent_bytes: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        self.sock.setblocking(False)
        block = bytes(32 * 1024)
        while not self.stopping.is_set():
            try:
                self.sent_bytes += self.sock.send(block)
            except BlockingIOError:
                if not self.reads:
                    self.stopping.wait(0.005)
            if self.reads:
                try:
                    self.sock.recv(64 * 1024)
                except BlockingIOError:
                    self.stopping.wait(0.0005)


@contextmanager
def flooding(server: Running, *, reads: bool) -> Iterator[Flood]:
    with server.connect() as sock:
        flood = Flood(sock, reads)
        thread = threading.Thread(target=flood.run)
        thread.start()
        try:
            yield flood
        finally:
            flood.stopping.set()
            thread.join()


@pytest.mark.parametrize("reads", [True, False], ids=["flooding", "never-reading"])
def test_server_is_not_slowed_by_one_client(reads: bool) -> None:
    with Running(SERVER, flags=AS_USERS_RUN_IT) as server, flooding(server, reads=reads) as flood:
        while flood.sent_bytes < 64 * 1024:
            time.sleep(0.001)
        # Held up until the flood ends, the first answer would never come.
        with server.connect() as client:
            # One byte at a time: more would measure TCP's delayed acknowledgements.
            for number in range(500):
                question = b"%c" % (number % 256)
                client.sendall(question)
                assert client.recv(100) == question
        assert server.stderr == ""


def test_server_outlives_clients_that_reset_or_leave() -> None:
    with Running(SERVER, flags=AS_USERS_RUN_IT) as server:
        for _ in range(20):
            with server.connect() as gone:
                gone.sendall(b"x" * 1000)
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with server.connect() as client:
            client.sendall(b"anybody there?\n")

            assert read_until(client, b"\n") == b"anybody there?\n"


# --- dispatch ------------------------------------------------------------------------

DISPATCH = """
import eventlet
feedparser = eventlet.import_patched('feedparser')

pool = eventlet.GreenPool()

def fetch_title(url):
    d = feedparser.parse(url)
    return d.feed.get('title', '')

def app(environ, start_response):
    pile = eventlet.GreenPile(pool)
    for url in environ['wsgi.input'].readlines():
        pile.spawn(fetch_title, url)
    titles = '\\n'.join(pile)
    start_response('200 OK', [('Content-type', 'text/plain')])
    return [titles]

if __name__ == '__main__':
    from eventlet import wsgi
    server = eventlet.listen(('127.0.0.1', 0))
    print('listening on', '%s:%d' % server.getsockname(), flush=True)
    wsgi.server(server, app)
"""

DISPATCH_DECODED = DISPATCH.replace(
    "pile.spawn(fetch_title, url)", "pile.spawn(fetch_title, url.decode().strip())"
)

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>{}</title></channel></rss>"""


def feed(title: str, delay: float = 0.0) -> Answer:
    return Answer(FEED.format(title).encode(), "application/rss+xml; charset=utf-8", delay=delay)


def post(server: Running, *bodies: bytes) -> list[bytes]:
    """Post over one kept connection, as an ordinary client does: it waits for each answer."""
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    answers = []
    try:
        for body in bodies:
            connection.request("POST", "/", body)
            response = connection.getresponse()
            answers.append(response.read())
            assert response.status == 200
            assert response.getheader("Content-Length") == str(len(answers[-1]))
    finally:
        connection.close()
    return answers


def test_dispatch_as_written_answers_at_once() -> None:
    with Running(DISPATCH) as server:
        answers = post(server, b"http://localhost:1/\nhttp://localhost:1/\n", b"")

        # A line of the body is bytes: feedparser takes it for a document, which has no title.
        assert answers == [b"\n", b""]


def test_dispatch_returns_titles_whatever_their_letters() -> None:
    titles = {"/1": "Le café", "/2": "Plain", "/3": "読書"}
    feeds = {path: feed(title, delay=0.01) for path, title in titles.items()}
    with serve_web(feeds, together=3) as web, Running(DISPATCH_DECODED) as server:
        body = "\n".join(web.url + path for path in feeds).encode()
        answers = post(server, body, body + b"\n")

        assert [answer.decode() for answer in answers] == ["Le café\nPlain\n読書"] * 2
        assert web.most_in_hand == 3


def test_dispatch_does_not_touch_the_next_pipelined_request() -> None:
    with (
        serve_web({"/1": feed("One"), "/2": feed("Two")}) as web,
        Running(DISPATCH_DECODED) as server,
        server.connect() as client,
    ):
        requests = b""
        for path in ("/1", "/2"):
            url = (web.url + path).encode()
            requests += b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(url)
            requests += url
        client.sendall(requests)
        answers = read_until(client, b"Two")

        assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
        assert answers.index(b"\r\n\r\nOne") < answers.index(b"\r\n\r\nTwo")


def test_dispatch_pool_limit_holds_across_all_clients() -> None:
    feeds = {f"/{number}": feed(f"Feed {number}", delay=0.1) for number in range(8)}
    limited = DISPATCH_DECODED.replace("GreenPool()", "GreenPool(4)")
    with serve_web(feeds, together=4) as web, Running(limited) as server:
        body = "\n".join(web.url + path for path in feeds).encode()
        answers: list[bytes] = []
        clients = [
            threading.Thread(target=lambda: answers.extend(post(server, body))) for _ in range(4)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

        assert answers == ["\n".join(f"Feed {number}" for number in range(8)).encode()] * 4
        assert web.most_in_hand == 4
        assert len(web.asked) == 32


def test_server_of_dispatch_refuses_what_is_not_http() -> None:
    with Running(DISPATCH) as server:
        with server.connect() as nonsense:
            nonsense.sendall(b"\x16\x03\x01 this is no request\r\n\r\n")
            assert b" 400 Bad Request\r\n" in read_until(nonsense, b"\r\n")

        assert post(server, b"") == [b""]


def test_patched_copy_leaves_the_ordinary_module_alone(run_isolated: RunIsolated) -> None:
    finished = run_isolated("""
        import socket, urllib.request, feedparser as ordinary
        before = socket.socket, urllib.request.urlopen
        import eventlet
        copy = eventlet.import_patched('feedparser')
        import feedparser
        assert feedparser is ordinary and copy is not ordinary
        assert (socket.socket, urllib.request.urlopen) == before
        print(copy.parse('<rss><channel><title>caf\\u00e9</title></channel></rss>').feed.title)
    """)

    assert finished.stdout == "café\n"
