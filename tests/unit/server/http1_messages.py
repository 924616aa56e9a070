"""What the mutated requests are made of."""

from __future__ import annotations

NEXT = b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
CONTROLS = [bytes([c]) for c in (*range(32), 127)]
ODD = [*CONTROLS, *(bytes([c]) for c in (0x20, 0x80, 0x85, 0xA0, 0xAD, 0xFF))]
EVERY = [bytes([c]) for c in (*range(128), 0x80, 0x85, 0xA0, 0xAD, 0xFE, 0xFF)]
BLANKS = [b"", b" ", b"\t", b"  ", b" \t "]


def request(*lines: bytes, first: bytes = b"POST /first HTTP/1.1", body: bytes = b"") -> bytes:
    return b"\r\n".join([first, *lines, b"", b""]) + body
