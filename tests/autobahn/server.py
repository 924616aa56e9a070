"""What the suite tests as a server: an echo. Prints its port."""

from __future__ import annotations

from eventlet import wsgi
from eventlet.convenience import listen
from eventlet.websocket import RFC6455WebSocket, WebSocketWSGI

MAX_LENGTH = 32 << 20  # above the largest message of group 9


def echo(ws: RFC6455WebSocket) -> None:
    for message in ws:
        ws.send(message)


if __name__ == "__main__":
    listener = listen(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    wsgi.server(listener, WebSocketWSGI(echo, MAX_LENGTH), log_output=False)
