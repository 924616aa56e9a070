"""What a client sends becomes lines, interrupts and ends of input, however it is cut."""

from __future__ import annotations

import pytest

from eventlet._protocols.telnet import Signal, TelnetDecoder

IAC, DONT, DO, WONT, WILL, SB, SE = (bytes([n]) for n in (255, 254, 253, 252, 251, 250, 240))
IP, BREAK, ABORT, EOF = (IAC + bytes([n]) for n in (244, 243, 238, 236))
ARE_YOU_THERE, ERASE_CHARACTER, ERASE_LINE, NOP = (IAC + bytes([n]) for n in (246, 247, 248, 241))
ECHO, TIMING_MARK, NAWS = b"\x01", b"\x06", b"\x1f"
INTERRUPT, END = Signal.INTERRUPT, Signal.END_OF_INPUT

CASES: dict[str, tuple[bytes, list[str | Signal]]] = {
    "LF": (b"a\nb\n", ["a\n", "b\n"]),
    "CR LF": (b"a\r\nb\r\n", ["a\n", "b\n"]),
    "CR NUL": (b"a\r\0b\r\0", ["a\n", "b\n"]),
    "CR": (b"a\rb\r", ["a\n", "b\n"]),
    "empty lines": (b"\n\n\r\n\r\n\r\r", ["\n"] * 6),
    "LF and then CR LF": (b"a\n\r\n", ["a\n", "\n"]),
    "no line yet": (b"abc", []),
    "NUL in a line": (b"a\0b\n", ["ab\n"]),
    "UTF-8": ("é€😀\n".encode(), ["é€😀\n"]),
    "not UTF-8": (b"a\xe9b\n", ["a\ufffdb\n"]),
    "Ctrl-C drops the line": (b"abc\x03d\n", [INTERRUPT, "d\n"]),
    "Ctrl-D on an empty line": (b"a\n\x04b\n", ["a\n", END, "b\n"]),
    "Ctrl-D in a line": (b"a\x04b\n", ["ab\n"]),
    "IP drops the line": (b"abc" + IP + b"d\n", [INTERRUPT, "d\n"]),
    "BRK": (BREAK, [INTERRUPT]),
    "ABORT": (ABORT, [INTERRUPT]),
    "EOF": (EOF, [END]),
    "IAC twice is a byte": (b"a" + IAC + IAC + b"\n", ["a\ufffd\n"]),
    "erase a character": ("xé".encode() + ERASE_CHARACTER + b"y\n", ["xy\n"]),
    "erase in an empty line": (ERASE_CHARACTER + b"y\n", ["y\n"]),
    "erase a line": (b"xyz" + ERASE_LINE + b"y\n", ["y\n"]),
    "nothing": (b"a" + NOP + b"b\n", ["ab\n"]),
    "negotiation in a line": (b"a" + IAC + WILL + ECHO + b"b\n", ["ab\n"]),
    "an option that looks like a newline": (IAC + DO + b"\n" + b"a\n", ["a\n"]),
    "negotiation between CR and LF": (b"a\r" + IAC + DO + ECHO + b"\nb\n", ["a\n", "b\n"]),
    "subnegotiation": (
        b"a" + IAC + SB + NAWS + b"\0\x50\n\x18" + IAC + IAC + b"\n" + IAC + SE + b"b\n",
        ["ab\n"],
    ),
}


@pytest.mark.parametrize("data, found", CASES.values(), ids=CASES.keys())
def test_bytes_become_lines_and_signals(data: bytes, found: list[str | Signal]) -> None:
    assert TelnetDecoder().feed(data) == found


@pytest.mark.parametrize("data, found", CASES.values(), ids=CASES.keys())
def test_it_does_not_matter_how_they_are_cut(data: bytes, found: list[str | Signal]) -> None:
    decoder = TelnetDecoder()

    assert [item for n in range(len(data)) for item in decoder.feed(data[n : n + 1])] == found


@pytest.mark.parametrize(
    "data, reply",
    [
        (IAC + DO + ECHO, IAC + WONT + ECHO),
        (IAC + WILL + NAWS, IAC + DONT + NAWS),
        (IAC + WONT + ECHO, b""),
        (IAC + DONT + ECHO, b""),
        (IAC + DO + TIMING_MARK, IAC + WILL + TIMING_MARK),
        (IAC + WILL + TIMING_MARK, IAC + DONT + TIMING_MARK),
        (IAC + SB + ECHO + IAC + DO + ECHO + IAC + SE, b""),
        (ARE_YOU_THERE, b"\r\n[Yes]\r\n"),
        (b"plain text\n", b""),
    ],
)
def test_options_are_refused_once(data: bytes, reply: bytes) -> None:
    decoder = TelnetDecoder()
    decoder.feed(data)

    assert bytes(decoder.replies) == reply


def test_a_client_speaks_telnet_once_it_gave_a_command() -> None:
    decoder = TelnetDecoder()

    decoder.feed(b"text\n" + IAC + IAC)
    assert not decoder.speaks_telnet
    decoder.feed(NOP)
    assert decoder.speaks_telnet
