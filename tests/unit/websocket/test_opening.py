"""URLs, requests and answers of a client, without any socket."""

from __future__ import annotations

from typing import Any

import pytest

from eventlet._websocket.opening import (
    check_answer,
    check_proxy_answer,
    make_proxy_request,
    make_request,
    parse_proxy,
    parse_target,
    read_answer,
)
from eventlet.websocket import HandshakeFailed

from tests.unit.websocket.peer import ACCEPT, KEY


@pytest.mark.parametrize(
    "url, expected",
    [
        ("ws://h", ("h", 80, False, "/", "h", None)),
        ("WSS://H/", ("h", 443, True, "/", "h", None)),
        ("ws://h:80/a?b=c", ("h", 80, False, "/a?b=c", "h", None)),
        ("wss://h:8443/%20a%2Fb", ("h", 8443, True, "/%20a%2Fb", "h:8443", None)),
        ("ws://[::1]:8080?x", ("::1", 8080, False, "/?x", "[::1]:8080", None)),
        ("ws://h/gr\u00fc\u00df?\u00e4", ("h", 80, False, "/gr%C3%BC%C3%9F?%C3%A4", "h", None)),
        ("ws://b\u00fccher/", ("xn--bcher-kva", 80, False, "/", "xn--bcher-kva", None)),
        ("ws://u:p%40@h/", ("h", 80, False, "/", "h", "Basic dTpwQA==")),
        ("ws://u@h/", ("h", 80, False, "/", "h", "Basic dTo=")),
    ],
)
def test_urls(url: str, expected: tuple[Any, ...]) -> None:
    assert parse_target(url) == expected


@pytest.mark.parametrize(
    "url",
    ["", "http://h", "ws:", "ws:///path", "//h", "ws://h/#part", "ws://h/#", "ws://h/a b",
     "ws://h/\r\nX: y", "ws://h\x00/", "ws://h:port/", "ws://h:70000/", "ws://h:0/"],
)  # fmt: skip
def test_what_is_no_url_of_a_websocket(url: str) -> None:
    with pytest.raises(ValueError):
        parse_target(url)


def test_a_request() -> None:
    target = parse_target("ws://u:p@host:81/path?x")
    headers = [("Origin", "http://o"), ("Cookie", "a=b")]

    assert make_request(target, KEY, headers, ["a", "b"], True).decode() == (
        "GET /path?x HTTP/1.1\r\n"
        "Host: host:81\r\n"
        "Connection: Upgrade\r\n"
        "Upgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\n"
        "Sec-WebSocket-Protocol: a, b\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        "Authorization: Basic dTpw\r\n"
        "Origin: http://o\r\n"
        "Cookie: a=b\r\n"
        "\r\n"
    )


def test_a_host_and_an_authorization_of_the_users_own() -> None:
    headers = {"host": "other", "authorization": "Bearer x"}
    request = make_request(parse_target("ws://u:p@h/"), KEY, headers, (), False)

    assert request.lower().count(b"host: ") == 1
    assert b"host: other\r\nauthorization: Bearer x\r\n\r\n" in request
    assert b"Extensions" not in request


@pytest.mark.parametrize(
    "headers",
    [
        {"A": "x\r\nB: y"},
        {"A": "x\ny"},
        {"A": "\u20ac"},
        {"A b": "x"},
        {"A:": "x"},
        {"": "x"},
        {"Connection": "close"},
        {"upgrade": "h2c"},
        {"Sec-WebSocket-Key": "mine"},
        {"Content-Length": "5"},
    ],
)
def test_fields_that_cannot_be_sent(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header field"):
        make_request(parse_target("ws://h"), KEY, headers, (), True)


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a\r\n", "\u00e4"])
def test_sub_protocols_that_cannot_be_sent(name: str) -> None:
    with pytest.raises(ValueError, match="sub-protocol"):
        make_request(parse_target("ws://h"), KEY, (), [name], True)


GOOD = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Accept: {ACCEPT}",
]


def check(*lines: str, protocols: tuple[str, ...] = (), compression: bool = True) -> Any:
    return check_answer(read_answer("\r\n".join(lines).encode()), KEY, protocols, compression)


def test_a_good_answer() -> None:
    assert check(*GOOD) == (None, None)


def test_an_answer_in_other_words() -> None:
    lines = ["HTTP/1.0 101", "UPGRADE:WebSocket", "connection:  keep-alive, upgrade\t"]
    chosen = ["Sec-WebSocket-Protocol: b", "Sec-WebSocket-Extensions: permessage-deflate"]
    protocol, deflate = check(*lines, GOOD[3], *chosen, protocols=("a", "b"))

    assert protocol == "b"
    assert deflate is not None


BAD = {
    "refused": ["HTTP/1.1 403 Forbidden"],
    "redirected": ["HTTP/1.1 302 Found", "Location: ws://elsewhere/"],
    "no phrase": ["HTTP/1.1 500"],
    "no upgrade": [GOOD[0], *GOOD[2:]],
    "two upgrades": [*GOOD, "Upgrade: websocket"],
    "upgrade to something else": [GOOD[0], "Upgrade: h2c", *GOOD[2:]],
    "no connection": [*GOOD[:2], GOOD[3]],
    "no proof": GOOD[:3],
    "a wrong proof": [*GOOD[:3], "Sec-WebSocket-Accept: " + ACCEPT.lower()],
    "two proofs": [*GOOD, GOOD[3]],
    "a sub-protocol not offered": [*GOOD, "Sec-WebSocket-Protocol: z"],
    "two sub-protocols": [*GOOD, "Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"],
    "an extension not offered": [*GOOD, "Sec-WebSocket-Extensions: x"],
    "a bad parameter": [*GOOD, "Sec-WebSocket-Extensions: permessage-deflate; x"],
    "no HTTP": ["SSH-2.0-OpenSSH"],
    "HTTP/2": ["HTTP/2 101 x"],
    "a folded line": [*GOOD, " more"],
    "a space before the colon": [*GOOD, "A : b"],
    "no colon": [*GOOD, "A"],
    "a bare CR": [*GOOD, "A: b\rc"],
    "a bare LF": [*GOOD, "A: b\nc: d"],
    "a NUL": [*GOOD, "A: \0"],
}


@pytest.mark.parametrize("lines", BAD.values(), ids=BAD)
def test_bad_answers(lines: list[str]) -> None:
    with pytest.raises(HandshakeFailed, match="was not opened") as raised:
        check(*lines, protocols=("a", "b"))

    assert isinstance(raised.value, OSError)


def test_an_extension_when_none_was_offered() -> None:
    with pytest.raises(HandshakeFailed, match="none were offered"):
        check(*GOOD, "Sec-WebSocket-Extensions: permessage-deflate", compression=False)


def test_a_refusal_has_status_and_fields() -> None:
    with pytest.raises(HandshakeFailed, match="the server answered 302 Found") as raised:
        check(*BAD["redirected"])

    assert (raised.value.status, raised.value.headers) == (302, [("Location", "ws://elsewhere/")])


def test_proxies() -> None:
    proxy = parse_proxy("http://u:p@proxy:3128")

    assert (proxy.host, proxy.port) == ("proxy", 3128)
    assert make_proxy_request(parse_target("wss://h/x"), proxy) == (
        b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n"
    )
    assert make_proxy_request(parse_target("ws://[::1]/"), parse_proxy("http://p")) == (
        b"CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"
    )


@pytest.mark.parametrize("url", ["https://proxy", "socks5://proxy", "proxy:3128", ""])
def test_proxies_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ValueError):
        parse_proxy(url)


def test_answers_of_proxies() -> None:
    check_proxy_answer(read_answer(b"HTTP/1.1 200 OK"))
    with pytest.raises(HandshakeFailed, match="the proxy answered 407 No") as raised:
        check_proxy_answer(read_answer(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic"))

    assert raised.value.status == 407
