"""What asyncio offers, in loops that run in green threads; a line for each that worked.

Argument: "patched" runs `asyncio.run`, "ours" `eventlet.asyncio.run`, "standard" the standard
loop over a green selector in an unpatched program.
"""

import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import eventlet

if sys.argv[1] == "patched":
    eventlet.monkey_patch()

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import socket
import ssl
import tempfile
import threading

import trustme

import eventlet.asyncio
from eventlet.green import selectors as green_selectors

from tests.unit.aio.clients import Heartbeat

SIZE = 300_000
LOOPS = 3


def run_standard(main: Any) -> Any:
    def make_loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(green_selectors.DefaultSelector())

    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(main)


run: Callable[..., Any] = {
    "patched": asyncio.run,
    "ours": eventlet.asyncio.run,
    "standard": run_standard,
}[sys.argv[1]]

authority = trustme.CA()
server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
authority.issue_cert("localhost").configure_cert(server_tls)
client_tls = ssl.create_default_context()
authority.configure_trust(client_tls)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    payload = os.urandom(SIZE)
    writer.write(payload)
    assert await reader.readexactly(SIZE) == payload
    writer.close()
    await writer.wait_closed()


async def streams() -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        await converse(*await asyncio.open_connection(*server.sockets[0].getsockname()))


async def unix_streams() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "socket")
        async with await asyncio.start_unix_server(echo, path):
            await converse(*await asyncio.open_unix_connection(path))


async def tls() -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_tls) as server:
        port = server.sockets[0].getsockname()[1]
        await converse(*await asyncio.open_connection("localhost", port, ssl=client_tls))


async def start_tls() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"GO AHEAD\n")
        await writer.start_tls(server_tls)
        await echo(reader, writer)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"GO AHEAD\n"
        await writer.start_tls(client_tls, server_hostname="localhost")
        await converse(reader, writer)


async def datagrams() -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            arrived.set_result(data)

    receiver, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    address = receiver.get_extra_info("sockname")
    sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
    sender.sendto(b"datagram")
    assert await asyncio.wait_for(arrived, 30) == b"datagram"
    sender.close()
    receiver.close()


async def pipes() -> None:
    loop = asyncio.get_running_loop()
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    source, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
    )
    sink, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(write_end, "wb", 0))
    sink.write(b"x" * SIZE)
    assert len(await reader.readexactly(SIZE)) == SIZE
    sink.close()
    assert await reader.read() == b""
    source.close()


async def sockets() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener, socket.socket() as client:
        for each in (listener, client):
            each.setblocking(False)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        accepting = asyncio.create_task(loop.sock_accept(listener))
        await loop.sock_connect(client, listener.getsockname())
        peer, _ = await accepting
        with peer, tempfile.TemporaryFile() as file:
            file.write(b"y" * SIZE)
            sending = asyncio.create_task(loop.sock_sendfile(client, file))
            received = b""
            while len(received) < SIZE:
                received += await loop.sock_recv(peer, 65536)
            assert await sending == SIZE


async def subprocesses() -> None:
    process = await asyncio.create_subprocess_exec(
        "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(b"z" * SIZE)
    assert (len(out), process.returncode) == (SIZE, 0)
    process = await asyncio.create_subprocess_shell("exit 3")
    assert await process.wait() == 3
    process = await asyncio.create_subprocess_exec("sleep", "600")
    process.terminate()
    assert await process.wait() == -signal.SIGTERM


async def to_thread() -> None:
    seen = await asyncio.gather(*(asyncio.to_thread(threading.get_ident) for _ in range(3)))
    assert threading.get_ident() not in seen


async def executors() -> None:
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, pow, 2, 3) == 8
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert await loop.run_in_executor(pool, pow, 2, 4) == 16
        waiting = asyncio.wrap_future(pool.submit(threading.Event().wait, 0.01))
        assert await waiting is False


async def names() -> None:
    found = await asyncio.get_running_loop().getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    assert any(address[4][0] == "127.0.0.1" for address in found), found


async def asynchronous_generators() -> None:
    loop, ended_in = asyncio.get_running_loop(), []

    async def numbers() -> Any:
        try:
            yield 1
            yield 2
        finally:
            ended_in.append(asyncio.get_running_loop())

    generator = numbers()
    await anext(generator)
    await asyncio.sleep(0.001)
    del generator
    await asyncio.sleep(0.001)
    assert ended_in == [loop]


async def debug_mode() -> None:
    asyncio.get_running_loop().set_debug(True)
    await asyncio.sleep(0.001)
    coroutine: Any = asyncio.sleep(0)
    assert coroutine.cr_origin is not None
    await coroutine


async def groups_and_timeouts() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(600))
            await asyncio.sleep(600)
        raise AssertionError("there was time enough")


async def signals() -> None:
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, heard.set)
    loop.call_later(0.005, os.kill, os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(heard.wait(), 30)
    assert loop.remove_signal_handler(signal.SIGUSR1)


async def ctrl_c() -> None:
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, heard.set)
    loop.call_later(0.005, os.kill, os.getpid(), signal.SIGINT)
    await asyncio.wait_for(heard.wait(), 30)


AT_ONCE: tuple[Callable[[], Awaitable[None]], ...] = (
    *(streams, unix_streams, tls, start_tls, datagrams, pipes, sockets, subprocesses),
    *(to_thread, executors, names, asynchronous_generators, debug_mode, groups_and_timeouts),
)
ONE_BY_ONE: tuple[Callable[[], Awaitable[None]], ...] = (signals, ctrl_c)


async def whole(feature: Callable[[], Awaitable[None]]) -> None:
    """Use a feature and let the tasks that it started end."""
    await feature()
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


def handlers() -> list[Any]:
    """Who hears; of SIGINT the kind, as each hub has one of its own."""
    return [signal.getsignal(signal.SIGUSR1), type(signal.getsignal(signal.SIGINT))]


with Heartbeat() as heart:
    for feature in AT_ONCE:
        before = heart.beats
        threads = [eventlet.spawn(run, whole(feature)) for _ in range(LOOPS)]
        try:
            for thread in threads:
                thread.wait()
            run(whole(feature))
        except Exception:
            traceback.print_exc()
        else:
            print(feature.__name__, flush=True)
    for feature in ONE_BY_ONE:
        at_first = handlers()
        try:
            eventlet.spawn(run, whole(feature)).wait()
            run(whole(feature))
            eventlet.spawn(run, whole(feature)).wait()
            eventlet.sleep(0)  # what belongs to main is put right when it next parks
            assert handlers() == at_first
            assert signal.set_wakeup_fd(-1) == -1
        except Exception:
            traceback.print_exc()
        else:
            print(feature.__name__, flush=True)
    if heart.beats > 5:
        print("heartbeat")
