"""What is a request of HTTP/2, and what is none."""

from __future__ import annotations

import pytest

from eventlet._http2.request_head import (
    MalformedRequest,
    RequestHead,
    check_trailers,
    read_head,
)
from eventlet._protocols.head_collector import HeadLimits
from eventlet._protocols.http1 import HeadParser
from eventlet._protocols.refusals import RequestRefused

GET = {b":method": b"GET", b":scheme": b"https", b":authority": b"a.example", b":path": b"/x?y=1"}

Pairs = list[tuple[bytes, bytes]]


def read(fields: Pairs, requires_host: bool = False) -> RequestHead:
    return read_head(fields, HeadParser(requires_host=requires_host), HeadLimits())


def pseudo(**changes: bytes | None) -> Pairs:
    fields: dict[bytes, bytes | None] = dict(GET)
    fields.update({b":" + name.encode(): value for name, value in changes.items()})
    return [(name, value) for name, value in fields.items() if value is not None]


def test_a_request_becomes_what_it_would_be_in_http_1() -> None:
    line, fields, target = read(
        [*pseudo(), (b"x-a", b"1"), (b"x-a", b"2"), (b"content-type", b"t"), (b"x_b", b"3")]
    )

    assert line.text == "GET /x?y=1 HTTP/2"
    assert line.method == "GET"
    assert (target.path, target.query) == ("/x", "y=1")
    assert fields.variables == {"HTTP_HOST": "a.example", "HTTP_X_A": "1,2", "CONTENT_TYPE": "t"}
    assert fields.raw[0] == ("host", "a.example")
    assert ("x_b", "3") in fields.raw


def test_the_parts_of_a_cookie_become_one() -> None:
    fields = read([*pseudo(), *[(b"cookie", b"c%d=%d" % (i, i)) for i in range(150)]]).fields

    assert fields.variables["HTTP_COOKIE"].startswith("c0=0; c1=1; c2=2; ")
    assert len(fields.raw) == 2


def test_a_host_may_say_what_the_authority_says() -> None:
    fields = read([*pseudo(), (b"host", b"A.example")]).fields

    assert fields.variables["HTTP_HOST"] == "a.example"


def test_a_host_alone_will_do() -> None:
    fields = read([*pseudo(authority=None), (b"host", b"b")], requires_host=True).fields

    assert fields.variables["HTTP_HOST"] == "b"


def test_the_star_is_for_options() -> None:
    assert read(pseudo(method=b"OPTIONS", path=b"*")).target.path == "*"


def test_connect_has_an_authority_alone() -> None:
    head = read([(b":method", b"CONNECT"), (b":authority", b"a:443")])

    assert head.target.path == "a:443"


MALFORMED: dict[str, Pairs] = {
    "no method": pseudo(method=None),
    "an empty method": pseudo(method=b""),
    "a method with a blank": pseudo(method=b"GET /"),
    "no scheme": pseudo(scheme=None),
    "no path": pseudo(path=None),
    "an empty path": pseudo(path=b""),
    "a path without a slash": pseudo(path=b"x"),
    "a path with an authority": pseudo(path=b"http://a/"),
    "a path with a blank": pseudo(path=b"/ HTTP/1.1"),
    "a path with a line end": pseudo(path=b"/\r\nx: y"),
    "a repeated path": [*pseudo(), (b":path", b"/")],
    "a repeated authority": [*pseudo(), (b":authority", b"b")],
    "a pseudo-header of responses": [*pseudo(), (b":status", b"200")],
    "an unknown pseudo-header": [*pseudo(), (b":protocol", b"websocket")],
    "a pseudo-header behind a field": [(b"a", b"b"), *pseudo()],
    "a pseudo-header behind a cookie": [(b"cookie", b"b"), *pseudo()],
    "an upper-case name": [*pseudo(), (b"X-a", b"1")],
    "an empty name": [*pseudo(), (b"", b"1")],
    "a name with a blank": [*pseudo(), (b"a ", b"1")],
    "a name with a colon": [*pseudo(), (b"a:", b"1")],
    "a name with a line end": [*pseudo(), (b"a\r\nb", b"1")],
    "a name with a NUL": [*pseudo(), (b"a\0", b"1")],
    "a name outside ASCII": [*pseudo(), (b"a\xff", b"1")],
    "a value with CR": [*pseudo(), (b"a", b"1\r2")],
    "a value with LF": [*pseudo(), (b"a", b"1\n2")],
    "a value with NUL": [*pseudo(), (b"a", b"1\x002")],
    "a value with DEL": [*pseudo(), (b"a", b"1\x7f2")],
    "a value that begins with a blank": [*pseudo(), (b"a", b" 1")],
    "a value that ends with a tab": [*pseudo(), (b"a", b"1\t")],
    "connection": [*pseudo(), (b"connection", b"close")],
    "keep-alive": [*pseudo(), (b"keep-alive", b"1")],
    "proxy-connection": [*pseudo(), (b"proxy-connection", b"close")],
    "transfer-encoding": [*pseudo(), (b"transfer-encoding", b"chunked")],
    "upgrade": [*pseudo(), (b"upgrade", b"websocket")],
    "te": [*pseudo(), (b"te", b"gzip")],
    "CONNECT with a path": pseudo(method=b"CONNECT"),
    "CONNECT without an authority": [(b":method", b"CONNECT")],
    "CONNECT with an authority and more": [(b":method", b"CONNECT"), (b":authority", b"a b:1")],
}


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(fields: Pairs) -> None:
    with pytest.raises(MalformedRequest):
        read(fields)


REFUSED: dict[str, tuple[Pairs, int]] = {
    "another host": ([*pseudo(), (b"host", b"b")], 400),
    "an empty authority": (pseudo(authority=b""), 400),
    "an authority with a user": (pseudo(authority=b"u@a"), 400),
    "an authority with a path": (pseudo(authority=b"a/b"), 400),
    "two hosts": ([*pseudo(authority=None), (b"host", b"a"), (b"host", b"a")], 400),
    "two hosts beside an authority": (
        [*pseudo(authority=b"a"), (b"host", b"a"), (b"host", b"a")],
        400,
    ),
    "no host": (pseudo(authority=None), 400),
    "another scheme": (pseudo(scheme=b"ftp"), 400),
    "the star": (pseudo(path=b"*"), 400),
    "CONNECT to no port": ([(b":method", b"CONNECT"), (b":authority", b"a")], 400),
    "two lengths": ([*pseudo(), (b"content-length", b"1"), (b"content-length", b"1")], 400),
    "an odd length": ([*pseudo(), (b"content-length", b"+1")], 400),
    "two types": ([*pseudo(), (b"content-type", b"a"), (b"content-type", b"a")], 400),
    "a long path": (pseudo(path=b"/" + b"a" * 9000), 414),
    "a long field": ([*pseudo(), (b"a", b"a" * 9000)], 400),
    "long fields": ([*pseudo(), *[(b"a%d" % i, b"a" * 8000) for i in range(9)]], 400),
    "many fields": ([*pseudo(), *[(b"a%d" % i, b"") for i in range(100)]], 431),
}


@pytest.mark.parametrize("fields, status", REFUSED.values(), ids=REFUSED.keys())
def test_refused(fields: Pairs, status: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        read(fields, requires_host=True)
    assert caught.value.status == status


def test_te_may_say_trailers() -> None:
    assert read([*pseudo(), (b"te", b"trailers")]).fields.variables["HTTP_TE"] == "trailers"


@pytest.mark.parametrize("field", [(b":path", b"/"), (b"X", b"1"), (b"connection", b"close")])
def test_trailers_keep_the_rules_too(field: tuple[bytes, bytes]) -> None:
    check_trailers([(b"x-checksum", b"1")])
    with pytest.raises(MalformedRequest):
        check_trailers([field])
