"""Green threads use coroutines, coroutines use green threads: `eventlet.asyncio`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet._core.current import get_hub
from eventlet.asyncio import (
    attach,
    loop_of,
    run,
    spawn_for_awaitable,
    to_green,
    wait_for_awaitable,
)
from eventlet.event import Event
from eventlet.greenthread import kill, sleep, spawn
from eventlet.timeout import Timeout

LONG = 30.0  # seconds that nothing takes unless it hangs

place: ContextVar[str] = ContextVar("place", default="nowhere")


class Sleeper:
    """A coroutine that sleeps until it is cancelled, and notes that."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.when_started: Callable[[], object] = lambda: None

    async def __call__(self) -> None:
        self.log.append("started")
        self.when_started()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise


def until(is_true: Callable[[], bool]) -> None:
    with Timeout(LONG):
        while not is_true():
            sleep(0.001)


async def until_true(is_true: Callable[[], bool]) -> None:
    """Let the loop run until something is true."""
    async with asyncio.timeout(LONG):
        for _ in iter(is_true, True):
            await asyncio.sleep(0.005)


@contextmanager
def clock_ahead() -> Iterator[Callable[[], None]]:
    """Hand out what lets the hub's clock go forward by an hour."""
    hub = get_hub()
    before = hub.clock

    def go_ahead() -> None:
        hub.clock = lambda: before() + 3600

    try:
        yield go_ahead
    finally:
        hub.clock = before


async def give(value: Any, seconds: float = 0.0) -> Any:
    await asyncio.sleep(seconds)
    return value


async def fail(exc: BaseException) -> None:
    await asyncio.sleep(0)
    raise exc


def sleep_and_give(value: Any, seconds: float = 0.001) -> Any:
    sleep(seconds)
    return value


def run_attached(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in the standard loop, with the hub attached to it."""

    async def attached() -> Any:
        attachment = attach()
        assert attachment is not None
        try:
            return await main
        finally:
            attachment.detach()

    return asyncio.run(attached())


RUNNERS = pytest.mark.parametrize("run_main", [run, run_attached, wait_for_awaitable])


# -- green threads use coroutines ------------------------------------------------------------


def test_a_coroutine_gives_its_result() -> None:
    assert wait_for_awaitable(give(7, 0.001)) == 7


def test_a_coroutine_raises_its_exception() -> None:
    error = KeyError("lost")

    with pytest.raises(KeyError) as caught:
        wait_for_awaitable(fail(error))

    assert caught.value is error


def test_other_green_threads_run_meanwhile() -> None:
    log: list[str] = []

    def work() -> None:
        sleep(0.001)
        log.append("green")

    spawn(work)
    wait_for_awaitable(until_true(lambda: bool(log)))

    assert log == ["green"]


def test_many_green_threads_wait_at_once() -> None:
    threads = [spawn(wait_for_awaitable, give(n, 0.002)) for n in range(50)]

    assert [thread.wait() for thread in threads] == list(range(50))


def test_all_of_one_os_thread_share_one_loop() -> None:
    async def which() -> Any:
        return asyncio.get_running_loop()

    first, second = wait_for_awaitable(which()), spawn_for_awaitable(which()).wait()

    assert first is second is loop_of()


def test_timeout_cancels_the_coroutine() -> None:
    sleeper = Sleeper()

    with clock_ahead() as sleeper.when_started, pytest.raises(TimeoutError):
        wait_for_awaitable(sleeper(), timeout=1000)
    until(lambda: len(sleeper.log) == 2)

    assert sleeper.log == ["started", "cancelled"]


def test_eventlets_timeout_cancels_the_coroutine() -> None:
    sleeper = Sleeper()

    with clock_ahead() as sleeper.when_started, pytest.raises(Timeout), Timeout(1000):
        wait_for_awaitable(sleeper())
    until(lambda: len(sleeper.log) == 2)

    assert sleeper.log == ["started", "cancelled"]


def test_killing_the_green_thread_cancels_the_coroutine() -> None:
    sleeper = Sleeper()
    thread = spawn_for_awaitable(sleeper())
    until(lambda: bool(sleeper.log))

    thread.kill()
    until(lambda: len(sleeper.log) == 2)

    assert sleeper.log == ["started", "cancelled"]
    with pytest.raises(GreenletExit):
        thread.wait()


def test_killing_the_green_thread_before_it_starts_cancels_the_coroutine() -> None:
    sleeper = Sleeper()
    thread = spawn_for_awaitable(sleeper())

    thread.kill()
    until(lambda: not asyncio.all_tasks(loop_of()))

    assert sleeper.log in ([], ["started", "cancelled"])
    assert thread.dead
    assert asyncio.all_tasks(loop_of()) == set()


def test_a_cancelled_task_gives_its_waiter_cancelled_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def cancel_me() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)

    with pytest.raises(asyncio.CancelledError):
        wait_for_awaitable(cancel_me())
    with pytest.raises(asyncio.CancelledError):
        spawn_for_awaitable(cancel_me()).wait()
    assert capsys.readouterr().err == ""


def test_context_goes_along() -> None:
    async def where() -> str:
        await asyncio.sleep(0)
        return place.get()

    token = place.set("here")
    try:
        assert wait_for_awaitable(where()) == "here"
        assert spawn_for_awaitable(where()).wait() == "here"
    finally:
        place.reset(token)
    assert wait_for_awaitable(where()) == "nowhere"


def test_futures_and_other_awaitables_can_be_waited_for() -> None:
    class Deferred:
        def __await__(self) -> Any:
            return give("deferred").__await__()

    future = loop_of().create_future()
    spawn(lambda: future.set_result("set by a green thread"))

    assert wait_for_awaitable(future) == "set by a green thread"
    assert wait_for_awaitable(future) == "set by a green thread"
    assert wait_for_awaitable(Deferred()) == "deferred"


def test_what_cannot_be_awaited_is_refused() -> None:
    with pytest.raises(TypeError, match="awaitable"):
        wait_for_awaitable(3)  # type: ignore[arg-type]  # on purpose


def test_waiting_in_a_coroutine_is_refused() -> None:
    async def main() -> None:
        wait_for_awaitable(give(1))

    async def on_a_future() -> None:
        wait_for_awaitable(asyncio.get_running_loop().create_future())

    with pytest.raises(RuntimeError, match="to_green"):
        run(main())
    with pytest.raises(RuntimeError, match="to_green"):
        run(on_a_future())


def test_each_os_thread_has_a_loop_of_its_own_and_closes_it() -> None:
    seen = []

    def work() -> None:
        seen.append((loop_of(), wait_for_awaitable(give("there", 0.001))))

    os_thread = threading.Thread(target=work)
    os_thread.start()
    os_thread.join()
    [(loop, result)] = seen

    assert result == "there"
    assert loop is not loop_of()
    assert loop.is_closed()


def test_a_coroutine_wakes_green_threads() -> None:
    event = Event()

    async def send() -> None:
        await asyncio.sleep(0.001)
        event.send("sent")

    thread = spawn_for_awaitable(send())

    assert event.wait() == "sent"
    thread.wait()


def test_the_process_ends_quietly_with_work_in_the_loop(run_isolated: Any) -> None:
    finished = run_isolated(
        """
        import asyncio
        import eventlet
        from eventlet.asyncio import spawn_for_awaitable, wait_for_awaitable

        async def forever():
            try:
                await asyncio.sleep(1000)
            finally:
                print("cleaned up")

        spawn_for_awaitable(forever())
        wait_for_awaitable(asyncio.sleep(0.01))
        """,
        flags=("-X", "dev", "-W", "error"),
    )

    assert (finished.stdout, finished.stderr) == ("cleaned up\n", "")


@pytest.mark.parametrize(
    "wait",
    [
        "wait_for_awaitable(leave())",
        "spawn(wait_for_awaitable, leave()).wait()",
        "spawn_for_awaitable(leave()).wait()",
    ],
)
def test_a_coroutine_that_exits_ends_the_process_without_a_complaint(
    run_isolated: Any, wait: str
) -> None:
    finished = run_isolated(
        f"""
        import asyncio, sys
        from eventlet.asyncio import spawn_for_awaitable, wait_for_awaitable
        from eventlet.greenthread import spawn

        async def leave():
            await asyncio.sleep(0)
            sys.exit(3)

        {wait}
        """,
        expect_status=3,
    )
    assert finished.stderr == ""


def test_a_forked_child_gets_a_loop_of_its_own(run_isolated: Any) -> None:
    finished = run_isolated(
        """
        import asyncio, os
        import eventlet
        from eventlet.asyncio import loop_of, wait_for_awaitable

        async def here():
            await asyncio.sleep(0.01)
            return asyncio.get_running_loop()

        before = wait_for_awaitable(here())
        pid = os.fork()
        if pid == 0:
            after = wait_for_awaitable(here())
            assert after is not before and after is loop_of()
            print("child is well", flush=True)
            os._exit(0)
        assert wait_for_awaitable(here()) is before
        assert os.waitpid(pid, 0)[1] == 0
        assert wait_for_awaitable(here()) is before
        print("parent is well")
        """,
        flags=("-W", "error", "-W", "ignore::DeprecationWarning"),
    )

    assert set(finished.stdout.splitlines()) == {"child is well", "parent is well"}


# -- coroutines use green threads ------------------------------------------------------------


@RUNNERS
def test_a_green_thread_can_be_awaited(run_main: Callable[..., Any]) -> None:
    async def main() -> Any:
        first, second = spawn(sleep_and_give, 1), spawn(sleep_and_give, 2)
        return [await first, await second, await second]

    assert run_main(main()) == [1, 2, 2]


@RUNNERS
def test_to_green_runs_functions_that_wait(run_main: Callable[..., Any]) -> None:
    async def main() -> Any:
        return await asyncio.gather(*(to_green(sleep_and_give, n, seconds=0.002) for n in range(9)))

    assert run_main(main()) == list(range(9))


@RUNNERS
def test_the_loop_runs_while_a_green_thread_waits(run_main: Callable[..., Any]) -> None:
    async def main() -> bool:
        event = Event()
        work = asyncio.ensure_future(to_green(event.wait))
        for _ in range(5):
            await asyncio.sleep(0.001)
        is_waiting = not work.done()
        event.send("sent")
        return is_waiting and await work == "sent"

    assert run_main(main())


@RUNNERS
def test_exceptions_of_green_code_reach_the_coroutine(
    run_main: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_here() -> None:
        sleep(0)
        raise LookupError("green")

    async def main() -> None:
        await to_green(fail_here)

    with pytest.raises(LookupError, match="green"):
        run_main(main())
    assert capsys.readouterr().err == ""


@RUNNERS
def test_cancelling_the_await_kills_the_green_thread_and_waits_for_it(
    run_main: Callable[..., Any],
) -> None:
    log: list[str] = []

    def work() -> None:
        log.append("started")
        try:
            sleep(60)
        except GreenletExit:
            log.append("killed")
            sleep(0.005)
            log.append("cleaned up")
            raise

    async def main() -> bool:
        task = asyncio.ensure_future(to_green(work))
        await until_true(lambda: bool(log))
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            log.append("cancelled")
        return task.cancelled()

    assert run_main(main())
    assert log == ["started", "killed", "cleaned up", "cancelled"]


@RUNNERS
@pytest.mark.parametrize("when", ["before it goes on", "while it runs", "after its end"])
def test_a_cancellation_that_comes_too_late_for_the_green_thread_is_not_lost(
    run_main: Callable[..., Any], when: str
) -> None:
    async def main() -> bool:
        loop = asyncio.get_running_loop()
        event = Event()

        def work() -> str:
            event.wait()
            if when == "while it runs":
                task.cancel()
            if when == "after its end":
                loop.call_soon(task.cancel)
            return "the end"

        async def work_and_wait() -> None:
            await to_green(work)
            await asyncio.sleep(60)

        task = asyncio.ensure_future(work_and_wait())
        await asyncio.sleep(0.002)
        event.send()
        if when == "before it goes on":
            task.cancel()
        async with asyncio.timeout(LONG):
            await asyncio.wait({task})
        return task.cancelled()

    assert run_main(main())


@RUNNERS
def test_asyncio_timeout_ends_green_code(run_main: Callable[..., Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(0.005):
            await to_green(sleep, 60)

    with pytest.raises(TimeoutError):
        run_main(main())


@RUNNERS
def test_a_killed_green_thread_cancels_the_await(run_main: Callable[..., Any]) -> None:
    async def main() -> None:
        thread = spawn(sleep, 60)
        asyncio.get_running_loop().call_later(0.002, spawn, kill, thread)
        await thread

    with pytest.raises(asyncio.CancelledError):
        run_main(main())


@RUNNERS
def test_a_green_thread_that_never_started_can_be_cancelled(run_main: Callable[..., Any]) -> None:
    log: list[str] = []

    async def main() -> None:
        task = asyncio.ensure_future(to_green(log.append, "ran"))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        run_main(main())
    assert log == []


@RUNNERS
def test_context_goes_to_green_code_and_back(run_main: Callable[..., Any]) -> None:
    async def where() -> tuple[str, Any]:
        return place.get(), asyncio.get_running_loop()

    async def main() -> bool:
        place.set("in the task")
        found, loop = await to_green(lambda: wait_for_awaitable(where()))
        return found == "in the task" and loop is asyncio.get_running_loop()

    assert run_main(main())


@RUNNERS
def test_stop_iteration_becomes_a_runtime_error(run_main: Callable[..., Any]) -> None:
    async def main() -> None:
        await to_green(next, iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        run_main(main())


def test_a_loop_that_blocks_the_hub_says_so() -> None:
    async def main() -> None:
        thread = spawn(sleep, 0)
        try:
            await thread
        finally:
            thread.kill()

    async def by_to_green() -> None:
        await to_green(sleep, 0)

    with pytest.raises(RuntimeError, match="attach"):
        asyncio.run(main())
    with pytest.raises(RuntimeError, match="attach"):
        asyncio.run(by_to_green())


def test_a_green_thread_of_another_os_thread_can_be_awaited() -> None:
    made: list[Any] = []
    ready, done = threading.Event(), threading.Event()

    def other() -> None:
        made.append(spawn(sleep_and_give, "from there", 0.02))
        ready.set()
        made[0].wait()
        done.set()

    os_thread = threading.Thread(target=other)
    os_thread.start()
    ready.wait()

    async def main() -> Any:
        return await made[0]

    assert asyncio.run(main()) == "from there"
    os_thread.join()
    assert done.is_set()
