"""What no client should send: sessions of frames, sound but for a few, or hardly at all."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hpack import Encoder

from eventlet._http2.frames import PREFACE

__all__ = ["damaged", "sound"]

PATHS = ("/", "/big", "/echo", "/deaf", "/fails")
SETTINGS = {
    1: (0, 100, 4096, 10**9),
    2: (0, 1, 2),
    3: (0, 10, 1000),
    4: (0, 10, 65535, 10**6, 2**31),
    5: (16384, 20000, 2**24),
    6: (0, 65536),
    99: (7,),
}
ODD_FIELDS = (
    ("X", "y"),
    ("connection", "close"),
    ("host", "another"),
    ("a", "b\r\nc: d"),
    ("a" * 9000, "b"),
    ("content-length", "x"),
    ("te", "gzip"),
    (":path", "/"),
)


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind & 255, flags & 255])
    return head + (stream_id & 0xFFFFFFFF).to_bytes(4, "big") + payload


class _Session:
    """One client's frames, which keep to the rules unless `odd` says otherwise."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.encoder = Encoder()
        self.next_id = 1
        self.open: dict[int, int] = {}

    def settings(self, count: int, *, odd: bool = False) -> bytes:
        pairs = []
        for code in self.random.sample(sorted(SETTINGS), count):
            values = SETTINGS[code]
            value = values[-1] if odd else values[self.random.randrange(max(len(values) - 1, 1))]
            pairs.append(code.to_bytes(2, "big") + value.to_bytes(4, "big"))
        return frame(4, 0, 0, b"".join(pairs))

    def request(self) -> bytes:
        random, stream_id = self.random, self.next_id
        self.next_id += 2
        has_body = random.random() < 0.4
        length = random.randrange(1, 40000)
        fields = [
            (":method", "POST" if has_body else random.choice(["GET", "HEAD", "OPTIONS"])),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", random.choice(PATHS)),
        ]
        if random.random() < 0.2:
            fields.append(("cookie", f"a={random.randrange(99)}"))
        if random.random() < 0.04:
            fields.append(random.choice(ODD_FIELDS))
        if has_body and random.random() < 0.3:
            fields.append(("expect", "100-continue"))
        if has_body and random.random() < 0.4:
            fields.append(("content-length", str(length)))
        if has_body:
            self.open[stream_id] = length
        block = self.encoder.encode(fields)
        flags = 0 if has_body else 1
        way = random.random()
        if way < 0.1:
            cut = random.randrange(len(block) + 1)
            return frame(1, flags, stream_id, block[:cut]) + frame(9, 4, stream_id, block[cut:])
        if way < 0.2:
            return frame(1, flags | 12, stream_id, b"\x05" + block + bytes(5))
        return frame(1, flags | 4, stream_id, block)

    def data(self) -> bytes:
        if not self.open:
            return b""
        stream_id = self.random.choice(list(self.open))
        size = min(self.open[stream_id], self.random.choice([0, 1, 100, 5000, 16000]))
        self.open[stream_id] -= size
        is_last = not self.open[stream_id] or self.random.random() < 0.03
        if is_last:
            del self.open[stream_id]
        if self.random.random() < 0.15:
            return frame(0, 8 | is_last, stream_id, b"\x09" + bytes(size) + bytes(9))
        return frame(0, is_last, stream_id, bytes(size))

    def trailers(self) -> bytes:
        if not self.open:
            return b""
        stream_id = self.random.choice(list(self.open))
        del self.open[stream_id]
        return frame(1, 5, stream_id, self.encoder.encode([("x-sum", "1")]))

    def reset(self) -> bytes:
        stream_id = self._some_id()
        self.open.pop(stream_id, None)
        return frame(3, 0, stream_id, (8).to_bytes(4, "big")) if stream_id else b""

    def room(self) -> bytes:
        stream_id = self.random.choice([0, self._some_id()])
        return frame(8, 0, stream_id, self.random.choice([1, 1000, 200_000]).to_bytes(4, "big"))

    def trifle(self) -> bytes:
        return self.random.choice(
            [
                frame(6, 0, 0, bytes(8)),
                frame(2, 0, self.next_id, bytes(5)),
                frame(self.random.randrange(12, 256), self.random.randrange(256), 1, b"abc"),
                self.settings(1),
            ]
        )

    def nonsense(self) -> bytes:
        random = self.random
        if random.random() < 0.3:
            return random.randbytes(random.randrange(1, 30))
        if random.random() < 0.3:
            return self.settings(1, odd=True)
        stream_id = random.choice([0, 1, self._some_id(), self.next_id, random.randrange(2**31)])
        payload = random.randbytes(random.choice([0, 1, 4, 5, 8, 40]))
        return frame(random.randrange(12), random.randrange(256), stream_id, payload)

    def _some_id(self) -> int:
        return self.random.randrange(1, self.next_id, 2) if self.next_id > 1 else 0


def sound(random: Random, share_of_nonsense: float = 0.01) -> bytes:
    """Make the bytes of a session, of which only some frames break the rules."""
    session = _Session(random)
    ways: list[tuple[Callable[[], bytes], int]] = [
        (session.request, 30),
        (session.data, 25),
        (session.trailers, 3),
        (session.reset, 7),
        (session.room, 22),
        (session.trifle, 8),
    ]
    makers, weights = [way for way, _ in ways], [weight for _, weight in ways]
    parts = [PREFACE, session.settings(random.randrange(3))]
    parts += [
        session.nonsense() if random.random() < share_of_nonsense else make()
        for make in random.choices(makers, weights, k=random.randrange(1, 80))
    ]
    if random.random() < 0.2:
        parts.append(frame(7, 0, 0, bytes(8)))
    return b"".join(parts)


def damaged(random: Random) -> bytes:
    """Make a session in which frames and bytes have come to harm."""
    data = bytearray(sound(random, 0.1))
    for _ in range(random.randrange(1, 8)):
        place = random.randrange(len(data))
        way = random.random()
        if way < 0.6:
            data[place] = random.randrange(256)
        elif way < 0.8:
            del data[place : place + random.randrange(1, 5)]
        else:
            data[place:place] = random.randbytes(random.randrange(1, 5))
        if not data:
            break
    return bytes(data)
