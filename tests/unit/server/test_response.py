from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import pytest

from eventlet._server.response import Response
from eventlet._server.response_head import InvalidResponse, ResponseStyle

from tests.unit.server.scripted_socket import ScriptedSocket


def exc_info() -> Any:
    """Give what PEP 3333 calls `exc_info`."""
    return sys.exc_info()


class Body:
    def __init__(self, held_back: bool) -> None:
        self.headers_sent = False
        self.content_length: int | None = None
        self.position = 0
        self.failure: Exception | None = None
        self.held_back = held_back

    def is_held_back(self) -> bool:
        return self.held_back


class Answer:
    """A response, and how its bytes look to a reader of HTTP."""

    def __init__(
        self,
        *,
        method: str = "GET",
        minor: int = 1,
        version: str = "HTTP/1.1",
        capitalize: bool = True,
        keep_alive: bool = True,
        keep_alive_seconds: float | None = None,
        echo: bool = False,
        held_back: bool = False,
    ) -> None:
        self.sock = ScriptedSocket()
        self.request = Body(held_back)
        style = ResponseStyle(version, capitalize, keep_alive_seconds)
        self.response = Response(
            self.sock.sendall, style, method, minor, keep_alive, echo, self.request
        )

    @property
    def raw(self) -> bytes:
        return b"".join(self.sock.sent)

    @property
    def head(self) -> list[str]:
        lines = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        return [line for line in lines if not line.startswith("Date: ")]

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


def sized(result: Any, headers: Any = (), status: str = "200 OK", **options: Any) -> Answer:
    answer = Answer(**options)
    answer.response.start_response(status, headers)
    answer.response.send_sized(result)
    return answer


def streamed(
    result: Iterable[Any], headers: Any = (), status: str = "200 OK", **options: Any
) -> Answer:
    minimum = options.pop("minimum", 4096)
    answer = Answer(**options)
    answer.response.start_response(status, headers)
    answer.response.finish(answer.response.send_streamed(result, minimum))
    return answer


# --- a body that is all there ----------------------------------------------------------------


def test_head_and_body_go_out_in_one_piece() -> None:
    answer = sized([b"hello"], [("Content-Type", "text/plain")])

    assert len(answer.sock.sent) == 1
    assert answer.head == ["HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 5"]
    assert answer.body == b"hello"
    assert answer.response.keep_alive
    assert answer.response.sent_bytes == len(answer.raw)


def test_the_order_of_the_head() -> None:
    answer = sized([b""], [("X", "1"), ("Y", "2")], keep_alive=False)

    names = [line.partition(":")[0] for line in answer.raw.decode().split("\r\n")[1:-2]]
    assert names == ["X", "Y", "Content-Length", "Date", "Connection"]


def test_a_date_of_the_application_is_kept() -> None:
    answer = sized([b""], [("date", "yesterday")])

    assert answer.raw.count(b"Date: ") == 1
    assert b"Date: yesterday\r\n" in answer.raw


@pytest.mark.parametrize("result", [[], [b""], (), b"", "", [""]])
def test_an_empty_body_has_length_0(result: Any) -> None:
    answer = sized(result)

    assert answer.head == ["HTTP/1.1 200 OK", "Content-Length: 0"]
    assert answer.body == b""


@pytest.mark.parametrize(
    "result", [[b"a", b"", b"bc"], (b"abc",), b"abc", "abc", ["a", b"b", "c"], [bytearray(b"abc")]]
)
def test_pieces_of_any_kind_are_joined(result: Any) -> None:
    assert sized(result).body == b"abc"


@pytest.mark.parametrize("minimum", [0, 4096])
@pytest.mark.parametrize("method, headers", [("HEAD", []), ("GET", [("Content-Length", "5000")])])
def test_a_body_without_an_end_is_left_where_nobody_gets_more_of_it(
    method: str, headers: Any, minimum: int
) -> None:
    answer = Answer(method=method)
    answer.response.start_response("200 OK", headers)

    answer.response.finish(answer.response.send_streamed(repeat(b"x" * 1000), minimum))

    assert answer.body == (b"" if method == "HEAD" else b"x" * 5000)
    assert answer.response.keep_alive is (method == "HEAD")


@pytest.mark.parametrize("headers", [[], [("Content-Length", "3000001")]])
def test_large_pieces_are_not_joined(headers: Any) -> None:
    pieces = [b"x" * 1_500_000, b"y", b"", b"z" * 1_499_999, b"!"]

    answer = sized(tuple(pieces), headers)

    assert answer.body == b"".join(pieces)
    assert answer.response.sent_bytes == len(answer.raw)
    assert next(sent for sent in answer.sock.sent if len(sent) > 100_000) is pieces[0]
    assert max(map(len, answer.sock.sent)) == 1_500_000
    assert answer.response.keep_alive


def test_large_pieces_are_framed_as_others_are() -> None:
    pieces = [b"x" * 1_500_000, b"!"]

    assert sized(pieces, [("Content-Length", "10")]).body == b"x" * 10
    assert sized(pieces, method="HEAD").body == b""
    short = sized(pieces, [("Content-Length", "2000000")])
    assert (len(short.body), short.response.keep_alive) == (1_500_001, False)

    written = Answer()
    written.response.start_response("200 OK", [])("w")
    written.response.send_sized(pieces)
    assert written.body.startswith(b"1\r\nw\r\n16e360\r\nx")
    assert written.body.endswith(b"x\r\n1\r\n!\r\n0\r\n\r\n")


def test_a_large_body_is_not_copied_to_its_head() -> None:
    answer = sized([b"x" * 100_000])

    assert [len(piece) for piece in answer.sock.sent][1:] == [100_000]
    assert "Content-Length: 100000" in answer.head
    assert answer.response.sent_bytes == len(answer.raw)


def test_headers_are_any_iterable_of_pairs() -> None:
    assert sized([], {}).head == ["HTTP/1.1 200 OK", "Content-Length: 0"]
    assert sized([], (["a", 1] for _ in "x")).head[1] == "A: 1"


# --- text --------------------------------------------------------------------------------------


def test_text_is_utf_8_by_default_and_its_length_counts_bytes() -> None:
    answer = sized(["café"], [("Content-Type", "text/plain")])

    assert answer.body == "café".encode()
    assert "Content-Length: 5" in answer.head


@pytest.mark.parametrize(
    "content_type, body",
    [
        ("text/plain; charset=latin-1", b"caf\xe9"),
        ('text/plain; a=b;charset="ISO-8859-1"', b"caf\xe9"),
        ("text/plain; CharSet=utf-8", "café".encode()),
        ("text/plain; x-charset=latin-1", "café".encode()),
    ],
)
def test_text_is_encoded_as_the_content_type_says(content_type: str, body: bytes) -> None:
    answer = sized(["café"], [("content-type", content_type)])

    assert answer.body == body
    assert f"Content-Length: {len(body)}" in answer.head


def test_streamed_text_is_encoded_too() -> None:
    assert streamed(iter(["caf", "é"])).body == b"5\r\ncaf\xc3\xa9\r\n0\r\n\r\n"


def test_text_that_the_charset_cannot_say_is_an_error_before_anything_is_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        sized(["café"], [("Content-Type", "text/plain; charset=ascii")])


def test_a_charset_nobody_knows_is_an_error() -> None:
    with pytest.raises(LookupError):
        sized(["a"], [("Content-Type", "text/plain; charset=klingon")])


@pytest.mark.parametrize("result", [[1], [None], [["a"]]])
def test_a_piece_that_is_no_text_and_no_bytes_is_an_error(result: Any) -> None:
    with pytest.raises(InvalidResponse, match="made of bytes"):
        sized(result)


# --- a body that is made while it is sent ---------------------------------------------------------


def test_a_body_of_unknown_length_is_chunked() -> None:
    answer = streamed(iter([b"a", b"b"]))

    assert answer.head == ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]
    assert answer.body == b"2\r\nab\r\n0\r\n\r\n"
    assert answer.response.keep_alive
    assert len(answer.sock.sent) == 1


def test_an_empty_chunked_body_is_one_terminator() -> None:
    assert streamed(iter([])).body == b"0\r\n\r\n"
    assert streamed(iter([b"", b""])).body == b"0\r\n\r\n"


def test_small_pieces_are_gathered() -> None:
    answer = streamed(iter([b"a" * 6, b"b" * 6, b"c"]), minimum=10)

    assert answer.body == b"c\r\naaaaaabbbbbb\r\n1\r\nc\r\n0\r\n\r\n"
    assert len(answer.sock.sent) == 2


@pytest.mark.parametrize("minimum", [0, 1])
def test_gathering_can_be_turned_off(minimum: int) -> None:
    answer = streamed(iter([b"a", b"b"]), minimum=minimum)

    assert answer.body == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"


@pytest.mark.parametrize("options", [{"minor": 0}, {"version": "HTTP/1.0"}])
def test_version_1_0_ends_a_body_by_closing(options: dict[str, Any]) -> None:
    answer = streamed(iter([b"a", b"b"]), **options)

    assert answer.body == b"ab"
    assert answer.head[1:] == ["Connection: close"]
    assert not answer.response.keep_alive


def test_the_version_of_the_status_line_is_ours() -> None:
    assert sized([b""], version="HTTP/1.0").head[0] == "HTTP/1.0 200 OK"
    assert sized([b""], minor=0).head[0] == "HTTP/1.1 200 OK"


def test_a_failure_before_much_was_made_leaves_everything_open() -> None:
    def failing() -> Iterator[bytes]:
        yield b"small"
        raise ZeroDivisionError

    answer = Answer()
    answer.response.start_response("200 OK", [])
    with pytest.raises(ZeroDivisionError):
        answer.response.send_streamed(failing(), 4096)

    assert not answer.response.is_begun
    answer.response.send_error("500 Internal Server Error", b"sorry")
    assert answer.head[0] == "HTTP/1.1 500 Internal Server Error"
    assert answer.head[1:] == [
        "Content-Type: text/plain",
        "Content-Length: 5",
        "Connection: close",
    ]
    assert answer.body == b"sorry"


# --- a length the application names ----------------------------------------------------------------


@pytest.mark.parametrize("send", [sized, streamed])
def test_a_named_length_is_used(send: Any) -> None:
    answer = send([b"abc"], [("Content-Length", "3")])

    assert answer.head == ["HTTP/1.1 200 OK", "Content-Length: 3"]
    assert answer.body == b"abc"
    assert answer.response.keep_alive
    assert answer.response.complaint is None


@pytest.mark.parametrize("send", [sized, streamed])
def test_what_exceeds_the_length_is_cut(send: Any) -> None:
    answer = send([b"ab", b"cde", b"f"], [("Content-Length", "3")], keep_alive=True)

    assert answer.body == b"abc"
    assert answer.response.complaint == "the body is longer than its Content-Length"
    assert not answer.response.keep_alive


@pytest.mark.parametrize("send", [sized, streamed])
def test_what_is_missing_closes_the_connection(send: Any) -> None:
    answer = send([b"ab"], [("Content-Length", "5")])

    assert answer.response.complaint == "the body is 3 bytes shorter than its Content-Length"
    assert not answer.response.keep_alive


def test_a_number_is_a_length() -> None:
    assert sized([b"abc"], [("content-length", 3)]).head[1:] == ["Content-Length: 3"]


def test_a_length_is_found_in_any_case_and_not_doubled() -> None:
    answer = sized([b"abc"], [("content-length", "3")], capitalize=False)

    assert answer.head[1:] == ["content-length: 3"]


def test_a_length_that_is_said_twice_is_sent_once() -> None:
    answer = sized([b"abc"], [("Content-Length", "3"), ("Content-Length", "3")])

    assert answer.head[1:] == ["Content-Length: 3"]


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Length", "x")],
        [("Content-Length", "-1")],
        [("Content-Length", "1_0")],
        [("Content-Length", "3"), ("Content-Length", "4")],
    ],
)
def test_a_length_that_is_none_is_an_error(headers: Any) -> None:
    with pytest.raises(InvalidResponse, match="Content-Length"):
        Answer().response.start_response("200 OK", headers)


# --- responses without a body --------------------------------------------------------------------------


@pytest.mark.parametrize("send", [sized, streamed])
@pytest.mark.parametrize(
    "status, method", [("200 OK", "HEAD"), ("204 No Content", "GET"), ("304 Not Modified", "GET")]
)
def test_bodyless_responses_drop_the_body_and_keep_the_connection(
    send: Any, status: str, method: str
) -> None:
    answer = send([b"abc"], status=status, method=method)

    assert answer.head == [f"HTTP/1.1 {status}"]
    assert answer.body == b""
    assert answer.response.keep_alive


@pytest.mark.parametrize("status, method", [("200 OK", "HEAD"), ("304 Not Modified", "GET")])
def test_a_length_may_describe_the_body_that_is_not_sent(status: str, method: str) -> None:
    answer = sized([], [("Content-Length", "7")], status=status, method=method)

    assert answer.head[1:] == ["Content-Length: 7"]
    assert answer.body == b""
    assert answer.response.keep_alive


def test_no_content_has_no_length() -> None:
    assert sized([], [("Content-Length", "0")], status="204 No Content").head[1:] == []


def test_connect_has_a_body_only_when_it_failed() -> None:
    assert sized([b"abc"], method="CONNECT").body == b""
    assert sized([b"abc"], status="502 Bad Gateway", method="CONNECT").body == b"abc"


def test_after_switching_protocols_there_is_no_next_request() -> None:
    answer = sized([], [("Upgrade", "x"), ("Connection", "Upgrade")], status="101 Switching")

    assert not answer.response.keep_alive
    assert answer.body == b""


# --- write ------------------------------------------------------------------------------------------------


def test_write_sends_at_once_and_the_body_ends_once() -> None:
    answer = Answer()
    write = answer.response.start_response("200 OK", [])
    write(b"abc")
    sent_at_once = answer.body
    write(b"")
    write("é")
    answer.response.send_sized([b"def"])

    assert sent_at_once == b"3\r\nabc\r\n"
    assert answer.body == b"3\r\nabc\r\n2\r\n\xc3\xa9\r\n3\r\ndef\r\n0\r\n\r\n"


def test_write_and_then_nothing_ends_the_body() -> None:
    answer = Answer()
    answer.response.start_response("200 OK", [])(b"abc")
    answer.response.send_sized([])

    assert answer.body == b"3\r\nabc\r\n0\r\n\r\n"


def test_write_within_a_named_length() -> None:
    answer = Answer()
    answer.response.start_response("200 OK", [("Content-Length", "6")])(b"abc")
    answer.response.finish(answer.response.send_streamed(iter([b"def"]), 4096))

    assert answer.body == b"abcdef"
    assert answer.response.keep_alive


def test_write_needs_start_response() -> None:
    with pytest.raises(AssertionError, match="start_response"):
        Answer().response.write(b"a")


# --- start_response -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [[b"a"], [], ["a"]])
def test_a_body_needs_start_response(result: list[Any]) -> None:
    with pytest.raises(AssertionError, match="start_response"):
        Answer().response.send_sized(result)


def test_a_stream_needs_start_response() -> None:
    with pytest.raises(AssertionError, match="start_response"):
        Answer().response.send_streamed(iter([b"a"]), 10)
    with pytest.raises(AssertionError, match="start_response"):
        Answer().response.finish(b"")


def test_start_response_can_be_called_by_the_first_step_of_a_generator() -> None:
    answer = Answer()

    def app() -> Iterator[bytes]:
        answer.response.start_response("200 OK", [])
        yield b"a"

    answer.response.finish(answer.response.send_streamed(app(), 10))

    assert answer.body == b"1\r\na\r\n0\r\n\r\n"


def test_the_last_call_before_the_response_begins_counts() -> None:
    answer = Answer()
    answer.response.start_response("200 OK", [("Content-Length", "9"), ("Date", "x")])
    answer.response.start_response("404 Not Found", [("X", "y")])
    answer.response.send_sized([b"a"])

    assert answer.head == ["HTTP/1.1 404 Not Found", "X: y", "Content-Length: 1"]
    assert answer.raw.count(b"Date:") == 1


def test_its_arguments_have_the_names_of_the_pep() -> None:
    answer = Answer()
    answer.response.start_response(status="201 Made", response_headers=[], exc_info=None)
    answer.response.send_sized([b""])

    assert answer.head[0] == "HTTP/1.1 201 Made"


def test_a_second_call_after_the_beginning_is_an_error() -> None:
    answer = Answer()
    answer.response.start_response("200 OK", [])(b"a")

    with pytest.raises(AssertionError, match="begun"):
        answer.response.start_response("200 OK", [])


def test_a_second_call_with_an_exception_raises_that_after_the_beginning() -> None:
    answer = Answer()
    answer.response.start_response("200 OK", [])
    try:
        raise ZeroDivisionError("first")
    except ZeroDivisionError:
        answer.response.start_response("500 Oops", [], exc_info())
        answer.response.write(b"a")
        with pytest.raises(ZeroDivisionError, match="first"):
            answer.response.start_response("500 Oops", [], exc_info())

    assert answer.head[0] == "HTTP/1.1 500 Oops"


@pytest.mark.parametrize("value", ["a\r\nY: b", "a\nb", "\u20ac"])
def test_a_header_that_would_split_the_response_is_an_error(value: str) -> None:
    answer = Answer()

    with pytest.raises(InvalidResponse):
        answer.response.start_response("200 OK", [("X", value)])

    assert answer.raw == b""


# --- connection ------------------------------------------------------------------------------------------------


def test_a_closing_response_says_so() -> None:
    assert sized([b""], keep_alive=False).head[-1] == "Connection: close"


def test_keeping_the_connection_is_said_only_to_those_who_asked() -> None:
    quiet = sized([b""], keep_alive_seconds=5)
    answer = sized([b""], keep_alive_seconds=5, echo=True)

    assert quiet.head[-1] == "Content-Length: 0"
    assert answer.head[-2:] == ["Connection: keep-alive", "Keep-Alive: timeout=5"]


@pytest.mark.parametrize("seconds", [None, 0.5])
def test_no_time_out_is_named_below_a_second(seconds: float | None) -> None:
    answer = sized([b""], keep_alive_seconds=seconds, echo=True)

    assert answer.head[-1] == "Connection: keep-alive"


def test_a_body_that_is_still_held_back_closes_the_connection() -> None:
    assert sized([b""], held_back=True).head[-1] == "Connection: close"
    assert streamed(iter([]), held_back=True).head[-1] == "Connection: close"


@pytest.mark.parametrize(
    "send", [lambda response: response.send_sized([b"x"]), lambda response: response.finish(b"x")]
)
@pytest.mark.parametrize(
    "position, failure, keeps",
    [(0, None, False), (2**20, None, True), (2**20, OSError(), False)],
)
def test_who_leaves_too_much_of_a_body_is_told_of_the_close(
    send: Any, position: int, failure: Any, keeps: bool
) -> None:
    answer = Answer()
    answer.request.content_length = 2 * 2**20
    answer.request.position = position
    answer.request.failure = failure
    answer.response.start_response("200 OK", [])
    send(answer.response)

    assert answer.response.keep_alive is keeps
    assert ("Connection: close" in answer.head) is not keeps


def test_the_application_may_close() -> None:
    answer = sized([b""], [("Connection", "x, Close")])

    assert answer.head[1:] == ["Connection: x, Close", "Content-Length: 0"]
    assert not answer.response.keep_alive


@pytest.mark.parametrize("coding", ["chunked", "Identity"])
def test_a_transfer_coding_of_the_application_is_not_doubled(coding: str) -> None:
    assert streamed(iter([b"a"]), [("Transfer-Encoding", coding)]).head[1:] == [
        "Transfer-Encoding: chunked"
    ]
    assert sized([b"a"], [("Transfer-Encoding", coding)]).head[1:] == ["Content-Length: 1"]


def test_another_transfer_coding_is_an_error() -> None:
    with pytest.raises(InvalidResponse, match="Transfer-Encoding"):
        sized([b"a"], [("Transfer-Encoding", "gzip")])


# --- the socket --------------------------------------------------------------------------------------------------


def test_the_body_of_the_request_learns_that_the_response_began() -> None:
    assert sized([b""]).request.headers_sent is True
    assert Answer().request.headers_sent is False


def test_an_error_of_the_socket_is_kept_and_raised() -> None:
    answer = Answer()
    answer.sock.send_error = BrokenPipeError()
    answer.response.start_response("200 OK", [])

    with pytest.raises(BrokenPipeError):
        answer.response.send_sized([b"a"])

    assert answer.response.failure is answer.sock.send_error
    assert answer.response.is_begun
