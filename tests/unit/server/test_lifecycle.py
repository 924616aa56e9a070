"""Start, keep-alive, stop: what a server does between requests."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import trustme
from greenlet import GreenletExit

from eventlet import wsgi
from eventlet._core.scope import CancelScope
from eventlet._server.access_log import ServerLog
from eventlet._server.listener import Acceptor
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket
from eventlet.greenpool import GreenPool
from eventlet.greenthread import kill, sleep, spawn

from tests.unit.server.site import (
    PATIENCE,
    Lines,
    Site,
    connect,
    listen,
    parse_replies,
    read_to_end,
    read_until,
    reset,
    wait_for_arrival,
    wait_until,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


class Gate:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.waiting = 0
        self.most = 0
        self.is_open = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            while not self.is_open:
                sleep(0.001)
        finally:
            self.waiting -= 1
        return hello(environ, start_response)


def test_an_ordinary_listener_will_do() -> None:
    plain = socket.create_server(("127.0.0.1", 0))
    with Site(hello, plain) as site:
        assert site.reply(GET).body == b"hello"

    assert plain.fileno() == -1


# --- keep-alive ------------------------------------------------------------------------------


def test_keep_alive_can_be_turned_off() -> None:
    for keepalive in (False, 0):
        with Site(hello, keepalive=keepalive) as site:
            raw = site.exchange(GET * 2, half_close=False)

        assert raw.count(b"HTTP/1.1 200") == 1
        assert b"Connection: close\r\n" in raw


def test_keep_alive_may_be_a_number_of_seconds() -> None:
    listener = listen()
    sock = connect(listener.getsockname(), GET)
    with Site(hello, listener, keepalive=0.05) as site, sock:
        assert read_to_end(sock).endswith(b"hello")

    assert "timed out" in site.log.text
    assert "Traceback" not in site.log.text


def test_keep_alive_seconds_bound_the_first_request_too() -> None:
    with Site(hello, keepalive=0.05) as site, site.connect() as sock:
        assert read_to_end(sock) == b""


def test_keep_alive_seconds_do_not_bound_the_rest_of_a_request() -> None:
    listener = listen()
    sock = connect(listener.getsockname(), GET[:20])
    with Site(hello, listener, keepalive=0.05), sock:
        sleep(0.1)
        sock.sendall(GET[20:])
        assert read_until(sock, b"hello")


def test_keep_alive_is_echoed_with_its_seconds_to_those_who_name_it() -> None:
    request = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

    with Site(hello, keepalive=3) as site:
        reply = site.reply(request)
        quiet = site.reply(GET)

    assert reply.headers["Connection"] == "keep-alive"
    assert reply.headers["Keep-Alive"] == "timeout=3"
    assert "Connection" not in quiet.headers


def test_a_silent_client_is_closed_after_the_socket_time_out() -> None:
    with Site(hello, socket_timeout=0.05) as site, site.connect() as sock:
        assert read_to_end(sock) == b""

    assert re.search(r"^\(\d+\) timed out \('127.0.0.1', \d+\)$", site.log.text, re.MULTILINE)


def test_a_slow_head_has_a_deadline() -> None:
    with Site(hello, limits=wsgi.Limits(head_timeout=0.1)) as site, site.connect() as sock:

        def dribble() -> None:
            for i in range(1000):
                sock.sendall(GET[i : i + 1] or b"x")
                sleep(0.02)

        thread = spawn(dribble)
        assert read_to_end(sock) == b""
        kill(thread)


# --- stop ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("long_moments")
@pytest.mark.parametrize("error", [GreenletExit, KeyboardInterrupt])
def test_killing_closes_idle_connections_at_once(error: type[BaseException]) -> None:
    pool = GreenPool()
    with Site(hello, custom_pool=pool) as site, site.connect() as fresh, site.connect() as used:
        used.sendall(GET)
        read_until(used, b"hello")
        wait_until(lambda: pool.running() == 2)
        kill(site.thread, error)
        pool.waitall()

        assert (fresh.recv(1), used.recv(1)) == (b"", b"")


def test_a_log_that_may_not_wait_leaves_the_listener_closed() -> None:
    class Log:
        def write(self, text: str) -> None:
            if scope.cancel_called:
                sleep(0)  # refused in here

    def serve() -> None:
        with scope:
            wsgi.server(listener, hello, log=Log())

    scope = CancelScope()
    with listen() as listener:
        thread = spawn(serve)
        sleep(0)
        scope.cancel()
        thread.wait()
        assert listener.fileno() == -1


def test_what_was_sent_before_the_stop_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    served = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        served.append(environ["eventlet.input"].get_socket())
        return hello(environ, start_response)

    monkeypatch.setattr("eventlet._server.listener.YOUNG_SECONDS", 0.0)
    with Site(app) as site, site.connect() as used:
        used.sendall(GET)
        read_until(used, b"hello")
        used.sendall(GET)
        wait_for_arrival(served[0])
        kill(site.thread)
        (reply,) = parse_replies(read_to_end(used))

    assert (reply.body, reply.headers["Connection"]) == (b"hello", "close")


def test_stopping_lets_requests_finish_and_closes_the_listener_last() -> None:
    gate = Gate()
    with Site(gate) as site, site.connect() as sock:
        sock.sendall(GET * 2)
        wait_until(lambda: gate.waiting == 1)
        kill(site.thread)
        sleep(0.01)
        assert not site.thread.dead
        assert site.listener.fileno() >= 0

        gate.is_open = True
        raw = read_to_end(sock)
        sock.close()
        wait_until(lambda: site.thread.dead)

    (reply,) = parse_replies(raw)
    assert (reply.body, reply.headers["Connection"]) == (b"hello", "close")
    assert site.listener.fileno() == -1


def test_a_server_in_a_cancelled_scope_lets_requests_finish_too() -> None:
    gate, scope, listener = Gate(), CancelScope(), listen()

    def serve() -> None:
        with scope:
            wsgi.server(listener, gate, Lines())

    thread = spawn(serve)
    with GreenSocket(listener.family) as sock:
        sock.connect(listener.getsockname())
        sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        scope.cancel()
        sleep(0.01)
        assert not thread.dead

        gate.is_open = True
        (reply,) = parse_replies(read_to_end(sock))

    thread.wait()
    assert reply.body == b"hello"
    assert scope.cancelled_caught


def test_stopping_does_not_wait_for_a_body_that_nobody_read() -> None:
    gate = Gate()
    with Site(gate) as site, site.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
        wait_until(lambda: gate.waiting == 1)
        kill(site.thread)
        gate.is_open = True
        assert read_to_end(sock).endswith(b"hello")
        sock.close()
        wait_until(lambda: site.thread.dead)


def test_a_connection_whose_thread_never_began_is_closed() -> None:
    class Lazy:
        def spawn(self, *args: Any) -> None:
            self.args = args

        def waitall(self) -> None:
            pass

    with Site(hello, custom_pool=Lazy()) as site, site.connect() as sock:
        wait_until(lambda: "accepted" in site.log.text)
        site.stop()
        assert read_to_end(sock) == b""


def test_stopping_twice_ends_the_wait_and_still_closes_the_listener() -> None:
    gate = Gate()
    with Site(gate) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        for _ in range(2):
            kill(site.thread)
            sleep(0.001)
        wait_until(lambda: site.thread.dead)
        assert site.listener.fileno() == -1

        gate.is_open = True
        assert read_until(sock, b"hello")


def test_a_copy_of_the_listener_stays_usable() -> None:
    with Site(hello) as site:
        assert site.reply(GET).body == b"hello"
        copy = site.listener.dup()
        site.stop()

    with Site(hello, copy) as site:
        assert site.reply(GET).body == b"hello"


def test_closing_the_listener_ends_the_server_with_an_error() -> None:
    with Site(hello) as site, site.connect() as sock:
        wait_until(lambda: "accepted" in site.log.text)
        site.listener.close()
        with pytest.raises(OSError, match=r"closed|Bad file"):
            site.thread.wait()
        assert sock.recv(1) == b""


def test_a_socket_that_does_not_listen_is_an_error() -> None:
    sock = GreenSocket()
    sock.bind(("127.0.0.1", 0))

    with pytest.raises(OSError, match="Invalid argument"):
        wsgi.server(sock, hello, Lines())

    assert sock.fileno() == -1


def test_is_accepting_is_read_after_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with Site(hello) as site:
        assert site.reply(GET).status == 200
        monkeypatch.setattr(wsgi, "is_accepting", False)
        with site.connect() as last:
            assert read_to_end(last) == b""
        site.thread.wait()

    assert "wsgi exited, is_accepting=False" in site.log.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_server_in_peace(error: type[BaseException]) -> None:
    with Site(hello) as site:
        sleep(0.001)
        kill(site.thread, error)
        assert site.thread.wait() is None

    assert [line.partition(" ")[2] for line in site.log][1:] == [
        "wsgi exiting",
        "wsgi exited, is_accepting=True",
    ]


def test_a_request_marked_idle_does_not_hold_up_the_stop() -> None:
    entered = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.set_idle"]()
        entered.append(1)
        assert environ["eventlet.input"].get_socket().recv(1) == b""
        return hello(environ, start_response)

    with Site(app) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: bool(entered))
        site.stop()
        assert read_to_end(sock) == b""


# --- accepting ---------------------------------------------------------------------------------------------


class Listener:
    """A listening socket that hands out what a test wrote down."""

    def __init__(self, *events: Any) -> None:
        self.events = list(events)
        self.closed = False

    def accept(self) -> Any:
        event = self.events.pop(0)
        if isinstance(event, BaseException):
            raise event
        return event

    def close(self) -> None:
        self.closed = True


class Accepted:
    def settimeout(self, value: float | None) -> None:
        self.timeout = value

    def shutdown(self, how: int) -> None:
        self.shut_down = how


def accept_all(*events: Any) -> tuple[int, str, Listener]:
    """Run the accept loop over events; return connections served, the log, the listener."""
    served: list[Any] = []
    lines = Lines()
    listener = Listener(*events)
    Acceptor(
        listener,
        served.append,
        GreenPool(10),
        is_accepting=lambda: True,
        socket_timeout=None,
        journal=ServerLog(wsgi.get_logger(lines, True), 7),
    ).run()
    return len(served), lines.text, listener


def os_error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


END = os_error(errno.ECONNRESET)


@pytest.mark.parametrize("code", [errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN])
def test_a_dead_listener_ends_the_loop_quietly(code: int) -> None:
    served, _, listener = accept_all((Accepted(), "a"), os_error(code))

    assert served == 1
    assert listener.closed


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ECONNABORTED),
        os_error(errno.ENETDOWN),
        os_error(errno.EHOSTUNREACH),
        os_error(errno.EPERM),
        os_error(errno.EMFILE),
        os_error(errno.ENFILE),
        os_error(errno.ENOMEM),
        os_error(errno.ENOBUFS),
        ssl.SSLError("one client"),
        ssl.SSLEOFError("one client"),
        TimeoutError("of the listener"),
    ],
)
def test_one_failed_connection_or_a_shortage_does_not_end_the_loop(
    error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlet._server.listener.BACK_OFF_SECONDS", 0.001)

    served, _, _ = accept_all(error, (Accepted(), "a"), error, (Accepted(), "b"), END)

    assert served == 2


def test_a_shortage_is_logged_once_and_so_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlet._server.listener.BACK_OFF_SECONDS", 0.001)
    shortage = [os_error(errno.EMFILE)] * 5

    _, text, _ = accept_all(*shortage, (Accepted(), "a"), (Accepted(), "b"), *shortage, END)

    assert text.count("cannot accept") == 2
    assert text.count("accepting again") == 1


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EBADF])
def test_a_broken_listener_is_an_error(code: int) -> None:
    with pytest.raises(OSError, match=os.strerror(code)):
        accept_all(os_error(code))


# --- pools --------------------------------------------------------------------------------------------------


def test_no_more_connections_than_max_size_are_served_at_once() -> None:
    gate = Gate()
    with Site(gate, max_size=2) as site:
        socks = [site.connect() for _ in range(5)]
        for sock in socks:
            sock.sendall(GET.replace(b"Host", b"Connection: close\r\nHost"))
        wait_until(lambda: gate.waiting == 2)
        sleep(0.01)
        gate.is_open = True
        bodies = [parse_replies(read_to_end(sock))[0].body for sock in socks]
        for sock in socks:
            sock.close()

    assert bodies == [b"hello"] * 5
    assert gate.most == 2


def test_stopping_while_the_pool_is_full_closes_the_connection_that_waits() -> None:
    gate = Gate()
    with Site(gate, max_size=1) as site, site.connect() as served, site.connect() as waiting:
        served.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        wait_until(lambda: site.log.text.count("accepted") == 2)
        kill(site.thread)
        assert read_to_end(waiting) == b""

        gate.is_open = True
        assert read_until(served, b"hello")


def test_a_pool_can_be_given() -> None:
    pool = GreenPool(5)
    gate = Gate()
    with Site(gate, custom_pool=pool, max_size=1) as site:
        socks = [site.connect() for _ in range(3)]
        for sock in socks:
            sock.sendall(GET)
        wait_until(lambda: gate.waiting == 3)
        assert pool.running() == 3
        gate.is_open = True
        for sock in socks:
            read_until(sock, b"hello")
            sock.close()


def test_a_pool_needs_its_methods() -> None:
    class Half:
        def spawn(self, *args: Any) -> None:
            raise AssertionError

    listener = listen()
    with pytest.raises(AttributeError, match="waitall"):
        wsgi.server(listener, hello, Lines(), custom_pool=Half())  # type: ignore[arg-type]
    listener.close()


def test_server_event_is_deprecated_and_gets_the_server() -> None:
    class Event:
        value: Any = None

        def send(self, value: Any) -> None:
            self.value = value

    event = Event()
    with (
        pytest.warns(DeprecationWarning, match="server_event"),
        Site(hello, server_event=event) as site,
    ):
        assert site.reply(GET).status == 200

    assert isinstance(event.value, wsgi.Server)
    assert event.value.app is hello
    assert event.value.outstanding_requests == 0


# --- log -----------------------------------------------------------------------------------------------------


def test_the_default_log_lines() -> None:
    with Site(hello) as site, site.connect() as sock:
        sock.sendall(b"GET /a?b HTTP/1.1\r\nConnection: close\r\n\r\n")
        raw = read_to_end(sock)
        port = sock.getsockname()[1]
        site.stop()

    start, accepted, request, end = site.log
    pid = os.getpid()
    assert start == f"({pid}) wsgi starting up on http://127.0.0.1:{site.address[1]}"
    assert accepted == f"({pid}) accepted ('127.0.0.1', {port})"
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d\] "GET /a\?b HTTP/1\.1"'
        rf" 200 {len(raw)} \d+\.\d{{6}}",
        request,
    )
    assert end == f"({pid}) wsgi exited, is_accepting=True"


def test_a_log_format_can_use_every_field() -> None:
    fields = "client_ip client_port date_time request_line status_code body_length wall_seconds"
    log_format = "|".join(f"%({field})s" for field in fields.split())

    with Site(hello, log_format=log_format) as site, site.connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        read_to_end(sock)
        port = sock.getsockname()[1]

    (line,) = [line for line in site.log if "|" in line]
    ip, client_port, _, request_line, status, *_ = line.split("|")
    assert (ip, int(client_port), request_line, status) == (
        "127.0.0.1",
        port,
        "GET / HTTP/1.0",
        "200",
    )


@pytest.mark.parametrize(
    "wanted, client", [(True, "1.2.3.4,5.6.7.8,127.0.0.1"), (False, "127.0.0.1")]
)
def test_forwarded_addresses_are_logged(wanted: bool, client: str) -> None:
    with Site(hello, log_x_forwarded_for=wanted) as site:
        site.reply(b"GET / HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n\r\n")

    assert site.log.requests[0].startswith(client + " - - ")


def test_control_characters_never_reach_the_log() -> None:
    with Site(hello) as site:
        site.reply(b"GET /\x85\x9b2J HTTP/1.1\r\nX-Forwarded-For: 1\x9b2J\r\n\r\n")
        site.exchange(b"GET /\x1b[2J\n\nforged HTTP/1.1\r\n\r\n")

    assert len(site.log.requests) == 2
    assert site.log.text.replace("\n", "").isprintable()
    assert r"\x85\x9b2J" in site.log.text


def test_the_access_log_may_be_json() -> None:
    request = b'GET /"\xc2\x85 HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n'
    with Site(hello, log_format="json") as site:
        raw = site.exchange(request)

    (line,) = [line for line in site.log if line.startswith("{")]
    entry = json.loads(line)
    assert line.isascii()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", entry.pop("time"))
    assert entry.pop("client_port").isdecimal()
    assert entry.pop("seconds") < PATIENCE
    assert entry == {
        "client_ip": "192.0.2.1,127.0.0.1",
        "request": 'GET /"\xc2\x85 HTTP/1.1',
        "status": 200,
        "bytes": len(raw),
    }


def test_refused_requests_are_in_the_access_log() -> None:
    with Site(hello) as site:
        site.exchange(b"GET / HTTP/9.0\r\n\r\n")

    assert '"GET / HTTP/9.0" 505 ' in site.log.requests[0]


def test_debug_lines_can_be_turned_off() -> None:
    with Site(hello, debug=False) as site:
        site.reply(GET)

    assert "accepted" not in site.log.text
    assert len(list(site.log)) == 3


def test_nothing_is_logged_when_told_so() -> None:
    with Site(hello, log_output=False) as site:
        site.reply(GET)
        site.exchange(b"nonsense\r\n\r\n")

    assert site.log.text == ""


def test_a_logger_is_used_as_it_is() -> None:
    class Logger:
        def __init__(self) -> None:
            self.lines: list[tuple[str, str]] = []

        def info(self, text: str) -> None:
            self.lines.append(("info", text))

        def debug(self, text: str) -> None:
            self.lines.append(("debug", text))

    logger = Logger()
    with Site(hello, log=logger, debug=False) as site:
        site.reply(GET)

    assert [level for level, _ in logger.lines] == ["info", "debug", "info", "info"]


def test_standard_error_is_the_default_log(capsys: pytest.CaptureFixture[str]) -> None:
    with Site(hello, log=None) as site:
        site.reply(GET)

    assert '"GET / HTTP/1.1" 200 ' in capsys.readouterr().err


# --- other kinds of sockets --------------------------------------------------------------------------------------


def test_a_unix_socket(tmp_path: Path) -> None:
    environs = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environs.append(environ)
        return hello(environ, start_response)

    path = str(tmp_path / "socket")
    with Site(app, listen(socket.AF_UNIX, path)) as site:
        idle = [site.connect() for _ in range(3)]
        assert len(site.replies(GET * 2)) == 2
        site.stop()
        assert [sock.recv(1) for sock in idle] == [b""] * 3
        for sock in idle:
            sock.close()

    environ = environs[0]
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("unix", "")
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("unix", "")
    assert f"wsgi starting up on http:{path}\n" in site.log.text
    assert site.log.requests[0].startswith("unix - - [")


def test_version_6_of_the_internet_protocol() -> None:
    try:
        listener = listen(socket.AF_INET6, ("::1", 0))
    except OSError as exc:
        pytest.skip(f"no IPv6 on this machine: {exc}")
    with Site(hello, listener) as site:
        assert site.reply(GET).body == b"hello"

    assert f"wsgi starting up on http://[::1]:{site.address[1]}\n" in site.log.text
    assert site.log.requests[0].startswith("::1 - - [")


class Tls:
    """A certificate, a listener with it, and clients that trust it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = green_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self.server)
        self.client = green_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(self.client)

    def listen(self) -> Any:
        return self.server.wrap_socket(listen(), server_side=True)

    def connect(self, address: Any) -> Any:
        sock = GreenSocket()
        sock.settimeout(PATIENCE)
        sock.connect(address)
        return self.client.wrap_socket(sock, server_hostname="localhost")


@pytest.fixture(scope="module")
def tls() -> Tls:
    return Tls()


def test_tls(tls: Tls) -> None:
    environs = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    body = bytes(range(256)) * 2000
    with Site(app, tls.listen()) as site, tls.connect(site.address) as sock:
        for _ in range(2):
            sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert read_until(sock, body[-1000:])
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200 OK" in read_to_end(sock)

    assert (environs[0]["wsgi.url_scheme"], environs[0]["HTTPS"]) == ("https", "on")
    assert f"wsgi starting up on https://127.0.0.1:{site.address[1]}\n" in site.log.text


def test_a_tls_client_hears_that_the_server_has_ended(tls: Tls) -> None:
    with Site(hello, tls.listen()) as site, tls.connect(site.address) as sock:
        sock.suppress_ragged_eofs = False
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_to_end(sock).endswith(b"hello")


def test_tls_clients_that_leave_at_once_do_not_end_the_server(tls: Tls) -> None:
    with Site(hello, tls.listen()) as site:
        for data in (b"", b"\x16\x03\x01", GET):
            for leave in (reset, GreenSocket.close):
                sock = site.connect()
                sock.sendall(data)
                leave(sock)
        with tls.connect(site.address) as sock:
            sock.sendall(GET)
            assert read_until(sock, b"hello")

    assert "Traceback" not in site.log.text


def test_a_server_that_ends_within_a_tls_handshake_ends_in_peace(
    tls: Tls, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = GreenPool()
    with Site(hello, tls.listen(), custom_pool=pool) as site, connect(site.address) as silent:
        wait_until(lambda: pool.running() == 1)
        sleep(0)
        kill(site.thread)
        pool.waitall()
        assert silent.recv(1) == b""

    assert "shut down while shaking hands" in site.log.text
    assert capsys.readouterr().err == ""


def test_a_silent_tls_client_holds_up_nobody(tls: Tls) -> None:
    with (
        Site(hello, tls.listen()) as site,
        site.connect(),
        site.connect(),
        tls.connect(site.address) as sock,
    ):
        sock.sendall(GET)
        assert read_until(sock, b"hello")


def test_a_client_without_tls_harms_only_itself(tls: Tls) -> None:
    with Site(hello, tls.listen()) as site:
        assert b"HTTP" not in site.exchange(GET, half_close=False)
        with tls.connect(site.address) as sock:
            sock.sendall(GET)
            assert read_until(sock, b"hello")

    assert "Traceback" not in site.log.text


def test_a_tls_handshake_has_a_deadline(tls: Tls) -> None:
    with Site(hello, tls.listen(), socket_timeout=0.05) as site, site.connect() as sock:
        assert read_to_end(sock) == b""
