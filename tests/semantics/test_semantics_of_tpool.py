"""Semantic 25: OS threads for calls that block.

Written as a program for the old library would be: through public names only.
"""

from __future__ import annotations

import _imp
import gc
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import eventlet
from eventlet import patcher, tpool

from tests.conftest import RunIsolated
from tests.semantics.calls import in_hub

get_ident = patcher.original("threading").get_ident


class Failure(Exception):
    """What calls raise."""


class Thing:
    """What proxies stand for."""

    attribute = 7

    def ident(self) -> int:
        return int(get_ident())

    def child(self) -> Thing:
        return Thing()

    def __call__(self) -> Thing:
        return Thing()


def after_a_while(function: Callable[..., Any], *args: Any) -> Any:
    time.sleep(0.02)
    return function(*args)


@pytest.fixture(autouse=True)
def no_threads_are_left() -> Iterator[None]:
    yield
    tpool.killall()


def test_semantic_25_a_call_blocks_its_green_thread_alone() -> None:
    order: list[str] = []
    eventlet.spawn_after(0.005, order.append, "other")

    ident = tpool.execute(after_a_while, get_ident)
    order.append("caller")

    assert order == ["other", "caller"]
    assert ident != get_ident()


def test_semantic_25_a_call_in_a_pool_thread_is_made_inline() -> None:
    def nested() -> tuple[int, int]:
        return get_ident(), tpool.execute(get_ident)

    outer, inner = tpool.execute(nested)

    assert outer == inner != get_ident()


def test_semantic_25_a_call_under_the_import_lock_is_made_inline() -> None:
    _imp.acquire_lock()
    try:
        ident = tpool.execute(get_ident)
    finally:
        _imp.release_lock()

    assert ident == get_ident()


@pytest.mark.parametrize(
    ("environment", "choose"),
    [({"EVENTLET_THREADPOOL_SIZE": "0"}, ""), ({}, "tpool.set_num_threads(0)")],
)
def test_semantic_25_without_threads_calls_are_made_inline_with_one_warning(
    environment: dict[str, str], choose: str, run_isolated: RunIsolated
) -> None:
    done = run_isolated(
        f"""
        import threading, warnings
        from eventlet import tpool
        {choose}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            idents = [tpool.execute(threading.get_ident) for _ in range(3)]
        print(set(idents) == {{threading.get_ident()}})
        print([warning.category.__name__ for warning in caught])
        print("EVENTLET_THREADPOOL_SIZE" in str(caught[0].message))
        print("Zero threads in tpool" in str(caught[0].message))
        """,
        env=environment,
    )

    assert done.stdout.splitlines() == ["True", "['RuntimeWarning']", "True", "True"]


def test_semantic_25_a_negative_size_is_refused_on_use(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        from eventlet import tpool
        try:
            tpool.execute(int)
        except AssertionError:
            print("refused")
        """,
        env={"EVENTLET_THREADPOOL_SIZE": "-1"},
    )

    assert done.stdout == "refused\n"


def test_semantic_25_the_hubs_own_greenlet_cannot_wait_for_a_call() -> None:
    assert isinstance(in_hub(lambda: tpool.execute(int)), (RuntimeError, AssertionError))


def test_semantic_25_the_default_time_out_of_sockets_does_not_matter() -> None:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.001)
    try:
        results = [tpool.execute(time.sleep, 0.01) for _ in range(3)]
    finally:
        socket.setdefaulttimeout(before)

    assert results == [None] * 3


def test_semantic_25_killall_can_be_followed_by_use() -> None:
    tpool.killall()
    first = tpool.execute(get_ident)
    tpool.killall()
    tpool.killall()

    assert tpool.execute(int, "7") == 7
    assert first != get_ident()


def test_semantic_25_killall_delivers_the_results_that_remain() -> None:
    thread = eventlet.spawn(tpool.execute, after_a_while, int, "7")
    eventlet.sleep(0)
    eventlet.sleep(0)

    tpool.killall()

    with eventlet.Timeout(5):
        assert thread.wait() == 7


def test_semantic_25_what_a_call_raises_comes_with_its_traceback() -> None:
    def culprit() -> None:
        raise Failure("told")

    with pytest.raises(Failure, match="told") as caught:
        tpool.execute(culprit)

    assert "culprit" in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, eventlet.Timeout])
def test_semantic_25_what_ends_programs_reaches_the_caller(kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind

    with eventlet.Timeout(5, Failure), pytest.raises(kind):
        tpool.execute(leave)
    assert tpool.execute(int) == 0


def test_semantic_25_neither_arguments_nor_tracebacks_are_kept() -> None:
    class Kept:
        pass

    def fail(_argument: Kept) -> None:
        local = Kept()
        gone.append(weakref.ref(local))
        raise Failure

    argument = Kept()
    gone = [weakref.ref(argument)]
    try:
        tpool.execute(fail, argument)
    except Failure as exc:
        gone.append(weakref.ref(exc))  # type: ignore[arg-type]  # one list for all that must go
    tpool.execute(lambda _argument: None, argument)
    del argument
    tpool.execute(int)
    gc.collect()

    assert [ref() for ref in gone] == [None, None, None]


def test_semantic_25_a_caller_that_gives_up_abandons_its_result() -> None:
    done: list[str] = []
    with eventlet.Timeout(0.005, False):
        tpool.execute(after_a_while, done.append, "went on")
    abandoned = list(done)

    assert tpool.execute(int, "7") == 7
    tpool.killall()
    assert (abandoned, done) == ([], ["went on"])


def test_semantic_25_a_tuple_with_an_exception_in_it_is_a_value() -> None:
    value = (Failure, Failure("told"), None)

    assert tpool.execute(lambda: value) == value


def test_semantic_25_methods_run_in_the_pool_and_attributes_are_handed_out() -> None:
    proxy: Any = tpool.Proxy(Thing())

    assert proxy.attribute == 7
    assert proxy.ident() != get_ident()
    assert proxy.ident(nonblocking=True) == get_ident()
    assert type(proxy.child()) is Thing
    assert type(proxy._obj) is Thing


def test_semantic_25_types_and_names_to_wrap_are_wrapped_once() -> None:
    by_type: Any = tpool.Proxy(Thing(), autowrap=(Thing,))
    by_name: Any = tpool.Proxy(Thing(), autowrap_names=("child", "__call__"))

    for wrapped in (by_type.child(), by_type(), by_name.child(), by_name()):
        assert type(wrapped) is tpool.Proxy
        assert type(wrapped._obj) is Thing
    assert type(by_type.child().child()._obj) is Thing
    assert type(by_name.child().child()) is Thing
    assert by_type.attribute == 7


def test_semantic_25_what_is_inline_on_a_proxy_and_what_is_not() -> None:
    numbers = [3, 1, 2]
    proxy: Any = tpool.Proxy(numbers)

    assert (len(proxy), bool(proxy), list(proxy), repr(proxy)) == (3, True, numbers, "[3, 1, 2]")
    assert proxy == numbers
    assert proxy[0] == 3
    assert hash(tpool.Proxy("text")) == hash("text")
    idents = list(tpool.Proxy(get_ident() for _ in range(2)))
    assert get_ident() not in idents
    del proxy[0]
    proxy[0] = 9
    assert numbers == [9, 2]
