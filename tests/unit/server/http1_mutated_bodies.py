"""Bodies with one thing wrong, or only unusual."""

from __future__ import annotations

from collections.abc import Iterator

from tests.unit.server.http1_messages import SMUGGLED, request


def chunked_bodies() -> Iterator[bytes]:
    sizes = [
        b"5",
        b"05",
        b"00005",
        b"0" * 15 + b"5",
        b"0" * 16 + b"5",
        b"+5",
        b"-5",
        b"0x5",
        b"5h",
        b"5_",
        b"_5",
        b"5.",
        b"",
    ]
    sizes += [
        b"5 ",
        b" 5",
        b"\t5",
        b"5\t",
        b"5\0",
        b"\xb5",
        b"\xd9\xa5",
        b"5,",
        b"5 5",
        b"FFFFFFFFFFFFFFFF",
        b"f" * 17,
    ]
    sizes += [
        b"10000000000000005",
        b"8000000000000000",
        b"-0",
        b"+0",
        b"0x0",
        b"00",
        b"0",
        b"4",
        b"6",
        b"a",
        b"A",
        b"g",
        b"\n5",
    ]
    for size in sizes:
        for ending in (b"\r\n", b"\n", b"\r", b"\r\r\n", b" \r\n", b"\t\r\n", b";\r\n"):
            yield chunked(size + ending + b"hello\r\n0\r\n\r\n")
    extensions = [
        b";",
        b";a",
        b";a=b",
        b';a="b"',
        b"; a",
        b" ;a",
        b" ; a = b",
        b"\t;\ta\t=\tb",
        b";a=",
        b";=b",
        b";a b",
        b";;a",
    ]
    extensions += [
        b";a;b=c",
        b';a="b;c"',
        b';a="\\""',
        b';a="\\"',
        b';a="',
        b";a=\x00",
        b";a\x0b",
        b";a=b c",
        b" a",
        b";\xff",
    ]
    extensions += [
        b';a="\xff"',
        b';a="\n"',
        b";a\r",
        b";a\n",
        b";a\nb",
        b";a\rb",
        b";" + b"a" * 300,
        b";a=b,c",
        b";a/b",
        b";a ",
        b";a= ",
    ]
    for extension in extensions:
        yield chunked(b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")
        yield chunked(b"5\r\nhello\r\n0" + extension + b"\r\n\r\n")
    for ending in (
        b"",
        b"\n",
        b"\r",
        b"\r\r\n",
        b"X\r\n",
        b" \r\n",
        b"\n\r\n",
        b"\r\n\r\n",
        b"\0\r\n",
        b"\rX",
        b"XX",
        b"\n\n",
    ):
        yield chunked(b"5\r\nhello" + ending + b"0\r\n\r\n")
        yield chunked(b"5\r\nhello\r\n0\r\n" + ending)
        yield chunked(b"5\r\nhello\r\n0" + ending + b"\r\n")
    trailers = [
        b"X: y",
        b"X:y",
        b"X :y",
        b" X: y",
        b"X",
        b":",
        b"X: y\r\n z",
        b"X: y\nZ: z",
        b"X: \0",
        b"X: y\r",
        b"X\xff: y",
    ]
    trailers += [
        b"Content-Length: 5",
        b"content-length: 5",
        b"Transfer-Encoding: chunked",
        b"Host: a",
        b"Trailer: a",
        b"TE: a",
    ]
    trailers += [
        b"X: y\r\nZ: z",
        b"Content_Length: 5",
        b"Connection: close",
        b"GET / HTTP/1.1",
        b"X: y\r\nHost: a",
        b"Expires: 0",
    ]
    for trailer in trailers:
        yield chunked(b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n")
        yield chunked(b"0\r\n" + trailer + b"\r\n\r\n")
    whole = b"1\r\nh\r\n4;a=b\r\nello\r\n0\r\nX: y\r\n\r\n"
    for end in range(len(whole)):
        yield chunked(whole[:end])
    yield chunked(b"1\r\nh\r\n" * 50 + b"0\r\n\r\n")
    yield chunked(b"0\r\n\r\n" + SMUGGLED)


def chunked(body: bytes) -> bytes:
    return request(b"Transfer-Encoding: chunked", body=body)


def cut_short() -> Iterator[bytes]:
    """Requests that end before they are over."""
    whole = request(b"Host: a", b"Content-Length: 5", body=b"hello")
    for end in range(len(whole)):
        yield whole[:end]
    for size in range(8):
        yield request(b"Content-Length: 5", body=b"hello!!!"[:size])
