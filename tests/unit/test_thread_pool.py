"""Calls on OS threads: results, errors, bounds, abandonment."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet._resolver import getaddrinfo, gethostbyname, is_literal, resolve_address
from eventlet._thread_pool import ThreadPool
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout


@pytest.fixture
def pool() -> Iterator[Any]:
    made = ThreadPool(limit=3, idle_seconds=0.05)
    yield made
    while made.threads:
        sleep(0.01)


def test_result_and_error_come_back(pool: Any) -> None:
    assert pool.run(int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        pool.run(int, "x")


def beat(beats: list[None]) -> None:
    """Take five turns."""
    for _ in range(5):
        beats.append(None)
        sleep(0)


def test_runs_elsewhere_while_others_go_on(pool: Any) -> None:
    gate = threading.Event()
    waiting = spawn(pool.run, gate.wait, 60)
    beats: list[None] = []
    spawn(beat, beats).wait()
    assert len(beats) == 5
    gate.set()
    assert waiting.wait() is True
    assert pool.run(threading.get_ident) != threading.get_ident()


def test_never_more_threads_than_its_limit(pool: Any) -> None:
    gate = threading.Event()
    calls = [spawn(pool.run, gate.wait, 60) for _ in range(10)]
    sleep(0)
    assert pool.threads == 3
    gate.set()
    assert [call.wait() for call in calls] == [True] * 10


def test_system_exit_in_a_call_reaches_the_caller(pool: Any) -> None:
    with pytest.raises(SystemExit):
        pool.run(exit_now)
    assert pool.run(int, "1") == 1


def exit_now() -> None:
    raise SystemExit(3)


def test_abandoned_call_goes_on_and_harms_nobody(pool: Any) -> None:
    gate = threading.Event()
    with pytest.raises(Timeout), Timeout(0.01):
        pool.run(gate.wait, 60)
    gate.set()
    assert pool.run(int, "2") == 2


def test_hub_greenlet_is_refused(pool: Any) -> None:
    errors = []

    def call() -> None:
        try:
            pool.run(int)
        except RuntimeError as exc:
            errors.append(str(exc))

    get_hub().call_soon(call)
    sleep(0)
    assert "mainloop" in errors[0]


def test_idle_threads_end(pool: Any) -> None:
    pool.run(int)
    while pool.threads:
        sleep(0.01)


def test_forked_child_makes_threads_of_its_own(run_isolated: Any) -> None:
    run_isolated(
        """
import os
from eventlet._thread_pool import ThreadPool
pool = ThreadPool(2)
assert pool.run(int, "1") == 1
child = os.fork()
if not child:
    assert pool.threads == 0
    assert pool.run(int, "2") == 2
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    )


@pytest.mark.parametrize(
    ("host", "literal"),
    [("127.0.0.1", True), ("::1", True), ("fe80::1%lo", True), ("localhost", False), (b"x", False)],
)
def test_literals_are_recognised(host: Any, literal: Any) -> None:
    assert is_literal(host) is literal


def test_literals_never_start_a_thread() -> None:
    before = threading.active_count()
    assert gethostbyname("127.0.0.1") == "127.0.0.1"
    assert getaddrinfo("::1", 80)[0][4][:2] == ("::1", 80)
    assert resolve_address(2, 1, 0, ("", 80)) == ("", 80)
    assert resolve_address(1, 1, 0, "/path") == "/path"
    assert threading.active_count() <= before  # one of another pool may just be ending


def test_names_become_literals_in_addresses() -> None:
    assert resolve_address(2, 1, 0, ("localhost", 80)) == ("127.0.0.1", 80)


def test_a_call_that_nobody_waits_for_any_more_is_not_begun(pool: Any) -> None:
    gate = threading.Event()
    busy = [spawn(pool.run, gate.wait, 60) for _ in range(3)]
    sleep(0)
    begun: list[None] = []
    with pytest.raises(Timeout), Timeout(0.01):
        pool.run(begun.append, None)
    gate.set()
    assert [call.wait() for call in busy] == [True] * 3
    assert pool.run(int, "1") == 1
    assert begun == []


def test_every_call_below_the_limit_has_a_thread_of_its_own() -> None:
    pool = ThreadPool(limit=100, idle_seconds=0.05)
    for _ in range(30):  # threads that have just become idle are not counted twice
        gate = threading.Event()
        waiting = [spawn(pool.run, gate.wait, 60) for _ in range(3)]
        sleep(0)
        with Timeout(20):
            pool.run(gate.set)
            assert [call.wait() for call in waiting] == [True] * 3
    while pool.threads:
        sleep(0.01)


def test_many_names_are_completed_at_once_in_a_patched_program(run_isolated: Any) -> None:
    run_isolated("""
        import eventlet
        eventlet.monkey_patch()
        import socket
        with eventlet.Timeout(50):
            pile = eventlet.GreenPile(64)
            for _ in range(64):
                pile.spawn(socket.getfqdn, "127.0.0.1")
            assert len(list(pile)) == 64
    """)


def test_hubs_are_made_while_an_import_is_under_way(run_isolated: Any) -> None:
    run_isolated("""
        import eventlet
        eventlet.monkey_patch()
        import sys, types
        from eventlet.patcher import original
        threading = original("threading")
        module = types.ModuleType("slow")

        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "slow":
                    eventlet.sleep(0.2)
                return None

        sys.meta_path.insert(0, Finder())
        errors = []

        def import_slow():
            try:
                import slow
            except ImportError:
                return
            except BaseException as exc:
                errors.append(exc)

        workers = [threading.Thread(target=import_slow) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not errors, errors
    """)


# -- what an interrupt leaves ------------------------------------------------------------------


def test_a_result_that_nobody_waits_for_is_undone(pool: Any) -> None:
    has_begun, gate, undone = threading.Event(), threading.Event(), threading.Event()
    results: list[Any] = []

    def call() -> bool:
        has_begun.set()
        return gate.wait(60)

    def undo(result: Any) -> None:
        results.append(result)
        undone.set()

    caller = spawn(pool.run_or_undo, undo, call)
    sleep(0)
    assert has_begun.wait(60)
    caller.kill()
    gate.set()

    assert undone.wait(60)
    assert results == [True]


def test_a_result_whose_taker_was_overtaken_is_undone(pool: Any) -> None:
    gate = threading.Event()
    results: list[Any] = []
    caller = spawn(pool.run_or_undo, results.append, gate.wait, 60)
    sleep(0)
    gate.set()
    while not caller._ticket or not caller._ticket.was_woken:
        sleep(0)
    caller.kill()

    assert results == [True]


def test_a_failed_call_has_nothing_to_undo(pool: Any) -> None:
    gate = threading.Event()

    def fail() -> None:
        gate.wait(60)
        raise ValueError

    results: list[Any] = []
    caller = spawn(pool.run_or_undo, results.append, fail)
    sleep(0)
    caller.kill()
    gate.set()
    pool.end_threads()

    assert results == []


def test_the_end_of_threads_is_awaited_after_an_interrupted_wait_for_it(pool: Any) -> None:
    gate = threading.Event()
    call = spawn(pool.run, gate.wait, 60)
    sleep(0)
    ending = spawn(pool.end_threads)
    sleep(0)
    ending.kill()
    again = spawn(pool.end_threads)
    sleep(0)

    assert not again.dead
    gate.set()
    again.wait()
    assert call.wait() is True
