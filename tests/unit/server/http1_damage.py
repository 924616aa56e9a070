"""The request cases, damaged at random; the same damage each time."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator

from tests.unit.server.test_request_cases import CASES

SEED = 22
COUNT = 1500
WORDS = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b"=", b'"', b"0", b"5", b"a", b"\0"),
    *(b"\x0b", b"\x85", b"\xff", b"_", b"-", b"+", b"*", b"/", b"chunked", b"Content-Length"),
    *(b"Transfer-Encoding", b"Host: a\r\n", b"Connection: close\r\n", b"HTTP/1.1", b"HTTP/1.0"),
    *(b"GET / HTTP/1.1\r\n\r\n", b"0\r\n\r\n"),
]


def random_damage() -> Iterator[bytes]:
    chance = random.Random(SEED)
    whole = [base64.b64decode(case["b64"]) for case in CASES]
    whole = [data for data in whole if len(data) < 3000]
    for _ in range(COUNT):
        data = chance.choice(whole)
        for _ in range(chance.randint(1, 3)):
            data = damage(data, chance)
        yield data


def damage(data: bytes, chance: random.Random) -> bytes:
    """Insert, drop or change some bytes, or repeat, move or drop a line."""
    at = chance.randrange(len(data) + 1)
    kind = chance.randrange(6)
    if kind == 0:
        return data[:at] + chance.choice(WORDS) + data[at:]
    if kind == 1:
        return data[:at] + data[at + chance.randint(1, 4) :]
    if kind == 2:
        return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    if kind == 3:
        return data[:at] + data[at : at + 10].swapcase() + data[at + 10 :]
    lines = data.split(b"\r\n")
    line = chance.choice(lines)
    if kind == 4:
        lines.insert(chance.randrange(len(lines)), line)
    else:
        lines.remove(line)
    return b"\r\n".join(lines)
