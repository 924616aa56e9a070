"""What belongs to a loop's greenlet is not seen by others while it is parked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from eventlet.asyncio import new_event_loop, run
from eventlet.greenthread import sleep, spawn


def marks() -> tuple[Any, ...]:
    hooks = sys.get_asyncgen_hooks()
    return (
        asyncio._get_running_loop(),
        sys.get_coroutine_origin_tracking_depth(),
        hooks.firstiter,
        hooks.finalizer,
    )


def from_a_green_thread(look: Callable[[], Any]) -> list[Any]:
    seen: list[Any] = []
    spawn(lambda: seen.append(look()))
    return seen


@pytest.mark.parametrize("park", ["in green code", "in select"])
def test_trap16_marks_are_hidden_while_the_host_is_parked(park: str) -> None:
    plain = marks()

    async def main() -> tuple[Any, Any, list[Any]]:
        before = marks()
        seen = from_a_green_thread(marks)
        if park == "in select":
            await asyncio.sleep(0.005)
        else:
            sleep(0.005)
        return before, marks(), seen

    before, after, seen = run(main(), debug=True)

    assert before == after
    assert before[0] is not None
    assert before[1] > 0
    assert before[2] is not None
    assert seen == [plain]
    assert marks() == plain


def test_trap16_the_task_is_current_again_after_green_code() -> None:
    async def main() -> bool:
        task = asyncio.current_task()
        sleep(0)
        return asyncio.current_task() is task is not None

    assert run(main())


def test_marks_come_back_when_green_code_is_interrupted() -> None:
    async def main() -> bool:
        loop = asyncio.get_running_loop()
        try:
            with_timeout()
        except ValueError:
            return asyncio.get_running_loop() is loop
        return False

    def with_timeout() -> None:
        from eventlet.timeout import Timeout

        with Timeout(0.005, ValueError):
            sleep(10)

    assert run(main())


def test_loops_in_green_threads_find_their_own_marks() -> None:
    async def main() -> bool:
        mine, task = asyncio.get_running_loop(), asyncio.current_task()
        for n in range(10):
            await asyncio.sleep(0.001)
            sleep(0.001 if n % 2 else 0)
            if asyncio.get_running_loop() is not mine or asyncio.current_task() is not task:
                return False
        return True

    threads = [spawn(run, main()) for _ in range(5)]

    assert [thread.wait() for thread in threads] == [True] * 5


def test_abandoned_asynchronous_generators_end_in_their_own_loop() -> None:
    ended_in = []

    async def numbers() -> Any:
        try:
            yield 1
            yield 2
        finally:
            ended_in.append(asyncio.get_running_loop())

    async def main() -> asyncio.AbstractEventLoop:
        generator = numbers()
        await generator.__anext__()
        await asyncio.sleep(0.002)
        return asyncio.get_running_loop()

    threads = [spawn(run, main()) for _ in range(3)]
    loops = [thread.wait() for thread in threads]

    assert set(ended_in) == set(loops)
    assert len(set(loops)) == 3


def test_parks_cost_nothing_more_before_the_first_loop(run_isolated: Any) -> None:
    run_isolated("""
        import sys
        import eventlet
        from eventlet.hubs import get_hub
        import eventlet.green.selectors

        eventlet.sleep(0)
        hub = get_hub()
        assert hub._switch == hub.greenlet.switch
        assert hub.around_parks == ()
        with eventlet.green.selectors.DefaultSelector() as selector:
            selector.select(0)
        assert hub.around_parks == ()
        assert "asyncio" not in sys.modules
    """)


def test_a_new_loop_parks_only_its_green_thread() -> None:
    loop = new_event_loop()
    has_ticked = asyncio.Event()

    def tick() -> None:
        for _ in range(5):
            sleep(0.001)
        loop.call_soon_threadsafe(has_ticked.set)

    try:
        ticker = spawn(tick)
        loop.run_until_complete(asyncio.wait_for(has_ticked.wait(), 20))
        ticker.wait()
    finally:
        loop.close()
