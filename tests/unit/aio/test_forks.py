"""A process with asyncio loops forks: the child lets go of them, and may run its own."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

import pytest

from tests.isolated_runner import run_isolated

START = """
import asyncio, os, signal, sys
import eventlet
import eventlet.asyncio
from eventlet.green.os import waitpid
from eventlet.green.selectors import DefaultSelector, EVENT_READ

def reap(pid):
    return os.waitstatus_to_exitcode(waitpid(pid, 0)[1])

async def double(number):
    await asyncio.sleep(0.005)
    return 2 * number
"""
FLAGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")


def run(code: str, **options: Any) -> str:
    return run_isolated(START + textwrap.dedent(code), flags=FLAGS, **options).stdout


@pytest.mark.parametrize("where", ["main", "green"])
@pytest.mark.parametrize("mode", ["plain", "patched"])
def test_trap15_both_go_on_while_everything_is_alive(mode: str, where: str) -> None:
    done = run_isolated("fork_with_everything.py", mode, where, flags=FLAGS)
    assert (done.stdout, done.stderr) == ("passed\n", "")


LOOPS = ["asyncio", "uvloop"]


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("who", ["green thread", "coroutine"])
def test_the_child_of_an_attached_hub_runs_by_itself(name: str, who: str) -> None:
    factory = "uvloop.new_event_loop" if name == "uvloop" else "asyncio.new_event_loop"
    if name == "uvloop":
        pytest.importorskip("uvloop")
    printed = run(
        f"""
        {"import uvloop" if name == "uvloop" else ""}
        parent = os.getpid()

        def forker():
            pid = os.fork()
            if not pid:
                inherited = len(ticks)
                eventlet.sleep(0.01)
                assert eventlet.asyncio.run(double(2)) == 4
                assert eventlet.asyncio.wait_for_awaitable(double(3)) == 6
                assert len(ticks) == inherited
                os._exit(5)
            return pid

        ticks = []

        async def tick():
            while True:
                await asyncio.sleep(0.005)
                ticks.append(os.getpid())

        async def main():
            global before
            eventlet.asyncio.attach()
            ticker = asyncio.create_task(tick())
            await asyncio.sleep(0.02)
            before = len(ticks)
            if {who!r} == "coroutine":
                pid = forker()
            else:
                pid = await eventlet.asyncio.to_green(forker)
            assert await eventlet.asyncio.to_green(reap, pid) == 5
            while len(ticks) == before:  # it goes on
                await asyncio.sleep(0.005)
            assert set(ticks) == {{parent}}
            ticker.cancel()

        with asyncio.Runner(loop_factory={factory}) as runner:
            runner.run(main())
        print("passed")
        """
    )
    assert printed == "passed\n"


def test_signals_of_the_child_are_its_own() -> None:
    # The parent's loops have handlers; in the child they would go to loops that never run.
    printed = run(
        """
        heard = []

        async def main():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, heard.append, 1)
            await asyncio.sleep(60)

        before = signal.getsignal(signal.SIGTERM)
        thread = eventlet.spawn(eventlet.asyncio.run, main())
        while signal.getsignal(signal.SIGTERM) is before:
            eventlet.sleep(0.001)
        near, far = os.pipe()
        pid = os.fork()
        if not pid:
            assert signal.getsignal(signal.SIGTERM) is before
            os.write(far, b"x")
            eventlet.sleep(60)
        assert os.read(near, 1)  # CPython drops what arrives in the middle of fork()
        os.kill(pid, signal.SIGTERM)
        assert reap(pid) == -signal.SIGTERM
        assert not heard
        os.kill(os.getpid(), signal.SIGTERM)
        while not heard:
            eventlet.sleep(0.001)
        assert heard == [1]
        thread.kill()
        print("passed")
        """
    )
    assert printed == "passed\n"


def test_ctrl_c_in_the_child_of_an_attached_hub_reaches_the_forking_thread() -> None:
    printed = run(
        """
        def forker():
            pid = os.fork()
            if not pid:
                eventlet.hubs.get_hub().call_later(0.02, os.kill, os.getpid(), signal.SIGINT)
                try:
                    eventlet.sleep(60)
                except KeyboardInterrupt:
                    os._exit(6)
            return reap(pid)

        async def main():
            eventlet.asyncio.attach()
            assert await eventlet.asyncio.to_green(forker) == 6

        asyncio.run(main())
        print("passed")
        """
    )
    assert printed == "passed\n"


SYS_EXIT = pytest.param(
    "sys.exit(0)",
    marks=pytest.mark.skipif(
        sys.version_info >= (3, 14),
        reason="asyncio of Python 3.14 lets no coroutine end in a child that it forked",
    ),
)


@pytest.mark.parametrize("end", ["os._exit(0)", SYS_EXIT])
def test_trap15_a_coroutine_that_forks_takes_no_events_from_its_parent(end: str) -> None:
    # sys.exit() closes the loop in the child, which forgets its descriptors in the kernel.
    printed = run(
        f"""
        async def answer(reader, writer):
            async for line in reader:
                writer.write(line.upper())
            writer.close()

        async def main():
            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"before\\n")
            assert await reader.readline() == b"BEFORE\\n"
            pid = os.fork()
            if not pid:
                {end}
            assert reap(pid) == 0
            writer.write(b"after\\n")
            assert await asyncio.wait_for(reader.readline(), 30) == b"AFTER\\n"
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()

        eventlet.asyncio.run(main())
        print("passed")
        """
    )
    assert printed == "passed\n"


def test_a_selector_is_registered_anew_in_the_child() -> None:
    printed = run(
        """
        near, far = os.pipe()
        gone, _ = os.pipe()
        with DefaultSelector() as selector:
            selector.register(near, EVENT_READ, "data")
            selector.register(gone, EVENT_READ)
            os.close(gone)
            number = selector.fileno()
            pid = os.fork()
            if not pid:
                assert selector.select(0) == []
                os.write(far, b"x")
                ((key, events),) = selector.select(30)
                assert (key.fd, key.data, events) == (near, "data", EVENT_READ)
                selector.unregister(near)
                os._exit(0)
            assert reap(pid) == 0
            assert selector.fileno() == number
            ((key, _),) = selector.select(30)  # the child's unregister() was not ours
            assert key.fd == near
        print("passed")
        """
    )
    assert printed == "passed\n"
