"""Semantics 1 to 8: spawning, passes of the hub, killing, links, what escapes, a hub that died.

Written as a program for the old library would be: through public names only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import greenlet
import pytest

import eventlet
from eventlet import hubs

from tests.conftest import RunIsolated

Starter = Callable[..., Any]


class Stop(Exception):
    """What victims are killed with."""


def spawn_soon(func: Callable[..., Any], *args: Any) -> Any:
    return eventlet.spawn_after(0, func, *args)


# -- 1: spawn never runs func before returning; the next sleep(0) must; FIFO ------------------


@pytest.mark.parametrize("start", [eventlet.spawn, eventlet.spawn_n, spawn_soon])
def test_semantic_01_spawn_never_runs_the_function_before_it_returns(start: Starter) -> None:
    order: list[str] = []

    start(order.append, "spawned")
    order.append("spawner")
    eventlet.sleep(0)

    assert order == ["spawner", "spawned"]


@pytest.mark.parametrize("start", [eventlet.spawn, eventlet.spawn_n])
def test_semantic_01_a_spawned_thread_that_spawns_goes_on_first(start: Starter) -> None:
    order: list[str] = []

    def outer() -> None:
        start(order.append, "inner")
        order.append("outer")

    eventlet.spawn(outer)
    eventlet.sleep(0)
    eventlet.sleep(0)

    assert order == ["outer", "inner"]


def test_semantic_01_the_next_sleep_of_nothing_runs_all_that_was_spawned_in_order() -> None:
    order: list[Any] = []
    for number in range(50):
        (eventlet.spawn if number % 2 else eventlet.spawn_n)(order.append, number)

    eventlet.sleep(0)

    assert order == list(range(50))


def test_semantic_01_equal_deadlines_are_first_come_first_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = hubs.get_hub()
    order: list[int] = []
    moment = hub.clock()

    with monkeypatch.context() as frozen:
        frozen.setattr(hub, "clock", lambda: moment)
        for number in range(100):
            hub.schedule_call_global(0.01, order.append, number)
    eventlet.sleep(0.03)

    assert order == list(range(100))


# -- 2: 0-timers created while firing wait for the next pass, after an I/O poll ---------------


def test_semantic_02_a_timer_made_while_timers_fire_comes_after_input_and_output() -> None:
    hub = hubs.get_hub()
    left, right = eventlet.green.socket.socketpair()
    order: list[str] = []

    def readable(_fileno: int) -> None:
        order.append("input")
        hub.remove(listener)

    def fire() -> None:
        order.append("first timer")
        hub.schedule_call_global(0, order.append, "second timer")
        left.sendall(b"x")

    listener = hub.add(hub.READ, right.fileno(), readable, pytest.fail, lambda: None)
    hub.schedule_call_global(0, fire)
    eventlet.sleep(0.01)
    left.close()
    right.close()

    assert order == ["first timer", "input", "second timer"]


def test_semantic_02_a_timer_made_while_timers_fire_is_not_fired_in_the_same_pass() -> None:
    hub = hubs.get_hub()
    order: list[str] = []

    def fire() -> None:
        hub.schedule_call_global(0, order.append, "made while firing")

    hub.schedule_call_global(0, fire)
    hub.schedule_call_global(0, order.append, "made before")
    eventlet.sleep(0)
    order.append("sleeper")
    eventlet.sleep(0)

    assert order == ["made before", "sleeper", "made while firing"]


def test_semantic_02_threads_that_only_yield_do_not_keep_a_reader_waiting() -> None:
    left, right = eventlet.green.socket.socketpair()
    turns = 0
    is_done = False

    def spin() -> None:
        nonlocal turns
        while not is_done:
            turns += 1
            eventlet.sleep(0)

    spinners = [eventlet.spawn(spin) for _ in range(2)]
    reader = eventlet.spawn(right.recv, 1)
    eventlet.sleep(0)
    left.sendall(b"x")
    assert reader.wait() == b"x"
    is_done = True
    for spinner in spinners:
        spinner.wait()
    left.close()
    right.close()

    assert turns < 100


# -- 3: bool(gt) is False before start and after death; cancel relies on it -------------------


def test_semantic_03_truth_is_false_before_start_and_after_death() -> None:
    thread = eventlet.spawn(eventlet.sleep, 0)

    before = bool(thread)
    eventlet.sleep(0)
    during = bool(thread)
    thread.wait()
    eventlet.sleep(0)

    assert (before, during, bool(thread)) == (False, True, False)
    assert thread.dead


@pytest.mark.parametrize("cancel", [eventlet.greenthread.cancel, lambda g, *args: g.cancel(*args)])
def test_semantic_03_cancel_ends_what_has_not_started_and_nothing_else(cancel: Starter) -> None:
    ran: list[str] = []

    def run() -> None:
        eventlet.sleep(0)
        ran.append("running")

    never = eventlet.spawn(ran.append, "never")
    running = eventlet.spawn_after(0, run)

    cancel(never)
    while not running:
        eventlet.sleep(0)
    cancel(running)
    running.wait()
    eventlet.sleep(0)
    cancel(running)

    assert ran == ["running"]
    with pytest.raises(greenlet.GreenletExit):
        never.wait()


# -- 4: killing an unstarted thread -----------------------------------------------------------

THROW_FORMS: list[tuple[tuple[Any, ...], type[BaseException]]] = [
    ((), greenlet.GreenletExit),
    ((Stop,), Stop),
    ((Stop("told"),), Stop),
    ((Stop, "told"), Stop),
    ((Stop, Stop("told")), Stop),
    ((Stop, Stop("told"), None), Stop),
]


@pytest.mark.parametrize(("throw_args", "kind"), THROW_FORMS)
def test_semantic_04_killing_the_unstarted_raises_in_waiters_and_prints_nothing(
    throw_args: tuple[Any, ...],
    kind: type[BaseException],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran: list[str] = []
    thread = eventlet.spawn(ran.append, "body")

    eventlet.kill(thread, *throw_args)
    with pytest.raises(kind):
        thread.wait()
    eventlet.sleep(0)

    assert (ran, thread.dead, bool(thread)) == ([], True, False)
    assert capsys.readouterr() == ("", "")


def test_semantic_04_killing_the_unstarted_wakes_waiters_and_fires_links() -> None:
    told: list[str] = []

    def wait() -> None:
        try:
            thread.wait()
        except Stop as exc:
            told.append(f"waiter {exc}")

    def linked(_thread: Any, name: str) -> None:
        told.append(name)

    waiter = eventlet.spawn(wait)
    thread = eventlet.spawn_after(30, pytest.fail, "it ran")
    thread.link(linked, "link 1")
    thread.link(linked, "link 2")
    eventlet.sleep(0)
    thread.kill(Stop("told"))
    waiter.wait()

    assert told == ["link 1", "link 2", "waiter told"]


@pytest.mark.parametrize("spawn", [eventlet.GreenPool.spawn, eventlet.GreenPool.spawn_n])
def test_semantic_04_killing_the_unstarted_frees_its_place_in_the_pool(spawn: Starter) -> None:
    pool = eventlet.GreenPool(1)
    spawn(pool, pytest.fail, "it ran")

    for worker in list(pool.coroutines_running):
        eventlet.kill(worker)
    eventlet.sleep(0)

    assert (pool.free(), pool.running()) == (1, 0)
    pool.waitall()


def test_semantic_04_killing_an_unstarted_plain_greenlet_keeps_it_from_running() -> None:
    ran: list[str] = []
    plain = greenlet.greenlet(lambda: ran.append("plain"))
    spawned = eventlet.spawn_n(ran.append, "spawned")

    eventlet.kill(spawned)
    eventlet.kill(plain)
    eventlet.sleep(0)

    assert (ran, plain.dead, spawned.dead) == ([], True, True)


def test_semantic_04_killing_the_unstarted_before_the_hub_ever_ran(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated("""
        import eventlet
        thread = eventlet.spawn(print, "it ran")
        eventlet.kill(thread, ValueError("told"))
        try:
            thread.wait()
        except ValueError as exc:
            print(exc)
        eventlet.sleep(0)
    """)

    assert (done.stdout, done.stderr) == ("told\n", "")


# -- 5: kill runs the victim at once, then queued work, then the killer -----------------------


def test_semantic_05_kill_runs_the_victim_then_queued_work_then_the_killer() -> None:
    order: list[str] = []

    def victim() -> None:
        try:
            eventlet.sleep(30)
        except greenlet.GreenletExit:
            order.append("victim")

    thread = eventlet.spawn(victim)
    eventlet.sleep(0)
    eventlet.spawn(order.append, "queued 1")
    eventlet.spawn(order.append, "queued 2")
    eventlet.kill(thread)
    order.append("killer")

    assert order == ["victim", "queued 1", "queued 2", "killer"]


def test_semantic_05_a_victim_may_catch_it_and_one_that_cleans_up_holds_nobody_up() -> None:
    def stubborn() -> str:
        try:
            eventlet.sleep(30)
        except Stop:
            eventlet.sleep(0.01)
        return "went on"

    thread = eventlet.spawn(stubborn)
    eventlet.sleep(0)
    eventlet.kill(thread, Stop)

    assert not thread.dead
    assert thread.wait() == "went on"


def test_semantic_05_killing_the_dead_neither_yields_nor_fails() -> None:
    thread = eventlet.spawn(int)
    thread.wait()
    eventlet.sleep(0)
    order: list[str] = []
    other = eventlet.spawn(order.append, "other")

    eventlet.kill(thread, Stop)
    order.append("killer")
    other.wait()

    assert order == ["killer", "other"]


def test_semantic_05_killing_oneself_raises_in_place_and_leaves_no_wake_up() -> None:
    order: list[str] = []

    def suicide() -> None:
        try:
            eventlet.kill(eventlet.getcurrent(), Stop)
        except Stop:
            order.append("raised")
        started = hubs.get_hub().clock()
        eventlet.sleep(0.02)
        order.append("slept" if hubs.get_hub().clock() - started >= 0.019 else "woken")

    eventlet.spawn(suicide).wait()

    assert order == ["raised", "slept"]


# -- 6: links run in the dying thread before waiters; linking a finished one runs inline -------


def test_semantic_06_links_run_in_the_dying_thread_in_order_before_waiters() -> None:
    order: list[Any] = []

    def linked(thread: Any, name: str, *, extra: int) -> None:
        order.append((name, extra, thread.wait(), eventlet.getcurrent() is thread))

    thread = eventlet.spawn(lambda: "result")
    waiter = eventlet.spawn(lambda: order.append(("waiter", thread.wait())))
    thread.link(linked, "first", extra=1)
    thread.link(linked, "second", extra=2)
    waiter.wait()

    assert order == [
        ("first", 1, "result", True),
        ("second", 2, "result", True),
        ("waiter", "result"),
    ]


def test_semantic_06_linking_a_finished_thread_runs_inline() -> None:
    thread = eventlet.spawn(int)
    thread.wait()
    seen: list[Any] = []

    thread.link(lambda gt, extra: seen.append((gt, extra, eventlet.getcurrent())), "extra")

    assert seen == [(thread, "extra", eventlet.getcurrent())]


def test_semantic_06_unlink_takes_function_and_arguments() -> None:
    seen: list[Any] = []

    def linked(_thread: Any, what: str) -> None:
        seen.append(what)

    thread = eventlet.spawn(int)
    thread.link(linked, "stays")
    thread.link(linked, "goes")

    assert (thread.unlink(linked, "goes"), thread.unlink(linked, "other")) == (True, False)
    thread.wait()
    assert seen == ["stays"]


# -- 7: what is printed, and what reaches the main greenlet ------------------------------------


def test_semantic_07_a_failed_thread_is_printed_even_if_waited_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise Stop("for the log")

    thread = eventlet.spawn(fail)
    with pytest.raises(Stop, match="for the log"):
        thread.wait()
    eventlet.sleep(0)

    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert "Stop: for the log" in printed


@pytest.mark.parametrize("start", [eventlet.spawn, eventlet.spawn_n])
def test_semantic_07_a_clean_exit_is_never_printed(
    start: Starter, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave() -> None:
        raise greenlet.GreenletExit("clean")

    start(leave)
    victim = start(eventlet.sleep, 30)
    eventlet.sleep(0)
    eventlet.kill(victim)
    eventlet.sleep(0)

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("start", [eventlet.spawn, eventlet.spawn_n])
def test_semantic_07_exits_reach_the_main_greenlet_wherever_it_is_blocked(
    start: Starter, kind: type[BaseException]
) -> None:
    def leave() -> None:
        raise kind("out")

    start(leave)
    with pytest.raises(kind, match="out"):
        eventlet.Event().wait()


def test_semantic_07_exits_in_a_callback_of_the_hub_reach_the_main_greenlet() -> None:
    hubs.get_hub().schedule_call_global(0, sys.exit, "out")

    with pytest.raises(SystemExit, match="out"):
        eventlet.Queue().get()


# -- 8: a dead hub is rebuilt -------------------------------------------------------------------


def test_semantic_08_a_hub_that_died_is_rebuilt_with_timers_and_listeners() -> None:
    hub = hubs.get_hub()
    left, right = eventlet.green.socket.socketpair()
    told: list[str] = []
    hub.schedule_call_global(0.01, told.append, "timer")
    reader = eventlet.spawn(right.recv, 1)
    eventlet.sleep(0)

    with pytest.raises(KeyboardInterrupt):
        hub.greenlet.throw(KeyboardInterrupt())
    left.sendall(b"x")
    eventlet.sleep(0.02)

    assert told == ["timer"]
    assert reader.wait() == b"x"
    assert hubs.get_hub() is hub
    assert not hub.greenlet.dead
    left.close()
    right.close()


def test_semantic_08_threads_of_a_hub_that_died_return_to_the_new_one() -> None:
    hub = hubs.get_hub()
    order: list[str] = []

    def orphan() -> None:
        eventlet.sleep(0.01)
        order.append("orphan")

    thread = eventlet.spawn(orphan)
    eventlet.sleep(0)
    with pytest.raises(KeyboardInterrupt):
        hub.greenlet.throw(KeyboardInterrupt())
    # Were its end to lead to the dead hub, it would lead on to us, in the midst of this sleep.
    eventlet.sleep(0.03)
    order.append("main")

    assert order == ["orphan", "main"]
    assert thread.dead


def test_semantic_08_exits_do_not_cost_the_hub_its_timers() -> None:
    told: list[str] = []
    eventlet.spawn_after(0.01, told.append, "timer")
    eventlet.spawn(sys.exit)

    with pytest.raises(SystemExit):
        eventlet.sleep(1)
    eventlet.sleep(0.02)

    assert told == ["timer"]
