"""Plain `asyncio.run` in green threads of programs that are not patched."""

from typing import Any

import pytest

MANY = """
import sys
import eventlet
{early}

def tick(turns):
    while True:
        eventlet.sleep(0.001)
        turns.append(1)

def work(n):
    import asyncio

    async def echo(reader, writer):
        writer.write(await reader.readexactly(300000))
        await writer.drain()
        writer.close()

    async def main():
        before = len(turns)
        while len(turns) < before + 5:  # others run while this loop waits
            await asyncio.sleep(0.001)
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"x" * 300000)
            assert len(await reader.readexactly(300000)) == 300000
            writer.close()
            await writer.wait_closed()
        assert await asyncio.to_thread(pow, n, 2) == n * n
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(1 + 1)", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert (out, process.returncode) == (b"2\\n", 0)
        together.append(n)
        while len(together) < 5:  # each in a loop of its own, all at once
            await asyncio.sleep(0.001)
        return n

    return asyncio.run(main())

turns, together = [], []
ticker = eventlet.spawn(tick, turns)
threads = [eventlet.spawn(work, n) for n in range(5)]
assert [thread.wait() for thread in threads] == [0, 1, 2, 3, 4]
assert not [each for each in sys.meta_path if type(each).__module__.startswith("eventlet")]
print("well")
"""


@pytest.mark.parametrize("early", ["import asyncio", ""], ids=["asyncio before", "asyncio later"])
def test_loops_of_a_plain_program_park_only_their_green_threads(
    run_isolated: Any, early: str
) -> None:
    finished = run_isolated(MANY.format(early=early), timeout=100)

    assert (finished.stdout, finished.stderr) == ("well\n", "")


def test_a_loop_of_the_main_green_thread_may_run_in_another(run_isolated: Any) -> None:
    finished = run_isolated("""
        import asyncio, eventlet

        def tick():
            while True:
                eventlet.sleep(0)
                turns.append(1)

        async def main():
            before = len(turns)
            while len(turns) < before + 5:
                await asyncio.sleep(0.001)

        turns = []
        ticker = eventlet.spawn(tick)
        eventlet.sleep(0)
        loop = asyncio.new_event_loop()
        eventlet.spawn(loop.run_until_complete, main()).wait()
        loop.close()
        print("well")
    """)

    assert (finished.stdout, finished.stderr) == ("well\n", "")


def test_who_kills_the_green_thread_ends_its_loop(run_isolated: Any) -> None:
    finished = run_isolated("""
        import asyncio, os, eventlet

        async def forever(name):
            began.send()
            try:
                await asyncio.Event().wait()
            finally:
                print("end of", name)

        def descriptors():
            return len(os.listdir("/proc/self/fd"))

        began = eventlet.Event()
        eventlet.sleep(0)
        before = descriptors()
        thread = eventlet.spawn(asyncio.run, forever("killed"))
        began.wait()
        eventlet.sleep(0.01)
        thread.kill()
        assert thread.dead

        def timed_out():
            with eventlet.Timeout(0.02, False):
                asyncio.run(forever("timed out"))

        began.reset()
        eventlet.spawn(timed_out).wait()
        assert descriptors() == before
    """)

    assert (finished.stdout, finished.stderr) == ("end of killed\nend of timed out\n", "")


def test_both_ways_between_green_threads_and_plain_loops(run_isolated: Any) -> None:
    finished = run_isolated("""
        import asyncio, eventlet, eventlet.asyncio

        def slow():
            eventlet.sleep(0.001)
            return 7

        async def await_thread():
            return await eventlet.spawn(slow)

        async def to_green():
            return await eventlet.asyncio.to_green(slow)

        async def direct():
            return slow()

        for main in await_thread, to_green, direct:
            assert eventlet.spawn(asyncio.run, main()).wait() == 7
    """)

    assert (finished.stdout, finished.stderr) == ("", "")


def test_elsewhere_loops_wait_as_they_always_did(run_isolated: Any) -> None:
    finished = run_isolated("""
        import asyncio, selectors, threading, eventlet
        from eventlet.hubs import get_hub

        async def main():
            await asyncio.sleep(0.001)
            return threading.get_ident()

        def in_thread():
            found.append(asyncio.run(main()) == threading.get_ident())

        ran, found = [], []
        get_hub()
        thread = eventlet.spawn(ran.append, 1)
        assert asyncio.run(main()) == threading.get_ident()
        assert not ran  # it held up all others, as in a program without green threads
        os_thread = threading.Thread(target=in_thread)
        os_thread.start()
        os_thread.join()
        assert found == [True] and not ran
        thread.wait()

        own = selectors.SelectSelector()
        loop = asyncio.SelectorEventLoop(own)
        assert loop._selector is own
        loop.close()

        loop = asyncio.new_event_loop()
        standard = loop._selector
        loop.close()
        standard.close()  # once more is harmless, as it is otherwise
        assert selectors.DefaultSelector is selectors.EpollSelector
    """)

    assert (finished.stdout, finished.stderr) == ("", "")


def test_importing_asyncio_without_a_hub_changes_nothing(run_isolated: Any) -> None:
    finished = run_isolated("""
        import sys
        before = list(sys.meta_path)
        import eventlet
        assert "asyncio" not in sys.modules
        import asyncio, inspect
        assert sys.meta_path == before
        assert "eventlet" not in inspect.getsourcefile(asyncio.SelectorEventLoop.__init__)
    """)

    assert (finished.stdout, finished.stderr) == ("", "")


def test_the_first_hub_may_be_that_of_a_finalizer_at_the_end_of_the_program(
    run_isolated: Any,
) -> None:
    finished = run_isolated("""
        from eventlet.hubs import get_hub

        class Last:
            def __del__(self, get_hub=get_hub, say=print):
                get_hub()
                say("made")

        last = Last()
    """)

    assert (finished.stdout, finished.stderr) == ("made\n", "")
