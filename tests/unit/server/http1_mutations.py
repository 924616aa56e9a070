"""Requests with one thing wrong, or only unusual: families of rows of bytes.

Each case has a request behind it, `NEXT`, which tells where the server thinks that the first one
ended: it may be answered once, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.unit.server.http1_damage import random_damage
from tests.unit.server.http1_messages import (
    BLANKS,
    CHUNKS,
    EVERY,
    ODD,
    SMUGGLED,
    request,
)
from tests.unit.server.http1_mutated_bodies import chunked_bodies, cut_short


def request_lines() -> Iterator[bytes]:
    methods = [b"GET", b"get", b"G", b"PURGE", b"M-SEARCH", b"A!#$%&'*+.^_`|~9", b"9GET", b"-GET"]
    methods += [
        b"",
        b"GET ",
        b" GET",
        b"\tGET",
        b"GE T",
        b"GET,",
        b"G(ET",
        b"GET:",
        b'"GET"',
        b"G@T",
    ]
    for method in methods:
        yield request(first=method + b" /first HTTP/1.1")
    targets = [
        b"/",
        b"//",
        b"/%",
        b"/%zz",
        b"/a?b?c",
        b"/a#b",
        b"/\xff",
        b"/\xc3\xa9",
        b"/[",
        b"/\\",
    ]
    targets += [b"*", b"", b"first", b"?a", b"#a", b"http:/first", b"http://", b"http:///first"]
    targets += [
        b"*x",
        b"*;",
        b"*/",
        b"/*",
        b"http://h/\xff?\xff",
        b"http://h;/",
        b"http://h:65536/",
    ]
    targets += [b"http://h/first", b"HTTPS://h:1/first?q", b"http://h", b"http://h?q", b"ftp://h/f"]
    targets += [
        b"http://u@h/",
        b"http://u:p@h/",
        b"http://h:x/",
        b"http://[::1]:1/",
        b"http://a,b/",
    ]
    targets += [b"http://h h/", b"h:80", b"h:", b"//h/first", b"http://h\\/", b"http://h/\t", b"::"]
    for target in targets:
        for method in (b"GET", b"OPTIONS", b"CONNECT"):
            yield request(b"Host: other", first=method + b" " + target + b" HTTP/1.1")
    for target in (
        b"h:1",
        b"[::1]:443",
        b"h:99999",
        b"h:999999",
        b"h",
        b"u@h:1",
        b"h:1/",
        b":1",
        b"h:-1",
    ):
        yield request(first=b"CONNECT " + target + b" HTTP/1.1")
    versions = [b"HTTP/1.0", b"HTTP/1.1", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/0.9", b"HTTP/2.0"]
    versions += [
        b"HTTP/2",
        b"HTTP/1",
        b"HTTP/1.",
        b"HTTP/.1",
        b"HTTP/11.1",
        b"HTTP/1.10",
        b"HTTP/01.1",
    ]
    versions += [
        b"http/1.1",
        b"Http/1.1",
        b"HTTP 1.1",
        b"HTTP-1.1",
        b"HTTPS/1.1",
        b"RTSP/1.0",
        b"HTTP/1,1",
    ]
    versions += [
        b"HTTP/1.1 ",
        b"HTTP/1.1\t",
        b"HTTP/1.1 x",
        b"HTTP/+1.1",
        b"HTTP/1.\xb2",
        b"HTTP/1.1\0",
        b"",
    ]
    for version in versions:
        yield request(first=b"GET /first " + version)
        yield request(b"Connection: keep-alive", first=b"GET /first " + version)
    yield request(first=b"GET /first")
    yield request(first=b"GET")
    for gap in (b"", b"  ", b"\t", b" \t", b"\x0b", b"\x0c", b"\x1c", b"\xa0", b"\r", b"\r\n "):
        yield request(first=b"GET" + gap + b"/first HTTP/1.1")
        yield request(first=b"GET /first" + gap + b"HTTP/1.1")
    for before in (
        b"\r\n",
        b"\r\n\r\n\r\n",
        b"\n",
        b"\r",
        b"\r\r\n",
        b" \r\n",
        b"\0",
        b"\xef\xbb\xbf",
    ):
        yield before + request()


def bytes_everywhere() -> Iterator[bytes]:
    """Every character of ASCII, and some beyond, at the places where a message is framed."""
    for c in EVERY:
        yield request(b"Content-Length" + c + b": 5", body=b"hello")
        yield request(c + b"Content-Length: 5", body=b"hello")
        yield request(b"Content-Length: " + c + b"5", body=b"hello")
        yield request(b"Content-Length: 5" + c, body=b"hello")
        yield request(b"Transfer-Encoding: chunked" + c, body=CHUNKS)
        yield request(b"Transfer-Encoding" + c + b": chunked", body=CHUNKS)
        yield request(b"Transfer-Encoding:" + c + b"chunked", body=CHUNKS)
        yield request(b"Transfer-Encoding: chunked", body=b"5" + c + CHUNKS[1:])
        yield request(b"Transfer-Encoding: chunked", body=c + CHUNKS)
        yield request(b"Transfer-Encoding: chunked", body=CHUNKS[:8] + c + CHUNKS[8:])
        yield request(b"Host: a" + c + b"b")
        yield request(b"X: y", first=b"GET /" + c + b" HTTP/1.1")


def content_lengths() -> Iterator[bytes]:
    values = [
        b"5",
        b"05",
        b"0005",
        b"0",
        b"00",
        b"4",
        b"6",
        b"",
        b" ",
        b"-5",
        b"+5",
        b"5.0",
        b"5e0",
        b"0x5",
    ]
    values += [
        b"0b101",
        b"0o5",
        b"5 5",
        b"5,5",
        b"5, 5",
        b"5;",
        b"5;a=b",
        b"five",
        b"1_0",
        b"\xb2",
        b"\xd9\xa5",
    ]
    values += [
        b"'5'",
        b'"5"',
        b"5\xa0",
        b"\xa05",
        b"5\0",
        b"0" * 18,
        b"0" * 17 + b"5",
        b"0" * 18 + b"5",
    ]
    values += [
        b"9" * 18,
        b"9" * 19,
        b"18446744073709551621",
        b"4294967301",
        b"NaN",
        b"inf",
        b"-0",
        b"+0",
    ]
    for value in values:
        for blank in BLANKS:
            yield request(b"Content-Length:" + blank + value + blank, body=b"hello")
        for other in (b"5", value, b"", b"6"):
            yield request(b"Content-Length: " + value, b"Content-Length: " + other, body=b"hello")
            yield request(b"content-length: " + other, b"CONTENT-LENGTH: " + value, body=b"hello")
    for name in (
        b"Content_Length",
        b"CONTENT-LENGTH",
        b"content-length",
        b"Content-length",
        b"Content-Lengt\xe8",
    ):
        yield request(name + b": 5", body=b"hello")
        yield request(
            b"Content-Length: 5", name + b": " + b"%d" % (5 + len(SMUGGLED)), body=b"hello"
        )


def transfer_encodings() -> Iterator[bytes]:
    values = [
        b"chunked",
        b"Chunked",
        b"CHUNKED",
        b"chunke",
        b"chunkedd",
        b"xchunked",
        b"",
        b" ",
        b"identity",
    ]
    values += [
        b"gzip, chunked",
        b"chunked, gzip",
        b"chunked, chunked",
        b"chunked,",
        b",chunked",
        b", chunked",
    ]
    values += [
        b"chunked, identity",
        b"identity, chunked",
        b"gzip,deflate,\tchunked",
        b"chunked;q=1",
        b"x, chunked",
    ]
    values += [
        b"chunked chunked",
        b"'chunked'",
        b'"chunked"',
        b"chunked\xa0",
        b"\xa0chunked",
        b"c\0hunked",
    ]
    values += [
        b"chunked;",
        b"; chunked",
        b"chunked\x0b",
        b"\x0bchunked",
        b"chunk\xe9d",
        b"cow, chunked",
        b"br",
    ]
    for value in values:
        for blank in BLANKS:
            yield request(b"Transfer-Encoding:" + blank + value + blank, body=CHUNKS)
        for other in values[:6]:
            yield request(
                b"Transfer-Encoding: " + value, b"Transfer-Encoding: " + other, body=CHUNKS
            )
        for version in (b"1.0", b"1.2"):
            yield request(
                b"Transfer-Encoding: " + value, first=b"POST / HTTP/" + version, body=CHUNKS
            )
        for length in (b"5", b"0", b"%d" % len(CHUNKS), b"", b"x"):
            both = [b"Content-Length: " + length, b"Transfer-Encoding: " + value]
            yield request(*both, body=CHUNKS)
            yield request(*both[::-1], body=CHUNKS)
    names = [
        b"Transfer_Encoding",
        b"TRANSFER-ENCODING",
        b"transfer-encoding",
        b"Transfer-Encodin\xe7",
    ]
    names += [
        b"Transfer Encoding",
        b"Transfer-Encoding ",
        b" Transfer-Encoding",
        b"X\r\nTransfer-Encoding",
    ]
    for name in names:
        yield request(name + b": chunked", body=CHUNKS)
        yield request(b"Content-Length: 5", name + b": chunked", body=b"hello")
        yield request(b"X: y\r\n\tz", name + b": chunked", body=CHUNKS)


def hosts() -> Iterator[bytes]:
    values = [
        b"a",
        b"a:80",
        b"a:",
        b"",
        b" ",
        b"a b",
        b"a,b",
        b"a, b",
        b"a/b",
        b"/",
        b"a?b",
        b"a#b",
        b"u@a",
        b"@a",
    ]
    values += [
        b"a@",
        b"u:p@a",
        b"http://a",
        b"a:b",
        b"a:80:80",
        b"a:-1",
        b"a:+80",
        b":80",
        b":",
        b"[::1]",
        b"[::1]:80",
    ]
    values += [
        b"[::1",
        b"::1",
        b"[]",
        b"[::1]a",
        b"[::1]:a",
        b"[g::1]",
        b"[::1%25eth0]",
        b"[v1.a:b]",
        b"[v.a]",
        b"[v1.]",
    ]
    values += [
        b"1.2.3.4",
        b"1.2.3.4:5",
        b"a_b",
        b"a..b",
        b"a.",
        b".",
        b"xn--a",
        b"\xc3\xa9",
        b"%41",
        b"%4",
        b"%zz",
        b"a%00",
    ]
    values += [
        b"a\\b",
        b"a\0",
        b"a;b",
        b"a=b",
        b"a'b",
        b'"a"',
        b"<a>",
        b"{a}",
        b"a|b",
        b"a^b",
        b"a`b",
        b"*",
        b"~a!$&'()*+;=",
    ]
    for value in values:
        for blank in (b"", b" ", b"\t "):
            yield request(b"Host:" + blank + value + blank)
        yield request(b"Host: a", b"Host: " + value)
        yield request(b"Host: " + value, b"host: " + value)
        yield request(b"Host: " + value, first=b"GET http://b/first HTTP/1.1")
        yield request(b"Host: " + value, first=b"GET /first HTTP/1.0")
    yield request()
    yield request(first=b"GET /first HTTP/1.0")


def header_lines() -> Iterator[bytes]:
    lines = [
        b"X",
        b":",
        b": y",
        b"X:",
        b"X: ",
        b"X:y",
        b"X :y",
        b"X\t: y",
        b" X: y",
        b"\tX: y",
        b"X Y: z",
        b"X: y\r\n z",
    ]
    lines += [
        b"X: y\r\n\tz",
        b"X: y\r\n ",
        b"X: y\r\n \r\n z",
        b"X: y\rZ: z",
        b"X: y\nZ: z",
        b"X: y\r\r\nZ: z",
        b"X: \xff",
    ]
    lines += [
        b"X:: y",
        b"X: y: z",
        b"(X): y",
        b"X\xe9: y",
        b'"X": y',
        b"X/: y",
        b"[X]: y",
        b"X{: y",
        b"X,Y: z",
        b"X@: y",
    ]
    lines += [
        b"_: y",
        b"-: y",
        b"X_Y: z",
        b"Content-Type: a",
        b"!#$%&'*+-.^`|~9: y",
        b"\xef\xbb\xbfX: y",
        b"X=Y",
        b"GET / HTTP/1.1",
    ]
    for line in lines:
        yield request(line)
        yield request(b"Host: a", line, b"Content-Length: 5", body=b"hello")
        yield request(b"Content-Length: 5", line, body=b"hello")
        yield request(line, b"Transfer-Encoding: chunked", body=CHUNKS)
        yield request(line, line)
    for c in ODD:
        yield request(b"X" + c + b"Y: z")
        yield request(b"X: y" + c + b"z")
        yield request(b"X: y" + c)
        yield request(b"X: " + c + b"\r\n y")
    for ending in (
        b"\n",
        b"\r",
        b"\r\r\n",
        b"\n\r",
        b"\r\n\r",
        b" \r\n",
        b"\0\r\n",
        b"\x0b\r\n",
        b"\x85",
        b"\r\0\n",
    ):
        whole = request(b"Host: a", b"X: y", b"Content-Length: 5", body=b"hello").split(b"\r\n")
        for i in range(len(whole) - 1):
            yield b"\r\n".join(whole[: i + 1]) + ending + b"\r\n".join(whole[i + 1 :])
    for count in (99, 100, 101, 150):
        yield request(*[b"X: y"] * count)
    for value in (
        b"close",
        b"Close",
        b"keep-alive",
        b"x, close",
        b"close,",
        b"closed",
        b"",
        b",",
        b"close\t, x",
    ):
        for version in (b"1.0", b"1.1"):
            yield request(b"Connection: " + value, first=b"GET /first HTTP/" + version)
            yield request(
                b"Connection: x", b"Connection: " + value, first=b"GET /first HTTP/" + version
            )


FAMILIES = {
    family.__name__: family
    for family in (
        request_lines,
        bytes_everywhere,
        content_lengths,
        transfer_encodings,
        hosts,
        header_lines,
        chunked_bodies,
        cut_short,
        random_damage,
    )
}
