from __future__ import annotations

from typing import Any

import pytest

from eventlet._protocols.head_collector import HeadLimits
from eventlet._protocols.refusals import BadRequest, HeaderLineTooLong
from eventlet._server.limits import Limits
from eventlet._server.patience import Patience
from eventlet._server.request_stream import RECEIVE_BYTES, RequestStream

from tests.unit.server.scripted_socket import ScriptedSocket

HEAD = b"GET / HTTP/1.1\r\nHost: a"
END = b"\r\n\r\n"
LIMITS = HeadLimits()


def stream_of(*pieces: bytes | BaseException) -> RequestStream:
    return RequestStream(ScriptedSocket(pieces), LIMITS)


def patient(
    sock: ScriptedSocket, standing: float | None = None, idle: float | None = None, **limits: Any
) -> RequestStream:
    return RequestStream(sock, LIMITS, Patience(sock, Limits(**limits), standing, idle))


# --- heads --------------------------------------------------------------------------------


def test_a_head_that_comes_at_once() -> None:
    stream = stream_of(HEAD + END + b"rest")

    assert stream.read_head() == HEAD
    assert stream.read1(100) == b"rest"


def test_a_head_that_comes_byte_by_byte() -> None:
    data = HEAD + END
    stream = stream_of(*(data[i : i + 1] for i in range(len(data))))

    assert stream.read_head() == HEAD


def test_pipelined_heads_are_cut_apart_without_another_receive() -> None:
    sock = ScriptedSocket([HEAD + END + HEAD + END + HEAD])
    stream = RequestStream(sock, LIMITS)

    assert [stream.read_head() for _ in range(2)] == [HEAD, HEAD]
    assert sock.pieces == []
    sock.pieces.append(END)
    assert stream.read_head() == HEAD


def test_empty_lines_before_a_head_are_skipped() -> None:
    assert stream_of(b"\r\n\r\n" + HEAD + END).read_head() == HEAD


def test_the_end_between_two_heads_gives_nothing() -> None:
    assert stream_of().read_head() == b""


def test_the_end_inside_a_head_gives_nothing() -> None:
    assert stream_of(HEAD).read_head() == b""


def test_what_is_no_head_is_refused() -> None:
    with pytest.raises(BadRequest):
        stream_of(b"\x16\x03\x01").read_head()


def test_limits_hold_for_a_head_that_comes_at_once() -> None:
    stream = stream_of(HEAD + b"\r\nX: " + b"a" * 8192 + END)

    with pytest.raises(HeaderLineTooLong):
        stream.read_head()


def test_a_long_head_within_its_limits_is_read() -> None:
    head = HEAD + b"".join(b"\r\nX%d: %s" % (i, b"a" * 1000) for i in range(50))

    assert stream_of(head + END + b"x").read_head() == head


def test_waiting_for_a_request_has_its_own_time_out() -> None:
    sock = ScriptedSocket([HEAD + END])

    patient(sock, 7.0, idle=3.0).read_head()

    assert sock.timeouts == [3.0]


def test_the_idle_time_out_is_set_once_for_one_request_after_another() -> None:
    sock = ScriptedSocket([HEAD + END] * 3)
    stream = patient(sock, 7.0, idle=3.0)

    for _ in range(3):
        stream.read_head()

    assert sock.timeouts == [3.0]


def test_a_body_does_not_have_the_time_out_of_the_idle_wait() -> None:
    sock = ScriptedSocket([HEAD + END, b"body", HEAD + END])
    stream = patient(sock, 7.0, idle=3.0)

    stream.read_head()
    stream.read1(10)
    stream.read_head()

    assert sock.timeouts == [3.0, 7.0, 3.0]


def test_a_head_in_pieces_has_one_deadline() -> None:
    sock = ScriptedSocket([HEAD[:5], HEAD[5:], END])

    patient(sock, head_timeout=900.0).read_head()

    waits = [seconds for seconds in sock.timeouts if seconds is not None]
    assert len(waits) == 2
    assert 900.0 >= waits[0] >= waits[1] > 800.0
    assert sock.timeouts[-1] is None


def test_a_head_may_have_no_deadline() -> None:
    sock = ScriptedSocket([HEAD[:5], HEAD[5:], END])

    patient(sock, head_timeout=None).read_head()

    assert sock.timeouts == []


def test_a_head_that_takes_too_long_times_out() -> None:
    with pytest.raises(TimeoutError):
        patient(ScriptedSocket([HEAD, END]), head_timeout=0.0).read_head()


# --- pieces ---------------------------------------------------------------------------------


def test_read1_never_gives_more_than_asked() -> None:
    stream = stream_of(b"abcdef")

    assert [stream.read1(2), stream.read1(1), stream.read1(9), stream.read1(1)] == [
        b"ab",
        b"c",
        b"def",
        b"",
    ]


def test_large_reads_go_to_the_socket_directly() -> None:
    data = b"x" * RECEIVE_BYTES
    stream = stream_of(data + b"rest")

    assert stream.read1(RECEIVE_BYTES * 2) == data
    assert stream.read1(3) == b"res"


def test_readline_stops_behind_the_line_end() -> None:
    stream = stream_of(b"one\ntw", b"o\nthree")

    assert [stream.readline(100) for _ in range(4)] == [b"one\n", b"two\n", b"three", b""]


def test_readline_gives_at_most_what_was_asked() -> None:
    stream = stream_of(b"ab", b"cd\n")

    assert [stream.readline(3), stream.readline(1), stream.readline(5)] == [b"abc", b"d", b"\n"]


def test_an_interrupted_readline_can_be_tried_again() -> None:
    stream = stream_of(b"ab", TimeoutError(), b"cd\nef")

    with pytest.raises(TimeoutError):
        stream.readline(100)

    assert stream.readline(100) == b"abcd\n"
    assert stream.read1(100) == b"ef"
