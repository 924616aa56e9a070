"""What the fuzzers send: rows of bytes from a seeded source of chance."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

from tests.unit.server.http1_damage import damage
from tests.unit.server.http1_messages import CHUNKS, NEXT, request
from tests.unit.server.http1_mutations import FAMILIES
from tests.unit.server.test_request_cases import CASES

__all__ = ["KINDS", "Maker"]

Maker = Callable[[random.Random], bytes]

LONGEST_BYTES = 3000
GOOD = [
    NEXT,
    NEXT * 3,
    request(b"Host: a", b"Content-Length: 5", body=b"hello") + NEXT,
    request(b"Host: a", b"Transfer-Encoding: chunked", body=CHUNKS) + NEXT,
    request(b"Host: a", b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"),
    request(b"Host: a", b"Connection: keep-alive", first=b"GET /?a=b HTTP/1.0") + NEXT,
    request(
        b"Host: a.example:8080",
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
        b"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
        b"Accept-Encoding: gzip, deflate, br",
        b"Cookie: a=b; c=d",
        first=b"GET /search?q=%C3%A9 HTTP/1.1",
    ),
]


def make_byte_maker() -> Maker:
    """Damage valid requests without a thought of what their bytes mean."""
    whole = [*GOOD, *(base64.b64decode(c["b64"]) for c in CASES if c["expect"] == "accept")]
    whole = [data for data in whole if len(data) < LONGEST_BYTES]

    def make(chance: random.Random) -> bytes:
        if chance.random() < 0.02:
            return chance.randbytes(chance.randint(1, LONGEST_BYTES))
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 6)):
            change_bytes(data, chance, whole)
        return bytes(data) + (NEXT if chance.random() < 0.7 else b"")

    return make


def change_bytes(data: bytearray, chance: random.Random, whole: list[bytes]) -> None:
    """Change a few bytes, in place."""
    at = chance.randrange(len(data) + 1)
    stop = at + chance.randint(1, 1 << chance.randint(0, 6))
    kind = chance.randrange(7)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[at:at] = chance.randbytes(stop - at)
    elif kind == 2:
        del data[at:stop]
    elif kind == 3:
        data[at:at] = data[at:stop]
    elif kind == 4:
        data[at:stop] = bytes([chance.randrange(256)]) * (stop - at)
    elif kind == 5:
        del data[at:]
    else:
        other = chance.choice(whole)
        data[at:] = other[chance.randrange(len(other)) :]


def make_structured_maker() -> Maker:
    """Combine and damage the mutated requests of the framing tests, which know the grammar."""
    families = [
        [data for data in make() if len(data) < LONGEST_BYTES] for make in FAMILIES.values()
    ]

    def make(chance: random.Random) -> bytes:
        data = chance.choice(chance.choice(families))
        if chance.random() < 0.3:
            data = chance.choice(GOOD) + data
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            data = damage(data, chance)
        return data + NEXT

    return make


KINDS: dict[str, Callable[[], Maker]] = {
    "byte-level": make_byte_maker,
    "structured": make_structured_maker,
}
