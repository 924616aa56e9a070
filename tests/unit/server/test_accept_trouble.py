"""What goes wrong around accepting: shortages, rude clients, and stops at the worst moments."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import trustme

from eventlet import wsgi
from eventlet._server import listener as listening
from eventlet._unpatched import monotonic
from eventlet.event import Event
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket
from eventlet.greenpool import GreenPool
from eventlet.greenthread import GreenThread, kill, sleep, spawn

from tests.unit.server.site import LONG, Site, listen, read_to_end, read_until, reset, wait_until
from tests.unit.server.test_stop import Gate, Stoppable

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


class Short(GreenSocket):
    """A listening socket of a process that has no descriptors left."""

    attempts: list[float]
    code = errno.EMFILE

    def accept(self) -> tuple[Any, Any]:
        self.attempts.append(monotonic())
        raise OSError(self.code, os.strerror(self.code))


def short_listener() -> Short:
    sock = Short()
    sock.attempts = []
    sock.bind(("127.0.0.1", 0))
    sock.listen(50)
    return sock


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_a_shortage_is_waited_for_and_not_polled(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "BACK_OFF_SECONDS", 0.02)
    listener = short_listener()
    listener.code = code
    with Stoppable(hello, listener) as site:
        wait_until(lambda: len(listener.attempts) > 3)
        pauses = [after - before for before, after in itertools.pairwise(listener.attempts)]
    assert min(pauses) >= 0.02
    assert site.log.text.count("cannot accept") == 1


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_is_short_of_descriptors_ends_at_once(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "BACK_OFF_SECONDS", LONG)
    with Stoppable(hello, short_listener()) as site:
        wait_until(lambda: "cannot accept" in site.log.text)
        if end == "stop":
            site.server.stop()
            site.wait()
        else:
            site.thread.kill()
            wait_until(lambda: site.thread.dead)
            site.thread = spawn(lambda: None)


def test_the_mode_of_the_listening_socket_is_not_the_servers() -> None:
    listener = listen()
    listener.setblocking(False)
    with Site(hello, listener) as site:
        assert site.reply(GET).body == b"hello"


def test_clients_that_reset_at_once_leave_nothing_behind() -> None:
    def connect_and_reset(site: Site) -> None:
        reset(site.connect())

    with Stoppable(hello) as site:
        pool = GreenPool(40)
        for _ in range(150):
            pool.spawn(connect_and_reset, site)
        pool.waitall()
        wait_until(lambda: site.log.text.count("accepted") == 150)
        wait_until(lambda: site.server.outstanding_requests == 0)
        assert site.reply(GET).body == b"hello"
    assert "Traceback" not in site.log.text


class Tls:
    """A certificate, and both sides that know it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = green_ssl.GreenSSLContext(green_ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.server)
        self.client = green_ssl.create_default_context()
        authority.configure_trust(self.client)

    def listen(self) -> Any:
        return self.server.wrap_socket(listen(), server_side=True)


@pytest.fixture(scope="module")
def tls() -> Tls:
    return Tls()


def connect_silently(site: Site) -> list[GreenSocket]:
    """Open connections on which no TLS begins."""
    silent = [site.connect() for _ in range(100)]
    for sock in silent[::2]:
        sock.sendall(b"\x16\x03\x01\x02")  # a part of a greeting
    return silent


def test_tls_clients_that_stay_silent_hold_up_nobody(tls: Tls) -> None:
    with Stoppable(hello, tls.listen(), limits=wsgi.Limits(head_timeout=LONG)) as site:
        silent = connect_silently(site)
        with tls.client.wrap_socket(site.connect(), server_hostname="127.0.0.1") as good:
            good.sendall(GET)
            read_until(good, b"hello")
            assert site.server.outstanding_requests == 101
        for sock in silent:
            sock.close()


def test_tls_clients_that_stay_silent_cost_their_deadline(tls: Tls) -> None:
    with Stoppable(hello, tls.listen(), limits=wsgi.Limits(head_timeout=0.1)) as site:
        silent = connect_silently(site)
        assert {read_to_end(sock) for sock in silent} == {b""}
        wait_until(lambda: site.server.outstanding_requests == 0)
        for sock in silent:
            sock.close()


def test_a_stop_ends_silent_tls_clients(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "YOUNG_SECONDS", 0.0)
    with Stoppable(hello, tls.listen(), limits=wsgi.Limits(head_timeout=LONG)) as site:
        silent = [site.connect() for _ in range(5)]
        wait_until(lambda: site.server.outstanding_requests == 5)
        site.server.stop()
        site.wait()
        for sock in silent:
            sock.close()


# --- stops at odd moments -------------------------------------------------------------------


@pytest.mark.usefixtures("long_moments")
def test_other_os_threads_may_stop_it() -> None:
    with Stoppable(hello) as site, site.connect() as sock:
        sock.sendall(GET)
        read_until(sock, b"hello")
        stops = [threading.Thread(target=site.server.stop, args=(s,)) for s in (90, 0.05, None, 80)]
        for each in stops:
            each.start()
        for each in stops:
            each.join()
        site.wait()


def test_a_stop_after_the_end_does_nothing() -> None:
    with Stoppable(hello) as site:
        site.server.stop()
        site.wait()
        for grace in (None, 0, 3):
            site.server.stop(grace)
        sleep(0)
        sleep(0)


def test_who_waits_for_a_place_is_closed_when_a_second_kill_ends_the_wait() -> None:
    gate = Gate()
    with Site(gate, max_size=1) as site:
        first, second = site.connect(), site.connect()
        first.sendall(GET)
        wait_until(lambda: gate.waiting == 1 and site.log.text.count("accepted") == 2)
        spawn(kill, site.thread)
        sleep(0.01)
        kill(site.thread)
        wait_until(lambda: site.thread.dead)
        assert read_to_end(second) == b""
        gate.is_open = True
        read_until(first, b"hello")
        for sock in (first, second):
            sock.close()


class Late(GreenPool):
    """A pool that lets nobody begin before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_begin = Event()

    def spawn(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> GreenThread:
        def begin() -> None:
            self.may_begin.wait()
            function(*args, **kwargs)

        return super().spawn(begin)


def test_a_connection_that_begins_when_all_are_killed_is_not_served() -> None:
    served = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        served.append(1)
        return hello(environ, start_response)

    pool = Late()
    with Stoppable(app, custom_pool=pool) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: "accepted" in site.log.text)
        site.server.stop(0)
        wait_until(lambda: site.listener.fileno() == -1)
        sleep(0.001)  # the timer that kills has begun, and ends before this
        pool.may_begin.send()
        site.wait()
        assert read_to_end(sock) == b""
    assert served == []


def test_two_servers_share_a_port_by_copies_of_the_listening_socket() -> None:
    listener = listen()
    request = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with Stoppable(hello, listener.dup()) as first, Stoppable(hello, listener) as second:
        assert [first.reply(request).body for _ in range(10)] == [b"hello"] * 10
        first.server.stop()
        first.wait()
        assert [second.reply(request).body for _ in range(10)] == [b"hello"] * 10


@pytest.mark.parametrize("turns", range(1, 9))
def test_a_kill_at_any_turn_leaves_nothing_behind(turns: int) -> None:
    """The clients are gone, so whatever was accepted ends; descriptors are counted."""
    with Site(hello, max_size=2) as site:
        socks = [socket.create_connection(site.address) for _ in range(4)]
        for sock in socks:
            sock.sendall(GET)
        for _ in range(turns):
            sleep(0)
        kill(site.thread)
        kill(site.thread)
        for sock in socks:
            sock.close()
        wait_until(lambda: site.thread.dead)
        assert site.listener.fileno() == -1
