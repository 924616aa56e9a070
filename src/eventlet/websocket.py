"""WebSockets: a WSGI application that serves them, and a client.

Decorated with `WebSocketWSGI`, a function that takes a WebSocket is an application for
`wsgi.server`; it reads with `wait` or `for message in ws`, writes with `send`, and the WebSocket
is closed when it returns. `connect` is the client's side, with the same WebSockets.
"""

from eventlet._websocket.application import WebSocketWSGI
from eventlet._websocket.client import connect
from eventlet._websocket.connection import RFC6455WebSocket, WebSocket
from eventlet._websocket.errors import (
    BadRequest,
    ConnectionClosedError,
    FailedConnectionError,
    HandshakeFailed,
    ProtocolError,
)

__all__ = [
    "BadRequest",
    "ConnectionClosedError",
    "FailedConnectionError",
    "HandshakeFailed",
    "ProtocolError",
    "RFC6455WebSocket",
    "WebSocket",
    "WebSocketWSGI",
    "connect",
]
