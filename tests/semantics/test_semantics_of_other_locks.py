"""Semantic 24: the locks of imports and of asyncio under patching, and locks over a fork.

Written as a program for the old library would be: through public names only.
"""

from __future__ import annotations

from tests.conftest import RunIsolated


def test_semantic_24_imports_in_green_threads_work_under_patching(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated("""
        import eventlet
        eventlet.monkey_patch()
        import importlib, threading
        names = ("colorsys", "wave", "this", "colorsys")
        pool = eventlet.GreenPool()
        modules = list(pool.imap(importlib.import_module, names))
        results = []
        thread = threading.Thread(target=lambda: results.append(importlib.import_module("cmd")))
        thread.start()
        thread.join()
        print(results[0].__name__, modules[0] is modules[3])
    """)

    assert done.stdout.splitlines()[-1] == "cmd True"


def test_semantic_24_asyncio_works_under_patching(run_isolated: RunIsolated) -> None:
    done = run_isolated("""
        import eventlet
        eventlet.monkey_patch()
        import asyncio, threading

        async def main():
            lock, order = asyncio.Lock(), []

            async def take(name):
                async with lock:
                    await asyncio.sleep(0.001)
                    order.append(name)

            await asyncio.gather(take("first"), take("second"))
            order.append(await asyncio.to_thread(int, "7"))
            loop = asyncio.get_running_loop()
            told = asyncio.Event()
            caller = eventlet.patcher.original("threading").Thread(
                target=loop.call_soon_threadsafe, args=(told.set,)
            )
            caller.start()
            await asyncio.wait_for(told.wait(), 5)
            caller.join()
            return order

        print(asyncio.run(main()))
    """)

    assert done.stdout == "['first', 'second', 7]\n"


def test_semantic_24_fork_leaves_the_forking_thread_current_and_its_locks_its_own(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated("""
        import eventlet
        eventlet.monkey_patch()
        import os, threading
        forked = []
        os.register_at_fork(after_in_child=lambda: forked.append(1))
        mine = threading.RLock()

        def work():
            with mine:
                me = threading.current_thread()
                child = os.fork()
                if child == 0:
                    same = threading.current_thread()
                    here = same in threading.enumerate()
                    owned = bool(mine.acquire(blocking=False))
                    mine.release()
                    print(same is me, same.name, here, owned, forked, flush=True)
                    other = threading.Thread(target=print, args=("started",))
                    other.start()
                    other.join()
                    import sys
                    sys.stdout.flush()
                    os._exit(0)
                os.waitpid(child, 0)
                print("parent", threading.current_thread() is me, forked)

        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
    """)

    assert done.stdout.splitlines() == [
        "True worker True True [1]",
        "started",
        "parent True []",
    ]
