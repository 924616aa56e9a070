"""`websocket.connect` against our server, against scripts, through proxies, over TLS."""

from __future__ import annotations

import gc
import socket
import ssl
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from eventlet._websocket.extensions import choose_deflate
from eventlet._websocket.handshake import accept_key
from eventlet.event import Event
from eventlet.green import socket as green_socket
from eventlet.green import ssl as green_ssl
from eventlet.greenthread import kill, spawn
from eventlet.timeout import Timeout
from eventlet.websocket import ConnectionClosedError, HandshakeFailed, RFC6455WebSocket, connect

from tests.unit.green.test_ssl import authority, make_client_context, make_server_context
from tests.unit.server.site import listen, wait_until
from tests.unit.websocket.peer import (
    CLOSE,
    FIN,
    PING,
    PONG,
    TEXT,
    Frame,
    Peer,
    WebSite,
    close_frame,
    frame,
)


def url_of(site: Any, scheme: str = "ws", host: str = "127.0.0.1", path: str = "/path") -> str:
    return f"{scheme}://{host}:{site.address[1]}{path}"


class Script:
    """A server that does what it is told with its first connection."""

    def __init__(self, play: Callable[[Peer], Any]) -> None:
        self.listener = listen()
        self.address = self.listener.getsockname()
        self.play = play

    def __enter__(self) -> Any:
        self.thread = spawn(self._run)
        return self

    def __exit__(self, *exc: object) -> None:
        self.listener.close()
        if exc[0] is not None:
            self.thread.kill()
        else:
            self.thread.wait()

    def _run(self) -> None:
        sock, _ = self.listener.accept()
        with Peer(sock) as peer:
            self.play(peer)


def shake_hands(peer: Peer, *more: str, behind: bytes = b"") -> dict[str, str]:
    """Answer the request of a client, with frames right behind; return its fields."""
    lines = peer.head().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:-2])
    answer = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(fields['Sec-WebSocket-Key'])}",
        *more,
    ]
    peer.send("\r\n".join([*answer, "", ""]).encode(), behind)
    return fields


def play_echo(peer: Peer) -> None:
    shake_hands(peer)
    while (received := peer.frame()).opcode != CLOSE:
        assert received.masked
        peer.send(frame(received.opcode, received.payload, mask=False))
    peer.send(frame(CLOSE, received.payload, mask=False))


# -- what works --------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [True, False])
def test_messages_go_to_our_server_and_back(compression: bool) -> None:
    with WebSite() as site, connect(url_of(site), compression=compression) as ws:
        assert bool(ws.extensions) == compression
        for message in ("text", "gr\u00fc\u00df", "", b"", b"bytes", "x" * 100_000, bytes(3 << 20)):
            ws.send(message)
            assert ws.wait() == message


def test_how_it_ends() -> None:
    with WebSite() as site:
        with connect(url_of(site)) as ws:
            pass
        assert (ws.close_code, ws.wait(), ws.socket.fileno()) == (1000, None, -1)
        with pytest.raises(ConnectionClosedError):
            ws.send("late")


def test_iteration_ends_when_the_server_closes() -> None:
    def count(ws: RFC6455WebSocket) -> None:
        for i in range(3):
            ws.send(str(i))
        ws.close((4000, "counted"))

    with WebSite(count) as site, connect(url_of(site)) as ws:
        assert list(ws) == ["0", "1", "2"]
        assert (ws.close_code, ws.close_reason) == (4000, "counted")


def test_what_is_asked_and_agreed_on() -> None:
    asked: dict[str, Any] = {}

    def look(ws: RFC6455WebSocket) -> None:
        asked.update(ws.environ)

    with WebSite(look, supported_protocols=["b"]) as site:
        headers = {"X-Mine": "yes", "Origin": "http://o"}
        url = url_of(site, host="user:secret@127.0.0.1", path="/a%20b?c=d")
        with connect(url, headers=headers, subprotocols=["a", "b"]) as ws:
            assert ws.wait() is None
            assert (ws.protocol, ws.path, ws.client) == ("b", "/a%20b?c=d", True)
    assert asked["PATH_INFO"] == "/a b"
    assert asked["QUERY_STRING"] == "c=d"
    assert asked["HTTP_X_MINE"] == "yes"
    assert asked["HTTP_ORIGIN"] == "http://o"
    assert asked["HTTP_HOST"] == f"127.0.0.1:{site.address[1]}"
    assert asked["HTTP_AUTHORIZATION"].startswith("Basic ")


def test_frames_right_behind_the_answer_are_read() -> None:
    def play(peer: Peer) -> None:
        shake_hands(peer, behind=frame(TEXT, b"at once", mask=False))
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe8", masked=True)
        peer.send(close_frame(1000, mask=False))

    with Script(play) as script, connect(url_of(script)) as ws:
        assert ws.wait() == "at once"


def test_every_frame_of_the_client_is_masked() -> None:
    with Script(play_echo) as script, connect(url_of(script)) as ws:
        for message in ("", "text"):
            ws.send(message)
            assert ws.wait() == message


def test_masked_frames_of_a_server_are_refused() -> None:
    def play(peer: Peer) -> None:
        shake_hands(peer)
        peer.send(frame(TEXT, b"x"))
        assert peer.frame().code == 1002

    with Script(play) as script, connect(url_of(script)) as ws:
        assert ws.wait() is None
        assert ws.close_code == 1002


def test_the_limit_of_the_client() -> None:
    def play(peer: Peer) -> None:
        shake_hands(peer)
        peer.send(frame(TEXT, b"12345", mask=False), frame(TEXT, b"123456", mask=False))
        assert peer.frame().code == 1009

    with Script(play) as script, connect(url_of(script), max_frame_length=5) as ws:
        assert list(ws) == ["12345"]
        assert ws.close_code == 1009


@pytest.mark.parametrize("bits", ["", "; client_max_window_bits=8", "; server_max_window_bits=9"])
def test_compression_as_the_server_wants_it(bits: str) -> None:
    chosen = f"permessage-deflate{bits}"
    parameters = choose_deflate(chosen)
    assert parameters is not None

    def play(peer: Peer) -> None:
        fields = shake_hands(peer, f"Sec-WebSocket-Extensions: {chosen}")
        assert fields["Sec-WebSocket-Extensions"].startswith("permessage-deflate; client_max")
        server = RFC6455WebSocket(peer.sock, {}, extensions=parameters.to_extensions())
        for message in server:
            server.send(message)

    with Script(play) as script, connect(url_of(script)) as ws:
        for _ in range(3):
            ws.send("spam " * 5000)
            assert ws.wait() == "spam " * 5000


# -- TLS and proxies -----------------------------------------------------------------------------------


class TlsSite(WebSite):
    def __init__(self, context: Any = None) -> None:
        super().__init__()
        context = context or make_server_context()
        self.listener = context.wrap_socket(self.listener, server_side=True)


@pytest.mark.parametrize("kind", ["green", "standard"])
def test_over_tls(kind: str) -> None:
    context = make_client_context()
    if kind == "standard":
        context = ssl.create_default_context()
        authority.configure_trust(context)
    with TlsSite() as site:
        with connect(url_of(site, "wss", "localhost"), ssl_context=context) as ws:
            ws.send("secret")
            assert ws.wait() == "secret"
        assert ws.close_code == 1000


def test_a_certificate_that_is_not_trusted_is_refused() -> None:
    with TlsSite() as site, pytest.raises(ssl.SSLCertVerificationError):
        connect(url_of(site, "wss", "localhost"))


def test_the_name_in_the_certificate_is_checked() -> None:
    context = green_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    with TlsSite(context) as site, pytest.raises(ssl.SSLCertVerificationError, match="match"):
        connect(url_of(site, "wss", "localhost"), ssl_context=make_client_context())


def proxy_to(site: Any, seen: list[str], answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Script:
    def play(peer: Peer) -> None:
        seen.append(peer.head())
        peer.send(answer)
        if b" 200 " not in answer:
            return
        far = green_socket.create_connection(site.address)
        back = spawn(_pump, far, peer.sock)
        _pump(peer.sock, far)
        back.wait()
        far.close()

    return Script(play)


def _pump(source: Any, sink: Any) -> None:
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_through_a_proxy(scheme: str) -> None:
    seen: list[str] = []
    with (TlsSite if scheme == "wss" else WebSite)() as site, proxy_to(site, seen) as proxy:
        via = url_of(proxy, "http", "user:secret@127.0.0.1", "")
        url = url_of(site, scheme, "localhost")
        with connect(url, proxy=via, ssl_context=make_client_context()) as ws:
            ws.send("around the corner")
            assert ws.wait() == "around the corner"
    lines = seen[0].split("\r\n")
    assert lines[0] == f"CONNECT localhost:{site.address[1]} HTTP/1.1"
    assert lines[2].startswith("Proxy-Authorization: Basic ")


def test_a_proxy_that_refuses() -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with proxy_to(None, [], answer) as proxy:
        with pytest.raises(HandshakeFailed, match="the proxy answered 407") as raised:
            connect("ws://nowhere.invalid/", proxy=url_of(proxy, "http", path=""))
        assert raised.value.status == 407


def test_a_proxy_that_says_too_much() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n")

    with Script(play) as proxy, pytest.raises(HandshakeFailed, match="speaks for the server"):
        connect("ws://nowhere.invalid/", proxy=url_of(proxy, "http", path=""))


# -- what goes wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer, what",
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "answered 404 Not Found"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "answered 200 OK"),
        (b"nonsense\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 101", "closed before"),
        (b"", "closed before"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, "longer than 65536"),
    ],
)
def test_servers_that_do_not_open(answer: bytes, what: str) -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.send(answer)

    with Script(play) as script, pytest.raises(HandshakeFailed, match=what):
        connect(url_of(script))


@pytest.mark.parametrize("noise", [b"SSH-2.0-odd\r\n", b"\x15\x03\x01", b"HTTP/2.0 200\r\n"])
def test_what_is_not_http_is_left_at_once(noise: bytes) -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.send(noise)
        assert peer.rest() == b""

    with Script(play) as script, pytest.raises(HandshakeFailed, match=r"not HTTP/1\.1"):
        connect(url_of(script))


def test_answers_on_the_way_to_the_last_one_are_skipped() -> None:
    def play(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        shake_hands(peer, behind=frame(TEXT, b"at last", mask=False))
        peer.rest()

    with Script(play) as script, connect(url_of(script)) as ws:
        assert ws.wait() == "at last"
        ws.abandon()


def test_answers_on_the_way_are_bounded() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        with suppress(OSError):
            while True:
                peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    with Script(play) as script, pytest.raises(HandshakeFailed, match="longer than 65536"):
        connect(url_of(script))


def test_a_server_that_reuses_somebody_elses_proof() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )

    with Script(play) as script, pytest.raises(HandshakeFailed, match="our key"):
        connect(url_of(script))


def test_a_refused_connection() -> None:
    with green_socket.socket() as taken:  # nobody else gets the port, and nobody listens there
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            connect(f"ws://127.0.0.1:{taken.getsockname()[1]}/")


def test_a_silent_server_is_given_up() -> None:
    def play(peer: Peer) -> None:
        peer.rest()

    with Script(play) as script, pytest.raises(TimeoutError, match=r"within 0.02 s"):
        connect(url_of(script), timeout=0.02)


def test_a_silent_proxy_is_given_up() -> None:
    with Script(lambda peer: peer.rest()) as script, pytest.raises(TimeoutError):
        connect("wss://nowhere.invalid/", timeout=0.02, proxy=url_of(script, "http", path=""))


def test_a_killed_connect_closes_its_socket() -> None:
    asked = Event()
    ends: list[bytes] = []

    def play(peer: Peer) -> None:
        peer.head()
        asked.send()
        ends.append(peer.rest())

    with Script(play) as script:
        thread = spawn(connect, url_of(script))
        asked.wait()
        kill(thread)
        wait_until(lambda: ends == [b""])


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://h/"},
        {"proxy": "https://p"},
        {"headers": {"A": "\n"}},
        {"subprotocols": ["a b"]},
        {"ping_interval": 0},
        {"ping_timeout": -1},
    ],
)
def test_arguments_are_checked_before_anything_is_done(options: dict[str, Any]) -> None:
    url = options.pop("url", "ws://nowhere.invalid/")
    with pytest.raises(ValueError):
        connect(url, **options)


def test_a_server_that_goes_away() -> None:
    with Script(shake_hands) as script, connect(url_of(script)) as ws:
        assert ws.wait() is None
        assert ws.close_code == 1006


def test_closing_a_websocket_whose_server_stays_is_bounded() -> None:
    def play(peer: Peer) -> None:
        shake_hands(peer)
        peer.rest()

    with Script(play) as script:
        ws = connect(url_of(script))
        ws.close_timeout = 0.02
        ws.close((1000, ""))


# -- pings and the queue -------------------------------------------------------------------------------


def test_a_silent_server_is_pinged_and_left() -> None:
    def play(peer: Peer) -> None:
        shake_hands(peer)
        assert peer.frame() == Frame(FIN | PING, b"", masked=True)
        assert peer.rest() == b""

    options: Any = {"ping_interval": 0.01, "ping_timeout": 0.02}
    with Script(play) as script, connect(url_of(script), **options) as ws:
        assert ws.wait() is None
        assert (ws.close_code, ws.close_reason) == (1006, "no answer to a ping within 0.02 s")
        with pytest.raises(ConnectionClosedError, match="no answer to a ping"):
            ws.send("x")


def test_a_server_that_answers_is_kept() -> None:
    with WebSite() as site, connect(url_of(site), ping_interval=0.01, ping_timeout=60) as ws:
        reader = spawn(ws.wait)
        wait_until(lambda: ws.heard >= 3)  # answers to three pings
        ws.send("still here")
        assert reader.wait() == "still here"


def test_pings_of_the_server_are_answered() -> None:
    def play(peer: Peer) -> None:
        shake_hands(peer)
        peer.send(frame(PING, b"?", mask=False))
        assert peer.frame() == Frame(FIN | PONG, b"?", masked=True)
        peer.send(close_frame(1001, mask=False))
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe9", masked=True)

    with Script(play) as script, connect(url_of(script)) as ws:
        assert ws.wait() is None


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_pings_keep_nobody_alive_whom_nobody_knows() -> None:
    def play(peer: Peer) -> None:
        shake_hands(peer)
        while peer.sock.recv(100):
            peer.send(frame(PONG, mask=False))

    with Script(play) as script:
        ws = connect(url_of(script), ping_interval=0.01, ping_timeout=60)
        gone = weakref.ref(ws)
        del ws
        gc.collect()
        wait_until(lambda: gone() is None)


def test_a_queue_of_the_client() -> None:
    has_waited = Event()

    def play(peer: Peer) -> None:
        shake_hands(peer)
        has_waited.wait()
        for i in range(3):
            parts = [peer.frame()]
            while not parts[-1].first & FIN:
                parts.append(peer.frame())
            assert b"".join(part.payload for part in parts) == bytes([i]) * (4 << 20)
        peer.send(close_frame(1000, mask=False))
        assert peer.frame().code == 1000

    with Script(play) as script:
        ws = connect(url_of(script), max_queue=2, compression=False)
        for i in range(2):
            ws.send(bytes([i]) * (4 << 20))
        with pytest.raises(Timeout), Timeout(0.005):
            ws.send(b"no room")
        has_waited.send()
        ws.send(b"\x02" * (4 << 20))
        assert ws.wait() is None
        ws.close()
