"""Unmodified asyncio in green threads: streams, TLS, subprocesses, threads, signals."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import ssl
import sys
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from eventlet.asyncio import new_event_loop, run, wait_for_awaitable
from eventlet.greenthread import sleep, spawn
from eventlet.hubs import trampoline

RUNNERS = pytest.mark.parametrize("run_main", [run, wait_for_awaitable])


async def serve_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def echo(server_tls: Any = None, client_tls: Any = None) -> bytes:
    """Send a megabyte through an echo server, both ends in this loop; return what came."""
    server = await asyncio.start_server(serve_echo, "127.0.0.1", 0, ssl=server_tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_tls, server_hostname="localhost" if client_tls else None
        )
        writer.write(PAYLOAD)
        received = await reader.readexactly(len(PAYLOAD))
        writer.close()
        await writer.wait_closed()
    return received


PAYLOAD = os.urandom(1 << 20)


@RUNNERS
def test_streams(run_main: Any) -> None:
    assert run_main(echo()) == PAYLOAD


@RUNNERS
def test_tls(run_main: Any) -> None:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)

    assert run_main(echo(server_tls, client_tls)) == PAYLOAD


@RUNNERS
def test_subprocesses(run_main: Any) -> None:
    async def main() -> tuple[bytes, int | None]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys; print(sys.stdin.read().upper()); sys.exit(3)",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate(b"hello")
        return out, process.returncode

    assert run_main(main()) == (b"HELLO\n", 3)


@RUNNERS
def test_calls_in_os_threads(run_main: Any) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(pow, n, 2) for n in range(5)))

    assert run_main(main()) == [0, 1, 4, 9, 16]


@RUNNERS
def test_names_are_looked_up(run_main: Any) -> None:
    async def main() -> Any:
        return await asyncio.get_running_loop().getaddrinfo("localhost", 80)

    assert run_main(main())


def test_many_loops_beside_ordinary_green_threads() -> None:
    ticks = []

    def tick() -> None:
        for n in range(10):
            sleep(0.001)
            ticks.append(n)

    ticker = spawn(tick)
    loops = [spawn(run, echo()) for _ in range(4)]

    assert [thread.wait() == PAYLOAD for thread in loops] == [True] * 4
    ticker.wait()
    assert ticks == list(range(10))


def test_a_killed_host_cancels_its_tasks_and_closes_its_loop() -> None:
    log: list[Any] = []

    async def main() -> None:
        log.append(asyncio.get_running_loop())
        try:
            await asyncio.sleep(60)
        finally:
            log.append("ended")

    thread = spawn(run, main())
    while not log:
        sleep(0.001)
    thread.kill()

    assert log[1:] == ["ended"]
    assert log[0].is_closed()


def test_green_threads_may_call_soon_and_later() -> None:
    loop = new_event_loop()
    called: list[str] = []

    def from_outside() -> None:
        sleep(0.002)
        loop.call_later(0.005, loop.stop)
        loop.call_soon(called.append, "soon")

    spawn(from_outside)
    try:
        loop.call_later(30, loop.stop)
        loop.run_forever()
    finally:
        loop.close()

    assert called == ["soon"]


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="this platform has no epoll")
def test_trap16_nesting_too_deep_says_so() -> None:
    with ExitStack() as stack:
        innermost = stack.enter_context(select.epoll())
        for _ in range(4):
            outer = stack.enter_context(select.epoll())
            outer.register(innermost.fileno())
            innermost = outer
        with pytest.raises(OSError, match="five deep"):
            trampoline(innermost.fileno(), read=True, timeout=0.01)


# -- signals ---------------------------------------------------------------------------------


async def hear(sig: signal.Signals, times: int = 1) -> list[str]:
    """Wait for a signal in the running loop; a green thread sends it."""
    loop, heard, done = asyncio.get_running_loop(), [], asyncio.Event()

    def note(word: str) -> None:
        heard.append(word)
        if len(heard) == times:
            done.set()

    loop.add_signal_handler(sig, note, "heard")
    for _ in range(times):
        await asyncio.sleep(0.002)
        os.kill(os.getpid(), sig)
    await asyncio.wait_for(done.wait(), 30)
    assert loop.remove_signal_handler(sig)
    assert not loop.remove_signal_handler(sig)
    return heard


@RUNNERS
def test_signals_reach_the_loop(run_main: Any) -> None:
    before = signal.getsignal(signal.SIGUSR1)

    assert run_main(hear(signal.SIGUSR1, times=3)) == ["heard"] * 3
    assert signal.getsignal(signal.SIGUSR1) is before


def test_two_loops_hear_their_own_signals() -> None:
    first, second = spawn(run, hear(signal.SIGUSR1)), spawn(run, hear(signal.SIGUSR2))

    assert (first.wait(), second.wait()) == (["heard"], ["heard"])


@pytest.mark.parametrize("order", ["first ends first", "first ends last"])
def test_trap16_handlers_are_restored_whatever_the_ending_order(order: str) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    first, second = new_event_loop(), new_event_loop()
    first.add_signal_handler(signal.SIGUSR1, lambda: None)
    second.add_signal_handler(signal.SIGUSR1, lambda: None)

    ending = [first, second] if order == "first ends first" else [second, first]
    ending[0].close()
    assert signal.getsignal(signal.SIGUSR1) is not before
    ending[1].close()

    assert signal.getsignal(signal.SIGUSR1) is before


def test_signal_handlers_are_checked() -> None:
    async def never() -> None: ...

    loop = new_event_loop()
    try:
        with pytest.raises(TypeError):
            loop.add_signal_handler(signal.SIGUSR1, never)
        with pytest.raises(ValueError):
            loop.add_signal_handler(12345, print)
        with pytest.raises(RuntimeError):
            loop.add_signal_handler(signal.SIGKILL, print)
    finally:
        loop.close()
    with pytest.raises(RuntimeError):
        loop.add_signal_handler(signal.SIGUSR1, print)


def test_ctrl_c_ends_a_program_that_runs_a_loop(run_isolated: Any) -> None:
    finished = run_isolated(
        """
        import asyncio, os, signal
        import eventlet
        from eventlet.asyncio import run

        async def main():
            try:
                eventlet.spawn_after(0.05, os.kill, os.getpid(), signal.SIGINT)
                await asyncio.sleep(60)
            finally:
                print("cleaned up", flush=True)

        run(main())
        """,
        expect_status=-signal.SIGINT,
    )

    assert finished.stdout == "cleaned up\n"
    assert "KeyboardInterrupt" in finished.stderr


# -- patched -----------------------------------------------------------------------------------

PATCHED = """
    import eventlet
    eventlet.monkey_patch()
    import asyncio, os, signal, ssl, sys, threading, time
    import trustme

    async def serve_echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main(n):
        authority = trustme.CA()
        server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(server_tls)
        client_tls = ssl.create_default_context()
        authority.configure_trust(client_tls)
        server = await asyncio.start_server(serve_echo, "127.0.0.1", 0, ssl=server_tls)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("localhost", port, ssl=client_tls)
            writer.write(b"x" * 300000)
            assert len(await reader.readexactly(300000)) == 300000
            writer.close()
            await writer.wait_closed()
        assert await asyncio.to_thread(pow, n, 2) == n * n
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(1 + 1)", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert (out, process.returncode) == (b"2\\n", 0)
        time.sleep(0.001)  # green: only this loop waits
        return n

    ticks = []
    def tick():
        while True:
            time.sleep(0.001)
            ticks.append(1)

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    threads = [eventlet.spawn(asyncio.run, main(n)) for n in range(3)]
    assert [thread.wait() for thread in threads] == [0, 1, 2]
    assert asyncio.run(main(4)) == 4
    assert len(ticks) > 5, len(ticks)

    from eventlet.asyncio import wait_for_awaitable, run
    assert wait_for_awaitable(main(5)) == 5
    assert run(main(6)) == 6

    async def use_green_thread():
        return await eventlet.asyncio.to_green(lambda: (time.sleep(0.001), 7)[1])
    assert asyncio.run(use_green_thread()) == 7
    print("well")
"""


def test_patched_programs_run_loops_anywhere(run_isolated: Any) -> None:
    finished = run_isolated(PATCHED, timeout=100)

    assert (finished.stdout, finished.stderr) == ("well\n", "")
