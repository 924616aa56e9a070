"""Requests that have fooled servers and proxies, each with the one answer that is right.

The verdicts are written down here, from RFC 9110 and 9112 and the rules of the server; nothing
computes them. What follows a request that ends its connection is `SMUGGLED`, and must not be
answered; what follows any other is a request that must be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.unit.server.http1_messages import CHUNKS, CONTROLS, NEXT, SMUGGLED, request

__all__ = ["CASES", "Asked", "Case"]

Asked = tuple[str, str, bytes]  # method, path, body
BAD = frozenset({400})
CODED = b"Transfer-Encoding: chunked"
HELLO: Asked = ("POST", "/first", b"hello")
GET: Asked = ("GET", "/first", b"")


@dataclass(frozen=True)
class Case:
    """Bytes and what has to come of them.

    Attributes:
        data: all that the client sends.
        served: what the application has to be asked.
        refusals: statuses, one of which has to be the last answer; none if nothing is refused.
        keeps: the last request served keeps the connection.
    """

    data: bytes
    served: tuple[Asked, ...] = ()
    refusals: frozenset[int] = frozenset()
    keeps: bool = False


def kept(data: bytes, *served: Asked) -> Case:
    return Case(data + NEXT_AND_LAST, (*served, ("GET", "/next", b"")))


def last(data: bytes, *served: Asked) -> Case:
    return Case(data + SMUGGLED, served)


def refused(data: bytes, *refusals: int) -> Case:
    return Case(data + SMUGGLED, (), frozenset(refusals) or BAD)


NEXT_AND_LAST = NEXT[:-2] + b"Connection: close\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return request(b"Host: a", *lines, body=body)


def get(*lines: bytes, line: bytes = b"GET /first HTTP/1.1") -> bytes:
    return request(b"Host: a", *lines, first=line)


def words(text: str) -> list[bytes]:
    """Latin-1 words of a text; `~` stands for a blank."""
    return [word.replace("~", " ").encode("latin-1") for word in re.findall("[^ \n]+", text)]


# --- two lengths, or none that is certain ----------------------------------------------------


def lengths() -> Iterator[Case]:
    for value in words("5 05 0000005 5~ ~5"):
        yield kept(post(b"Content-Length: " + value, body=b"hello"), HELLO)
    for value in [b"\t5\t", b" \t 5"]:
        yield kept(post(b"Content-Length:" + value, body=b"hello"), HELLO)
    yield kept(post(b"Content-Length: 000"), ("POST", "/first", b""))
    odd = words('+5 -5 5~5 5,5 5,~5 5,6 ,5 5, 0x5 5.0 5e0 5_0 five 5; "5" -0 +0 0b101 5L NaN')
    odd += [
        b"",
        b"\xb2",
        b"\xd9\xa5",
        b"5\xa0",
        b"5\t5",
        b"5\r\n 5",
        b"9" * 30,
        b"%d" % (2**64 + 5),
    ]
    for value in odd:
        yield refused(post(b"Content-Length: " + value, body=b"hello"))
    for first, second in [(b"5", b"5"), (b"5", b"6"), (b"0", b"5"), (b"5", b""), (b"5", b"05")]:
        both = [b"Content-Length: " + first, b"X: y", b"CONTENT-LENGTH:" + second]
        yield refused(post(*both, body=b"hello"))
    for name in words(
        "Content_Length X-Content-Length Content-Length- Content.Length Contentlength"
    ):
        yield kept(post(name + b": 99"), ("POST", "/first", b""))
        yield kept(post(b"Content-Length: 5", name + b": 99", body=b"hello"), HELLO)
    for method in words("GET DELETE OPTIONS TRACE PUT PATCH QUERY PROPFIND get post head M-S!"):
        served = (method.decode(), "/first", b"hello")
        head = [b"Host: a", b"Content-Length: 5"]
        yield kept(request(*head, first=method + b" /first HTTP/1.1", body=b"hello"), served)
        yield kept(request(CODED, first=method + b" /first HTTP/1.1", body=CHUNKS), served)


def codings() -> Iterator[Case]:
    for value in words("chunked CHUNKED gzip,~chunked identity,chunked gzip~,deflate,~chunked"):
        yield kept(post(b"Transfer-Encoding: " + value, body=CHUNKS), HELLO)
        both = [b"Content-Length: 6", b"Transfer-Encoding: " + value]
        for lines in (both, both[::-1]):
            yield refused(post(*lines, body=b"0\r\n\r\nG"))  # CL.TE and TE.CL
        none = [b"Content-Length: 0", b"Transfer-Encoding: " + value]
        yield refused(post(*none, body=CHUNKS))  # 0.CL
    yield kept(post(b"Transfer-Encoding: gzip", CODED, body=CHUNKS), HELLO)
    odd = words(
        'xchunked chunk identity gzip chunked,~gzip chunked,~chunked chunked,~identity "chunked"'
    )
    odd += words("chunked;q=1 chunked;~a=b nothing,~chunked br,chunked trailers,~chunked chunked,")
    odd += words("ch\xfcnked chunKed\xa0 \xffchunked chunked\x85 , ,~,~chunked chunked~chunked")
    odd += [b"", b"\r\n chunked", b"chunked\r\n\tx", b"chunked\rX: y", b"chunked\nX: y"]
    lines = [b"Transfer-Encoding: " + value for value in odd]
    lines += [
        *(b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked", b"X: y\n" + CODED),
        *(b"Transfer-Encoding\r\n: chunked", b"Transfer-Encoding\t: chunked"),
        *(b"Transfer-Encoding;: chunked", b"Transfer-Encoding:: chunked"),
        *(b"Transfer-Encoding chunked", b"Transfer-Encoding = chunked", b"\0" + CODED),
        *(CODED + b"\r\n" + CODED, CODED + b"\r\nTransfer-Encoding: x"),
        b"Transfer-Encoding: x\r\n" + CODED,
    ]
    for line in lines:
        yield refused(post(line, body=CHUNKS), 400, 501)
        yield refused(post(b"Content-Length: 15", line, body=CHUNKS), 400, 501)
        yield refused(post(line, b"Content-Length: 15", body=CHUNKS), 400, 501)
    for name in words(
        "Transfer_Encoding X-Transfer-Encoding TE Transfer--Encoding Transfer.Encoding"
    ):
        yield kept(
            post(name + b": chunked", b"Content-Length: 15", body=CHUNKS),
            ("POST", "/first", CHUNKS),
        )
    for more in ([], [b"Connection: keep-alive"], [b"Content-Length: 5"]):
        yield refused(request(CODED, *more, first=b"POST /first HTTP/1.0", body=CHUNKS))


# --- chunks ----------------------------------------------------------------------------------


def chunk_sizes() -> Iterator[Case]:
    good = words(
        '5 05 0000000000000005 5;a 5;a=b 5;a="b" 5;~a 5~;a 5;a~=~b 5;a="b;c" 5;a="\\"" 5;a;b=c'
    )
    for size in [*good, b"5\t;a", b'5;a="\xff\t "']:
        yield kept(post(CODED, body=size + b"\r\nhello\r\n0\r\n\r\n"), HELLO)
        zero = size.replace(b"5", b"0")
        yield kept(post(CODED, body=b"5\r\nhello\r\n" + zero + b"\r\n\r\n"), HELLO)
    odd = words(
        "+5 -5 0x5 0X5 5_ 0_5 _5 ~5 5~ 5h g 5, 5.0 5; 5~; 5;;a 5;= 5;a= 5;=b 5;a~b 5:a 5~5 5~a=b"
    )
    odd += words('5;a="b 5;a="b\\" 5;a=b"c" 5;a="b"c "5" \xb5 \xd9\xa5 10000000000000005 -0 +0 0x0')
    odd += [
        b"",
        b"\t5",
        b"5\t",
        b"5\r",
        b"5\n",
        b"5;a\rb",
        b"5;a\nb",
        b'5;a="\n"',
        b'5;a="\r\n"',
        b"\r\n5",
    ]
    odd += [
        b"5;" + b"a" * 5000,
        b"0" * 40 + b"5",
        *(b"5;a" + c for c in CONTROLS if c not in b"\t"),
    ]
    for size in odd:
        yield refused(post(CODED, body=size + b"\r\nhello\r\n0\r\n\r\n"))
        yield refused(post(CODED, body=b"1\r\n!\r\n" + size + b"\r\nhello\r\n0\r\n\r\n"))
    for size in words("+0 -0 0x0 00_ ~0 0~ 0; 0;= 0;a~b 00000000000000000"):
        yield refused(post(CODED, body=b"5\r\nhello\r\n" + size + b"\r\n\r\n"))
    for end in [
        b"",
        b"\n",
        b"\r",
        b"X\r\n",
        b" \r\n",
        b"\n\r\n",
        b"\r\r\n",
        b"\r\n\r\n",
        b"XX",
        b"\0\r\n",
    ]:
        yield refused(post(CODED, body=b"5\r\nhello" + end + b"0\r\n\r\n"))
    for end in [b"\n\n", b"\r\n\n", b"\n\r\n", b"\r\r\n\r\n", b" \r\n\r\n", b"\r\nX", b"\r\n"]:
        yield refused(post(CODED, body=b"5\r\nhello\r\n0" + end))


def trailers() -> Iterator[Case]:
    for line in [b"X: y", b"X:", b"X: y\r\nZ: z", b"Content_Length: 5", b"X: \xff\t"]:
        yield kept(post(CODED, body=CHUNKS[:-2] + line + b"\r\n\r\n"), HELLO)
    odd = [
        b"X",
        b":",
        b": y",
        b"X :y",
        b" X: y",
        b"X: y\r\n z",
        b"X: y\nZ: z",
        b"X: y\r",
        b"X\xff: y",
    ]
    odd += [
        b"Content-Length: 5",
        b"transfer-encoding: chunked",
        b"Host: a",
        b"Trailer: x",
        b"TE: x",
    ]
    odd += [
        b"GET /smuggled HTTP/1.1",
        b"X: " + b"a" * 17_000,
        b"X: y\r\n" * 4000,
        b"X: \0",
        b"X\0: y",
    ]
    for line in odd:
        yield refused(post(CODED, body=CHUNKS[:-2] + line + b"\r\n\r\n"))


# --- lines -----------------------------------------------------------------------------------


def line_ends() -> Iterator[Case]:
    whole = get(b"X: y")
    yield refused(whole.replace(b"\r\n", b"\n"))
    yield refused(whole.replace(b"\r\n", b"\r"))
    lines = whole.split(b"\r\n")
    for i in range(1, len(lines)):
        for end in [b"\n", b"\r", b"\r\r\n", b"\n\n", b"\r\r", b"\0\r\n", b"\x0b"]:
            yield refused(b"\r\n".join(lines[:i]) + end + b"\r\n".join(lines[i:]))
    for empty in (b"\r\n", b"\r\n" * 100):
        yield kept(empty + get(), GET)
    yield kept(post(b"Content-Length: 5", body=b"hello\r\n") + get(), HELLO, GET)
    for start in [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b" \r\n", b"\0", b"\t", b"\r\n\n", b"\r\n "]:
        yield refused(start + get())
    yield refused(b"\r\n" * 40_000 + get())


def field_lines() -> Iterator[Case]:
    for c in CONTROLS:
        places = [b"X: a%bc", b"X%b: a", b"%bX: a"] + [b"X: %b", b"X: a%b"] * (c != b"\t")
        for place in places:
            if c != b"\n" and not (c == b"\t" and place == places[0]):
                yield refused(get(place % c))
    yield kept(get(b"X: \x80\xff\xa0", b"Y: a\tb", b"Z:\t", b"!#$%&'*+-.^`|~9: a"), GET)
    odd = [
        [b" X: y"],
        [b"X: y", b" z"],
        [b"X: y", b"\tz"],
        [b"X: y", b" "],
        [b"X"],
        [b": y"],
        [b":"],
    ]
    odd += [[b"X%b: y" % c] for c in words('( ) , / ; < = > ? @ [ \\ ] { } " ~ \xa0 \xe9')]
    for lines in odd:
        yield refused(get(*lines))
        yield refused(request(*lines, first=b"GET /first HTTP/1.1"))
        yield refused(post(*lines, b"Content-Length: 5", body=b"hello"))
    for count, case in ((100, kept), (101, lambda data, _: refused(data, 431))):
        yield case(request(*[b"X: y"] * count, first=b"GET /first HTTP/1.1"), GET)
    yield refused(request(*[b"X"] * 15_000), 431)


def limits() -> Iterator[Case]:
    for length, refusals in ((8191, ()), (8192, (414,)), (70_000, (414,))):
        path = b"/" + b"a" * (length - len(b"GET / HTTP/1.1\r\n"))
        data = get(line=b"GET " + path + b" HTTP/1.1")
        yield refused(data, *refusals) if refusals else kept(data, ("GET", path.decode(), b""))
    for length, fits in ((8191, True), (8192, False), (60_000, False)):
        data = request(b"X: " + b"a" * (length - 5), first=b"GET /first HTTP/1.1")
        yield kept(data, GET) if fits else refused(data)
    for length, fits in ((1536, True), (1537, False)):
        lines = [b"X: " + b"a" * 7995] * 8 + [b"X: " + b"a" * (length - 5)]
        data = request(*lines, first=b"GET /first HTTP/1.1")
        yield kept(data, GET) if fits else refused(data)


# --- the request line ------------------------------------------------------------------------

LINES = r"""
GET | GET~/f | GET~~/f~HTTP/1.1 | GET~/f~~HTTP/1.1 | ~GET~/f~HTTP/1.1 | GET~/f~HTTP/1.1~
GET~/f~HTTP/1.1~x | GET~/f~y~HTTP/1.1 | /f~HTTP/1.1 | GET~HTTP/1.1 | HTTP/1.1~200~OK
GET~/f~http/1.1 | GET~/f~HTTP/1 | GET~/f~HTTP/1. | GET~/f~HTTP/.1 | GET~/f~HTTP/1.10
GET~/f~HTTP/01.1 | GET~/f~HTTP/1.1.1 | GET~/f~HTTP/+1.1 | GET~/f~HTTP/1,1 | GET~/f~HTTPS/1.1
GET~/f~FTP/1.1 | GET~/f~HTTP/a.b | G(T~/f~HTTP/1.1 | "GET"~/f~HTTP/1.1 | GET:~/f~HTTP/1.1
GET,PUT~/f~HTTP/1.1 | GET~f~HTTP/1.1 | GET~?f~HTTP/1.1 | GET~#f~HTTP/1.1 | GET~a:80~HTTP/1.1
GET~*~HTTP/1.1 | POST~*~HTTP/1.1 | OPTIONS~**~HTTP/1.1 | GET~ftp://a/~HTTP/1.1
GET~http:~HTTP/1.1 | GET~http:/~HTTP/1.1 | GET~http://~HTTP/1.1 | GET~http:///f~HTTP/1.1
GET~http://:80/~HTTP/1.1 | GET~http://a:x/~HTTP/1.1 | GET~http://a:99999/~HTTP/1.1
GET~http://a,b/~HTTP/1.1 | GET~http://[::1/~HTTP/1.1 | GET~http://a\f/~HTTP/1.1
GET~javascript:alert(1)~HTTP/1.1 | GET~file:///etc/passwd~HTTP/1.1 | GET~\f~HTTP/1.1
CONNECT~/f~HTTP/1.1 | CONNECT~a~HTTP/1.1 | CONNECT~a:~HTTP/1.1 | CONNECT~:80~HTTP/1.1
CONNECT~http://a:80~HTTP/1.1 | CONNECT~a:x~HTTP/1.1 | CONNECT~u@a:80~HTTP/1.1
CONNECT~a:80/f~HTTP/1.1 | CONNECT~*~HTTP/1.1 | CONNECT~a:99999~HTTP/1.1
DESCRIBE~rtsp://a/~RTSP/1.0 | SSH-2.0-OpenSSH | EHLO~me | PROXY~TCP4~1.1.1.1~2.2.2.2~1~2
"""


def request_lines() -> Iterator[Case]:
    for line in words(LINES.replace("|", " ")):
        yield refused(get(line=line))
    for c in CONTROLS:
        places = [
            b"GE%bT /f HTTP/1.1",
            b"GET /%b HTTP/1.1",
            b"GET / %bHTTP/1.1",
            b"GET / HTTP/1.1%b",
        ]
        for place in places:
            yield refused(get(line=place % c))
    for version in words("2.0 0.9 3.0 0.0 9.9"):
        yield refused(get(line=b"GET /first HTTP/" + version), 505)
    yield refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
    for version in words("1.1 1.2 1.9"):
        yield kept(get(line=b"GET /first HTTP/" + version), GET)
    yield last(get(line=b"GET /first HTTP/1.0"), GET)
    yield kept(get(b"Connection: keep-alive", line=b"GET /first HTTP/1.0"), GET)
    targets = {
        b"http://o/f": "/f",
        b"HTTP://o/f": "/f",
        b"https://o:1/f?q": "/f",
        b"http://o": "/",
        b"http://o?q": "/",
        b"http://o#q": "/#q",
        b"http://u:p@o/f": "/f",
        b"http://[::1]:8/f": "/f",
        b"//o/f": "//o/f",
        b"/f//y/../z": "/f//y/../z",
        b"/%2e%2e/%00": "/../\0",
        b"/http://o/": "/http://o/",
        b'/\xff"<>#f': '/\xff"<>#f',
    }
    for target, path in targets.items():
        yield kept(get(line=b"GET " + target + b" HTTP/1.1"), ("GET", path, b""))
    yield kept(get(line=b"OPTIONS * HTTP/1.1"), ("OPTIONS", "*", b""))
    yield refused(b"\x16\x03\x01\x02\0\1\0\1\xfc\x03\x03" + bytes(range(256)))
    yield refused(b"\0" * 100)


# --- fields that mean something --------------------------------------------------------------


def hosts() -> Iterator[Case]:
    odd = words(
        "a~b a,b a,~b a/b / a?b a#b u@a @a http://a a:b a:80:80 a:-1 a:+80 :80 : [::1 ::1 []"
    )
    odd += words(
        '[::1]a [::1]:a [g::1] [v1.] a\\b "a" <a> a|b a^b a`b a% a%4 a%zz {a} a:80/ [:] [1:2]'
    )
    odd += words(
        "[1.2.3.4] [::1::2] [12345::] [::1%25eth0] a:65536 a:999999999 [::1]:65536 a:0x50 \xe9"
    )
    for host in [b"", b" ", *odd]:
        yield refused(request(b"Host: " + host, first=b"GET /first HTTP/1.1"))
    for host in words(
        "a a: a:80 a:65535 [::1] [::1]:80 1.2.3.4:5 a_b a. %41 [v1.a:b] [::ffff:1.2.3.4]"
    ):
        yield kept(request(b"Host: " + host, first=b"GET /first HTTP/1.1"), GET)
    yield kept(request(first=b"GET /first HTTP/1.1"), GET)
    yield refused(get(b"Host: a"))
    yield refused(get(b"host: b", line=b"GET http://a/ HTTP/1.1"))
    yield refused(request(b"Host: a/b", first=b"GET http://a/ HTTP/1.1"))


def options() -> Iterator[Case]:
    for value in words("close Close close,~keep-alive keep-alive,~close x,close close, ,~close"):
        yield last(get(b"Connection: " + value), GET)
    yield last(get(b"Connection: keep-alive", b"Connection: close"), GET)
    for value in words("keep-alive Content-Length Transfer-Encoding,~Host closed Upgrade close;"):
        yield kept(post(b"Connection: " + value, b"Content-Length: 5", body=b"hello"), HELLO)
    upgrade = [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMA"]
    yield kept(get(*upgrade), GET)
    yield kept(post(b"Expect: 200-ok", b"Content-Length: 5", body=b"hello"), HELLO)
    for value in words("100-continue 100-Continue 100-continue,~100-continue"):
        yield kept(post(b"Expect: " + value), ("POST", "/first", b""))
        yield kept(post(b"Expect: " + value, b"Content-Length: 5", body=b"hello"), HELLO)
        yield kept(post(b"Expect: " + value, CODED, body=CHUNKS), HELLO)


def flat(families: Iterable[Iterable[Case]]) -> list[Case]:
    return list(dict.fromkeys(case for family in families for case in family))


CASES = flat(
    family()
    for family in (
        lengths,
        codings,
        chunk_sizes,
        trailers,
        line_ends,
        field_lines,
        limits,
        request_lines,
        hosts,
        options,
    )
)
