"""Tests of `eventlet.corolocal`."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from greenlet import getcurrent, greenlet

from eventlet._unpatched import start_new_thread
from eventlet.corolocal import forget_locals, get_ident, local
from eventlet.greenthread import sleep, spawn
from eventlet.queue import Queue


class Thing:
    """Something a weak reference can watch."""

    local: local


def test_each_green_thread_has_its_own_values() -> None:
    mine = local()
    mine.name = "main"

    def work(name: str) -> Any:
        before = hasattr(mine, "name")
        mine.name = name
        sleep(0)
        return before, mine.name

    threads = [spawn(work, name) for name in "ab"]

    assert [thread.wait() for thread in threads] == [(False, "a"), (False, "b")]
    assert mine.name == "main"


def test_two_locals_do_not_share_values() -> None:
    first, second = local(), local()
    first.x = 1

    assert not hasattr(second, "x")


def test_a_missing_value_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'local' object has no attribute 'x'"):
        _ = local().x
    with pytest.raises(AttributeError, match="'local' object has no attribute 'x'"):
        del local().x


def test_a_value_can_be_deleted() -> None:
    mine = local()
    mine.x = 1

    del mine.x

    assert not hasattr(mine, "x")


def test_the_dictionary_is_that_of_the_current_green_thread() -> None:
    mine = local()
    mine.x = 1

    assert mine.__dict__ == {"x": 1}
    assert spawn(lambda: dict(mine.__dict__)).wait() == {}
    mine.__dict__["y"] = 2
    assert mine.y == 2
    assert "y" in dir(mine)


def test_the_dictionary_cannot_be_replaced() -> None:
    with pytest.raises(AttributeError, match="read-only"):
        local().__dict__ = {}
    with pytest.raises(AttributeError, match="read-only"):
        del local().__dict__


def test_arguments_need_an_init() -> None:
    with pytest.raises(TypeError, match="takes no arguments"):
        local(1)
    with pytest.raises(TypeError, match="takes no arguments"):
        local(name=1)


class Counting(local):
    """Notes in which green thread its `__init__` ran."""

    default = "of the class"

    def __init__(self, start: int, *, journal: list[int]) -> None:
        self.count = start
        journal.append(get_ident())

    @property
    def double(self) -> int:
        return 2 * self.count

    @double.setter
    def double(self, value: int) -> None:
        self.count = value // 2


def test_init_runs_again_in_each_green_thread() -> None:
    journal: list[int] = []
    mine = Counting(5, journal=journal)
    mine.count += 1

    def work() -> Any:
        mine.count += 10
        return mine.count, get_ident()

    count, ident = spawn(work).wait()

    assert (mine.count, count) == (6, 15)
    assert journal == [get_ident(), ident]


def test_an_init_that_fails_is_tried_again() -> None:
    journal: list[str] = []

    class Failing(local):
        def __init__(self) -> None:
            journal.append("tried")
            if len(journal) == 2:
                raise ValueError
            self.x = 1

    mine = Failing()

    def work() -> Any:
        with pytest.raises(ValueError):
            _ = mine.x
        return mine.x

    assert spawn(work).wait() == 1
    assert journal == ["tried"] * 3


def test_class_attributes_properties_and_values_work_together() -> None:
    mine = Counting(2, journal=[])
    assert (mine.default, mine.double) == ("of the class", 4)

    mine.default = "mine"
    mine.double = 10

    assert (mine.default, mine.count) == ("mine", 5)
    assert spawn(lambda: (mine.default, mine.count)).wait() == ("of the class", 2)
    with pytest.raises(AttributeError):
        del mine.double


def test_getattr_of_a_subclass_is_asked_last() -> None:
    class Generous(local):
        def __getattr__(self, name: str) -> str:
            return f"no {name}"

    mine = Generous()
    mine.x = 1

    assert (mine.x, mine.y) == (1, "no y")


def test_slots_of_a_subclass_are_shared() -> None:
    class Slotted(local):
        __slots__ = ("shared",)
        shared: int

    mine = Slotted()
    mine.shared = 1

    assert spawn(lambda: mine.shared).wait() == 1


def test_values_go_when_the_greenlet_goes() -> None:
    mine = local()
    alive: weakref.WeakSet[Thing] = weakref.WeakSet()

    def work() -> None:
        mine.thing = Thing()
        alive.add(mine.thing)

    for _ in range(10):
        spawn(work).wait()
    gc.collect()

    assert len(alive) == 0


def test_a_value_that_refers_to_its_greenlet_goes_too() -> None:
    mine = local()

    def work() -> Any:
        mine.thread = getcurrent()
        return weakref.ref(getcurrent())

    dead = spawn(work).wait()
    gc.collect()

    assert dead() is None


def test_values_of_dead_plain_greenlets_that_refer_to_them_do_not_pile_up() -> None:
    mine = local()
    alive: weakref.WeakSet[greenlet] = weakref.WeakSet()

    def work() -> None:
        mine.thread = getcurrent()
        alive.add(getcurrent())

    for _ in range(500):
        greenlet(work).switch()
    gc.collect()

    assert len(alive) < 100


def test_a_value_that_refers_to_its_local_goes_with_it() -> None:
    thing = Thing()
    thing.local = local()
    thing.local.thing = thing
    dead = weakref.ref(thing)

    del thing
    gc.collect()

    assert dead() is None


def test_values_go_when_the_local_goes() -> None:
    mine = local()
    mine.thing = Thing()
    thing = weakref.ref(mine.thing)

    del mine

    assert thing() is None


def test_each_os_thread_has_its_own_values() -> None:
    mine = local()
    mine.x = "main"
    seen: Queue[bool] = Queue()

    start_new_thread(lambda: seen.put(hasattr(mine, "x")), ())

    assert seen.get(timeout=10) is False
    assert mine.x == "main"


def test_locals_can_be_forgotten() -> None:
    mine = Counting(1, journal=[])

    def work() -> Any:
        mine.count = 5
        forget_locals(getcurrent())
        return mine.count

    assert spawn(work).wait() == 1


def test_forgetting_where_there_is_nothing_is_harmless() -> None:
    spawn(lambda: forget_locals(getcurrent())).wait()


def test_the_ident_is_that_of_the_current_greenlet() -> None:
    assert get_ident() == id(getcurrent())
    assert spawn(get_ident).wait() != get_ident()
