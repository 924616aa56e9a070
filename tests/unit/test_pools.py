"""Tests of `eventlet.pools`; every order of put, kill and resize is in `test_pool_orders.py`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from eventlet import pools as pools_module
from eventlet._core.current import get_hub
from eventlet.event import Event
from eventlet.greenthread import sleep, spawn, spawn_n
from eventlet.pools import Pool, Token, TokenPool
from eventlet.timeout import Timeout

from tests.unit.actors import Actor, dismiss, settle
from tests.unit.core.os_threads import start_os_thread


class Numbers(Pool[int]):
    """A pool of 1, 2, 3 ..."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._numbers = count(1)
        super().__init__(*args, **kwargs)

    def create(self) -> int:
        return next(self._numbers)


def state(pool: Pool[Any]) -> tuple[list[Any], int, int, int]:
    return list(pool.free_items), pool.current_size, pool.free(), pool.waiting()


# --- making items -----------------------------------------------------------------------


def test_items_are_made_when_needed_up_to_the_limit() -> None:
    pool = Numbers(max_size=3)
    assert state(pool) == ([], 0, 3, 0)

    assert [pool.get() for _ in range(3)] == [1, 2, 3]

    assert state(pool) == ([], 3, 0, 0)


def test_as_many_as_min_size_are_made_at_once() -> None:
    pool = Numbers(min_size=2, max_size=3)

    assert state(pool) == ([1, 2], 2, 3, 0)
    assert [pool.get() for _ in range(3)] == [1, 2, 3]


def test_create_can_be_passed() -> None:
    pool = Pool(max_size=1, create=lambda: "made")

    assert pool.get() == "made"
    assert pool.create() == "made"


def test_an_item_may_be_false() -> None:
    pool = Pool[Any](max_size=1, create=lambda: None)
    pool.get()
    waiter = Actor("waiter", [], pool.get)

    pool.put(None)
    settle()

    assert waiter.has_returned
    assert waiter.value is None
    assert pool.current_size == 1


@pytest.mark.parametrize("make", [Pool[int], lambda: Pool[int](min_size=1).get])
def test_a_pool_that_cannot_make_items_says_so(make: Callable[[], Any]) -> None:
    with pytest.raises(NotImplementedError, match="pass `create` or replace it"):
        make().get()


def test_a_failed_create_leaves_its_place() -> None:
    pool = Pool[int](max_size=1, create=lambda: 1 // 0)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            pool.get()

    assert state(pool) == ([], 0, 1, 0)


def test_the_place_is_taken_while_create_waits() -> None:
    made = Event()
    pool = Pool[int](max_size=1, create=made.wait)
    maker, waiter = Actor("maker", [], pool.get), Actor("waiter", [], pool.get)
    assert state(pool) == ([], 1, 0, 1)

    made.send(7)
    settle()

    assert maker.value == 7
    assert waiter.is_waiting
    dismiss([waiter])


def test_a_failed_create_lets_the_next_waiter_make_one() -> None:
    first = Event()
    events = iter([first])
    pool = Pool[str](max_size=1, create=lambda: next(events, second).wait())
    second = Event()
    second.send("second")
    maker, waiter = Actor("maker", [], pool.get), Actor("waiter", [], pool.get)

    first.send_exception(OSError("refused"))
    settle()

    assert isinstance(maker.exc, OSError)
    assert waiter.value == "second"
    assert pool.current_size == 1


def test_a_thread_killed_in_create_leaves_its_place() -> None:
    pool = Pool[int](max_size=1, create=Event().wait)
    maker = spawn(pool.get)
    sleep(0)

    maker.kill()

    assert state(pool) == ([], 0, 1, 0)


# --- order ------------------------------------------------------------------------------


def test_items_are_used_in_turn() -> None:
    pool = Numbers(min_size=3)
    for _ in range(2):
        pool.put(pool.get())

    assert list(pool.free_items) == [3, 1, 2]


def test_as_a_stack_the_last_one_back_is_the_first_to_be_given() -> None:
    pool = Numbers(max_size=3, order_as_stack=True)
    for item in [pool.get() for _ in range(3)]:
        pool.put(item)

    assert [pool.get() for _ in range(3)] == [3, 2, 1]


@pytest.mark.parametrize("order_as_stack", [False, True])
def test_waiters_are_served_in_the_order_of_their_arrival(order_as_stack: bool) -> None:
    pool = Numbers(max_size=2, order_as_stack=order_as_stack)
    items = [pool.get() for _ in range(2)]
    journal: list[Actor] = []
    actors = [Actor(str(number), journal, pool.get) for number in range(4)]
    assert pool.waiting() == 4

    for item in items:
        pool.put(item)
    settle()
    assert [(actor.name, actor.value) for actor in journal] == [("0", 1), ("1", 2)]

    dismiss(actors)


# --- giving back ------------------------------------------------------------------------


def test_put_hands_the_item_over_without_a_yield() -> None:
    pool = Numbers(max_size=1)
    item = pool.get()
    journal: list[Any] = []
    spawn_n(lambda: journal.append(pool.get()))
    sleep(0)

    pool.put(item)
    journal.append("put")

    assert list(pool.free_items) == []
    sleep(0)
    assert journal == ["put", 1]


def test_a_handed_over_item_cannot_be_taken_by_who_gave_it() -> None:
    pool = Numbers(max_size=1)
    turns: list[str] = []

    def take_turns(name: str) -> None:
        for _ in range(20):
            item = pool.get()
            turns.append(name)
            sleep(0)
            pool.put(item)

    threads = [spawn(take_turns, name) for name in "ab"]
    for thread in threads:
        thread.wait()

    assert turns == ["a", "b"] * 20


def test_a_get_that_times_out_traps_no_item() -> None:
    pool = Numbers(max_size=1)
    item = pool.get()
    with pytest.raises(Timeout), Timeout(0):
        pool.get()
    assert pool.waiting() == 0

    pool.put(item)

    assert state(pool) == ([1], 1, 1, 0)


def test_an_item_whose_waiter_dies_goes_to_the_next() -> None:
    pool = Numbers(max_size=1)
    item = pool.get()
    first, second = Actor("first", [], pool.get), Actor("second", [], pool.get)

    pool.put(item)
    first.interrupt()
    settle()

    assert first.exc is not None
    assert second.value == 1


@pytest.mark.parametrize("order_as_stack", [False, True])
def test_an_item_whose_only_waiter_dies_is_the_next_to_be_given(order_as_stack: bool) -> None:
    pool = Numbers(max_size=2, order_as_stack=order_as_stack)
    items = [pool.get(), pool.get()]
    waiter = Actor("waiter", [], pool.get)

    for item in items:
        pool.put(item)
    waiter.interrupt()
    settle()

    assert list(pool.free_items) == [1, 2]


def test_item_is_given_back_at_the_end_of_the_block() -> None:
    pool = Numbers(max_size=1)

    with pool.item() as item:
        assert item == 1
        assert pool.free() == 0
    assert pool.free() == 1

    with pytest.raises(KeyError), pool.item():
        raise KeyError
    assert state(pool) == ([1], 1, 1, 0)


def test_killing_a_thread_in_a_block_gives_the_item_back() -> None:
    pool = Numbers(max_size=1)

    def use() -> None:
        with pool.item():
            sleep(3600)

    user = spawn(use)
    sleep(0)

    user.kill()

    assert state(pool) == ([1], 1, 1, 0)


# --- resizing ---------------------------------------------------------------------------


def test_a_larger_limit_lets_waiters_make_items() -> None:
    pool = Numbers(max_size=1)
    pool.get()
    actors = [Actor(str(number), [], pool.get) for number in range(3)]

    pool.resize(3)
    settle()

    assert [actor.value for actor in actors] == [2, 3, None]
    assert state(pool) == ([], 3, 0, 1)
    dismiss(actors)


def test_a_waiter_that_dies_with_a_place_leaves_it_to_the_next() -> None:
    pool = Numbers(max_size=1)
    pool.get()
    first, second = Actor("first", [], pool.get), Actor("second", [], pool.get)

    pool.resize(2)
    first.interrupt()
    settle()

    assert second.value == 2
    assert pool.current_size == 2


def test_items_above_a_smaller_limit_are_dropped_as_they_come_back() -> None:
    pool = Numbers(max_size=3)
    items = [pool.get() for _ in range(3)]

    pool.resize(1)
    assert pool.free() == -2
    for item in items:
        pool.put(item)

    assert state(pool) == ([3], 1, 1, 0)


def test_an_item_too_many_is_dropped_though_somebody_waits() -> None:
    pool = Numbers(max_size=2)
    items = [pool.get(), pool.get()]
    waiter = Actor("waiter", [], pool.get)
    pool.resize(1)

    pool.put(items[0])
    settle()
    assert waiter.is_waiting

    pool.put(items[1])
    settle()
    assert waiter.value == 2


def test_an_item_handed_over_before_the_pool_shrank_is_dropped_when_its_waiter_dies() -> None:
    pool = Numbers(max_size=1)
    item = pool.get()
    waiter = Actor("waiter", [], pool.get)

    pool.put(item)
    pool.resize(0)
    waiter.interrupt()
    settle()

    assert state(pool) == ([], 0, 0, 0)


# --- elsewhere --------------------------------------------------------------------------


def test_a_callback_of_the_hub_can_take_and_give_but_not_wait() -> None:
    pool = Numbers(max_size=1)
    outcome = Event()

    def in_the_hub() -> None:
        item = pool.get()
        try:
            pool.get()
        except RuntimeError as exc:
            pool.put(item)
            outcome.send(str(exc))

    get_hub().call_soon(in_the_hub)

    assert outcome.wait().startswith("do not call blocking functions from the mainloop")
    assert state(pool) == ([1], 1, 1, 0)


def test_a_put_just_before_the_park_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = get_hub()
    pool = Numbers(max_size=1)
    item = pool.get()

    def put_then_get_hub() -> Any:
        """What another OS thread could do between the waiter's look and its park."""
        pool.put(item)
        return hub

    monkeypatch.setattr(pools_module, "get_hub", put_then_get_hub)

    assert pool.get() == 1
    assert state(pool) == ([], 1, 0, 0)


@pytest.mark.slow
def test_green_threads_of_several_os_threads_share_items_and_lose_none() -> None:
    pool = Numbers(max_size=3)
    in_use: list[int] = []
    doubled: list[int] = []

    def use(turns: int) -> int:
        done = 0
        for _ in range(turns):
            try:
                with Timeout(0.001), pool.item() as item:
                    doubled.extend({item} & set(in_use))
                    in_use.append(item)
                    try:
                        sleep(0)
                    finally:
                        in_use.remove(item)
                    done += 1
            except Timeout:
                continue
        return done

    def os_thread() -> int:
        return sum(thread.wait() for thread in [spawn(use, 100) for _ in range(5)])

    threads = [start_os_thread(os_thread) for _ in range(4)]
    done = sum(thread.result() for thread in threads)

    assert done > 0
    assert doubled == []
    assert state(pool) == (list(pool.free_items), len(pool.free_items), 3, 0)
    assert sorted(pool.free_items) == [1, 2, 3]


def test_the_text_of_a_pool_tells_its_state() -> None:
    pool = Numbers(min_size=1, max_size=2)

    assert repr(pool).endswith(": 1 of 2, 1 free, 0 waiting>")


def test_a_token_pool_has_tokens() -> None:
    pool = TokenPool(max_size=1)

    token = pool.get()

    assert isinstance(token, Token)
    pool.put(token)
    assert pool.get() is token
