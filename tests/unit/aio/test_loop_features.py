"""What asyncio offers works in loops that run in green threads, patched and unpatched."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.isolated_runner import run_isolated

pytestmark = pytest.mark.slow

FEATURES = (
    *("streams", "unix_streams", "tls", "start_tls", "datagrams", "pipes", "sockets"),
    *("subprocesses", "to_thread", "executors", "names", "asynchronous_generators"),
    *("debug_mode", "groups_and_timeouts", "signals", "ctrl_c", "heartbeat"),
)


@pytest.fixture(scope="module")
def output_of() -> Callable[[str], Any]:
    """Run all the features in one interpreter for each kind of loop."""

    @cache
    def run(kind: str) -> Any:
        return run_isolated("asyncio_features.py", kind, timeout=100)

    return run


@pytest.mark.parametrize("kind", ["patched", "ours", "standard"])
@pytest.mark.parametrize("feature", FEATURES)
def test_feature(feature: str, kind: str, output_of: Callable[[str], Any]) -> None:
    finished = output_of(kind)

    assert feature in finished.stdout.splitlines(), finished.stderr


@pytest.mark.parametrize("kind", ["patched", "ours", "standard"])
def test_nothing_is_complained_about(kind: str, output_of: Callable[[str], Any]) -> None:
    assert output_of(kind).stderr == ""


# -- signals of standard loops in patched programs ----------------------------------------------

TWO_LOOPS = """
    import eventlet
    eventlet.monkey_patch()
    import asyncio, os, signal, sys

    async def hear(sig, heard, end):
        asyncio.get_running_loop().add_signal_handler(sig, heard.append, 1)
        installed.append(sig)
        while not end:
            await asyncio.sleep(0.001)

    def send(sig, heard):
        os.kill(os.getpid(), sig)
        with eventlet.Timeout(30):
            while not heard:
                eventlet.sleep(0.001)
        heard.clear()

    loops, installed = [], []
    for sig in (signal.SIGUSR1, signal.SIGUSR2):
        heard, end = [], []
        thread = eventlet.spawn(asyncio.run, hear(sig, heard, end))
        while sig not in installed:
            eventlet.sleep(0.001)
        send(sig, heard)
        loops.append((sig, heard, end, thread))

    ending = loops if sys.argv[1] == "first ends first" else loops[::-1]
    (_, _, end, thread), (sig, heard, last_end, last_thread) = ending
    end.append(1)
    thread.wait()
    send(sig, heard)
    last_end.append(1)
    last_thread.wait()
    assert signal.getsignal(signal.SIGUSR1) is signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    assert signal.set_wakeup_fd(-1) == -1
    print("well")
"""


@pytest.mark.parametrize("order", ["first ends first", "first ends last"])
def test_trap16_one_standard_loop_has_the_wakeup_fd_whatever_the_ending_order(order: str) -> None:
    assert run_isolated(TWO_LOOPS, order).stdout == "well\n"


CTRL_C = """
    import eventlet
    eventlet.monkey_patch()
    import asyncio, os, signal, time

    async def handle(sig):
        heard = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(sig, heard.set)
        os.kill(os.getpid(), sig)
        await heard.wait()

    def spin():
        while True:
            time.sleep(0.001)
            give_up = time.monotonic() + 0.02
            while time.monotonic() < give_up:
                pass

    async def forever():
        try:
            eventlet.spawn_after(0.01, os.kill, os.getpid(), signal.SIGINT)
            await asyncio.sleep(600)
        finally:
            print("cleaned up", flush=True)

    asyncio.run(handle(signal.SIGINT))
    eventlet.spawn(asyncio.run, handle(signal.SIGINT)).wait()
    spinner = eventlet.spawn(spin)
    for _ in range(3):
        try:
            asyncio.run(forever())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    assert not spinner.dead
    print("well")
"""


def test_trap16_ctrl_c_reaches_the_main_green_thread_after_loops_that_handled_it() -> None:
    finished = run_isolated(CTRL_C)

    assert finished.stdout == "cleaned up\ninterrupted\n" * 3 + "well\n"
    assert finished.stderr == ""


# -- calls that block in C ----------------------------------------------------------------------

BLOCKING = """
    import eventlet
    eventlet.monkey_patch()
    import asyncio, ctypes, os, threading
    from eventlet import tpool
    from eventlet.asyncio import to_green
    from tests.unit.aio.clients import Heartbeat

    read = ctypes.CDLL(None).read  # blocks the OS thread that calls it
    near, far = os.pipe()

    def write_after_some_beats():
        while heart.beats <= 10:
            eventlet.sleep(0.001)
        os.write(far, b"x")

    async def by_tpool():
        eventlet.spawn(write_after_some_beats)
        assert await to_green(tpool.execute, read, near, ctypes.create_string_buffer(1), 1) == 1

    async def by_to_thread():
        def here():
            return threading.current_thread(), eventlet.getcurrent()
        thread, current = await asyncio.to_thread(here)
        assert isinstance(current, eventlet.greenthread.GreenThread), current

    with Heartbeat() as heart:
        asyncio.run(by_tpool())
        assert heart.beats > 10, heart.beats
    asyncio.run(by_to_thread())
    print("well")
"""


def test_patched_to_thread_is_green_and_tpool_is_for_calls_that_block_in_c() -> None:
    assert run_isolated(BLOCKING).stdout == "well\n"
