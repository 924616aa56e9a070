"""Hubs and OS threads. Trap 8: the life of a hub, and who may call it from where."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import greenlet
import pytest

from eventlet._core import current
from eventlet._core.current import (
    drop_hub,
    existing_hub,
    get_hub,
    hubs,
    set_hub_factory,
)
from eventlet._core.descriptor import Descriptor
from eventlet._core.hub import Hub
from eventlet._core.wait_queue import EXPIRED, Ticket, WaitQueue, wake
from eventlet._errors import HubClosed, UnsupportedRuntime
from eventlet.greenthread import getcurrent, kill, sleep, spawn, spawn_after

from tests.isolated_runner import run_isolated
from tests.unit.core.os_threads import OSThread, in_os_thread, start_os_thread
from tests.unit.core.plumbing import LONG, SOON, socket_pair

OS_THREADS = 8


@pytest.fixture
def hub() -> Hub:
    return get_hub()


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Have OS threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


# -- making and dropping ----------------------------------------------------------------------


def test_the_first_call_makes_the_hub() -> None:
    def program() -> tuple[bool, bool, bool]:
        before = existing_hub()
        made = get_hub()
        return before is None, existing_hub() is made, made in hubs

    assert in_os_thread(program) == (True, True, True)


def test_the_factory_makes_the_next_hub() -> None:
    class Special(Hub):
        pass

    assert type(in_os_thread(get_hub, Special)) is Special
    assert type(in_os_thread(get_hub)) is not Special


def test_a_dropped_hub_is_closed_and_the_next_call_makes_another() -> None:
    def program() -> tuple[bool, bool, bool]:
        first = get_hub()
        sleep(0)
        drop_hub()
        sleep(0.001)
        return first.closed, first not in hubs, get_hub() is not first

    assert in_os_thread(program) == (True, True, True)


def test_a_hub_dropped_by_one_of_its_threads(capsys: pytest.CaptureFixture[str]) -> None:
    def program() -> list[Any]:
        order: list[Any] = []

        def dropper() -> None:
            drop_hub()
            order.append("dropped")
            sleep(0.001)  # on the new hub
            order.append("slept")

        thread = spawn(dropper)
        try:
            thread.wait()
        except HubClosed:
            order.append("main was told")
        sleep(0.01)
        return order

    assert in_os_thread(program) == ["dropped", "slept", "main was told"]
    assert capsys.readouterr().err == ""


def test_a_factory_that_fails_leaves_nothing() -> None:
    def fail() -> Hub:
        raise OSError("no hub today")

    def program() -> bool:
        set_hub_factory(fail)
        with pytest.raises(OSError, match="no hub today"):
            get_hub()
        set_hub_factory(None)
        return existing_hub() is None and get_hub() is not None

    assert in_os_thread(program)


# -- what a hub leaves when its OS thread ends ----------------------------------------------------


def test_trap8_the_end_of_an_os_thread_gives_its_descriptors_back() -> None:
    def program() -> list[str]:
        hub = get_hub()
        sleep(0)
        numbers = {hub.poller.fileno(), hub.notifier.fd} - {-1}
        return [os.readlink(f"/proc/self/fd/{fd}") for fd in sorted(numbers)]

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("reads /proc/self/fd")
    before = set(os.listdir("/proc/self/fd"))
    assert in_os_thread(program)
    assert set(os.listdir("/proc/self/fd")) == before


def test_trap8_the_end_of_an_os_thread_ends_its_green_threads_there() -> None:
    ended: list[tuple[str, int]] = []
    queue = WaitQueue()

    def forever(name: str, wait: Callable[[], object]) -> None:
        try:
            wait()
        finally:
            ended.append((name, threading.get_ident()))

    def queued() -> object:
        ticket = get_hub().ticket()
        queue.append(ticket)
        return get_hub().park(ticket)

    def program() -> tuple[int, list[Any]]:
        hub = get_hub()
        r, w = os.pipe()
        threads = [
            spawn(forever, "sleep", lambda: sleep(50)),
            spawn(forever, "read", lambda: hub.wait_foreign(r, read=True)),
            spawn(forever, "queue", queued),
            spawn(forever, "ready", lambda: sleep(0)),
        ]
        threads.append(spawn_after(50, forever, "later", int))
        sleep(0)
        threads.append(spawn(forever, "unstarted", int))
        os.close(w)
        os.close(r)
        return threading.get_ident(), threads

    ident, threads = in_os_thread(program)

    assert sorted(ended) == [(name, ident) for name in ("queue", "read", "ready", "sleep")]
    assert all(thread.dead for thread in threads)
    for thread in threads:
        with pytest.raises(greenlet.GreenletExit):
            thread.wait()


def test_trap8_waiters_elsewhere_learn_that_the_threads_have_ended(hub: Hub) -> None:
    started = threading.Event()
    made: list[Any] = []

    def program() -> None:
        made.append(spawn(sleep, 50))
        made.append(spawn_after(50, int))
        sleep(0)
        started.set()
        time.sleep(SOON)

    other = start_os_thread(program)
    assert started.wait(LONG)
    watchers = [spawn(thread.wait) for thread in made]
    for watcher in watchers:
        with pytest.raises(greenlet.GreenletExit):
            watcher.wait()
    other.result()


def test_trap8_clean_up_that_waits_for_long_is_interrupted_again() -> None:
    order: list[object] = []

    def stubborn() -> None:
        try:
            sleep(50)
        finally:
            sleep(0)
            order.append(get_hub() is hubs_there[0])
            try:
                sleep(50)  # for longer than the end of an OS thread waits
            finally:
                order.append("gave up")

    hubs_there: list[Hub] = []

    def program() -> None:
        hubs_there.append(get_hub())
        spawn(stubborn)
        sleep(0)

    in_os_thread(program)
    assert order == [True, "gave up"]


def test_trap8_a_thread_that_will_not_end_does_not_hang_the_os_thread(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rounds: list[int] = []

    def program() -> None:
        spawn(_never_give_up, rounds)
        sleep(0)

    in_os_thread(program)
    assert rounds
    assert "HubClosed" in capsys.readouterr().err  # what the last wait got


def _never_give_up(rounds: list[int]) -> None:
    while True:
        try:
            sleep(50)
        except greenlet.GreenletExit:
            rounds.append(1)


def test_trap8_a_thread_that_waits_in_a_plain_switch_is_ended_too() -> None:
    ended: list[int] = []

    def body() -> None:
        try:
            get_hub().greenlet.switch()  # as `hubs.get_hub().switch()` does
        finally:
            ended.append(threading.get_ident())

    def program() -> int:
        spawn(body)
        sleep(0)
        return threading.get_ident()

    home = in_os_thread(program)
    assert ended == [home]


def test_trap8_plain_greenlets_that_do_not_wait_on_the_hub_are_not_its_business(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept: list[Any] = []

    def body() -> None:
        sleep(0.001)
        getcurrent().parent.switch()  # type: ignore[union-attr]  # it has one

    def program() -> None:
        kept.append(greenlet.greenlet(body))
        kept[0].switch()

    in_os_thread(program)
    assert capsys.readouterr().err == ""


def test_trap8_calls_that_were_to_come_are_dropped() -> None:
    calls: list[int] = []

    def program() -> None:
        hub = get_hub()
        spawn(sleep, 50)
        sleep(0)
        hub.call_soon(calls.append, 1)
        hub.call_later(0.0001, calls.append, 2)
        time.sleep(0.002)

    in_os_thread(program)
    assert calls == []


def test_trap8_exit_requests_of_ending_threads_are_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def leave() -> None:
        try:
            sleep(50)
        finally:
            sys.exit(3)

    def program() -> Hub:
        spawn(leave)
        spawn(sleep, 50)
        sleep(0)
        return get_hub()

    assert in_os_thread(program).closed
    assert "SystemExit: 3" in capsys.readouterr().err


def test_trap8_a_hub_that_is_gone_is_forgotten() -> None:
    def program() -> weakref.ref[Hub]:
        sleep(0)
        spawn(sleep, 50)
        get_hub().call_later(50, int)
        sleep(0)
        return weakref.ref(get_hub())

    seen = in_os_thread(program)
    # The last thing an OS thread does, after `join` has returned, is to free its main greenlet.
    give_up = time.monotonic() + LONG
    while seen() is not None and time.monotonic() < give_up:
        gc.collect()
        time.sleep(0.001)
    assert seen() is None


def test_trap8_hubs_and_threads_that_never_ran_are_safe_to_drop() -> None:
    assert run_isolated("hubs_that_never_ran.py").stdout == "end\n"


@pytest.mark.parametrize("count", [50, pytest.param(10_000, marks=pytest.mark.slow)])
def test_trap8_short_os_threads_leak_nothing(count: int) -> None:
    run_isolated("many_os_threads.py", str(count), timeout=150)


def test_trap8_a_record_used_after_its_hub_is_gone_says_so() -> None:
    with socket_pair() as (a, _):

        def program() -> Descriptor:
            record = Descriptor(get_hub(), a.fileno(), owned=True)
            record.wait_write()
            return record

        record = in_os_thread(program)
        with pytest.raises(OSError, match="Bad file descriptor"):
            record.wait_read()
        record.close()


def test_the_end_of_the_program_is_quiet_whoever_still_waits() -> None:
    done = run_isolated("exit_with_threads.py")
    assert (done.stdout, done.stderr) == ("end\n", "")


# -- wake-ups from other OS threads -----------------------------------------------------------------


@pytest.mark.usefixtures("eager_switching")
def test_wakes_from_eight_os_threads_at_once_are_all_heard(hub: Hub) -> None:
    rounds = 60
    go = [threading.Event() for _ in range(rounds)]
    tickets: list[list[Ticket]] = [[] for _ in range(rounds)]

    def waker(n: int) -> None:
        for turn in range(rounds):
            assert go[turn].wait(LONG)
            assert wake(tickets[turn][n], (turn, n))

    def waiter(turn: int) -> Any:
        ticket = hub.ticket()
        tickets[turn].append(ticket)
        return hub.park(ticket, LONG)

    others = [start_os_thread(lambda n=n: waker(n)) for n in range(OS_THREADS)]  # type: ignore[misc]
    for turn in range(rounds):
        threads = [spawn(waiter, turn) for _ in range(OS_THREADS)]
        sleep(0)
        go[turn].set()
        assert [t.wait() for t in threads] == [(turn, n) for n in range(OS_THREADS)]
    for other in others:
        other.result()


@pytest.mark.usefixtures("eager_switching")
def test_calls_from_eight_os_threads_are_all_made_each_threads_in_order(hub: Hub) -> None:
    each = 400
    made: dict[int, list[int]] = {n: [] for n in range(OS_THREADS)}

    def caller(n: int) -> None:
        for k in range(each):
            hub.call_from_thread(made[n].append, k)

    others = [start_os_thread(lambda n=n: caller(n)) for n in range(OS_THREADS)]  # type: ignore[misc]
    _park_until(lambda: sum(map(len, made.values())) == each * OS_THREADS)
    for other in others:
        other.result()
    assert made == {n: list(range(each)) for n in range(OS_THREADS)}


def _park_until(is_true: Callable[[], bool]) -> None:
    """Wait without timers that would hide a lost wake-up: the hub sleeps in the kernel."""
    hub = get_hub()
    give_up = hub.call_later(LONG, _fail)
    while not is_true():
        hub.run_once(LONG)
    give_up.cancel()


def _fail() -> None:
    raise SystemExit("a wake-up was lost")


@pytest.mark.usefixtures("eager_switching")
def test_a_ticket_raced_for_by_eight_os_threads_goes_to_one(hub: Hub) -> None:
    rounds = 100
    barrier = threading.Barrier(OS_THREADS)
    tickets = [Ticket(hub, None) for _ in range(rounds)]
    winners: list[list[int]] = [[] for _ in range(rounds)]

    def racer(n: int) -> None:
        for turn, ticket in enumerate(tickets):
            barrier.wait(LONG)
            if wake(ticket, n):
                winners[turn].append(n)

    others = [start_os_thread(lambda n=n: racer(n)) for n in range(OS_THREADS)]  # type: ignore[misc]
    for other in others:
        other.result()
    assert [len(won) for won in winners] == [1] * rounds
    assert [ticket.value for ticket in tickets] == [won[0] for won in winners]
    for ticket in tickets:
        ticket.state |= 4
    sleep(0)


def test_a_hub_that_sleeps_in_the_kernel_is_woken(hub: Hub) -> None:
    hub.run_once(0)
    ran: list[float] = []

    def caller() -> None:
        time.sleep(SOON)
        hub.call_from_thread(lambda: ran.append(time.monotonic()))

    other = start_os_thread(caller)
    began = time.monotonic()
    while not ran:
        hub.run_once(LONG)
    assert ran[0] - began < LONG / 2
    other.result()


def test_a_mark_left_by_a_handler_that_raised_silences_nobody(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A signal handler raises after "notified" was noted and before the write.
    hub.run_once(0)

    class Raising:
        fd = hub.notifier.fd

        def notify(self) -> None:
            raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(hub, "notifier", Raising())
        with pytest.raises(InterruptedError):
            hub.call_soon(int)
    ran: list[int] = []
    hub.run_once(0)
    other = start_os_thread(lambda: hub.call_from_thread(ran.append, 1))
    _park_until(lambda: bool(ran))
    other.result()


def test_a_wake_between_drain_and_sleep_is_not_lost(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another OS thread comes between the two halves of hearing the notifier.
    hub.run_once(0)
    real = hub.notifier
    drained: list[int] = []

    class Slow:
        fd = real.fd
        notify = staticmethod(real.notify)

        def drain(self) -> None:
            if not drained:
                drained.append(1)
                hub.asleep = True
                hub.call_soon(int)  # as that OS thread would, a moment ago
                hub.asleep = False
            real.drain()

    monkeypatch.setattr(hub, "notifier", Slow())
    in_os_thread(lambda: hub.call_from_thread(int))
    hub.run_once(0)
    hub.run_once(0)
    assert drained
    ran: list[int] = []
    hub.asleep = True

    def call_later() -> None:
        time.sleep(SOON)
        hub.call_from_thread(ran.append, 1)

    other = start_os_thread(call_later)
    _park_until(lambda: bool(ran))
    other.result()


@pytest.mark.parametrize("count", [1, 2])
def test_a_call_that_comes_while_the_hub_hears_of_the_former_stays_behind_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    # What the kernel announces goes before what was due; such a call is none of that.
    order: list[str] = []
    real = hub.notifier

    def call(name: str) -> None:
        in_os_thread(lambda: hub.call_from_thread(order.append, name))

    class Slow:
        fd = real.fd
        notify = staticmethod(real.notify)

        def drain(self) -> None:
            call("later")
            real.drain()

    with socket_pair() as (a, b):
        reader = spawn(hub.wait_foreign, a.fileno(), True, False, LONG)
        reader.link(lambda _: order.append("I/O"))
        sleep(0)
        sleep(0)
        monkeypatch.setattr(hub, "notifier", Slow())
        hub.asleep = True
        for n in range(count):
            call(f"call {n}")
        b.send(b"x")
        for _ in range(3):
            sleep(0)

    assert order == ["I/O", *(f"call {n}" for n in range(count)), "later"]


# -- green threads and other OS threads ---------------------------------------------------------------


class Elsewhere:
    """An OS thread with a hub that runs until it is told to end."""

    def __init__(self) -> None:
        self.hub: Hub
        self.ident = 0
        self._ready = threading.Event()
        self._end: Ticket
        self._thread: OSThread = start_os_thread(self._run)
        assert self._ready.wait(LONG)

    def _run(self) -> None:
        self.hub = get_hub()
        self.ident = threading.get_ident()
        self._end = self.hub.ticket()
        self.hub.call_soon(self._ready.set)
        assert self.hub.park(self._end, 100) is None

    def spawn(self, function: Callable[..., Any], *args: Any) -> Any:
        made: list[Any] = []
        done = threading.Event()

        def here() -> None:
            made.append(spawn(function, *args))
            self.hub.call_soon(done.set)  # after the first run of the thread

        self.hub.call_from_thread(here)
        assert done.wait(LONG)
        return made[0]

    def end(self) -> None:
        assert wake(self._end)
        self._thread.result()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    place = Elsewhere()
    yield place
    place.end()


def test_trap8_wait_from_another_os_thread(elsewhere: Elsewhere) -> None:
    def body() -> int:
        sleep(0.005)
        return threading.get_ident()

    thread = elsewhere.spawn(body)
    assert thread.wait() == elsewhere.ident
    assert thread.wait() == elsewhere.ident


def test_trap8_kill_from_another_os_thread_happens_there(elsewhere: Elsewhere) -> None:
    where: list[int] = []

    def body() -> None:
        try:
            sleep(50)
        finally:
            where.append(threading.get_ident())

    thread = elsewhere.spawn(body)
    kill(thread, ValueError("from afar"))
    with pytest.raises(ValueError, match="from afar"):
        thread.wait()
    assert where == [elsewhere.ident]


def test_trap8_kill_of_an_unstarted_thread_from_another_os_thread(elsewhere: Elsewhere) -> None:
    ran: list[int] = []
    thread = in_elsewhere(elsewhere, lambda: spawn_after(50, ran.append, 1))
    kill(thread)
    with pytest.raises(greenlet.GreenletExit):
        thread.wait()
    assert ran == []


def in_elsewhere(place: Elsewhere, function: Callable[[], Any]) -> Any:
    made: list[Any] = []
    done = threading.Event()
    place.hub.call_from_thread(lambda: made.append(function()))
    place.hub.call_from_thread(done.set)
    assert done.wait(LONG)
    return made[0]


def test_trap8_kill_of_another_os_threads_main_greenlet() -> None:
    ready = threading.Event()
    mains: list[Any] = []

    def program() -> str:
        mains.append(getcurrent())
        get_hub().call_later(0.001, ready.set)
        try:
            sleep(50)
        except ValueError as exc:
            return str(exc)
        return "not killed"

    other = start_os_thread(program)
    assert ready.wait(LONG)
    kill(mains[0], ValueError("found"))
    assert other.result() == "found"


def test_trap8_kill_of_a_thread_whose_os_thread_has_ended_does_nothing() -> None:
    thread = in_os_thread(lambda: spawn(sleep, 50))
    kill(thread)
    thread.kill()


def test_trap8_link_from_another_os_thread_runs_there_or_here(elsewhere: Elsewhere) -> None:
    where: list[int] = []

    def note(_thread: Any) -> None:
        where.append(threading.get_ident())

    gates: list[Ticket] = []

    def wait_at_the_gate() -> None:
        gates.append(get_hub().ticket())
        get_hub().park(gates[0])

    thread = elsewhere.spawn(wait_at_the_gate)
    thread.link(note)
    wake(gates[0])
    thread.wait()
    _wait_until(lambda: bool(where))  # who comes when it has finished does not wait for links
    assert where == [elsewhere.ident]
    thread.link(note)  # finished: at once, here
    assert where == [elsewhere.ident, threading.get_ident()]


def _wait_until(is_true: Callable[[], bool]) -> None:
    """Wait for another OS thread; whether it was in vain is for the caller to see."""
    give_up = time.monotonic() + LONG
    while not is_true() and time.monotonic() < give_up:
        time.sleep(0)


@pytest.mark.usefixtures("eager_switching")
def test_trap8_links_made_while_the_thread_ends_elsewhere_all_run(elsewhere: Elsewhere) -> None:
    for _ in range(60):
        called: list[int] = []
        thread = elsewhere.spawn(sleep, 0)
        for n in range(20):
            thread.link(_note, called, n)
        thread.wait()
        # Whoever comes to wait when it has finished does not wait for its links.
        _wait_until(lambda called=called: len(called) == 20)  # type: ignore[misc]  # no inference
        assert sorted(called) == list(range(20))


def _note(_thread: Any, called: list[int], n: int) -> None:
    called.append(n)


@pytest.mark.usefixtures("eager_switching")
def test_trap8_waits_that_race_with_the_end_elsewhere_all_return(elsewhere: Elsewhere) -> None:
    for turn in range(60):
        thread = elsewhere.spawn(lambda turn=turn: turn)
        assert thread.wait() == turn
        # The late wake of a ticket nobody parked on must not hit this one.
        assert get_hub().park(get_hub().ticket(), 0) is EXPIRED


def test_trap8_a_greenlet_dropped_in_another_os_thread_is_finished_on_its_own_hub() -> None:
    ended: list[int] = []
    box: list[Any] = []
    dropped = threading.Event()
    suspended = threading.Event()

    def body() -> None:
        try:
            getcurrent().parent.switch()  # type: ignore[union-attr]  # it has one
        finally:
            ended.append(threading.get_ident())

    def program() -> int:
        box.append(greenlet.greenlet(body))
        box[0].switch()
        suspended.set()
        while not dropped.is_set():
            sleep(0.002)
        sleep(0)
        return threading.get_ident()

    other = start_os_thread(program)
    assert suspended.wait(LONG)
    box.clear()
    dropped.set()
    home = other.result()
    assert ended == [home]


def test_trap8_plain_greenlets_that_wait_are_ended_with_their_hub() -> None:
    ended: list[int] = []

    def body() -> None:
        try:
            sleep(50)
        finally:
            ended.append(threading.get_ident())

    def program() -> int:
        get_hub().call_soon(greenlet.greenlet(body).switch)
        sleep(0)
        gc.collect()
        return threading.get_ident()

    home = in_os_thread(program)
    assert ended == [home]


def test_trap8_a_green_thread_that_nobody_refers_to_is_its_hubs(hub: Hub) -> None:
    done: list[int] = []

    def body() -> None:
        sleep(0.005)
        done.append(threading.get_ident())

    spawn(body)
    in_os_thread(gc.collect)
    _park_until(lambda: bool(done))
    assert done == [threading.get_ident()]


def test_a_descriptor_number_given_to_another_file_is_never_written_to() -> None:
    """A late `notify` of a closed hub must not write eight bytes into somebody's file."""
    kept: list[Hub] = []

    def program() -> None:
        kept.append(get_hub())
        sleep(0)

    in_os_thread(program)
    (hub,) = kept
    assert hub.notify() is False
    hub.notifier.notify()
    hub.notifier.drain()
    assert hub.notifier.fd == -1


def test_a_notifier_in_use_keeps_its_number() -> None:
    box: list[Any] = []

    def program() -> Callable[[], None]:
        get_hub()
        notifier = get_hub().notifier
        box.append(weakref.ref(notifier))
        return notifier.notify  # as an OS thread in the middle of a call holds it

    notify = in_os_thread(program)
    notify()
    assert box[0]() is not None
    del notify
    assert box[0]() is None


# -- where green threads cannot run (trap 8) ---------------------------------------------------------------


def make_in_runtime(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    for name, value in changes.items():
        monkeypatch.setattr(f"eventlet._core.current.{name}", value)
    current._refuse_unsupported()


def test_trap8_a_build_without_the_gil_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    with pytest.raises(UnsupportedRuntime, match="without the GIL; start Python with PYTHON_GIL=1"):
        make_in_runtime(monkeypatch)


def test_trap8_a_free_threaded_build_with_the_gil_on_is_fine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    make_in_runtime(monkeypatch)


@pytest.mark.parametrize(
    ("now", "main"), [(1, 0), ((1, 1), (0, 0))], ids=["numbers", "pairs of 3.13"]
)
@pytest.mark.parametrize("name", ["_interpreters", "_xxsubinterpreters"])
def test_trap8_a_sub_interpreter_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, now: object, main: object
) -> None:
    for module in ("_interpreters", "_xxsubinterpreters"):
        monkeypatch.setitem(sys.modules, module, None)
    fake = SimpleNamespace(get_current=lambda: now, get_main=lambda: main)
    monkeypatch.setitem(sys.modules, name, fake)
    with pytest.raises(UnsupportedRuntime, match="in a sub-interpreter; use OS threads"):
        make_in_runtime(monkeypatch)
    fake.get_current = fake.get_main
    make_in_runtime(monkeypatch)


def test_trap8_an_interpreter_without_sub_interpreters_is_fine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("_interpreters", "_xxsubinterpreters"):
        monkeypatch.setitem(sys.modules, module, None)
    make_in_runtime(monkeypatch)


def test_trap8_a_real_sub_interpreter_is_refused_at_the_first_hub() -> None:
    run_isolated("sub_interpreter.py")


def test_trap8_import_refuses_nothing() -> None:
    run_isolated(
        """
        import sys
        sys._is_gil_enabled = lambda: False
        import eventlet._core.current
        import eventlet.greenthread
        try:
            eventlet.greenthread.sleep(0)
        except RuntimeError as exc:
            assert "without the GIL" in str(exc)
        else:
            raise AssertionError("not refused")
        """
    )
