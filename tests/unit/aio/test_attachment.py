"""The hub inside somebody else's loop: asyncio's and uvloop's."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet.asyncio import attach, loop_of, new_event_loop, run, to_green, wait_for_awaitable
from eventlet.event import Event
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn, spawn_after
from eventlet.hubs import get_hub as public_get_hub
from eventlet.hubs import trampoline, use_hub
from eventlet.queue import Queue

MakeLoop = Callable[[], asyncio.AbstractEventLoop]


def make_uvloop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


@pytest.fixture(scope="module", autouse=True)
def first_uvloop() -> None:
    """Make one first: libuv opens a pipe then, for as long as the process lives."""
    try:
        import uvloop
    except ImportError:
        return  # the tests with it say that they are skipped
    uvloop.new_event_loop().close()


@pytest.fixture(params=[asyncio.new_event_loop, make_uvloop], ids=["asyncio", "uvloop"])
def run_outer(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Run a coroutine in a plain loop to which the hub is attached."""

    def run_attached(main: Coroutine[Any, Any, Any]) -> Any:
        async def attached() -> Any:
            attach()
            return await main

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(attached())

    yield run_attached
    sleep(0)  # the loop is closed: the hub runs by itself again


async def until(is_true: Callable[[], bool]) -> None:
    """Let the loop run until something is true."""
    async with asyncio.timeout(30):
        for _ in iter(is_true, True):
            await asyncio.sleep(0.005)


def sleep_and_give(value: Any, seconds: float = 0.001) -> Any:
    sleep(seconds)
    return value


def test_green_threads_run_while_the_loop_waits(run_outer: Callable[..., Any]) -> None:
    ticks: list[int] = []

    def tick() -> None:
        for n in range(5):
            sleep(0.002)
            ticks.append(n)

    async def main() -> None:
        spawn(tick)
        await until(lambda: len(ticks) == 5)

    run_outer(main())

    assert ticks == [0, 1, 2, 3, 4]


def test_green_sockets_work(run_outer: Callable[..., Any]) -> None:
    def converse() -> bytes:
        listener = GreenSocket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(peer.recv(100).upper())

        spawn(serve)
        with GreenSocket() as client:
            client.connect(listener.getsockname())
            client.sendall(b"hello")
            answer: bytes = client.recv(100)
        listener.close()
        return answer

    async def main() -> list[bytes]:
        return await asyncio.gather(*(to_green(converse) for _ in range(10)))

    assert run_outer(main()) == [b"HELLO"] * 10


def test_trap5_a_shorter_timer_moves_the_appointment(run_outer: Callable[..., Any]) -> None:
    async def main() -> list[str]:
        log: list[str] = []
        late = spawn_after(60, log.append, "late")
        await asyncio.sleep(0.005)
        spawn_after(0.002, log.append, "early")
        await until(lambda: bool(log))
        late.kill()
        return log

    assert run_outer(main()) == ["early"]


def test_other_os_threads_wake_green_threads(run_outer: Callable[..., Any]) -> None:
    async def main() -> Any:
        event = Event()
        threading.Timer(0.01, event.send, ["from outside"]).start()
        return await asyncio.wait_for(to_green(event.wait), 30)

    assert run_outer(main()) == "from outside"


def test_trap5_signal_handlers_wake_green_threads(run_outer: Callable[..., Any]) -> None:
    async def main() -> Any:
        event = Event()
        before = signal.signal(signal.SIGUSR1, lambda *_: event.send("signal"))
        threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        try:
            return await asyncio.wait_for(to_green(event.wait), 30)
        finally:
            signal.signal(signal.SIGUSR1, before)

    assert run_outer(main()) == "signal"


def test_busy_green_threads_do_not_starve_the_loop(run_outer: Callable[..., Any]) -> None:
    async def main() -> int:
        is_over: list[bool] = []

        def spin() -> None:
            while not is_over:
                sleep(0)

        busy = [spawn(spin) for _ in range(5)]
        for _ in range(20):
            await asyncio.sleep(0.0005)
        is_over.append(True)
        for thread in busy:
            await thread
        return len(busy)

    assert run_outer(main()) == 5


def test_trap5_parking_the_loops_greenlet_names_the_way_out(run_outer: Callable[..., Any]) -> None:
    async def main() -> list[str]:
        messages = []
        for park in (lambda: sleep(0.01), lambda: Queue().get(), lambda: spawn(sleep).wait()):
            try:
                park()
            except RuntimeError as exc:
                messages.append(str(exc))
        return messages

    messages = run_outer(main())

    assert len(messages) == 3
    assert all("to_green" in message for message in messages)


def test_trap16_green_threads_see_no_running_loop(run_outer: Callable[..., Any]) -> None:
    async def main() -> Any:
        return await to_green(asyncio._get_running_loop)

    assert run_outer(main()) is None


def test_green_threads_may_run_loops_of_their_own(run_outer: Callable[..., Any]) -> None:
    async def inner(n: int) -> int:
        await asyncio.sleep(0.002)
        return n

    async def main() -> list[int]:
        return await asyncio.gather(*(to_green(run, inner(n)) for n in range(5)))

    assert run_outer(main()) == [0, 1, 2, 3, 4]


def test_awaitables_of_green_threads_run_in_the_outer_loop(run_outer: Callable[..., Any]) -> None:
    async def which() -> Any:
        await asyncio.sleep(0.001)
        return asyncio.get_running_loop()

    async def main() -> bool:
        thread = spawn(wait_for_awaitable, which())  # knows nothing of to_green
        return await thread is asyncio.get_running_loop() is loop_of()

    assert run_outer(main())


def test_exceptions_of_unwatched_green_threads_are_reported(
    run_outer: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> str:
        spawn(int, "no number")
        await asyncio.sleep(0.02)
        return "the loop goes on"

    assert run_outer(main()) == "the loop goes on"
    assert "no number" in capsys.readouterr().err


def test_foreign_descriptors_can_be_waited_for(run_outer: Callable[..., Any], pipe: Any) -> None:
    async def main() -> bytes:
        work = asyncio.ensure_future(to_green(trampoline, pipe.reader, read=True))
        await asyncio.sleep(0.002)
        pipe.write(b"data")
        await work
        data: bytes = pipe.read()
        return data

    assert run_outer(main()) == b"data"


def test_the_hub_runs_by_itself_when_the_loop_is_over(run_outer: Callable[..., Any]) -> None:
    async def main() -> Any:
        return spawn(sleep_and_give, "after the loop", 0.005)

    thread = run_outer(main())

    assert thread.wait() == "after the loop"


def test_the_hub_runs_by_itself_while_the_loop_is_not_running() -> None:
    loop = asyncio.new_event_loop()
    attachment = attach(loop)
    assert attachment is not None
    try:
        sleep(0.001)
        loop.run_until_complete(to_green(sleep, 0.001))
        sleep(0.001)
        assert loop.run_until_complete(to_green(lambda: 4)) == 4
    finally:
        attachment.detach()
        loop.close()


def test_attach_again_gives_the_same_and_detach_lets_go() -> None:
    async def main() -> bool:
        first = attach()
        assert first is not None
        is_same = attach() is first
        first.detach()
        first.detach()
        sleep(0)
        second = attach()
        assert second is not None
        second.detach()
        return is_same and second is not first

    assert asyncio.run(main())


def test_attach_needs_a_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        attach()


def test_a_loop_that_parks_by_itself_needs_no_attachment() -> None:
    async def main() -> Any:
        return attach()

    assert run(main()) is None
    loop = new_event_loop()
    assert attach(loop) is None
    loop.close()


def test_a_second_running_loop_is_refused() -> None:
    async def main() -> str:
        other = asyncio.new_event_loop()
        attachment = attach()
        assert attachment is not None
        try:
            attach(other)
        except RuntimeError as exc:
            return str(exc)
        finally:
            attachment.detach()
            other.close()
        return ""

    assert "drives the hub" in asyncio.run(main())


def test_many_os_threads_leave_nothing() -> None:
    results: list[Any] = []

    async def main() -> None:
        attach()
        results.append(await to_green(sleep_and_give, threading.get_ident()))

    for _ in range(3):
        os_thread = threading.Thread(target=asyncio.run, args=(main(),))
        os_thread.start()
        os_thread.join()

    assert len(results) == 3


# -- the hub named asyncio --------------------------------------------------------------------


@pytest.fixture
def own_hub_afterwards() -> Iterator[None]:
    yield
    use_hub()


@pytest.mark.usefixtures("own_hub_afterwards")
def test_trap17_use_hub_in_a_running_loop_attaches() -> None:
    async def main() -> bool:
        use_hub("asyncio")
        await spawn(sleep, 0.001)
        hub: Any = public_get_hub()
        return hub.loop is asyncio.get_running_loop()

    assert asyncio.run(main())
    sleep(0.001)


@pytest.mark.usefixtures("own_hub_afterwards")
def test_trap17_use_hub_without_a_loop_hosts_one() -> None:
    use_hub("asyncio")
    hub: Any = public_get_hub()

    async def which() -> Any:
        return asyncio.get_running_loop()

    sleep(0.001)
    assert wait_for_awaitable(which()) is hub.loop
    assert hub is get_hub()


def test_the_environment_names_it(run_isolated: Any) -> None:
    run_isolated(
        """
        import asyncio
        import eventlet
        from eventlet.hubs import get_hub
        from eventlet.asyncio import spawn_for_awaitable

        assert type(get_hub()).__module__ == "eventlet.hubs.asyncio"
        assert spawn_for_awaitable(asyncio.sleep(0.01, "slept")).wait() == "slept"
        """,
        env={"EVENTLET_HUB": "asyncio"},
    )
