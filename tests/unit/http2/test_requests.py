"""Requests and responses over HTTP/2."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame, SettingsFrame

from eventlet import wsgi
from eventlet._http2.frames import PREFACE, ErrorCode
from eventlet.greenthread import getcurrent, kill, sleep

from tests.unit.http2.peer import GET, POST, Peer
from tests.unit.http2.site import Gate, echo, hello, peer_of, site
from tests.unit.server.site import Site, listen, read_to_end, wait_until


def tell(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    plain = {name: value for name, value in environ.items() if isinstance(value, (str, bool))}
    return [json.dumps(plain).encode()]


def test_a_request_is_answered() -> None:
    with peer_of(hello) as peer:
        peer.get(1)
        answer = peer.answer(1)

    assert (answer.status, answer.body, answer.reset) == (200, b"hello", None)
    assert answer.fields["content-length"] == "5"
    assert "date" in answer.fields
    assert "connection" not in answer.fields


def test_the_environ() -> None:
    with peer_of(tell) as peer:
        peer.get(1, ("x-a", "1"), ("cookie", "a=1"), ("cookie", "b=2"), path="/a%20b?c=d")
        environ = json.loads(peer.answer(1).body)

    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["PATH_INFO"] == "/a b"
    assert environ["RAW_PATH_INFO"] == "/a%20b"
    assert environ["QUERY_STRING"] == "c=d"
    assert environ["SERVER_PROTOCOL"] == "HTTP/2"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["HTTP_HOST"] == "a"
    assert environ["HTTP_X_A"] == "1"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"


def test_the_access_log() -> None:
    with site(hello) as served:
        with Peer(served.connect()) as peer:
            peer.get(1, path="/x?y")
            peer.answer(1)
        wait_until(lambda: len(served.log.requests) == 1)
        assert '"GET /x?y HTTP/2" 200' in served.log.requests[0]


def test_requests_run_at_once_and_end_in_any_order() -> None:
    doors = {path: Gate() for path in ("/a", "/b")}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        doors[environ["PATH_INFO"]](environ, start_response)
        return [environ["PATH_INFO"].encode()]

    with peer_of(app) as peer:
        peer.get(1, path="/a")
        peer.get(3, path="/b")
        doors["/b"].open()
        assert peer.answer(3).body == b"/b"
        doors["/a"].open()
        assert peer.answer(1).body == b"/a"


def test_a_hundred_streams_at_once() -> None:
    gate = Gate()
    ids = range(1, 201, 2)

    with peer_of(gate) as peer:
        for stream_id in ids:
            peer.get(stream_id)
        gate.wait_for(100)
        gate.open()
        answers = peer.answers(*ids)

    assert {answer.body for answer in answers} == {b"hello"}


def test_one_green_thread_for_a_place() -> None:
    """No more requests are answered at once than the server has places, on any connections."""
    gate = Gate()
    with (
        site(gate, max_size=3) as served,
        Peer(served.connect()) as one,
        Peer(served.connect()) as other,
    ):
        for stream_id in range(1, 9, 2):
            one.get(stream_id)
            other.get(stream_id)
        one.ping()
        other.ping()
        assert gate.began == 3
        gate.open()
        one.answers(1, 3, 5, 7)
        other.answers(1, 3, 5, 7)
    assert gate.began == 8


# --- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 16384, 1_000_000])
@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_comes_back(size: int, is_announced: bool) -> None:
    body = bytes(i % 251 for i in range(size))
    fields = [("content-length", str(size))] if is_announced else []

    with peer_of(echo, {4: 2**31 - 1}) as peer:
        peer.make_room(2**31 - 1 - 65535)
        peer.post(1, *fields)
        peer.upload(1, body)
        answer = peer.answer(1, reads=False)

    assert answer.body == body
    assert answer.fields["x-length"] == (str(size) if is_announced else "None")


def test_lines_of_a_body() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [repr(list(environ["wsgi.input"])).encode()]

    with peer_of(app) as peer:
        peer.post(1)
        for piece in (b"ab", b"c\nde", b"f\n\ng"):
            peer.data(1, piece)
            peer.ping()
        peer.data(1, b"h", True)
        assert peer.answer(1).body == repr([b"abc\n", b"def\n", b"\n", b"gh"]).encode()


def test_padding_is_left_out_and_given_back() -> None:
    with peer_of(echo) as peer:
        peer.post(1)
        for _ in range(2000):  # the padding alone would fill the window
            peer.send(DataFrame(1, b"x", pad_length=255, flags=["PADDED"]))
            sleep(0)
        peer.data(1, b"", True)
        assert peer.answer(1).body == b"x" * 2000


def test_trailers_are_dropped() -> None:
    with peer_of(echo) as peer:
        peer.post(1)
        peer.data(1, b"abc")
        peer.send(peer.head(1, [("x-checksum", "1")]))
        assert peer.answer(1).body == b"abc"


def test_100_continue_goes_out_when_the_body_is_read() -> None:
    with peer_of(echo) as peer:
        peer.post(1, ("expect", "100-continue"), ("content-length", "3"))
        frame = peer.wait_for(HeadersFrame)
        assert peer.fields[frame] == [(":status", "100")]
        peer.data(1, b"abc", True)
        assert peer.answer(1).body == b"abc"


def test_no_100_continue_where_nobody_reads() -> None:
    with peer_of(hello) as peer:
        peer.post(1, ("expect", "100-continue"), ("content-length", "3"))
        answer = peer.answer(1)
        assert (answer.status, answer.interim) == (200, ())


def test_a_body_that_nobody_reads_is_dropped_and_the_connection_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventlet._http2.stream.DRAIN_SECONDS", 60.0)
    with peer_of(hello) as peer:
        for stream_id in (1, 3, 5):
            peer.post(stream_id)
            peer.upload(stream_id, b"x" * 500_000)
        assert sum(isinstance(each, HeadersFrame) for each in peer.frames) == 3
        peer.get(7)
        assert peer.answer(7).status == 200


@pytest.mark.slow
def test_who_does_not_stop_sending_to_nobody_is_reset_without_an_error() -> None:
    with peer_of(hello) as peer:
        peer.post(1)
        assert peer.answer(1).body == b"hello"
        assert peer.wait_for(RstStreamFrame, 1).error_code == ErrorCode.NO_ERROR


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body_has_none(status: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, [])
        return [b"not to be seen"]

    with peer_of(app) as peer:
        peer.get(1)
        answer = peer.answer(1)
        assert answer.body == b""
        frames = [each for each in peer.frames if each.stream_id == 1]
        assert [type(each) for each in frames] == [HeadersFrame]


def test_head_has_the_fields_and_no_body() -> None:
    with peer_of(hello) as peer:
        peer.send(peer.head(1, ((":method", "HEAD"), *GET[1:])))
        answer = peer.answer(1)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.fields["content-type"] == "text/plain"


def test_fields_of_the_connection_stay_behind() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        fields = [
            ("Connection", "close, X-Hop"),
            ("X-Hop", "1"),
            ("X-End", "2"),
            ("TE", "trailers"),
        ]
        fields += [
            ("Keep-Alive", "timeout=5"),
            ("Upgrade", "h2c"),
            ("Transfer-Encoding", "chunked"),
        ]
        start_response("200 OK", fields)
        return [b"a", b"b"]

    with peer_of(app) as peer:
        peer.get(1)
        answer = peer.answer(1)
        assert answer.body == b"ab"
        assert answer.fields.keys() == {":status", "x-end", "content-length", "date"}


def test_a_piece_that_was_interrupted_leaves_no_hole() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        writers.append(getcurrent())
        write = start_response("200 OK", [])
        with suppress(Interrupted):
            write(b"x" * 100_000)
        write(b"and the rest")
        return []

    class Interrupted(BaseException):
        pass

    writers: list[Any] = []
    with peer_of(app) as peer:
        peer.get(1)
        size = 0
        while size < 65535:
            size += len(peer.wait_for(DataFrame).data)
        kill(writers[0], Interrupted)
        answer = peer.answer(1, reads=False)
        assert len(answer.body) == 65535
        assert answer.reset == ErrorCode.INTERNAL_ERROR


def test_a_response_without_a_length_and_one_that_is_written() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [("X-A", " b "), ("Transfer-Encoding", "chunked")])
        write(b"one ")
        return (piece for piece in (b"two ", b"", b"three"))

    with peer_of(app) as peer:
        peer.get(1)
        answer = peer.answer(1)
        assert answer.body == b"one two three"
        assert answer.fields["x-a"] == "b"
        assert "content-length" not in answer.fields
        assert "transfer-encoding" not in answer.fields


def test_a_file(tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 50_000)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        result: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"))
        return result

    with peer_of(app) as peer:
        peer.get(1)
        answer = peer.answer(1)
        assert answer.body == path.read_bytes()
        assert answer.fields["content-length"] == "500000"


# --- the application fails -------------------------------------------------------------------------


def test_an_error_before_the_head_is_500() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise KeyError("my fault")

    with peer_of(app) as peer:
        peer.get(1)
        answer = peer.answer(1)
        assert (answer.status, answer.reset) == (500, None)
        assert b"KeyError" not in answer.body
        peer.get(3)
        assert peer.answer(3).status == 500


def test_an_error_behind_the_head_resets_the_stream_alone() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])(b"begun")
        if environ["PATH_INFO"] == "/bad":
            raise KeyError("my fault")
        return [b" and done"]

    with peer_of(app) as peer:
        peer.get(1, path="/bad")
        peer.get(3)
        bad, good = peer.answers(1, 3)
        assert (bad.body, bad.reset) == (b"begun", ErrorCode.INTERNAL_ERROR)
        assert good.body == b"begun and done"


def test_a_body_shorter_than_its_length_resets_the_stream() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "10")])
        return [b"short"]

    with peer_of(app) as peer:
        peer.get(1)
        answer = peer.answer(1)
        assert (answer.body, answer.reset) == (b"short", ErrorCode.INTERNAL_ERROR)


def test_a_body_longer_than_its_length_is_cut() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        return [b"too long"]

    with peer_of(app) as peer:
        peer.get(1)
        answer = peer.answer(1)
        assert (answer.body, answer.reset) == (b"too ", None)


def test_switching_protocols_is_an_error_of_the_application() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("101 Switching Protocols", [("Upgrade", "websocket")])
        return []

    with peer_of(app) as peer:
        peer.get(1)
        assert peer.answer(1).status == 500


def test_a_header_name_beyond_ascii_is_an_error_of_the_application() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("X-Caf\xe9", "1")])
        return []

    with peer_of(app) as peer:
        peer.get(1)
        assert peer.answer(1).status == 500


def test_nobody_takes_the_connection_over() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        wsgi.WSGI_LOCAL.already_handled = True
        return []

    def socket_taker(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.input"].get_socket().sendall(b"mine")
        return []

    with peer_of(app) as peer:
        peer.get(1)
        assert peer.answer(1).reset == ErrorCode.INTERNAL_ERROR
    with peer_of(socket_taker) as peer:
        peer.get(1)
        assert peer.answer(1).status == 500


# --- beside HTTP/1.1 --------------------------------------------------------------------------------


def test_a_client_of_http_1_is_served_on_the_same_port() -> None:
    with site(hello) as served, Peer(served.connect()) as peer:
        peer.get(1)
        assert peer.answer(1).body == b"hello"
        reply = served.reply(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (reply.version, reply.body) == (11, b"hello")
        peer.get(3)
        assert peer.answer(3).body == b"hello"


def test_it_is_off_by_default() -> None:
    with Site(hello) as served:
        assert served.exchange(PREFACE).startswith(b"HTTP/1.0 505")


def test_a_connection_of_http_1_stays_one() -> None:
    with site(hello) as served:
        raw = served.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + PREFACE)
        assert b"HTTP/1.0 505" in raw


def test_the_preface_may_come_in_pieces() -> None:
    with site(hello) as served, Peer(served.connect(), None) as peer:
        for byte in PREFACE:
            peer.send(bytes([byte]))
            sleep(0)
        peer.send(SettingsFrame(0))
        peer.get(1)
        assert peer.answer(1).body == b"hello"


def test_what_begins_like_the_preface_is_refused() -> None:
    with site(hello) as served:
        assert served.exchange(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").startswith(b"HTTP/1.0 505")


def test_options_that_do_not_go_with_it() -> None:
    class Classic(wsgi.HttpProtocol):
        def get_environ(self) -> dict[str, Any]:
            return super().get_environ()

    with listen() as listener:
        with pytest.raises(ValueError):
            wsgi.Server(listener, None, hello, protocol=Classic, http2=True)
        with pytest.raises(ValueError):
            wsgi.Server(listener, None, hello, max_http_version="HTTP/1.0", http2=True)


def test_keepalive_turned_off_ends_the_connection_after_a_request() -> None:
    with peer_of(hello, keepalive=False) as peer:
        peer.get(1)
        assert peer.answer(1).body == b"hello"
        assert peer.ending() == ErrorCode.NO_ERROR


def test_a_client_that_half_closes_gets_its_answers() -> None:
    with peer_of(hello) as peer:
        peer.get(1)
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.answer(1).body == b"hello"
        assert read_to_end(peer.sock) == b""


def test_posthooks_and_close_run() -> None:
    ran: list[str] = []

    class Result:
        def __iter__(self) -> Any:
            return iter([b"x"])

        def close(self) -> None:
            ran.append("close")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        environ["eventlet.posthooks"].append((lambda env: ran.append("hook"), (), {}))
        start_response("200 OK", [])
        return Result()

    with peer_of(app) as peer:
        peer.get(1)
        peer.answer(1)
        wait_until(lambda: ran == ["close", "hook"])


def test_post_fields_are_those_of_get() -> None:
    assert POST[1:] == GET[1:]
