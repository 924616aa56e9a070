"""Other people's libraries at the other end, and Socket.IO on top; `make test-gunicorn` has them.

Each runs in processes of its own: ours, and theirs without us.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.serve.served import PATIENCE, Served, environment, write
from tests.unit.test_gunicorn import OURS, Gunicorn

pytestmark = pytest.mark.slow  # each starts processes

SIZES = "(0, 1, 125, 126, 65535, 65536, 1_000_000)"

ECHO = """\
    from eventlet import websocket

    @websocket.WebSocketWSGI.configured(supported_protocols=["two", "one"], ping_interval=0.05)
    def app(ws):
        for message in ws:
            ws.send(message)
        print("ended with", ws.close_code, ws.close_reason, flush=True)
"""

CLIENTS = {
    "websockets": f"""\
        import asyncio, sys, websockets

        async def main():
            for compression in (None, "deflate"):
                async with websockets.connect(
                    sys.argv[1], compression=compression, subprotocols=["one"], max_size=None
                ) as ws:
                    assert ws.subprotocol == "one"
                    for size in {SIZES}:
                        for message in ("\\u00e9" * size, b"\\0" * size):
                            await ws.send(message)
                            assert await ws.recv() == message
                    await ws.send(["in ", "three ", "pieces"])
                    assert await ws.recv() == "in three pieces"
                    await (await ws.ping())
                    await asyncio.sleep(0.2)
                    await ws.close(3999, "enough")
                    assert ws.close_code == 3999

        asyncio.run(main())
    """,
    "websocket": f"""\
        import sys, websocket

        ws = websocket.create_connection(sys.argv[1], subprotocols=["one"], timeout=60)
        assert ws.getsubprotocol() == "one"
        for size in {SIZES}:
            ws.send_binary(b"x" * size)
            assert ws.recv() == b"x" * size
        ws.ping("there?")
        ws.send("\\u00e9")
        assert ws.recv() == "\\u00e9"
        ws.close(status=3999, reason=b"enough")
    """,
}

SERVER = """\
    import asyncio, sys, websockets

    async def handle(ws):
        async for message in ws:
            if message == "pieces":
                await ws.send(["in ", "three ", "pieces"])
            elif message == "close":
                await ws.close(4000, "as you like")
            elif message == "fail":
                raise LookupError("odd")
            else:
                await ws.send(message)

    async def main():
        compression = sys.argv[1] if sys.argv[1:] else None
        async with websockets.serve(
            handle, "127.0.0.1", 0, max_size=None, compression=compression
        ) as server:
            print(server.sockets[0].getsockname()[1], flush=True)
            await asyncio.Future()

    asyncio.run(main())
"""

OUR_CLIENT = f"""\
    import sys
    import eventlet
    from eventlet.websocket import connect

    with connect(sys.argv[1], ping_interval=0.05) as ws:
        assert bool(ws.extensions) == (len(sys.argv) > 2)
        for size in {SIZES}:
            for message in ("z" * size, b"\\0" * size):
                ws.send(message)
                assert ws.wait() == message
        ws.send("pieces")
        assert ws.wait() == "in three pieces"
        eventlet.sleep(0.2)
        ws.send("close")
        assert ws.wait() is None
        assert (ws.close_code, ws.close_reason) == (4000, "as you like")
    with connect(sys.argv[1]) as ws:
        ws.send("fail")
        assert ws.wait() is None
        assert ws.close_code == 1011
    with connect(sys.argv[1]) as ws:
        pass
    assert ws.close_code == 1000
"""

SOCKET_IO = """\
    import eventlet
    eventlet.monkey_patch()
    import sys
    from flask import Flask, request
    from flask_socketio import SocketIO, emit

    app = Flask(__name__)
    sio = SocketIO(app, async_mode="eventlet")

    @sio.on("connect")
    def welcome():
        emit("welcome", request.sid)

    @sio.on("echo")
    def echo(data):
        emit("echo", data)
        return "done"

    @sio.on("disconnect")
    def leave(*_):
        print("has left", flush=True)

    if __name__ == "__main__":
        sio.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_output=True)
"""

SOCKET_IO_CLIENT = """\
    import sys, threading
    import socketio

    welcome, echo = threading.Event(), threading.Event()
    echoes = []
    client = socketio.Client(reconnection=False)
    client.on("welcome", lambda sid: welcome.set())
    client.on("echo", lambda data: (echoes.append(data), echo.set()))
    client.connect(sys.argv[1], transports=sys.argv[2].split(","))
    assert welcome.wait(60)
    for _ in range(1000):
        if client.transport() == "websocket":
            break
        client.sleep(0.05)
    assert client.transport() == "websocket"
    for data in ("text", {"number": 1, "bytes": b"\\0" * 1000}, "x" * 200_000):
        echo.clear()
        assert client.call("echo", data, timeout=60) == "done"
        assert echo.wait(60)
        assert echoes[-1] == data
    client.disconnect()
"""


def need(*names: str) -> None:
    """Skip where a library is missing."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: `make test-gunicorn` has it")


def run(folder: Path, text: str, *arguments: str) -> None:
    """Run a program that ends by itself, and must not fail."""
    write(folder, program=text)
    done = subprocess.run(
        [sys.executable, "program.py", *arguments],
        cwd=folder,
        env=environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def started(folder: Path, text: str, *arguments: str) -> Iterator[Any]:
    """Run a server, whose first line says where it listens."""
    write(folder, server=text)
    with subprocess.Popen(
        [sys.executable, "server.py", *arguments],
        cwd=folder,
        env=environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("library", CLIENTS)
def test_clients_of_others_at_our_server(tmp_path: Path, library: str) -> None:
    need(library)
    write(tmp_path, site_app=ECHO)
    with Served(tmp_path, flags=()) as served:
        run(tmp_path, CLIENTS[library], f"ws://127.0.0.1:{served.port}/")
        assert served.end() == 0
        assert "Traceback" not in served.said
        assert "ended with 3999 enough" in served.printed


@pytest.mark.parametrize("compression", [(), ("deflate",)])
def test_our_client_at_a_server_of_others(tmp_path: Path, compression: tuple[str, ...]) -> None:
    need("websockets")
    with started(tmp_path, SERVER, *compression) as process:
        port = process.stdout.readline().strip()
        run(tmp_path, OUR_CLIENT, f"ws://127.0.0.1:{port}/", *compression)


@pytest.mark.parametrize("transports", ["websocket", "polling,websocket"])
def test_socket_io_under_serve(tmp_path: Path, transports: str) -> None:
    need("flask_socketio", "websocket", "requests")
    write(tmp_path, site_app=SOCKET_IO)
    with Served(tmp_path, "--access-log=-", flags=()) as served:
        run(tmp_path, SOCKET_IO_CLIENT, f"http://127.0.0.1:{served.port}", transports)
        assert served.end() == 0
        assert "Traceback" not in served.said
        assert "has left" in served.printed
        assert '" 101 ' in served.printed


def test_socket_io_by_itself(tmp_path: Path) -> None:
    need("flask_socketio", "websocket", "requests")
    write(tmp_path, site_app=SOCKET_IO)
    launcher = """\
        import runpy, sys
        from eventlet import convenience

        listen = convenience.listen

        def listen_and_tell(*arguments, **options):
            listener = listen(*arguments, **options)
            print(listener.getsockname()[1], flush=True)
            return listener

        import eventlet
        eventlet.listen = listen_and_tell
        sys.argv[1:] = ["0"]
        runpy.run_module("site_app", run_name="__main__")
    """
    with started(tmp_path, launcher) as process:
        port = process.stdout.readline().strip()
        run(tmp_path, SOCKET_IO_CLIENT, f"http://127.0.0.1:{port}", "polling,websocket")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert "has left" in process.stdout.read()


@pytest.mark.parametrize("transports", ["websocket", "polling,websocket"])
def test_socket_io_under_gunicorn(tmp_path: Path, transports: str) -> None:
    need("flask_socketio", "websocket", "requests", "gunicorn")
    with Gunicorn(tmp_path, OURS, "", app=SOCKET_IO) as served:
        url = f"http://127.0.0.1:{served.address[1]}"
        run(tmp_path, SOCKET_IO_CLIENT, url, transports)
        assert served.end() == 0
        assert "Traceback" not in served.said
        assert "has left" in served.said
