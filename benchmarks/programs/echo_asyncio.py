"""Echo server on asyncio or uvloop, by streams or by a Protocol.

Both loops set TCP_NODELAY on every stream connection themselves.
"""

import asyncio
from typing import cast

from benchmarks.programs.driver import announce_port, arguments
from benchmarks.programs.loops import runner


class Echo(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def serve_protocol() -> asyncio.Server:
    loop = asyncio.get_running_loop()
    return await loop.create_server(Echo, "127.0.0.1", 0, backlog=1024)


async def serve_streams(receive_bytes: int) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            data = await reader.read(receive_bytes)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)


async def serve(uses_protocol: bool, receive_bytes: int) -> None:
    server = await (serve_protocol() if uses_protocol else serve_streams(receive_bytes))
    announce_port(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def main() -> None:
    parameters = arguments()[1]
    with runner(bool(parameters.get("uvloop"))) as loop_runner:
        loop_runner.run(serve(bool(parameters.get("protocol")), parameters["receive_bytes"]))


if __name__ == "__main__":
    main()
