"""The tables of what runs: OS threads, green threads, tasks of asyncio."""

import asyncio
import threading
from typing import Any

import pytest

from eventlet import asyncio as green_asyncio
from eventlet import debug, tpool
from eventlet._aio.hosted import close_hosted_loop
from eventlet.event import Event
from eventlet.greenthread import sleep, spawn
from eventlet.hubs import get_hub
from eventlet.timeout import Timeout


def wait_for(event: Event) -> Any:
    return event.wait()


def wait_for_end(thread: Any) -> None:
    sleep(0)
    thread.wait()


def test_the_caller_and_its_green_threads() -> None:
    event = Event()
    waiting = spawn(wait_for, event)
    sleep(0)
    unstarted = spawn(wait_for, event)
    text = debug.format_threads_info()
    event.send()
    waiting.wait()
    unstarted.wait()

    lines = text.splitlines()
    assert lines[0] == "THREADS:"
    assert any(
        line.startswith(f"OS thread {threading.get_ident()} (MainThread, this one) at ")
        and line.endswith("in test_the_caller_and_its_green_threads")
        for line in lines
    )
    assert any("GreenThread" in x and x.endswith("in wait_for") and "waits at" in x for x in lines)
    assert any("not started" in line for line in lines)


def test_the_calling_green_thread_is_marked() -> None:
    text = spawn(debug.format_threads_info).wait()

    assert any(line.endswith(", the caller") for line in text.splitlines())


def test_main_is_told_where_it_waits_when_others_ask() -> None:
    texts: list[str] = []
    get_hub().schedule_call_global(0, lambda: texts.append(debug.format_threads_info()))
    asker = spawn(lambda: texts.append(debug.format_threads_info()))
    wait_for_end(asker)
    own = debug.format_threads_info()

    assert len(texts) == 2
    for text in texts:
        (line,) = [line for line in text.splitlines() if line.startswith("    main")]
        assert line.startswith("    main, waits at ")
        assert line.endswith("in wait_for_end")
    assert "    main" not in own


def test_every_other_os_thread_with_its_green_threads() -> None:
    is_ready, may_end = threading.Event(), threading.Event()

    def other() -> None:
        thread = spawn(sleep, 60)
        sleep(0)
        is_ready.set()
        may_end.wait()
        thread.kill()

    os_thread = threading.Thread(target=other, name="the-other")
    os_thread.start()
    is_ready.wait()
    text = debug.format_threads_info()
    may_end.set()
    os_thread.join()

    own = text.split(f"OS thread {os_thread.ident} ")[1].split("OS thread")[0]
    assert own.startswith("(the-other) at ")
    assert "1 green threads" in own
    assert "<GreenThread-" in own
    assert "waits at" not in own


def test_os_threads_that_threading_does_not_know() -> None:
    may_end = threading.Lock()
    may_end.acquire()
    is_called = threading.Event()

    def call() -> None:
        is_called.set()
        may_end.acquire()

    caller = spawn(tpool.execute, call)
    while not is_called.is_set():
        sleep(0.001)
    text = debug.format_threads_info()
    may_end.release()
    caller.wait()
    tpool.killall()

    assert "(without a threading.Thread) at" in text
    assert "in call" in text


def test_without_a_loop_there_are_no_tasks() -> None:
    assert debug.format_asyncio_info() == "TASKS:"


naps: list[int] = []


async def nap() -> None:
    naps.append(1)
    await asyncio.sleep(60)


def wait_for_naps(count: int) -> None:
    with Timeout(30):
        while len(naps) < count:
            sleep(0.001)


def test_tasks_of_the_hosted_loop() -> None:
    naps.clear()
    thread = green_asyncio.spawn_for_awaitable(nap())
    wait_for_naps(1)
    text = debug.format_asyncio_info()
    thread.kill()
    close_hosted_loop(get_hub())
    afterwards = debug.format_asyncio_info()

    lines = text.splitlines()
    assert lines[0] == "TASKS:"
    assert lines[1].startswith("EVENTLOOP: <EventLoop running=True")
    assert lines[1].endswith("with 1 tasks")
    assert "coro=<nap() running at" in lines[2]
    assert afterwards == "TASKS:"


def test_tasks_of_loops_in_green_threads() -> None:
    naps.clear()
    threads = [spawn(green_asyncio.run, nap()) for _ in range(2)]
    wait_for_naps(2)
    text = debug.format_asyncio_info()
    for thread in threads:
        thread.kill()

    assert text.count("EVENTLOOP:") == 2
    assert text.count("coro=<nap() running at") == 2


def test_tasks_of_the_loop_that_drives_the_hub() -> None:
    async def main() -> str:
        attachment = green_asyncio.attach()
        assert attachment is not None
        try:
            other = asyncio.create_task(nap())
            await asyncio.sleep(0)
            text = await green_asyncio.to_green(debug.format_asyncio_info)
            other.cancel()
            with pytest.raises(asyncio.CancelledError):
                await other
        finally:
            attachment.detach()
        return text

    text = asyncio.run(main())

    assert text.count("EVENTLOOP:") == 1
    assert "coro=<nap() running at" in text
    assert "main() running at" in text


def test_loops_of_other_os_threads_are_left_out() -> None:
    texts = []

    def other() -> None:
        texts.append(green_asyncio.run(look()))

    async def look() -> str:
        await asyncio.sleep(0)
        return debug.format_asyncio_info()

    here = green_asyncio.spawn_for_awaitable(nap())
    sleep(0.01)
    os_thread = threading.Thread(target=other)
    os_thread.start()
    os_thread.join()
    here.kill()
    close_hosted_loop(get_hub())

    assert "nap()" not in texts[0]
    assert "look() running" in texts[0]
