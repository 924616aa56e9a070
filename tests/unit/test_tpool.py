"""tpool: calls and objects in OS threads."""

from __future__ import annotations

import contextvars
import copy
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Self

import pytest

from eventlet import tpool
from eventlet._core.current import get_hub
from eventlet.event import Event
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.core.os_threads import in_os_thread, start_os_thread


@pytest.fixture(autouse=True)
def fresh_pool() -> Iterator[None]:
    tpool.killall()
    yield
    tpool.killall()
    tpool._workers.choose(None)


def here() -> int:
    return threading.get_ident()


def test_a_call_is_made_in_another_os_thread() -> None:
    assert tpool.execute(here) != here()


def test_arguments_and_result_pass_through() -> None:
    assert tpool.execute(dict, [("a", 1)], b=2) == {"a": 1, "b": 2}


def test_other_green_threads_run_meanwhile() -> None:
    gate = threading.Event()
    spawn(gate.set)
    assert tpool.execute(gate.wait, 60)


def test_calls_run_beside_each_other() -> None:
    together = threading.Barrier(5)
    pool = GreenPool()
    places = {pool.spawn(tpool.execute, together.wait, 60) for _ in range(5)}
    assert sorted(place.wait() for place in places) == [0, 1, 2, 3, 4]


def test_an_exception_arrives_with_its_traceback() -> None:
    def fails() -> None:
        raise KeyError("told so")

    with pytest.raises(KeyError, match="told so") as caught:
        tpool.execute(fails)
    assert caught.traceback[-1].name == "fails"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_exits_of_a_worker_reach_the_caller(kind: Any) -> None:
    def leaves() -> None:
        raise kind(3)

    with pytest.raises(kind):
        tpool.execute(leaves)
    assert tpool.execute(int, "1") == 1


def test_a_timeout_of_a_worker_reaches_the_caller() -> None:
    mine = Timeout(None)

    def expires() -> None:
        raise mine

    with pytest.raises(Timeout) as caught:
        tpool.execute(expires)
    assert caught.value is mine


def test_a_returned_triple_is_a_result_even_with_an_exception_in_it() -> None:
    triple = (KeyError, KeyError("no"), None)
    assert tpool.execute(lambda: triple) is triple


def test_the_context_is_carried_over_and_changes_stay_there() -> None:
    variable = contextvars.ContextVar("variable", default="nothing")
    variable.set("mine")

    def look_and_change() -> str:
        seen = variable.get()
        variable.set("theirs")
        return seen

    assert tpool.execute(look_and_change) == "mine"
    assert variable.get() == "mine"


def test_a_call_inside_a_pool_thread_is_made_there() -> None:
    def outer() -> tuple[int, int]:
        return here(), tpool.execute(here)

    tpool.set_num_threads(1)
    outside, inside = tpool.execute(outer)
    assert outside == inside


def test_a_call_under_the_import_lock_is_made_here() -> None:
    import _imp

    _imp.acquire_lock()
    try:
        assert tpool.execute(here) == here()
    finally:
        _imp.release_lock()


def test_killed_caller_abandons_the_call_which_goes_on() -> None:
    begun, gate, done = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        gate.wait(60)
        done.set()

    caller = spawn(tpool.execute, call)
    while not begun.is_set():
        sleep(0.001)
    caller.kill()
    assert caller.dead
    gate.set()
    assert tpool.execute(done.wait, 60)


def test_timed_out_caller_gets_no_late_result() -> None:
    gate = threading.Event()
    with pytest.raises(Timeout), Timeout(0.01):
        tpool.execute(gate.wait, 60)
    gate.set()
    assert tpool.execute(str, "mine") == "mine"


def test_the_hubs_own_greenlet_is_refused() -> None:
    outcome = Event()

    def call() -> None:
        try:
            tpool.execute(int)
        except RuntimeError as exc:
            outcome.send(str(exc))

    get_hub().call_soon(call)
    assert "mainloop" in outcome.wait()


def test_size_is_taken_at_the_first_use_and_after_killall() -> None:
    tpool.set_num_threads(1)
    assert tpool.execute(int) == 0
    tpool.set_num_threads(2)
    assert tpool._nthreads == 2
    together = threading.Barrier(2)
    first = spawn(tpool.execute, together.wait, 0.05)
    with pytest.raises(threading.BrokenBarrierError):
        tpool.execute(together.wait, 0.05)
    with pytest.raises(threading.BrokenBarrierError):
        first.wait()
    tpool.killall()
    together = threading.Barrier(2)
    first = spawn(tpool.execute, together.wait, 60)
    assert {tpool.execute(together.wait, 60), first.wait()} == {0, 1}


def test_size_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tpool._nthreads == 20
    monkeypatch.setenv("EVENTLET_THREADPOOL_SIZE", "3")
    assert tpool._nthreads == 3
    tpool.set_num_threads(4)
    assert tpool._nthreads == 4


def test_size_of_the_environment_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLET_THREADPOOL_SIZE", "many")
    with pytest.raises(ValueError, match="EVENTLET_THREADPOOL_SIZE='many'"):
        tpool.execute(int)


def test_negative_size_fails_on_use() -> None:
    tpool.set_num_threads(-1)
    with pytest.raises(AssertionError, match="-1 threads"):
        tpool.execute(int)
    with pytest.raises(AssertionError, match="-1 threads"):
        tpool.setup()


def test_size_zero_warns_once_and_calls_here() -> None:
    tpool.set_num_threads(0)
    with pytest.warns(RuntimeWarning, match="Zero threads in tpool.*EVENTLET_THREADPOOL_SIZE") as w:
        places = [tpool.execute(here), tpool.execute(here)]
    assert places == [here(), here()]
    assert [warning.filename for warning in w] == [__file__]


def test_killall_without_threads_does_nothing() -> None:
    tpool.killall()
    tpool.killall()


def test_killall_delivers_the_remaining_results() -> None:
    tpool.set_num_threads(2)
    gate = threading.Event()

    def call(number: int) -> int:
        gate.wait(60)
        return number

    calls = [spawn(tpool.execute, call, number) for number in range(6)]
    sleep(0)
    spawn(gate.set)
    tpool.killall()
    assert tpool._threads == []
    assert [each.wait() for each in calls] == [0, 1, 2, 3, 4, 5]
    assert tpool.execute(here) != here()


def test_killall_in_a_thread_of_the_pool_is_refused() -> None:
    with pytest.raises(RuntimeError, match="wait for the end"):
        tpool.execute(tpool.killall)


def test_killall_in_an_os_thread_without_a_hub_blocks_until_the_end() -> None:
    tpool.execute(int)
    done = []

    def end() -> None:
        tpool.killall()
        done.append(tpool._threads)

    thread = threading.Thread(target=end)
    thread.start()
    thread.join(60)
    assert done == [[]]


def test_every_os_thread_may_use_it() -> None:
    tpool.execute(int)  # whoever comes first owns nothing

    def work() -> list[int]:
        pool = GreenPool()
        calls = [pool.spawn(tpool.execute, abs, -number) for number in range(20)]
        return [call.wait() for call in calls]

    threads = [start_os_thread(work) for _ in range(4)]
    assert [thread.result() for thread in threads] == [list(range(20))] * 4


def test_a_hub_made_in_a_pool_thread_is_closed_with_it() -> None:
    assert tpool.execute(sleep, 0.001) is None
    tpool.killall()  # the leak check sees the rest


def test_green_threads_in_a_pool_thread_run_there() -> None:
    def outer() -> tuple[int, int]:
        return here(), spawn(here).wait()

    outside, inside = tpool.execute(outer)
    assert outside == inside


class Thing:
    """Something whose death can be watched."""


def test_arguments_and_results_are_released() -> None:
    gc.disable()
    try:
        argument = Thing()
        watch = weakref.ref(argument)
        tpool.execute(id, argument)
        del argument
        assert watch() is None  # at once: its OS thread let go before it told
    finally:
        gc.enable()


def test_arguments_and_tracebacks_of_failures_are_released() -> None:
    def fail(_argument: Thing) -> None:
        raise ValueError

    gc.disable()
    try:
        argument = Thing()
        watch = weakref.ref(argument)
        try:
            tpool.execute(fail, argument)
        except ValueError:
            pass
        del argument
        assert dies(watch)
    finally:
        gc.enable()


def dies(watch: weakref.ref[Thing]) -> bool:
    with Timeout(20, False):
        while watch() is not None:
            sleep(0.001)  # its OS thread has still to leave the call
    return watch() is None


def test_failures_are_printed_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tpool, "QUIET", False)
    with pytest.raises(ZeroDivisionError):
        tpool.execute(divmod, 1, 0)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_failures_are_not_printed_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        tpool.execute(divmod, 1, 0)
    assert capsys.readouterr() == ("", "")


def test_default_timeout_of_sockets_changes_nothing() -> None:
    import socket

    socket.setdefaulttimeout(0.01)
    try:
        gate = threading.Event()
        get_hub().call_later(0.05, gate.set)
        assert tpool.execute(gate.wait, 60)
    finally:
        socket.setdefaulttimeout(None)


# --- Proxy --------------------------------------------------------------------------------


class Subject:
    plain = "plain"

    def __init__(self) -> None:
        self.entered: list[int] = []
        self.made: Any = None

    def where(self) -> int:
        return here()

    def itself(self) -> Subject:
        return self

    def items(self) -> list[int]:
        return [1]

    def __call__(self, value: int) -> list[int]:
        return [here(), value]

    def __enter__(self) -> Self:
        self.entered.append(here())
        return self

    def __exit__(self, *exc_info: object) -> bool:
        self.entered.append(here())
        return exc_info[0] is KeyError

    def __deepcopy__(self, memo: Any) -> int:
        return here()

    def __copy__(self) -> int:
        return here()


def test_methods_run_elsewhere_and_attributes_are_plain() -> None:
    proxy = tpool.Proxy(Subject())
    assert proxy.where() != here()
    assert proxy.plain is Subject.plain


def test_nonblocking_calls_are_made_here() -> None:
    assert tpool.Proxy(Subject()).where(nonblocking=True) == here()
    assert tpool.proxy_call((), here, nonblocking=False) != here()


def test_values_of_wrapped_types_are_wrapped_once() -> None:
    proxy = tpool.Proxy(Subject(), autowrap=(list, str))
    assert type(proxy.items()) is tpool.Proxy
    assert type(proxy.plain) is tpool.Proxy
    assert type(proxy.items()._obj) is list
    assert type(tpool.proxy_call((list,), list)) is tpool.Proxy
    assert type(tpool.proxy_call((tpool.Proxy,), tpool.Proxy, 1)._obj) is int


def test_values_of_wrapped_names_are_wrapped() -> None:
    proxy = tpool.Proxy(Subject(), autowrap_names=("items", "__call__", "plain"))
    assert type(proxy.items()) is tpool.Proxy
    assert type(proxy(1)) is tpool.Proxy
    assert type(proxy.plain) is tpool.Proxy
    assert type(proxy.where()) is int


def test_the_object_itself_comes_back_as_the_proxy() -> None:
    proxy = tpool.Proxy(Subject())
    assert proxy.itself() is proxy
    assert proxy.itself().where() != here()


def test_call_runs_elsewhere() -> None:
    assert tpool.Proxy(Subject())(5)[0] != here()


def test_with_runs_elsewhere_and_swallows_what_the_object_swallows() -> None:
    proxy = tpool.Proxy(Subject())
    with proxy as entered:
        assert entered is proxy
        raise KeyError
    assert len(proxy.entered) == 2
    assert here() not in proxy.entered


def test_copies_are_made_elsewhere() -> None:
    proxy = tpool.Proxy(Subject())
    assert copy.copy(proxy) != here()
    assert copy.deepcopy(proxy) != here()
    assert copy.deepcopy(tpool.Proxy([[1]])) == [[1]]


def test_containers() -> None:
    proxy = tpool.Proxy({"a": 1})
    proxy["b"] = 2
    del proxy["a"]
    assert proxy["b"] == 2
    assert "b" in proxy
    assert "a" not in proxy
    assert len(proxy) == 1
    assert proxy
    assert not tpool.Proxy([])
    with pytest.raises(KeyError):
        proxy["none"]


def test_attributes_are_set_and_deleted_on_the_object() -> None:
    subject = Subject()
    proxy = tpool.Proxy(subject)
    proxy.made = 5
    assert subject.made == 5
    del proxy.made
    assert not hasattr(subject, "made")
    with pytest.raises(AttributeError):
        proxy.nothing  # noqa: B018  (the look-up is the subject)


def test_comparison_hash_and_text_are_those_of_the_object() -> None:
    assert tpool.Proxy([1]) == [1]
    assert tpool.Proxy([1]) == tpool.Proxy([1])
    assert tpool.Proxy([1]) != [2]
    assert hash(tpool.Proxy("x")) == hash("x")
    assert (repr(tpool.Proxy("x")), str(tpool.Proxy("x"))) == ("'x'", "x")
    assert not isinstance(tpool.Proxy("x"), str)
    assert "where" in dir(tpool.Proxy(Subject()))


def test_a_generator_runs_elsewhere_item_by_item() -> None:
    def places() -> Iterator[int]:
        yield here()
        yield here()

    proxy = tpool.Proxy(places())
    assert iter(proxy) is proxy
    found = list(proxy)
    assert len(found) == 2
    assert here() not in found


def test_iterating_a_container_gives_its_items() -> None:
    assert list(tpool.Proxy([1, 2])) == [1, 2]


def test_a_proxy_that_was_never_initialised_fails_clearly() -> None:
    with pytest.raises(AttributeError):
        tpool.Proxy.__new__(tpool.Proxy).anything  # noqa: B018  (the look-up is the subject)


# --- processes ----------------------------------------------------------------------------


def test_forked_child_makes_threads_of_its_own(run_isolated: Any) -> None:
    run_isolated(
        """
        import os, threading
        from eventlet import tpool
        from eventlet.greenthread import sleep, spawn
        gate = threading.Event()
        class Heirloom:
            def __del__(self):
                if os.getpid() != parent:
                    os._exit(9)  # the parent still uses it
        parent = os.getpid()
        tpool.set_num_threads(1)
        busy = spawn(tpool.execute, gate.wait, 60)
        queued = spawn(tpool.execute, id, Heirloom())
        sleep(0.01)
        child = os.fork()
        if not child:
            assert tpool._threads == []
            assert tpool.execute(os.getpid) == os.getpid()
            tpool.killall()
            assert tpool.execute(threading.get_ident) != threading.get_ident()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        gate.set()
        assert busy.wait() and queued.wait()
        """
    )


def test_threads_end_at_exit_and_calls_are_finished(run_isolated: Any) -> None:
    done = run_isolated(
        """
        import threading, time
        from eventlet import tpool
        from eventlet.greenthread import sleep, spawn
        begun = threading.Event()
        def call():
            begun.set()
            time.sleep(0.1)
            print("finished")
        spawn(tpool.execute, call)
        while not begun.is_set():
            sleep(0.001)
        """
    )
    assert (done.stdout, done.stderr) == ("finished\n", "")


def test_import_starts_nothing(run_isolated: Any) -> None:
    run_isolated(
        """
        import sys, threading
        import eventlet.tpool
        assert threading.active_count() == 1
        assert eventlet.tpool._threads == []
        """,
        env={"EVENTLET_THREADPOOL_SIZE": "nonsense"},
    )


def test_works_in_a_patched_program(run_isolated: Any) -> None:
    run_isolated(
        """
        import eventlet
        eventlet.monkey_patch()
        from eventlet import tpool
        from eventlet.patcher import original
        together = original("threading").Barrier(10)
        pile = eventlet.GreenPile(10)
        for _ in range(10):
            pile.spawn(tpool.execute, together.wait, 30)
        assert sorted(pile) == list(range(10))
        """
    )


def test_in_os_thread_after_the_first_user_has_gone() -> None:
    assert in_os_thread(lambda: tpool.execute(int, "1")) == 1
    assert tpool.execute(int, "2") == 2
