"""Parks of WebSockets."""

from __future__ import annotations

from functools import partial
from typing import Any

from eventlet._websocket.handshake import accept_key
from eventlet.greenthread import sleep
from eventlet.websocket import RFC6455WebSocket, connect

from tests.unit.parks.park import Table, Wait
from tests.unit.parks.stage import LONG, Connection, Stage

PARKS = Table()
park = PARKS.park

# A client's frames with a mask of zeros: the text "data", and a close frame.
_TEXT = b"\x81\x84\0\0\0\0data"
_ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: %s\r\n\r\n"
)
_CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"


@park(RFC6455WebSocket.wait, RFC6455WebSocket.__iter__, closes=True)
def websocket_wait(stage: Stage) -> Wait:
    connection = stage.stream()
    ws = RFC6455WebSocket(connection.near, {})

    def call() -> object:
        return next(iter(ws))

    complete = partial(connection.far.sendall, _TEXT)
    return Wait(call, complete, "data", close=connection.near.close)


@park(RFC6455WebSocket.wait)
def websocket_wait_in_the_middle_of_a_message(stage: Stage) -> Wait:
    connection = stage.stream()
    ws = RFC6455WebSocket(connection.near, {})
    connection.far.sendall(_TEXT[:8])

    def complete() -> None:
        connection.far.sendall(_TEXT[8:] + _TEXT[:8])

    return Wait(ws.wait, complete, "data")


@park(RFC6455WebSocket.send)
def websocket_send(stage: Stage) -> Wait:
    """Half a frame may be out: an interrupted call ends the connection, as documented."""
    connections: list[Connection] = []

    def call() -> None:
        connections.append(stage.full_stream())
        RFC6455WebSocket(connections[-1].near, {}).send(b"data")

    def complete() -> None:
        connections[-1].drain()

    return Wait(call, complete, spent=True)


@park(RFC6455WebSocket.send)
def websocket_send_to_a_full_queue(stage: Stage) -> Wait:
    connection = stage.full_stream()
    ws = RFC6455WebSocket(connection.near, {}, max_queue=1)
    ws.send(b"the first")
    return Wait(partial(ws.send, b"data"), connection.drain, stays=False)


@park(RFC6455WebSocket.close, RFC6455WebSocket.__exit__)
def websocket_close(stage: Stage) -> Wait:
    """Interrupted, it has closed the socket all the same."""
    connections: list[Connection] = []

    def call() -> None:
        connections.append(stage.stream())
        with RFC6455WebSocket(connections[-1].near, {}):
            pass

    def complete() -> None:
        connections[-1].far.sendall(_CLOSE)
        connections[-1].far.close()

    return Wait(call, complete, spent=True)


@park(RFC6455WebSocket.go_away, RFC6455WebSocket.close)
def websocket_close_while_another_closes(stage: Stage) -> Wait:
    connection = stage.stream()
    ws = RFC6455WebSocket(connection.near, {})
    ws.close_timeout = LONG
    stage.thread(ws.close)
    sleep(0)

    def complete() -> None:
        connection.far.sendall(_CLOSE)
        connection.far.close()

    return Wait(ws.go_away, complete)


@park(connect)
def websocket_connect(stage: Stage) -> Wait:
    """The server answers each request when it is told to."""
    listener = stage.listener()
    host, port = listener.getsockname()[:2]

    def call() -> bool:
        ws = connect(f"ws://{host}:{port}/", timeout=LONG)
        ws.abandon()
        return ws.client

    def answer(client: Any) -> None:
        request = client.recv(65536)
        _, found, rest = request.partition(b"Sec-WebSocket-Key: ")
        if found:
            proof = accept_key(rest.split(b"\r\n")[0].decode()).encode()
            client.sendall(_ANSWER % proof)
        client.close()

    def answer_all() -> None:
        while True:
            stage.thread(answer, stage.keep(listener.accept()[0]))

    def complete() -> None:
        stage.thread(answer_all)

    return Wait(call, complete, True, stays=False)
