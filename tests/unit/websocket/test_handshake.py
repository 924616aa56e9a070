from __future__ import annotations

import io
import warnings
from typing import Any

import pytest

from eventlet import wsgi
from eventlet._websocket.application import _take_socket
from eventlet.convenience import connect
from eventlet.green import socket as green_socket
from eventlet.greenthread import spawn
from eventlet.websocket import BadRequest, WebSocket, WebSocketWSGI

from tests.unit.green.test_ssl import make_client_context, make_server_context
from tests.unit.server.site import listen
from tests.unit.websocket.peer import ACCEPT, CLOSE, KEY, TEXT, Frame, WebSite, frame

ANSWER = (
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {ACCEPT}\r\n"
)


def answer(options: Any = None, **fields: str | None) -> str:
    with WebSite(**(options or {})) as site, site.ask(**fields) as peer:
        return peer.head()


def test_the_answer_has_these_bytes_and_no_others() -> None:
    assert answer() == ANSWER + "\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "UPGRADE"},
        {"Upgrade": "WebSocket"},
        {"Sec-WebSocket-Version": "8"},
        {"Content-Length": "0"},
    ],
)
def test_requests_that_are_understood(fields: dict[str, str]) -> None:
    assert answer(**fields) == ANSWER + "\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        {"Connection": None},
        {"Connection": "keep-alive"},
        {"Connection": "upgraded"},
        {"Upgrade": None},
        {"Upgrade": "h2c"},
        {"Sec-WebSocket-Version": None},
        {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Key": "c2hvcnQ="},
        {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ"},
        {"Sec-WebSocket-Key": "not base64 not base64 ??"},
        {"method": "POST"},
        {"version": "HTTP/1.0"},
        {"Content-Length": "5"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_what_is_no_handshake_is_refused_with_an_empty_body(fields: dict[str, str | None]) -> None:
    with WebSite() as site, site.ask(frame(TEXT, b"never read"), **fields) as peer:
        head = peer.head()
        body = peer.rest()

    assert head.startswith("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n")
    assert body == b""


@pytest.mark.parametrize("version", ["7", "12", "14", "013", "+13", "x", "13, 8"])
def test_other_versions_are_told_which_there_are(version: str) -> None:
    head = answer(**{"Sec-WebSocket-Version": version})

    assert head.startswith("HTTP/1.1 426 Upgrade Required\r\n")
    assert "sec-websocket-version: 8, 13\r\n" in head.lower()


def test_the_origin_is_checked_with_host_and_origin() -> None:
    asked = []

    def check(host: str | None, origin: str | None) -> bool:
        asked.append((host, origin))
        return origin == "http://good"

    options = {"origin_checker": check}
    assert answer(options, Origin="http://good") == ANSWER + "\r\n"
    assert answer(options, Origin="http://bad").startswith("HTTP/1.1 403 Forbidden\r\n")
    assert asked == [("localhost", "http://good"), ("localhost", "http://bad")]


@pytest.mark.parametrize(
    "fields, origin",
    [
        ({}, ""),
        ({"Sec-WebSocket-Origin": "http://old"}, ""),
        ({"Sec-WebSocket-Origin": "http://old", "Sec-WebSocket-Version": "8"}, "http://old"),
    ],
)
def test_the_origin_is_text_in_any_case(fields: dict[str, str], origin: str) -> None:
    asked = []

    def check(_host: str | None, origin: str) -> bool:
        asked.append(origin)
        return True

    assert answer({"origin_checker": check}, **fields) == ANSWER + "\r\n"
    assert asked == [origin]


@pytest.mark.parametrize(
    "wanted, chosen",
    [("z, b, a", "b"), ("a,b", "a"), ("z", None), ("A", None), (None, None), ("", None)],
)
def test_the_first_protocol_of_the_client_that_is_supported(
    wanted: str | None, chosen: str | None
) -> None:
    line = "" if chosen is None else f"Sec-WebSocket-Protocol: {chosen}\r\n"
    options = {"supported_protocols": ["a", "b"]}

    assert answer(options, **{"Sec-WebSocket-Protocol": wanted}) == ANSWER + line + "\r\n"


def test_what_the_handler_knows_of_the_request() -> None:
    known: list[Any] = []

    def look(ws: Any) -> None:
        known.extend([ws.path, ws.origin, ws.version, ws.protocol, ws.extensions])
        known.append(ws.environ["QUERY_STRING"])
        known.append(isinstance(ws, WebSocket))

    with WebSite(look, supported_protocols=["p"]) as site:
        fields = {"Origin": "http://o", "Sec-WebSocket-Protocol": "p", "Sec-WebSocket-Version": "8"}
        with site.open(**fields) as peer:
            peer.rest()

    assert known == ["/path", "http://o", 8, "p", {}, "x=1", True]


def test_frames_that_come_with_the_request_are_read() -> None:
    with WebSite() as site, site.open(frame(TEXT, b"early"), frame(TEXT, b"bird")) as peer:
        assert peer.frame() == Frame(0x81, b"early")
        assert peer.frame() == Frame(0x81, b"bird")


def test_half_a_frame_that_comes_with_the_request_is_kept() -> None:
    whole = frame(TEXT, b"in two")
    with WebSite() as site, site.open(whole[:5]) as peer:
        peer.send(whole[5:])

        assert peer.frame() == Frame(0x81, b"in two")


def test_drafts_are_refused_and_say_so() -> None:
    fields = {"Sec-WebSocket-Version": None, "Sec-WebSocket-Key": None}
    drafts = {
        "Sec-WebSocket-Key1": "4 @1  46546xW%0l 1 5",
        "Sec-WebSocket-Key2": "12998 5 Y3 1 .P00",
    }
    with WebSite() as site, site.ask(b"^n:ds[4U", **(fields | drafts)) as peer:
        assert peer.head().startswith("HTTP/1.1 400 ")
        assert b"drafts" in peer.rest()


def test_support_for_drafts_is_deprecated_and_has_no_effect() -> None:
    with pytest.warns(DeprecationWarning, match="has no effect"):
        app = WebSocketWSGI.configured(print, support_legacy_versions=True)

    assert app.support_legacy_versions is False


def test_a_websocket_of_the_drafts_says_what_to_use() -> None:
    with pytest.raises(TypeError, match="use RFC6455WebSocket"):
        WebSocket(None, {})


def test_configured_without_a_handler_decorates() -> None:
    @WebSocketWSGI.configured(supported_protocols=["a"], max_frame_length=5)
    def handler(ws: Any) -> None:
        pass

    assert isinstance(handler, WebSocketWSGI)
    assert (handler.supported_protocols, handler.max_frame_length) == (["a"], 5)


def test_attributes_of_the_application() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app = WebSocketWSGI(print, 77)

    assert app.handler is print
    assert (app.protocol_version, app.support_legacy_versions, app.origin_checker) == (
        None,
        False,
        None,
    )
    assert (list(app.supported_protocols), app.max_frame_length) == ([], 77)


def test_a_subclass_may_look_at_the_request_first() -> None:
    class Picky(WebSocketWSGI):
        def __call__(self, environ: Any, start_response: Any) -> Any:
            environ["seen"] = environ["eventlet.input"].get_socket().fileno() > 0
            return super().__call__(environ, start_response)

    seen = []
    app = Picky(lambda ws: seen.append(ws.environ["seen"]))
    with WebSite(app=app) as site, site.open() as peer:
        assert peer.frame().opcode == CLOSE

    assert seen == [True]


def test_the_socket_of_gunicorn_is_used() -> None:
    def gunicorn(environ: Any, start_response: Any) -> Any:
        sock = environ.pop("eventlet.input").get_socket()
        return application(environ | {"gunicorn.socket": sock}, start_response)

    application = WebSocketWSGI(lambda ws: ws.send("hi"))
    with WebSite(app=gunicorn) as site, site.open() as peer:
        assert peer.frame() == Frame(0x81, b"hi")


def test_an_input_that_has_nothing_but_the_socket_will_do() -> None:
    """python-engineio makes one of its own under gunicorn."""

    class Input:
        def __init__(self, sock: Any) -> None:
            self.get_socket = lambda: sock

    def engineio(environ: Any, start_response: Any) -> Any:
        sock = environ["eventlet.input"].get_socket()
        return application(environ | {"eventlet.input": Input(sock)}, start_response)

    application = WebSocketWSGI(lambda ws: ws.send("hi"))
    with WebSite(app=engineio) as site, site.open() as peer:
        assert peer.frame() == Frame(0x81, b"hi")


@pytest.mark.parametrize("behind", [b"", frame(TEXT, b"early")])
def test_what_a_buffered_file_has_read_ahead_is_taken(behind: bytes) -> None:
    near, far = green_socket.socketpair()
    with near, far, near.makefile("rb") as file:
        near.settimeout(5)
        far.sendall(b"the head\r\n" + behind)
        assert file.readline() == b"the head\r\n"

        environ = {"eventlet.input": wsgi.Input(file, None, near)}
        assert _take_socket(environ) == (near, behind)
        assert near.gettimeout() == 5
        far.sendall(b"later")
        assert near.recv(100) == b"later"


def test_a_buffered_file_over_tls_that_has_nothing_is_not_waited_for() -> None:
    listener = make_server_context().wrap_socket(listen(), server_side=True)
    with listener:
        plain = connect(listener.getsockname())
        near, _ = listener.accept()
        handshake = spawn(near.do_handshake)
        far = make_client_context().wrap_socket(plain, server_hostname="localhost")
        handshake.wait()
        with near, far, near.makefile("rb") as file:
            far.sendall(b"the head\r\n")
            assert file.readline() == b"the head\r\n"

            assert _take_socket({"eventlet.input": wsgi.Input(file, None, near)}) == (near, b"")


def test_a_file_that_buffers_nothing_has_read_nothing_ahead() -> None:
    class Unbuffered:
        def read1(self, size: int) -> bytes:
            raise AssertionError("nobody asked")

        readline = read1

    near, far = green_socket.socketpair()
    with near, far:
        environ = {"eventlet.input": wsgi.Input(Unbuffered(), None, near)}
        assert _take_socket(environ) == (near, b"")


def test_a_client_that_is_gone_before_the_answer_is_no_error() -> None:
    errors = io.StringIO()
    near, far = green_socket.socketpair()
    far.close()
    environ = {
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_UPGRADE": "websocket",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_SEC_WEBSOCKET_KEY": KEY,
        "gunicorn.socket": near,
        "wsgi.errors": errors,
    }

    assert list(WebSocketWSGI(print)(environ, print)) == []
    assert errors.getvalue() == ""
    assert near.fileno() == -1


def test_a_server_that_hands_out_no_socket_is_told() -> None:
    environ = {
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_UPGRADE": "websocket",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_SEC_WEBSOCKET_KEY": KEY,
    }

    with pytest.raises(RuntimeError, match=r"serve the application with eventlet\.wsgi"):
        WebSocketWSGI(print)(environ, print)


def test_a_bad_request_has_a_status_a_body_and_fields() -> None:
    plain, full = BadRequest(), BadRequest("403 No", "body", [("A", "b")])

    assert (plain.status, plain.body, plain.headers) == ("400 Bad Request", None, None)
    assert (full.status, full.body, full.headers) == ("403 No", "body", [("A", "b")])
