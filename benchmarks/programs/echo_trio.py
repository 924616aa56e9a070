"""Echo server on trio streams; trio sets TCP_NODELAY on them itself."""

import trio

from benchmarks.programs.driver import announce_port, arguments


async def serve(receive_bytes: int) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        while True:
            data = await stream.receive_some(receive_bytes)
            if not data:
                break
            await stream.send_all(data)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
    announce_port(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(handle, listeners)


def main() -> None:
    trio.run(serve, arguments()[1]["receive_bytes"])


if __name__ == "__main__":
    main()
