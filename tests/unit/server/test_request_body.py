from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet._protocols.chunked import MAX_TRAILER, ChunkReadError
from eventlet._protocols.head_collector import HeadLimits
from eventlet._server.request_body import BodyTruncated, Input
from eventlet._server.request_stream import RequestStream
from eventlet._server.response_head import InvalidResponse

from tests.unit.server.scripted_socket import ScriptedSocket

LIMITS = HeadLimits()
NEXT = b"GET /next HTTP/1.1\r\n\r\n"


def fixed(body: bytes, length: int | None = None, *, behind: bytes = NEXT) -> Input:
    source = io.BufferedReader(io.BytesIO(body + behind))
    return Input(source, len(body) if length is None else length, None)


def chunked(data: bytes, *, behind: bytes = NEXT) -> Input:
    return Input(io.BytesIO(data + behind), None, None, chunked_input=True)


def in_chunks(body: bytes, size: int) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


MAKERS: list[Callable[[bytes], Input]] = [
    fixed,
    lambda body: chunked(in_chunks(body, 1)),
    lambda body: chunked(in_chunks(body, 3)),
    lambda body: chunked(in_chunks(body, 1000)),
]
BODY = b"first\nsecond line\n\nlast"


def behind(body: Input) -> bytes:
    """Read what the body left for the next request."""
    rest: bytes = body.rfile.read()  # type: ignore[attr-defined]  # the tests give real files
    return rest


# --- every way of reading ends with the body ------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "read",
    [
        lambda body: body.read(),
        lambda body: body.read(-1),
        lambda body: body.read(1000),
        lambda body: body.read(len(BODY)),
        lambda body: b"".join(body.readlines()),
        lambda body: b"".join(body.readlines(-1)),
        b"".join,
        lambda body: b"".join(iter(lambda: body.read(1), b"")),
        lambda body: b"".join(iter(lambda: body.read(7), b"")),
        lambda body: b"".join(iter(lambda: body.readline(4), b"")),
        lambda body: body.read(3) + body.readline() + b"".join(body.readlines()),
    ],
)
def test_every_way_of_reading_ends_with_the_body(
    make: Callable[[bytes], Input], read: Callable[[Input], bytes]
) -> None:
    body = make(BODY)

    assert read(body) == BODY
    assert (body.read(), body.readline(), body.readlines(), list(body)) == (b"", b"", [], [])
    assert body.drain(0)
    assert behind(body) == NEXT


@pytest.mark.parametrize("make", MAKERS)
def test_lines_are_lines_wherever_chunks_end(make: Callable[[bytes], Input]) -> None:
    lines = [b"first\n", b"second line\n", b"\n", b"last"]

    assert make(BODY).readlines() == lines
    assert list(make(BODY)) == lines


@pytest.mark.parametrize("make", MAKERS)
def test_a_hint_ends_readlines_early(make: Callable[[bytes], Input]) -> None:
    body = make(BODY)

    assert body.readlines(6) == [b"first\n"]
    assert body.readlines(7) == [b"second line\n"]
    assert body.readlines(0) == [b"\n", b"last"]


@pytest.mark.parametrize("make", MAKERS)
def test_reading_nothing_reads_nothing(make: Callable[[bytes], Input]) -> None:
    body = make(BODY)

    assert (body.read(0), body.readline(0)) == (b"", b"")
    assert body.read() == BODY


def test_no_length_means_empty_at_once() -> None:
    body = Input(io.BytesIO(NEXT), None, None)

    assert (body.read(), body.readline(), body.readlines(), list(body)) == (b"", b"", [], [])
    assert body.drain(0)
    assert behind(body) == NEXT


@given(
    st.binary(max_size=60).map(lambda data: data.replace(b"x", b"\n")),
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from(["read", "readline"]), st.integers(-1, 30)), max_size=10),
)
def test_chunked_reads_as_a_file_does(data: bytes, size: int, calls: list[tuple[str, int]]) -> None:
    body, model = chunked(in_chunks(data, size)), io.BytesIO(data)

    for name, amount in calls:
        assert getattr(body, name)(amount) == getattr(model, name)(amount)
    assert body.read() == model.read()
    assert behind(body) == NEXT


def test_over_a_connection_nothing_of_the_next_request_is_lost() -> None:
    data = b"POST / HTTP/1.1\r\n\r\n" + in_chunks(BODY, 4) + NEXT
    stream = RequestStream(
        ScriptedSocket([data[i : i + 5] for i in range(0, len(data), 5)]), LIMITS
    )
    stream.readline(100)
    stream.readline(100)

    assert Input(stream, None, None, chunked_input=True).readlines() == BODY.splitlines(True)
    assert stream.readline(100) + stream.readline(100) == NEXT


# --- what a client can do wrong -----------------------------------------------------------------


def test_a_fixed_body_that_ends_early_is_an_error() -> None:
    body = fixed(b"abc", 10, behind=b"")

    with pytest.raises(BodyTruncated) as caught:
        body.read()

    assert caught.value.missing == 7
    assert isinstance(caught.value, OSError)
    assert body.failure is caught.value
    assert body.drain(100) is False


def test_a_line_that_ends_early_is_an_error() -> None:
    with pytest.raises(BodyTruncated):
        fixed(b"abc", 10, behind=b"").readlines()


def test_a_chunk_that_ends_early_is_an_os_error() -> None:
    with pytest.raises(BodyTruncated):
        chunked(b"5\r\nab", behind=b"").read()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"5",
        b"5\r\nhello",
        b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n",
        b"5\r\nhello\r\n0\r\nA: b\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"zz\r\n",
        b"5" * 5000 + b"\r\n",
        b"0\r\nHost: evil\r\n\r\n",
        b"0\r\n" + b"A: b\r\n" * (MAX_TRAILER // 6 + 1) + b"\r\n",
        b"0\r\nA: " + b"b" * MAX_TRAILER + b"\r\n\r\n",
    ],
)
def test_broken_chunks_are_an_error_and_stay_one(data: bytes) -> None:
    body = chunked(data, behind=b"")

    with pytest.raises(ChunkReadError) as caught:
        body.read()

    assert body.failure is caught.value
    with pytest.raises(ChunkReadError):
        body.read(1)
    assert body.drain(100) is False


def test_extensions_and_trailers_are_dropped() -> None:
    body = chunked(b"5;a=b\r\nhello\r\n0;c\r\nVary: *\r\nX: y\r\n\r\n")

    assert body.read() == b"hello"
    assert behind(body) == NEXT


def test_an_error_of_the_socket_is_kept() -> None:
    error = TimeoutError("too slow")
    body = Input(RequestStream(ScriptedSocket([b"ab", error]), LIMITS), 5, None)

    with pytest.raises(TimeoutError):
        body.read()

    assert body.failure is error


# --- what is left unread --------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_draining_leaves_the_next_request(make: Callable[[bytes], Input]) -> None:
    body = make(BODY)
    body.read(4)

    assert body.drain(len(BODY))
    assert behind(body) == NEXT


@pytest.mark.parametrize("make", MAKERS)
def test_draining_has_a_limit(make: Callable[[bytes], Input]) -> None:
    assert make(BODY).drain(len(BODY) - 1) is False


def test_a_long_fixed_body_is_not_even_begun() -> None:
    body = fixed(BODY)

    assert body.drain(3) is False
    assert behind(body) == BODY + NEXT


@pytest.mark.parametrize("make", MAKERS)
def test_discard_drops_all(make: Callable[[bytes], Input]) -> None:
    body = make(BODY)

    body.discard(2)

    assert behind(body) == NEXT


# --- 100 Continue -----------------------------------------------------------------------------------

CONTINUE = b"HTTP/1.1 100 Continue\r\n"


class Sink:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def expecting(data: bytes, *, chunks: bool = False) -> tuple[Input, Sink]:
    sink = Sink()
    length = None if chunks else len(data)
    return Input(io.BytesIO(data), length, None, sink, CONTINUE, chunks), sink


@pytest.mark.parametrize(
    "read",
    [
        lambda body: body.read(),
        lambda body: body.read(1),
        lambda body: body.readline(),
        lambda body: body.readlines(),
        lambda body: next(iter(body)),
    ],
)
def test_the_first_read_asks_the_client_to_go_on(read: Callable[[Input], object]) -> None:
    body, sink = expecting(b"hello")

    assert (body.should_send_hundred_continue, sink.data) == (True, b"")
    read(body)

    assert (body.should_send_hundred_continue, sink.data) == (False, CONTINUE + b"\r\n")
    body.read()
    assert sink.data == CONTINUE + b"\r\n"


def test_nothing_interim_once_the_response_has_begun() -> None:
    body, sink = expecting(b"hello")
    body.headers_sent = True

    assert body.read() == b"hello"
    assert sink.data == b""


def test_an_unread_body_that_is_held_back_is_not_drained() -> None:
    body, sink = expecting(b"hello")

    assert body.is_held_back()
    assert body.drain(100) is False
    assert sink.data == b""


def test_nothing_is_held_back_where_there_is_no_body() -> None:
    body, sink = expecting(b"")

    assert not body.is_held_back()
    assert body.read() == b""
    assert body.drain(0)
    assert sink.data == b""


def test_interim_responses_can_have_headers() -> None:
    body, sink = expecting(b"hello")
    body.set_hundred_continue_response_headers([("x-thing", "1"), ("x-n", 2)])  # type: ignore[list-item]

    body.read()

    assert sink.data == CONTINUE + b"X-Thing: 1\r\nX-N: 2\r\n\r\n"


def test_interim_headers_keep_their_case_when_asked_to() -> None:
    body, sink = expecting(b"hello")
    body.set_hundred_continue_response_headers(
        [("x-Thing", "1")], capitalize_response_headers=False
    )

    body.read()

    assert sink.data == CONTINUE + b"x-Thing: 1\r\n\r\n"


def test_interim_headers_are_checked() -> None:
    body, _ = expecting(b"hello")

    with pytest.raises(InvalidResponse):
        body.set_hundred_continue_response_headers([("X", "a\r\nY: b")])


def test_a_resent_interim_response_opens_a_second_chunked_body() -> None:
    body, sink = expecting(in_chunks(b"one", 3) + in_chunks(b"two", 2), chunks=True)

    assert body.read() == b"one"
    body.send_hundred_continue_response()
    assert body.read() == b"two"
    assert sink.data == (CONTINUE + b"\r\n") * 2


def test_a_client_that_does_not_wait_gets_no_interim_response() -> None:
    with pytest.raises(ValueError, match="does not wait"):
        fixed(b"hello").send_hundred_continue_response()


def test_nothing_interim_is_sent_within_a_response() -> None:
    body, sink = expecting(b"hello")
    body.headers_sent = True

    body.send_hundred_continue_response()

    assert sink.data == b""


def test_a_client_that_is_gone_when_it_should_continue_is_at_fault() -> None:
    body, sink = expecting(b"hello")
    error = BrokenPipeError()

    def write(data: bytes) -> None:
        raise error

    sink.write = write  # type: ignore[method-assign]  # the sink of this test alone
    with pytest.raises(BrokenPipeError):
        body.read()

    assert body.failure is error


def test_the_socket_can_be_had() -> None:
    sock = ScriptedSocket()

    assert Input(RequestStream(sock, LIMITS), None, sock).get_socket() is sock


# --- what extensions may cost ----------------------------------------------------------------


def test_extensions_may_not_outweigh_the_data() -> None:
    body = chunked((b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 20)

    with pytest.raises(ChunkReadError, match="extensions"):
        body.read()


@pytest.mark.parametrize(
    "data",
    [
        b"1\r\nx\r\n" * 20_000,
        (b"1000;chunk-signature=" + b"a" * 64 + b"\r\n" + b"x" * 4096 + b"\r\n") * 300,
        b"1;" + b"a" * 4000 + b"\r\nx\r\n",
    ],
    ids=["small-chunks", "signed-chunks", "one-long-extension"],
)
def test_extensions_that_the_data_is_worth(data: bytes) -> None:
    assert set(chunked(data + b"0\r\n\r\n").read()) == set(b"x")


# --- interrupted by the application's own time-out --------------------------------------------


class Interrupt(BaseException):
    """Stands for `eventlet.Timeout`."""


class Interrupted(io.RawIOBase):
    """Hands out pieces, and raises those that are exceptions."""

    def __init__(self, *pieces: bytes | BaseException) -> None:
        self._pieces = list(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._pieces.pop(0)
        if isinstance(piece, BaseException):
            raise piece
        buffer[: len(piece)] = piece
        return len(piece)


def interrupted_stream(*pieces: bytes | BaseException) -> Input:
    source = RequestStream(ScriptedSocket(pieces), LIMITS)
    return Input(source, None, None, chunked_input=True)


def read_bytewise(body: Input, into: bytearray) -> None:
    while piece := body.read(1):
        into += piece


def interrupted_file(*pieces: bytes | BaseException, length: int | None = None) -> Input:
    source = io.BufferedReader(Interrupted(*pieces))
    return Input(source, length, None, chunked_input=length is None)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"0", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"5\r\nhel", b"lo\r\n0\r\n\r\n"),
        (b"5\r\nhello\r", b"\n0\r\n\r\n"),
        (b"5\r\nhello\r\n0\r\n", b"\r\n"),
        (b"5\r\nhello\r\n0\r\nX: y\r\n", b"Y: z\r\n\r\n"),
        (b"5\r\nhello\r\n0\r\nX: y\r\nY", b": z\r\n\r\n"),
    ],
)
def test_reading_goes_on_where_it_was_interrupted(pieces: tuple[bytes, bytes]) -> None:
    first, second = pieces
    body = interrupted_stream(first, Interrupt(), second + NEXT)
    read = bytearray()

    with pytest.raises(Interrupt):
        read_bytewise(body, read)
    read_bytewise(body, read)

    assert (bytes(read), body.is_at_end()) == (b"hello", True)
    assert body.rfile.read1(100) == NEXT


def test_a_size_of_which_half_is_lost_is_not_read_on() -> None:
    body = interrupted_file(b"1", Interrupt(), b"5\r\nhello" + NEXT)

    with pytest.raises(Interrupt):
        body.read()

    with pytest.raises(ConnectionError, match="interrupted"):
        body.read()
    assert body.drain(1000) is False


def test_a_line_of_which_half_is_lost_is_not_read_on() -> None:
    body = interrupted_file(b"he", Interrupt(), b"llo\n" + NEXT, length=6)

    with pytest.raises(Interrupt):
        body.readline()

    with pytest.raises(ConnectionError, match="interrupted"):
        body.read()
    assert body.drain(1000) is False


# --- a length that the application sets -------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "read"), [(0, b""), (2, b""), (3, b""), (5, b"de"), (6, b"def")]
)
@pytest.mark.parametrize("reader", [Input.read, Input.readline])
def test_an_application_may_see_less_of_the_body(
    reader: Callable[[Input], bytes], length: int, read: bytes
) -> None:
    body = fixed(b"abcdef")
    body.read(3)

    body.content_length = length

    assert (reader(body), reader(body)) == (read, b"")
    assert body.is_at_end() is (length == 6)
    assert body.drain(100) is True
    assert behind(body) == NEXT


@pytest.mark.parametrize("announced", [None, 0, 6])
def test_nobody_sees_more_than_the_body(announced: int | None) -> None:
    whole = b"abcdef"[: announced or 0]
    body = Input(io.BufferedReader(io.BytesIO(whole + NEXT)), announced, None)

    body.content_length = 20

    assert body.read() == whole
    assert body.drain(100) is True
    assert behind(body) == NEXT


def test_a_file_needs_no_more_than_the_usual_methods() -> None:
    class Plain:
        """Somebody's own file."""

        def __init__(self, file: io.BytesIO) -> None:
            self.read, self.readline = file.read, file.readline

    data = b"5\r\nhello\r\n0\r\n\r\n"
    body = Input(Plain(io.BytesIO(data + NEXT)), None, None, chunked_input=True)  # type: ignore[arg-type]  # as programs do

    assert body.read() == b"hello"
    assert behind(body) == NEXT
