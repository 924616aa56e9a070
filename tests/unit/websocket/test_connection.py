"""One WebSocket over a pair of sockets, against a peer that speaks in raw frames."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from eventlet.greenthread import kill, sleep, spawn
from eventlet.timeout import Timeout
from eventlet.websocket import ConnectionClosedError, ProtocolError, RFC6455WebSocket

from tests.unit.server.site import listen, reset
from tests.unit.websocket.peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    Frame,
    close_frame,
    deflate,
    frame,
    pair,
    tls_pair,
)

DEFLATE: dict[str, dict[str, Any]] = {"permessage-deflate": {}}
BIG = bytes(8 << 20)


def swallow(call: Callable[..., object], *args: Any) -> Exception | None:
    """Call, and return what was raised."""
    try:
        call(*args)
    except OSError as exc:
        return exc
    return None


# -- sending ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 100_000])
def test_messages_of_every_length(client: bool, size: int) -> None:
    with pair(client=client) as (ws, peer):
        spawn(ws.send, b"x" * size)

        assert peer.frame() == Frame(FIN | BINARY, b"x" * size, masked=client)


@pytest.mark.parametrize(
    "message, opcode, payload",
    [
        ("gr\u00fc\u00df", TEXT, "gr\u00fc\u00df".encode()),
        ("", TEXT, b""),
        (b"bytes", BINARY, b"bytes"),
        (bytearray(b"array"), BINARY, b"array"),
        (memoryview(b"view"), BINARY, b"view"),
    ],
)
def test_text_and_bytes(message: Any, opcode: int, payload: bytes) -> None:
    with pair() as (ws, peer):
        ws.send(message)

        assert peer.frame() == Frame(FIN | opcode, payload)


@pytest.mark.parametrize("message", [5, None, ["x"], object()])
def test_what_is_no_message(message: Any) -> None:
    with pair() as (ws, _), pytest.raises(TypeError, match="a message is str or bytes"):
        ws.send(message)


def test_a_text_that_cannot_be_encoded_is_refused_before_anything_is_sent() -> None:
    with pair() as (ws, peer):
        ws.fragment_length = 2
        with pytest.raises(UnicodeEncodeError):
            ws.send("fine, but \ud800")
        ws.send("ok")

        assert peer.frame() == Frame(FIN | TEXT, b"ok")


def test_a_message_in_pieces() -> None:
    with pair() as (ws, peer):
        ws.send("one ", final=False)
        ws.send("two ", continuation=True, final=False)
        ws.send("three", continuation=True)
        ws.send("whole")

        frames = [peer.frame() for _ in range(4)]
    assert frames == [
        Frame(TEXT, b"one "),
        Frame(CONTINUATION, b"two "),
        Frame(FIN | CONTINUATION, b"three"),
        Frame(FIN | TEXT, b"whole"),
    ]


@pytest.mark.parametrize("max_queue", [0, 5])
def test_pieces_in_the_wrong_order_are_refused(max_queue: int) -> None:
    with pair(max_queue=max_queue) as (ws, peer):
        with pytest.raises(ProtocolError, match="no message to continue"):
            ws.send("x", continuation=True)
        ws.send("a", final=False)
        with pytest.raises(ProtocolError, match="another message"):
            ws.send("b")
        with pytest.raises(ProtocolError, match="either text or bytes"):
            ws.send(b"b", continuation=True)
        ws.send("c", continuation=True)

        assert [peer.frame() for _ in range(2)] == [
            Frame(TEXT, b"a"),
            Frame(FIN | CONTINUATION, b"c"),
        ]


def test_control_frames() -> None:
    with pair() as (ws, peer):
        ws.send(b"x" * 125, control_code=PING)
        ws.send("text", control_code=PONG)

        assert peer.frame() == Frame(FIN | PING, b"x" * 125)
        assert peer.frame() == Frame(FIN | PONG, b"text")


@pytest.mark.parametrize(
    "message, options",
    [
        (b"x" * 126, {"control_code": PING}),
        (b"", {"control_code": 3}),
        (b"", {"control_code": 11}),
        (b"", {"control_code": PING, "final": False}),
        (b"", {"control_code": PING, "continuation": True}),
        (b"x", {"control_code": CLOSE}),
        (b"\x03\xed", {"control_code": CLOSE}),
    ],
)
def test_control_frames_that_nobody_may_send(message: bytes, options: dict[str, Any]) -> None:
    with pair() as (ws, _), pytest.raises(ProtocolError) as raised:
        ws.send(message, **options)

    assert isinstance(raised.value, ValueError)


def test_long_messages_go_out_in_fragments() -> None:
    with pair() as (ws, peer):
        ws.fragment_length = 4
        ws.send("0123456789")
        ws.send(b"0123")

        assert [peer.frame() for _ in range(4)] == [
            Frame(TEXT, b"0123"),
            Frame(CONTINUATION, b"4567"),
            Frame(FIN | CONTINUATION, b"89"),
            Frame(FIN | BINARY, b"0123"),
        ]


def test_every_frame_of_a_client_has_a_mask_of_its_own() -> None:
    with pair(client=True) as (ws, peer):
        for _ in range(2):
            ws.send(b"")
        first, second = peer._exactly(6), peer._exactly(6)

    assert first[:2] == second[:2] == b"\x82\x80"
    assert first[2:] != second[2:]


def test_compressed_messages() -> None:
    with pair(extensions=DEFLATE) as (ws, peer):
        ws.send("hello hello hello")
        ws.send("hello hello hello")
        ws.send("")
        ws.send(b"x", control_code=PING)
        first, second, empty, ping = [peer.frame() for _ in range(4)]

    assert first == Frame(FIN | RSV1 | TEXT, deflate(b"hello hello hello"))
    assert second.first == FIN | RSV1 | TEXT
    assert len(second.payload) < len(first.payload)
    assert empty == Frame(FIN | TEXT, b"")
    assert ping == Frame(FIN | PING, b"x")


def test_messages_that_are_compressed_anew_each() -> None:
    parameters = {"server_no_context_takeover": True}
    with pair(extensions={"permessage-deflate": parameters}) as (ws, peer):
        ws.send("hello")
        ws.send("hello")

        assert peer.frame() == peer.frame()


@pytest.mark.parametrize("sender", ["server", "client"])
@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("bits", [8, 9, 15])
def test_compressed_pieces_between_two_of_ours(sender: str, forgets: bool, bits: int) -> None:
    parameters = {f"{sender}_no_context_takeover": forgets, f"{sender}_max_window_bits": bits}
    extensions = {"permessage-deflate": parameters}
    with pair(extensions=extensions, client=sender == "client") as (ws, peer):
        other = RFC6455WebSocket(peer.sock, {}, client=sender == "server", extensions=extensions)
        ws.fragment_length = 1000
        for text in ("spam " * 1000, "", "spam " * 1000):
            ws.send(text)
            ws.send(text.encode(), final=False)
            ws.send(b"", continuation=True)
            assert (other.wait(), other.wait()) == (text, text.encode())
        ws.send("", final=False)
        ws.send("", continuation=True)
        ws.send("end")
        assert (other.wait(), other.wait()) == ("", "end")


def test_extensions_can_be_set_later() -> None:
    with pair() as (ws, peer):
        assert ws.extensions == {}
        ws.extensions = DEFLATE
        ws.send("hello")
        peer.send(frame(TEXT, deflate(b"hello"), first=FIN | RSV1))

        assert peer.frame().first & RSV1
        assert ws.wait() == "hello"


# -- receiving -------------------------------------------------------------------------------------


def test_messages_come_in_order_and_then_none_for_good() -> None:
    with pair() as (ws, peer):
        peer.send(frame(TEXT, b"a"), frame(BINARY, b"b"), frame(TEXT), close_frame(1000))
        peer.sock.shutdown(socket.SHUT_WR)

        assert [ws.wait() for _ in range(5)] == ["a", b"b", "", None, None]
        assert ws.websocket_closed


def test_iteration_ends_with_the_websocket() -> None:
    with pair() as (ws, peer):
        peer.send(frame(TEXT), frame(BINARY, b"b"), close_frame(1000))
        peer.sock.shutdown(socket.SHUT_WR)

        assert list(ws) == ["", b"b"]


def test_pings_are_answered_in_order_and_pongs_ignored() -> None:
    with pair() as (ws, peer):
        reader = spawn(ws.wait)
        peer.send(frame(PING, b"1"), frame(PONG, b"no"), frame(PING), frame(TEXT, b"end"))

        assert reader.wait() == "end"
        assert [peer.frame(), peer.frame()] == [Frame(FIN | PONG, b"1"), Frame(FIN | PONG)]


def test_the_pong_comes_before_what_answers_a_later_message() -> None:
    with pair() as (ws, peer):
        peer.send(frame(PING, b"1"), frame(TEXT, b"end"))
        ws.send(ws.wait())

        assert [peer.frame().opcode, peer.frame().opcode] == [PONG, TEXT]


def test_fragments_with_a_ping_in_between() -> None:
    with pair() as (ws, peer):
        peer.send(frame(TEXT, b"a", first=0), frame(PING), frame(CONTINUATION, b"b"))

        assert ws.wait() == "ab"
        assert peer.frame() == Frame(FIN | PONG)


def test_pings_to_somebody_who_cannot_send_do_not_hold_up_its_reader() -> None:
    with pair() as (ws, peer):
        sender = spawn(ws.send, BIG)
        sleep(0)
        peer.send(*[frame(PING, bytes([i])) for i in range(100)], frame(TEXT, b"heard"))

        assert ws.wait() == "heard"
        assert peer.frame() == Frame(FIN | BINARY, BIG)
        assert peer.frame() == Frame(FIN | PONG, bytes([84]))  # 16 are kept, the latest
        sender.wait()


def test_a_pong_goes_between_the_fragments_of_a_long_message() -> None:
    with pair() as (ws, peer):
        ws.fragment_length = 4 << 20
        sender = spawn(ws.send, BIG)
        reader = spawn(ws.wait)
        sleep(0)
        peer.send(frame(PING, b"now"), frame(TEXT, b"x"))
        assert reader.wait() == "x"

        assert [peer.frame().first for _ in range(3)] == [BINARY, FIN | PONG, FIN | CONTINUATION]
        sender.wait()


def test_an_end_without_a_close_frame() -> None:
    with pair() as (ws, peer):
        peer.send(frame(TEXT, b"last"))
        peer.sock.close()

        assert (ws.wait(), ws.wait(), ws.wait()) == ("last", None, None)
        assert (ws.close_code, ws.websocket_closed) == (1006, True)


def test_a_reset_is_an_error_once() -> None:
    with listen() as listener:
        client = socket.create_connection(listener.getsockname())
        sock, _ = listener.accept()
        ws = RFC6455WebSocket(sock, {})
        reset(client)
        with pytest.raises(ConnectionResetError):
            ws.wait()
        assert ws.wait() is None
        assert ws.close_code == 1006
        ws.close()


def test_an_accident_of_ours_closes_with_1011_and_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise ArithmeticError("an accident")

    with pair() as (ws, peer):
        monkeypatch.setattr(ws._reader, "next_event", fail)
        reader = spawn(ws.wait)

        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xf3")
        peer.sock.close()
        with pytest.raises(ArithmeticError):
            reader.wait()
        assert ws.wait() is None


def test_a_time_out_of_the_socket_ends_one_wait_only() -> None:
    with pair() as (ws, peer):
        ws.socket.settimeout(0.01)
        with pytest.raises(TimeoutError):
            ws.wait()
        peer.send(frame(TEXT, b"late"))

        assert ws.wait() == "late"


# -- closing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "theirs, ours, code, reason",
    [
        (frame(CLOSE), b"\x03\xe8", 1005, ""),
        (close_frame(1000, b"bye"), b"\x03\xe8", 1000, "bye"),
        (close_frame(1001), b"\x03\xe9", 1001, ""),
        (close_frame(1012), b"\x03\xf4", 1012, ""),
        (close_frame(3999), b"\x0f\x9f", 3999, ""),
        (close_frame(4999, b"x" * 123), b"\x13\x87", 4999, "x" * 123),
    ],
)
def test_a_close_frame_is_answered(theirs: bytes, ours: bytes, code: int, reason: str) -> None:
    with pair() as (ws, peer):
        reader = spawn(ws.wait)
        peer.send(theirs)

        assert peer.frame() == Frame(FIN | CLOSE, ours)
        assert peer.rest() == b""
        peer.sock.close()
        assert reader.wait() is None
        assert (ws.close_code, ws.close_reason) == (code, reason)
        assert ws.socket.fileno() == -1


@pytest.mark.parametrize(
    "data, code",
    [
        (frame(TEXT, b"x", mask=False), 1002),
        (frame(3, b"x"), 1002),
        (frame(CLOSE, b"x"), 1002),
        (close_frame(1006), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (close_frame(1000, b"\xff"), 1007),
        (frame(BINARY, length=(8 << 20) + 1), 1009),
    ],
    ids=["unmasked", "opcode", "half a code", "1006", "text", "reason", "length"],
)
def test_a_peer_that_is_wrong_is_told_and_left(data: bytes, code: int) -> None:
    with pair() as (ws, peer):
        reader = spawn(ws.wait)
        peer.send(frame(PING), data, frame(TEXT, b"never"))

        assert peer.frame() == Frame(FIN | PONG)
        said = peer.frame()
        assert peer.rest() == b""
        peer.sock.close()
        assert reader.wait() is None
        assert (said.opcode, said.code) == (CLOSE, code)
        assert said.payload[2:].decode() == ws.close_reason != ""
        assert (ws.close_code, ws.wait()) == (code, None)


def test_the_text_about_a_long_frame() -> None:
    with pair(max_frame_length=10) as (ws, peer):
        spawn(ws.wait)
        peer.send(frame(BINARY, bytes(11)))

        assert peer.frame().payload[2:] == (
            b"Incoming frame of 11 bytes is above length limit of 10 bytes."
        )


def test_a_close_frame_reaches_a_peer_that_goes_on_sending() -> None:
    with pair(max_frame_length=1000) as (ws, peer):
        reader = spawn(ws.wait)
        peer.send(frame(BINARY, BIG))

        assert peer.frame().code == 1009
        assert peer.rest() == b""
        peer.sock.close()
        assert reader.wait() is None


@pytest.mark.parametrize(
    "close_data, payload",
    [
        (None, b""),
        ((1000, ""), b"\x03\xe8"),
        ((1001, "bye"), b"\x03\xe9bye"),
        ((3001, "\u00e9"), b"\x0b\xb9\xc3\xa9"),
        ((4000, "x" * 123), b"\x0f\xa0" + b"x" * 123),
    ],
)
def test_close_waits_for_the_answer(close_data: Any, payload: bytes) -> None:
    with pair() as (ws, peer):
        closer = spawn(ws.close, close_data)

        assert peer.frame() == Frame(FIN | CLOSE, payload)
        assert not closer.dead
        assert ws.websocket_closed
        peer.send(frame(TEXT, b"dropped"), close_frame(4001, b"ok"))
        assert peer.rest() == b""
        peer.sock.close()
        closer.wait()
        assert (ws.close_code, ws.close_reason) == (4001, "ok")
        assert ws.wait() is None


@pytest.mark.parametrize("close_data", [(1005, ""), (999, ""), (5000, "x"), (1000, "x" * 124)])
def test_close_data_that_nobody_may_send(close_data: tuple[int, str]) -> None:
    with pair() as (ws, peer):
        with pytest.raises(ProtocolError):
            ws.close(close_data)
        ws.send("still open")

        assert peer.frame().payload == b"still open"


def test_close_is_bounded_when_the_peer_does_not_answer() -> None:
    with pair() as (ws, peer):
        ws.close_timeout = 0.02
        ws.close((1000, ""))

        assert peer.frame().opcode == CLOSE
        assert peer.rest() == b""
        assert ws.close_code == 1000
        assert ws.socket.fileno() == -1


def test_close_is_bounded_when_the_peer_does_not_read() -> None:
    with pair() as (ws, _):
        sender = spawn(ws.send, BIG)
        sleep(0)
        ws.close_timeout = 0.02
        ws.close()

        with pytest.raises(OSError):
            sender.wait()


def test_close_is_bounded_when_the_peer_answers_nothing_but_noise() -> None:
    with pair() as (ws, peer):

        def flood() -> None:
            while True:
                peer.send(frame(TEXT, b"noise" * 10000))

        flooder = spawn(flood)
        ws.close_timeout = 0.05
        ws.close()
        with pytest.raises(OSError):
            flooder.wait()


def test_a_closed_websocket_takes_no_more() -> None:
    with pair() as (ws, peer):
        peer.send(close_frame(4001, b"enough"))
        peer.sock.shutdown(socket.SHUT_WR)
        assert ws.wait() is None

        with pytest.raises(ConnectionClosedError, match="code 4001, enough") as raised:
            ws.send("x")
        assert isinstance(raised.value, OSError)
        assert (raised.value.errno, raised.value.code) == (errno.EPIPE, 4001)
        ws.close()
        ws.close((1000, ""))
        assert ws.wait() is None


def test_one_close_frame_is_sent_whoever_closes() -> None:
    with pair() as (ws, peer):
        reader = spawn(ws.wait)
        closers = [spawn(ws.close, (1001, "")) for _ in range(3)]
        sleep(0)
        peer.send(close_frame(1001))

        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe9")
        assert peer.rest() == b""
        peer.sock.close()
        assert reader.wait() is None
        for closer in closers:
            closer.wait()


def test_close_wakes_a_reader_whose_peer_does_not_answer() -> None:
    with pair() as (ws, _):
        reader = spawn(ws.wait)
        sleep(0)
        ws.close_timeout = 0.02
        ws.close()

        assert reader.wait() is None


def test_a_close_frame_by_hand() -> None:
    with pair() as (ws, peer):
        ws.send(b"\x03\xe8", control_code=CLOSE)
        with pytest.raises(ConnectionClosedError):
            ws.send("x")
        peer.send(frame(TEXT, b"still heard"), close_frame(1000))
        peer.sock.shutdown(socket.SHUT_WR)

        assert ws.wait() == "still heard"
        assert ws.wait() is None
        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xe8")
        assert peer.rest() == b""


def test_the_context_manager_closes() -> None:
    with pair() as (ws, peer):
        peer.send(close_frame(1000))
        peer.sock.shutdown(socket.SHUT_WR)
        with ws:
            ws.send("x")

        assert [peer.frame().opcode, peer.frame()] == [TEXT, Frame(FIN | CLOSE, b"\x03\xe8")]


def test_the_context_manager_says_that_something_went_wrong() -> None:
    with pair() as (ws, peer):
        peer.send(close_frame(1000))
        peer.sock.shutdown(socket.SHUT_WR)
        with pytest.raises(ZeroDivisionError), ws:
            1 / 0  # noqa: B018

        assert peer.frame() == Frame(FIN | CLOSE, b"\x03\xf3")


# -- interrupted -------------------------------------------------------------------------------------


def test_an_interrupted_wait_loses_no_message() -> None:
    with pair() as (ws, peer):
        whole = frame(TEXT, b"in pieces")
        for i in range(len(whole)):
            with Timeout(0.001, False):
                ws.wait()
                raise AssertionError("too early")
            peer.send(whole[i : i + 1])

        assert ws.wait() == "in pieces"


def test_an_exception_of_the_callers_own_that_interrupts_wait_harms_nothing() -> None:
    with pair() as (ws, peer):
        with pytest.raises(KeyError), Timeout(0.001, KeyError):
            ws.wait()
        peer.send(frame(TEXT, b"fine"))

        assert ws.wait() == "fine"


def test_a_killed_reader_leaves_the_websocket_to_the_next() -> None:
    with pair() as (ws, peer):
        reader = spawn(ws.wait)
        sleep(0)
        kill(reader)
        peer.send(frame(TEXT, b"next"))

        assert ws.wait() == "next"


def test_a_send_interrupted_in_the_middle_ends_the_connection() -> None:
    with pair() as (ws, peer):
        reader = spawn(ws.wait)
        with pytest.raises(Timeout), Timeout(0.01):
            ws.send(BIG)

        with pytest.raises(ConnectionClosedError):
            ws.send("would stand in the middle of the other")
        assert reader.wait() is None
        assert ws.websocket_closed
        sent = len(peer.rest())
        assert 0 < sent < len(BIG)
        ws.close()


def test_a_send_interrupted_before_its_turn_changes_nothing() -> None:
    with pair() as (ws, peer):
        first = spawn(ws.send, BIG)
        sleep(0)
        waiting = spawn(ws.send, "never sent")
        sleep(0)
        kill(waiting)
        last = spawn(ws.send, "last")

        assert peer.frame() == Frame(FIN | BINARY, BIG)
        assert peer.frame() == Frame(FIN | TEXT, b"last")
        first.wait()
        last.wait()


def test_senders_do_not_interleave() -> None:
    messages = [bytes([i]) * 300_000 for i in range(8)]
    with pair() as (ws, peer):
        ws.fragment_length = 50_000
        senders = [spawn(ws.send, message) for message in messages]
        got = []
        for _ in messages:
            parts = [peer.frame()]
            while not parts[-1].first & FIN:
                parts.append(peer.frame())
            got.append(b"".join(part.payload for part in parts))

        assert got == messages
        for sender in senders:
            sender.wait()


@pytest.mark.parametrize("how", ["interrupted sender", "given up"])
def test_what_comes_over_tls_is_never_read_without_it(how: str) -> None:
    """The standard library's sockets go on in plain text once they were shut down."""
    with tls_pair() as (ws, peer):
        sender = spawn(swallow, ws.send, BIG)
        sleep(0)
        peer.send(frame(TEXT, b"x" * 20_000) * 4)
        if how == "given up":
            ws.give_up("silent")
        else:
            kill(sender)
        assert set(ws) <= {"x" * 20_000}
        assert ws.close_code == 1006


def test_a_sender_over_tls_whose_connection_is_given_up_is_told() -> None:
    with tls_pair() as (ws, _peer):
        sender = spawn(swallow, ws.send, BIG)
        sleep(0)
        ws.give_up("silent")
        assert isinstance(sender.wait(), ConnectionClosedError)


def test_a_sender_of_many_frames_is_told_that_it_is_closed() -> None:
    with pair() as (ws, _peer):
        ws.fragment_length = 1 << 20
        ws.close_timeout = 0.05
        sender = spawn(swallow, ws.send, BIG)
        sleep(0)
        ws.close()
        assert isinstance(sender.wait(), ConnectionClosedError)


def test_a_pong_goes_out_though_the_sender_whose_turn_it_is_sends_nothing() -> None:
    def send_nonsense() -> None:
        with pytest.raises(ProtocolError):
            ws.send("there is nothing to continue", continuation=True)

    with pair() as (ws, peer):
        first = spawn(ws.send, BIG)
        sleep(0)
        second = spawn(send_nonsense)
        sleep(0)
        reader = spawn(ws.wait)
        first.link(lambda _: ws._outbox.post(ws._pack_message(b"late", control_code=PONG)))
        assert peer.frame() == Frame(FIN | BINARY, BIG)
        assert peer.frame() == Frame(FIN | PONG, b"late")
        second.wait()
        reader.kill()


def test_a_killed_close_has_closed_the_socket() -> None:
    with pair() as (ws, peer):
        closer = spawn(ws.close)
        assert peer.frame().opcode == CLOSE
        kill(closer)

        assert ws.socket.fileno() == -1
        assert peer.rest() == b""
        assert ws.wait() is None


# -- the queue -----------------------------------------------------------------------------------------


def test_a_queue_takes_what_the_peer_does_not_read_yet() -> None:
    with pair(max_queue=3) as (ws, peer):
        for i in range(3):
            ws.send(bytes([i]) * (1 << 20))
        waiting = spawn(ws.send, b"the fourth")
        sleep(0.01)
        assert not waiting.dead

        assert [peer.frame().payload[:1] for _ in range(3)] == [b"\0", b"\1", b"\2"]
        waiting.wait()
        assert peer.frame().payload == b"the fourth"


def test_a_sender_interrupted_at_a_full_queue_harms_nothing() -> None:
    with pair(max_queue=1) as (ws, peer):
        ws.send(BIG)
        with pytest.raises(Timeout), Timeout(0.01):
            ws.send("not sent")
        assert peer.frame() == Frame(FIN | BINARY, BIG)
        ws.send("sent")

        assert peer.frame() == Frame(FIN | TEXT, b"sent")


def test_close_sends_what_is_queued_first() -> None:
    with pair(max_queue=5) as (ws, peer):
        for text in ("a", "b", "c"):
            ws.send(text)
        closer = spawn(ws.close)
        peer.send(close_frame(1000))
        opcodes = [peer.frame().opcode for _ in range(4)]
        peer.sock.close()
        closer.wait()

    assert opcodes == [TEXT, TEXT, TEXT, CLOSE]


def test_who_waits_at_a_full_queue_is_told_that_the_peer_has_gone() -> None:
    with pair(max_queue=1) as (ws, peer):
        ws.send(BIG)
        waiting = [spawn(ws.send, "x") for _ in range(3)]
        sleep(0.01)
        peer.sock.close()

        for sender in waiting:
            with pytest.raises(ConnectionClosedError):
                sender.wait()


# -- frames by hand --------------------------------------------------------------------------------------


def test_frames_can_be_packed_sent_and_read_by_hand() -> None:
    with pair(client=True, extensions=DEFLATE) as (ws, peer):
        assert ws._pack_message("abc", control_code=PING) == b"\x89\x03abc"
        assert ws._pack_message("abc", masked=True)[:2] == b"\xc1\x85"
        ws._send(b"\x82\x03abc")
        peer.send(frame(TEXT, deflate(b"x"), first=FIN | RSV1, mask=False))
        peer.send(frame(TEXT, b"y", mask=False))

        assert peer.frame() == Frame(FIN | BINARY, b"abc")
        packed, plain = ws._recv_frame(None), ws._recv_frame(None)
        assert (packed.getvalue(), packed.decompressor is None) == ("x", False)
        assert (plain.getvalue(), plain.decompressor is None) == ("y", True)


def test_a_compressed_message_read_by_hand_shows_what_came() -> None:
    with pair(client=True, extensions=DEFLATE) as (ws, peer):
        # Source: RFC 7692, section 7.2.3.
        first, second = b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"\xf2\x00\x11\x00\x00"
        for packed in (first, second):
            peer.send(frame(BINARY, packed, first=FIN | RSV1, mask=False))
        peer.send(frame(BINARY, b"plain", mask=False))

        for packed in (first, second):
            message = ws._recv_frame(None)
            assert message.getvalue() == b"Hello"
            message.decompressor = None
            assert message.getvalue() == packed
        assert ws._recv_frame(None).getvalue() == b"plain"


def test_a_websocket_without_a_socket_packs() -> None:
    ws = RFC6455WebSocket(None, {}, client=True)

    assert ws._pack_message(b"abc") == b"\x82\x03abc"
