"""WebSockets inside `wsgi.server`."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from eventlet._websocket import keepalive
from eventlet.convenience import connect
from eventlet.event import Event
from eventlet.greenpool import GreenPool
from eventlet.greenthread import getcurrent, kill, sleep, spawn
from eventlet.timeout import Timeout
from eventlet.websocket import ConnectionClosedError, RFC6455WebSocket, WebSocketWSGI

from tests.unit.green.test_ssl import make_client_context, make_server_context
from tests.unit.server.site import Site, listen, reset, wait_until
from tests.unit.server.test_stop import Stoppable
from tests.unit.websocket.peer import (
    BINARY,
    CLOSE,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    Frame,
    Peer,
    WebSite,
    close_frame,
    deflate,
    echo,
    frame,
    request,
)


def echo_once(ws: RFC6455WebSocket) -> None:
    message = ws.wait()
    assert message is not None
    ws.send(message)


def test_an_echo() -> None:
    with WebSite() as site, site.open() as peer:
        peer.send(frame(TEXT, b"hello"), frame(BINARY, b"\x00" * 70_000))

        assert peer.frame() == Frame(FIN | TEXT, b"hello")
        assert peer.frame() == Frame(FIN | BINARY, b"\x00" * 70_000)


def test_the_websocket_is_closed_when_the_handler_returns() -> None:
    with WebSite(lambda ws: ws.send("bye")) as site, site.open() as peer:
        assert peer.frame() == Frame(FIN | TEXT, b"bye")
        assert peer.frame() == Frame(FIN | CLOSE, b"")
        assert peer.rest() == b""


def test_what_the_client_closes_ends_the_connection() -> None:
    with WebSite() as site, site.open() as peer:
        peer.send(close_frame(1000, b"done"))

        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe8")
        assert peer.rest() == b""


class Odd(Exception):
    pass


@pytest.mark.parametrize("exc", [Odd("odd"), Timeout(), OSError(errno.ENOENT, "odd")])
def test_a_handler_that_fails_closes_with_1011_and_is_logged(exc: BaseException) -> None:
    def fail(ws: RFC6455WebSocket) -> None:
        ws.send("first")
        raise exc

    with WebSite(fail) as site, site.open() as peer:
        assert peer.frame() == Frame(FIN | TEXT, b"first")
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xf3")
        peer.send(close_frame(1011))
        assert peer.rest() == b""
        peer.sock.close()
        wait_until(lambda: bool(site.log.requests))
        assert site.log.text.count("Traceback") == 1
        assert " in fail" in site.log.text
        assert '" 101 ' in site.log.requests[0]
        assert site.errors.getvalue() == ""


class Failing:
    """A socket that fails when it has been told to."""

    def __init__(self, sock: Any, error: OSError) -> None:
        self._sock = sock
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        self._sock.recv(size)
        raise self._error

    def sendall(self, data: bytes) -> None:
        raise self._error


@pytest.mark.parametrize("method", ["wait", "send"])
@pytest.mark.parametrize("code", [errno.ETIMEDOUT, errno.EHOSTUNREACH])
def test_what_the_network_does_is_no_error_of_the_application(code: int, method: str) -> None:
    is_failing = Event()

    def handle(ws: RFC6455WebSocket) -> None:
        message = ws.wait()
        ws.socket = Failing(ws.socket, OSError(code, "the network"))
        is_failing.send()
        if method == "send":
            ws.send("lost")
        ws.wait()
        raise AssertionError(message)

    with WebSite(handle) as site, site.open() as peer:
        peer.send(frame(TEXT, b"x"))
        is_failing.wait()
        peer.send(frame(TEXT, b"x"))
        peer.rest()
        wait_until(lambda: bool(site.log.requests))

    assert "Traceback" not in site.log.text
    assert '" 101 ' in site.log.requests[0]


def test_a_client_that_is_silent_for_too_long_is_no_error_of_the_application() -> None:
    site = Site(WebSocketWSGI(echo), socket_timeout=0.02)
    with asking(site) as peer, site:  # so the request is there when its time begins
        assert peer.head().startswith("HTTP/1.1 101 ")
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xf3")
        peer.send(close_frame(1011))
        peer.rest()
        peer.sock.close()
        wait_until(lambda: bool(site.log.requests))

    assert "Traceback" not in site.log.text
    assert "timed out" in site.log.text


@pytest.mark.parametrize("code", [errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN])
def test_that_the_client_has_gone_is_no_error(code: int) -> None:
    def fail(_ws: RFC6455WebSocket) -> None:
        raise OSError(code, "gone")

    with WebSite(fail) as site, site.open() as peer:
        peer.rest()

        assert "Traceback" not in site.log.text


def test_a_client_that_resets_harms_nobody() -> None:
    ended = Event()

    def handle(ws: RFC6455WebSocket) -> None:
        try:
            ws.wait()
        finally:
            ended.send()

    with WebSite(handle) as site:
        peer = site.open()
        reset(peer.sock)
        ended.wait()
        with site.open():
            pass
        assert "Traceback" not in site.log.text


def test_a_killed_handler_closes_the_connection_at_once() -> None:
    handlers = []

    def handle(ws: RFC6455WebSocket) -> None:
        handlers.append(getcurrent())
        ws.wait()

    with WebSite(handle) as site, site.open() as peer:
        wait_until(lambda: bool(handlers))
        kill(handlers[0])

        assert peer.rest() == b""
        assert "Traceback" not in site.log.text


def test_nothing_else_is_written_and_the_request_is_logged_once() -> None:
    with WebSite() as site:
        with site.open() as peer:
            peer.send(close_frame(1000))
            assert peer.rest() == b"\x88\x02\x03\xe8"
        wait_until(lambda: bool(site.log.requests))
        assert len(site.log.requests) == 1


def test_what_a_handler_raises_goes_through_middleware() -> None:
    def watch(environ: Any, start_response: Any) -> Any:
        try:
            return websockets(environ, start_response)
        except Odd as exc:
            seen.append(exc)
            raise

    def fail(_ws: RFC6455WebSocket) -> None:
        raise Odd

    seen: list[Odd] = []
    websockets = WebSocketWSGI(fail)
    with WebSite(app=watch) as site, site.open() as peer:
        assert peer.rest() == b"\x88\x02\x03\xf3"

    assert len(seen) == 1


def test_the_error_of_a_handler_does_not_wait_for_a_peer_that_never_answers() -> None:
    def fail(ws: RFC6455WebSocket) -> None:
        ws.close_timeout = 600.0
        raise Odd

    with WebSite(fail) as site, site.open() as peer:
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xf3")
        wait_until(lambda: "Odd" in site.log.text)


# -- the server stops ---------------------------------------------------------------------------


@contextmanager
def stopping(handler: Any, **options: Any) -> Any:
    """A server that is stopped, and a WebSocket that was open before."""
    with Stoppable(WebSocketWSGI.configured(handler, **options)) as site, connected(site) as peer:
        yield site, peer


@contextmanager
def asking(site: Site) -> Any:
    with Peer(site.connect()) as peer:
        peer.send(request())
        yield peer


@contextmanager
def connected(site: Site) -> Any:
    with asking(site) as peer:
        assert peer.head().startswith("HTTP/1.1 101 ")
        yield peer


def test_a_server_that_stops_goes_away_and_the_handler_comes_to_its_end() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        steps.extend(ws)
        sleep(0.01)
        steps.append((ws.wait(), ws.close_code))

    steps: list[Any] = []
    with stopping(handle) as (site, peer):
        peer.send(frame(TEXT, b"x"))
        wait_until(lambda: steps == ["x"])
        site.server.stop(60)
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe9")
        peer.send(frame(TEXT, b"on its way"), close_frame(1001))
        assert peer.rest() == b""
        peer.sock.close()
        site.wait()

    assert steps == ["x", "on its way", (None, 1001)]
    assert "Traceback" not in site.log.text
    assert "killed" not in site.log.text


def test_an_application_may_say_something_else() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        ws.environ["eventlet.on_stop"](lambda: ws.close((1012, "back soon")))
        said.send()
        ws.wait()

    said = Event()
    with stopping(handle) as (site, peer):
        said.wait()
        site.server.stop(60)
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xf4back soon")
        peer.send(close_frame(1012))
        peer.rest()
        peer.sock.close()
        site.wait()


def test_a_killed_server_goes_away_too() -> None:
    ended: list[Any] = []
    with WebSite(lambda ws: ended.append(ws.wait())) as site, site.open() as peer:
        killing = spawn(site.stop)
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe9")
        peer.send(close_frame(1001))
        peer.rest()
        peer.sock.close()
        killing.wait()

    assert ended == [None]


def test_a_killed_server_does_not_wait_long_for_a_peer_that_never_answers() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        ws.close_timeout = 600.0
        ended.append(ws.wait())

    ended: list[Any] = []
    pool = GreenPool()
    with Site(WebSocketWSGI(handle), custom_pool=pool) as site, connected(site) as peer:
        kill(site.thread, KeyboardInterrupt)
        pool.waitall()
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe9")

    assert ended == [None]


def test_a_handler_that_does_not_listen_goes_away_too() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        done.wait()
        seen.extend([ws.wait(), ws.close_code])
        ws.send("too late")

    done = Event()
    seen: list[Any] = []
    with stopping(handle) as (site, peer):
        site.server.stop(60)
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe9")
        peer.send(close_frame(1001))
        assert peer.rest() == b""
        peer.sock.close()
        done.send()
        site.wait()

    assert seen == [None, 1001]
    assert "Traceback" not in site.log.text


def test_a_handler_that_comes_back_to_wait_while_its_peer_is_heard_out() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        done.wait()
        seen.append(ws.wait())

    done = Event()
    seen: list[Any] = []
    with stopping(handle) as (site, peer):
        site.server.stop(60)
        assert peer.frame().code == 1001
        done.send()
        sleep(0.01)
        peer.send(close_frame(1001))
        peer.rest()
        peer.sock.close()
        site.wait()

    assert seen == [None]
    assert "Traceback" not in site.log.text


def test_a_handler_that_returns_meanwhile_does_not_cut_the_closing_short() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        with suppress(ConnectionClosedError):
            while True:
                ws.send(bytes(1000))
                sleep(0.001)

    with stopping(handle) as (site, peer):
        peer.frame()
        site.server.stop(60)
        while (last := peer.frame()).opcode != CLOSE:
            pass
        assert last.code == 1001
        peer.send(frame(TEXT, b"still here"), close_frame(1001))
        assert peer.rest() == b""
        peer.sock.close()
        site.wait()

    assert "Traceback" not in site.log.text


def test_a_handler_that_does_not_end_is_killed_after_the_grace() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        ws.wait()
        try:
            goes_on.send()
            Event().wait()
        finally:
            ended.append(1)

    goes_on = Event()
    ended: list[int] = []
    with stopping(handle) as (site, peer):
        site.server.stop(60)
        assert peer.frame().code == 1001
        peer.send(close_frame(1001))
        assert peer.rest() == b""
        goes_on.wait()
        site.server.stop(0.05)
        site.wait()

    assert ended == [1]
    assert "killed 1 connection\n" in site.log.text


def test_a_peer_that_does_not_answer_is_killed_after_the_grace() -> None:
    with stopping(echo) as (site, peer):
        site.server.stop(60)
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe9")
        site.server.stop(0.05)
        assert peer.rest() == b""
        site.wait()


def test_a_peer_that_does_not_answer_is_left_when_closing_takes_too_long() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        ws.close_timeout = 0.05
        began.send()
        ended.append(ws.wait())

    began = Event()
    ended: list[Any] = []
    with stopping(handle) as (site, peer):
        began.wait()
        site.server.stop()
        assert peer.rest() == b"\x88\x02\x03\xe9"
        site.wait()

    assert ended == [None]


def test_a_peer_that_does_not_read_holds_up_a_stop_for_a_while_only() -> None:
    def handle(ws: RFC6455WebSocket) -> None:
        ws.close_timeout = 0.05
        try:
            while True:
                ws.send(bytes(1 << 20))
        except ConnectionClosedError as exc:
            errors.append(exc)
            raise

    errors: list[Any] = []
    with stopping(handle) as (site, peer):
        peer.frame()
        sleep(0.01)
        site.server.stop()
        site.wait()

    assert len(errors) == 1
    assert "Traceback" not in site.log.text


def test_a_websocket_that_opens_while_the_server_stops_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventlet._server.listener.YOUNG_SECONDS", 60.0)
    for module in ("connection", "http_protocol", "listener"):
        monkeypatch.setattr(f"eventlet._server.{module}.LAST_SECONDS", 60.0)
    with Stoppable(WebSocketWSGI(echo)) as site, Peer(site.connect()) as peer:
        sleep(0.01)
        site.server.stop(60)
        peer.send(request())
        assert peer.head().startswith("HTTP/1.1 101 ")
        assert peer.frame().code == 1001
        peer.send(close_frame(1001))
        peer.rest()


# -- the log ------------------------------------------------------------------------------------


def test_the_log_has_101_all_bytes_and_all_the_time() -> None:
    log_format = '] "%(status_code)s %(body_length)s %(wall_seconds).3f'
    with Site(WebSocketWSGI(echo), log_format=log_format) as site, Peer(site.connect()) as peer:
        peer.send(request())
        head = peer.head()
        sleep(0.02)
        peer.send(frame(TEXT, b"x" * 1000), close_frame(1000))
        size = len(head) + len(peer.rest())
        peer.sock.close()
        wait_until(lambda: bool(site.log.requests))
    status, length, seconds = site.log.requests[0].removeprefix('] "').split()

    assert (status, int(length)) == ("101", size)
    assert 0.02 <= float(seconds) < 60


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"Upgrade": None}, 400), ({"Sec-WebSocket-Version": "12"}, 426), ({"Origin": "x"}, 403)],
)
def test_the_log_has_the_status_of_a_refusal(fields: dict[str, Any], status: int) -> None:
    with (
        WebSite(origin_checker=lambda _host, origin: not origin) as site,
        site.ask(**fields) as peer,
    ):
        peer.rest()
        wait_until(lambda: bool(site.log.requests))

    assert f'" {status} ' in site.log.requests[0]


def test_posthooks_run_when_the_websocket_is_closed() -> None:
    done = []

    def handle(ws: RFC6455WebSocket) -> None:
        ws.environ["eventlet.posthooks"].append((lambda environ: done.append(1), (), {}))

    with WebSite(handle) as site, site.open() as peer:
        peer.rest()
        peer.sock.close()
        wait_until(lambda: done == [1])


def test_ordinary_requests_go_on_beside_it() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/path":
            return websockets(environ, start_response)
        start_response("200 OK", [])
        return [b"plain"]

    websockets = WebSocketWSGI(echo_once)
    with Site(app) as site, Peer(site.connect()) as peer:
        peer.send(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n", request())
        assert peer.head().startswith("HTTP/1.1 200 ")
        assert peer._exactly(5) == b"plain"
        assert peer.head().startswith("HTTP/1.1 101 ")
        peer.send(frame(TEXT, b"x"))
        assert peer.frame() == Frame(FIN | TEXT, b"x")
        assert site.reply(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n").body == b"plain"


def test_compression_is_negotiated_and_used() -> None:
    offer = "permessage-deflate; server_no_context_takeover; client_max_window_bits"
    with WebSite() as site, site.open(**{"Sec-WebSocket-Extensions": offer}) as peer:
        peer.send(frame(TEXT, deflate(b"hello"), first=FIN | RSV1), frame(TEXT, b"hello"))

        assert peer.frame() == Frame(FIN | RSV1 | TEXT, deflate(b"hello"))
        assert peer.frame() == Frame(FIN | RSV1 | TEXT, deflate(b"hello"))


def test_the_limit_is_that_of_the_application() -> None:
    with WebSite(max_frame_length=10) as site, site.open() as peer:
        peer.send(frame(TEXT, b"0123456789"), frame(TEXT, b"0123456789a"))

        assert peer.frame() == Frame(FIN | TEXT, b"0123456789")
        assert peer.frame().code == 1009


def test_a_bad_peer_harms_only_itself() -> None:
    with WebSite() as site, site.open() as good:
        for data in (b"\xff" * 100, frame(TEXT, b"\xff"), frame(TEXT, length=1 << 62), b"\x81"):
            with site.open(data) as bad:
                bad.sock.shutdown(socket.SHUT_WR)
                bad.rest()
            good.send(frame(TEXT, b"?"))
            assert good.frame() == Frame(FIN | TEXT, b"?")
        assert "Traceback" not in site.log.text


def test_many_at_once() -> None:
    count = 200
    with WebSite() as site:
        peers = [site.open() for _ in range(count)]
        for i, peer in enumerate(peers):
            peer.send(frame(TEXT, str(i).encode()))
        assert [peer.frame().payload for peer in peers] == [str(i).encode() for i in range(count)]
        for peer in peers:
            peer.sock.close()


def test_over_tls() -> None:
    listener = make_server_context().wrap_socket(listen(), server_side=True)
    with Site(WebSocketWSGI(echo), listener) as site:
        plain = connect(site.address)
        with Peer(make_client_context().wrap_socket(plain, server_hostname="localhost")) as peer:
            peer.send(request(), frame(TEXT, b"early"))
            assert peer.head().startswith("HTTP/1.1 101 ")
            peer.send(frame(TEXT, b"secret"), close_frame(1000))
            assert [peer.frame().payload for _ in range(3)] == [b"early", b"secret", b"\x03\xe8"]
            assert peer.rest() == b""


def test_over_a_unix_socket(tmp_path: Any) -> None:
    listener = listen(socket.AF_UNIX, str(tmp_path / "socket"))
    with Site(WebSocketWSGI(echo_once), listener) as site, Peer(site.connect()) as peer:
        peer.send(request(), frame(TEXT, b"x"))
        assert peer.head().startswith("HTTP/1.1 101 ")
        assert peer.frame() == Frame(FIN | TEXT, b"x")


# -- pings of ours -----------------------------------------------------------------------------------


def test_a_silent_peer_is_pinged_and_dropped_when_it_does_not_answer() -> None:
    ends: list[Any] = []

    def handle(ws: RFC6455WebSocket) -> None:
        ends.append((ws.wait(), ws.close_code, ws.close_reason))

    with WebSite(handle, ping_interval=0.01, ping_timeout=0.02) as site, site.open() as peer:
        assert peer.frame() == Frame(FIN | PING)
        assert peer.rest() == b""
        wait_until(lambda: bool(ends))

    assert ends == [(None, 1006, "no answer to a ping within 0.02 s")]


def test_a_peer_that_answers_is_pinged_again() -> None:
    with WebSite(ping_interval=0.01, ping_timeout=60) as site, site.open() as peer:
        for _ in range(3):
            assert peer.frame() == Frame(FIN | PING)
            peer.send(frame(PONG))
        peer.send(frame(TEXT, b"still here"))
        while (received := peer.frame()).opcode == PING:
            pass
        assert received == Frame(FIN | TEXT, b"still here")


def test_a_peer_that_talks_is_not_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    due: list[Callable[[], None]] = []

    def call_later(seconds: float, func: Callable[[], None]) -> Any:
        assert 0 < seconds <= 60
        due.append(func)
        return SimpleNamespace(cancel=due.clear)

    monkeypatch.setattr(keepalive, "call_after_global", call_later)
    with WebSite(ping_interval=60, ping_timeout=60) as site, site.open() as peer:
        for _ in range(3):
            peer.send(frame(TEXT, b"x"))
            assert peer.frame() == Frame(FIN | TEXT, b"x")
            due.pop()()
            assert len(due) == 1
        due.pop()()
        assert peer.frame() == Frame(FIN | PING)


def test_answers_count_when_the_handler_does_not_read() -> None:
    done = Event()

    def handle(ws: RFC6455WebSocket) -> None:
        done.wait()
        for message in ws:
            ws.send(message)

    with WebSite(handle, ping_interval=0.01, ping_timeout=0.03) as site, site.open() as peer:
        peer.send(frame(TEXT, b"read later"))
        for _ in range(4):
            assert peer.frame() == Frame(FIN | PING)
            peer.send(frame(PONG))
        done.send()
        while (received := peer.frame()).opcode == PING:
            peer.send(frame(PONG))
        assert received == Frame(FIN | TEXT, b"read later")


def test_a_peer_that_is_gone_is_noticed_when_the_handler_does_not_read() -> None:
    ended = Event()

    def handle(ws: RFC6455WebSocket) -> None:
        wait_until(lambda: ws.websocket_closed)
        ended.send(ws.close_code)

    with WebSite(handle, ping_interval=0.01, ping_timeout=0.01) as site, site.open():
        assert ended.wait() == 1006


def test_a_reset_that_only_the_pings_notice_is_no_accident(capfd: Any) -> None:
    ended = Event()

    def handle(ws: RFC6455WebSocket) -> None:
        wait_until(lambda: ws.websocket_closed)
        ended.send((ws.wait(), ws.close_code))

    with WebSite(handle, ping_interval=0.01, ping_timeout=0.05) as site:
        peer = site.open()
        assert peer.frame() == Frame(FIN | PING)
        reset(peer.sock)
        assert ended.wait() == (None, 1006)

    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("options", [{"ping_interval": 0}, {"ping_timeout": 0}])
def test_pings_need_positive_seconds(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="seconds above 0"):
        WebSocketWSGI.configured(print, **options)


def test_a_queue_lets_one_send_to_many_of_whom_one_does_not_read() -> None:
    everybody: list[RFC6455WebSocket] = []

    def handle(ws: RFC6455WebSocket) -> None:
        everybody.append(ws)
        ws.wait()

    with WebSite(handle, max_queue=100) as site:
        lazy, keen = site.open(), site.open()
        wait_until(lambda: len(everybody) == 2)
        data = bytes(1 << 20)
        receiver = spawn(lambda: [keen.frame().payload == data for _ in range(20)])
        for _ in range(20):
            for ws in everybody:
                ws.send(data)
        assert receiver.wait() == [True] * 20
        lazy.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        lazy.sock.close()
        keen.sock.close()
