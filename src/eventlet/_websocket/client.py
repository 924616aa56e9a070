"""Open a WebSocket: TCP, a proxy in between if need be, TLS, the handshake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventlet._websocket.connection import (
    DEFAULT_MAX_FRAME_LENGTH,
    FRAGMENT_LENGTH,
    RFC6455WebSocket,
)
from eventlet._websocket.errors import HandshakeFailed
from eventlet._websocket.keepalive import check_seconds
from eventlet._websocket.opening import (
    MAX_HEAD,
    Answer,
    Headers,
    Target,
    check_answer,
    check_beginning,
    check_proxy_answer,
    make_key,
    make_proxy_request,
    make_request,
    parse_proxy,
    parse_target,
    read_answer,
)
from eventlet.green import socket, ssl
from eventlet.timeout import Timeout

__all__ = ["connect"]

_RECEIVE_BYTES = 65536


def connect(
    url: str,
    *,
    timeout: float | None = 30.0,
    ssl_context: Any = None,
    headers: Headers = (),
    subprotocols: Sequence[str] = (),
    compression: bool = True,
    proxy: str | None = None,
    max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH,
    ping_interval: float | None = None,
    ping_timeout: float = 20.0,
    max_queue: int = 0,
) -> RFC6455WebSocket:
    """Open a WebSocket and return it; use it in a `with` statement.

    Redirects are not followed.

    Args:
        url: `ws://` or `wss://`; a user and password in it are sent as basic authorization.
        timeout: seconds that opening may take in all; None for ever.
        ssl_context: for `wss`; None verifies the server as the system does.
        headers: more header fields, a mapping or pairs (name, value).
        subprotocols: in order of preference; `protocol` of the result is what was chosen.
        compression: offer permessage-deflate.
        proxy: URL `http://[user:password@]host[:port]` of a proxy that is asked to CONNECT.
        max_frame_length: bytes that a frame or message may have, inflated too.
        ping_interval: seconds of silence after which the server is pinged; None never.
        ping_timeout: seconds that it has to answer; then the connection ends.
        max_queue: messages that `send` may leave behind for a server that reads slowly, before
            it waits; with 0 it waits until the kernel has its message.

    Raises:
        ValueError: an argument makes no sense.
        HandshakeFailed: the server or the proxy does not want to.
        TimeoutError: it took too long.
        OSError: the connection failed.
        ssl.SSLError: TLS did.
    """
    check_seconds(ping_interval, ping_timeout)
    target = parse_target(url)
    via = None if proxy is None else parse_proxy(proxy)
    key = make_key()
    request = make_request(target, key, headers, subprotocols, compression)
    too_late = TimeoutError(f"no WebSocket at {target.authority} within {timeout} s")
    with Timeout(timeout, too_late):
        sock = _dial(target, via)
        try:
            if target.is_tls:
                sock = _secure(sock, target.host, ssl_context)
            sock.sendall(request)
            answer, received = _receive_answer(sock)
            protocol, deflate = check_answer(answer, key, subprotocols, compression)
        except BaseException:
            sock.close()
            raise
    ws = RFC6455WebSocket(
        sock,
        {},
        protocol=protocol,
        client=True,
        extensions=None if deflate is None else deflate.to_extensions(),
        max_frame_length=max_frame_length,
        max_queue=max_queue,
        received=received,
    )
    ws.path = target.resource
    ws.fragment_length = FRAGMENT_LENGTH
    ws.keep_alive(ping_interval, ping_timeout)
    return ws


def _dial(target: Target, via: Target | None) -> Any:
    """Connect to the target, through the proxy if there is one."""
    first = via or target
    sock = socket.create_connection((first.host, first.port))
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if via is not None:
            sock.sendall(make_proxy_request(target, via))
            answer, received = _receive_answer(sock)
            check_proxy_answer(answer)
            if received:
                raise HandshakeFailed("the proxy speaks for the server", answer.status)
    except BaseException:
        sock.close()
        raise
    return sock


def _secure(sock: Any, host: str, context: Any) -> Any:
    """Shake hands; a context of the standard `ssl` makes a green socket here too."""
    if context is None:
        context = ssl.create_default_context()
    if isinstance(context, ssl.GreenSSLContext):
        return context.wrap_socket(sock, server_hostname=host)
    return ssl.GreenSSLSocket._create(sock, server_hostname=host, context=context)


def _receive_answer(sock: Any) -> tuple[Answer, bytes]:
    """Receive the head of the final response; return it, and what came behind it."""
    data = b""
    left = MAX_HEAD
    while True:
        head, end, rest = data.partition(b"\r\n\r\n")
        if len(head) > left:
            raise HandshakeFailed(f"the head of the answer is longer than {MAX_HEAD} bytes")
        check_beginning(head)
        if end:
            answer = read_answer(head)
            if not answer.is_interim:
                return answer, rest
            left -= len(head)
            data = rest
            continue
        more = sock.recv(_RECEIVE_BYTES)
        if not more:
            raise HandshakeFailed("the connection was closed before the answer was whole")
        data += more
