"""A server that ends while streams run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from greenlet import GreenletExit
from hyperframe.frame import GoAwayFrame, RstStreamFrame

from eventlet import wsgi
from eventlet._http2 import connection
from eventlet._http2.frames import ErrorCode
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.http2.peer import Peer
from tests.unit.http2.site import Gate, echo, hello
from tests.unit.server.site import PATIENCE, Lines, Site, listen, read_to_end

pytestmark = pytest.mark.slow  # who is told to end is listened to for a second


class Stoppable(Site):
    """A site whose server can be told to end."""

    server: wsgi.Server

    def stop(self) -> None:
        """Kill what is left."""
        self.server.stop(0)
        self.wait()

    def wait(self) -> None:
        """Wait until it has ended."""
        with Timeout(PATIENCE), suppress(GreenletExit):
            self.thread.wait()


@contextmanager
def stoppable(app: Any, **options: Any) -> Iterator[Stoppable]:
    site = Stoppable(app, listen(), log=Lines())
    site.server = wsgi.Server(site.listener, site.address, app, site.log, http2=True, **options)
    site.thread = spawn(site.server.serve)
    sleep(0)
    try:
        yield site
    finally:
        with Timeout(PATIENCE):
            site.stop()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LAST_SECONDS", 0.1)


def test_what_runs_finishes_and_what_is_new_is_refused() -> None:
    gate = Gate()
    with stoppable(gate) as site, Peer(site.connect()) as peer:
        peer.get(1)
        gate.wait_for(1)
        site.server.stop()
        frame = peer.wait_for(GoAwayFrame)
        assert (frame.error_code, frame.last_stream_id) == (ErrorCode.NO_ERROR, 1)
        peer.get(3)
        assert peer.wait_for(RstStreamFrame, 3).error_code == ErrorCode.REFUSED_STREAM
        gate.open()
        assert peer.answer(1).body == b"hello"
        assert peer.ending() == ErrorCode.NO_ERROR
        site.wait()


def test_a_body_in_flight_comes_to_its_end() -> None:
    with stoppable(echo) as site, Peer(site.connect()) as peer:
        peer.post(1)
        peer.data(1, b"before ")
        peer.ping()
        site.server.stop()
        peer.wait_for(GoAwayFrame)
        peer.data(1, b"and after", True)
        assert peer.answer(1).body == b"before and after"
        site.wait()


def test_the_client_is_told_with_the_answer_if_nothing_else_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "LAST_SECONDS", 60.0)
    gate = Gate()
    with stoppable(gate) as site, Peer(site.connect()) as peer:
        peer.get(1)
        gate.wait_for(1)
        site.server.stop()
        peer.ping()
        gate.open()
        assert peer.answer(1).body == b"hello"
        assert peer.ending() == ErrorCode.NO_ERROR
        assert sum(isinstance(each, GoAwayFrame) for each in peer.frames) == 1
        site.wait()


def test_an_idle_connection_is_told_and_ends_at_once() -> None:
    with stoppable(hello) as site, Peer(site.connect()) as peer:
        peer.get(1)
        peer.answer(1)
        peer.ping()
        sleep(0.15)
        site.server.stop()
        assert peer.ending() == ErrorCode.NO_ERROR
        assert sum(isinstance(each, GoAwayFrame) for each in peer.frames) == 1
        site.wait()


def test_who_has_just_come_may_still_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LAST_SECONDS", 60.0)
    with stoppable(hello) as site, Peer(site.connect()) as peer:
        peer.ping()
        site.server.stop()
        sleep(0.01)
        peer.get(1)
        assert peer.answer(1).body == b"hello"
        assert peer.ending() == ErrorCode.NO_ERROR
        site.wait()


def test_who_has_just_come_and_asks_nothing_is_not_waited_for_long() -> None:
    with stoppable(hello) as site, Peer(site.connect()) as peer:
        peer.ping()
        site.server.stop()
        assert peer.ending() == ErrorCode.NO_ERROR
        site.wait()


def test_who_was_marked_idle_is_not_waited_for() -> None:
    ended: list[BaseException] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.set_idle"]()
        try:
            environ["wsgi.input"].read()
        except OSError as exc:
            ended.append(exc)
            raise
        return []

    with stoppable(app) as site, Peer(site.connect()) as peer:
        peer.post(1)
        peer.ping()
        site.server.stop()
        assert peer.ending() == ErrorCode.NO_ERROR
        site.wait()
        assert len(ended) == 1


def test_an_application_may_be_told_of_the_stop() -> None:
    told: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.on_stop"](lambda: told.append("stop"))
        environ["wsgi.input"].read()
        return hello(environ, start_response)

    with stoppable(app) as site, Peer(site.connect()) as peer:
        peer.post(1)
        peer.ping()
        site.server.stop()
        peer.wait_for(GoAwayFrame)
        peer.data(1, b"", True)
        assert peer.answer(1).body == b"hello"
        peer.ending()
        assert told == ["stop"]


def test_after_the_grace_all_is_killed() -> None:
    gate = Gate()
    with stoppable(gate) as site, Peer(site.connect()) as peer:
        peer.get(1)
        peer.get(3)
        gate.wait_for(2)
        site.server.stop(0.05)
        site.wait()
        assert gate.ended == 2
        assert "grace is over: killed 1 connection\n" in site.log.text
        read_to_end(peer.sock)


def test_a_killed_server_finishes_what_runs() -> None:
    gate = Gate()
    with stoppable(gate) as site, Peer(site.connect()) as peer:
        peer.get(1)
        gate.wait_for(1)
        site.thread.kill()
        peer.wait_for(GoAwayFrame)
        gate.open()
        assert peer.answer(1).body == b"hello"
        peer.ending()
