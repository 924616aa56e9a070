"""The old vocabulary of the hub: switch, listeners, abort, what debug tools read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

import greenlet
import pytest
from greenlet import getcurrent

from eventlet._core.descriptor import waiter_policy
from eventlet._errors import DescriptorBusy, HubError, MainloopBlocked
from eventlet.greenthread import sleep, spawn
from eventlet.hubs import IOClosed, get_hub, trampoline, use_hub
from eventlet.hubs.hub import READ, WRITE, BaseHub, DebugListener, FdListener, noop
from eventlet.timeout import Timeout

from tests.conftest import RunIsolated
from tests.unit.conftest import Pipe
from tests.unit.hubs.conftest import AVAILABLE


class Calls:
    """Callbacks for a listener, and what they were called with."""

    def __init__(self) -> None:
        self.cb: list[int] = []
        self.tb: list[BaseException] = []
        self.closed: list[bool] = []

    def add(self, hub: BaseHub, evtype: str, fileno: int) -> FdListener:
        return hub.add(
            evtype, fileno, self.cb.append, self.tb.append, lambda: self.closed.append(True)
        )


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def several_waiters() -> Iterator[None]:
    """Allow several listeners for one side of a descriptor."""
    waiter_policy.exclusive = False
    yield
    waiter_policy.exclusive = True


def passes(count: int = 3) -> None:
    for _ in range(count):
        sleep(0)


# -- switch ------------------------------------------------------------------------------


def test_switch_returns_what_it_is_switched_in_with() -> None:
    get_hub().schedule_call_global(0, getcurrent().switch, "value")

    assert get_hub().switch() == "value"


def test_switch_raises_what_is_thrown_in() -> None:
    get_hub().schedule_call_global(0, getcurrent().throw, KeyError("thrown"))

    with pytest.raises(KeyError, match="thrown"):
        get_hub().switch()


def test_switch_works_in_a_green_thread() -> None:
    def wait() -> Any:
        get_hub().schedule_call_global(0.001, getcurrent().switch, "value")
        return get_hub().switch()

    assert spawn(wait).wait() == "value"


def test_switch_in_the_hubs_own_greenlet_is_refused() -> None:
    refused: list[bool] = []

    def switch() -> None:
        with pytest.raises(MainloopBlocked):
            get_hub().switch()
        refused.append(True)

    get_hub().schedule_call_global(0, switch)
    sleep(0)

    assert refused == [True]


def test_switch_tells_a_greenlet_that_wants_to_know() -> None:
    told: list[str] = []

    class Tells(greenlet.greenlet):
        def switch_out(self) -> None:
            told.append("out")

    def body() -> None:
        get_hub().schedule_call_global(0, getcurrent().switch)
        get_hub().switch()
        told.append("in")

    get_hub().schedule_call_global(0, Tells(body).switch)
    passes()

    assert told == ["out", "in"]


def test_a_plain_greenlet_that_switched_ends_in_the_hub_not_in_its_parent() -> None:
    plain = greenlet.greenlet(lambda: get_hub().switch())
    get_hub().schedule_call_global(0, plain.switch)
    get_hub().schedule_call_global(0.001, plain.switch, "its end")

    clock = get_hub().clock
    started = clock()
    sleep(0.01)

    assert plain.dead
    assert clock() - started >= 0.01


def test_a_timeout_reaches_a_greenlet_in_switch() -> None:
    with pytest.raises(Timeout), Timeout(0.001):
        get_hub().switch()


def test_a_hub_whose_greenlet_died_is_rebuilt_with_timers_and_listeners(
    hub: BaseHub, pipe: Pipe, calls: Calls
) -> None:
    timer_calls: list[int] = []
    sleep(0)
    dead = hub.greenlet
    listener = calls.add(hub, READ, pipe.reader)
    hub.schedule_call_global(0.001, timer_calls.append, 1)

    hub.stop()
    sleep(0)
    pipe.write(b"x")
    sleep(0.005)

    assert dead.dead
    assert hub.greenlet is not dead
    assert timer_calls == [1]
    assert calls.cb[0] == pipe.reader
    hub.remove(listener)


def test_no_stray_wake_up_comes_after_the_hubs_greenlet_was_interrupted() -> None:
    hub = get_hub()
    thread = spawn(hub.switch)
    sleep(0)
    with pytest.raises(KeyboardInterrupt):
        hub.greenlet.throw(KeyboardInterrupt())
    thread.kill()

    with pytest.raises(Timeout), Timeout(0.005):
        hub.switch()

    assert thread.dead


def test_a_thread_that_switched_under_a_hub_that_died_ends_in_the_new_one(hub: BaseHub) -> None:
    thread = spawn(hub.switch)
    sleep(0)
    hub.stop()
    sleep(0)
    hub.schedule_call_global(0.001, thread.switch, "value")

    clock = hub.clock
    started = clock()
    sleep(0.01)

    assert thread.wait() == "value"
    assert clock() - started >= 0.01


# -- abort -------------------------------------------------------------------------------


def test_running_until_aborted_and_again_afterwards(hub: BaseHub) -> None:
    states = [hub.running]
    sleep(0)
    states.append(hub.running)
    hub.abort(wait=True)
    states.append(hub.running)
    sleep(0)
    states.append(hub.running)

    assert states == [False, True, False, True]


def test_abort_drops_the_timers(hub: BaseHub) -> None:
    calls: list[int] = []
    sleep(0)
    hub.schedule_call_global(0.001, calls.append, 1)

    hub.abort(wait=True)
    sleep(0.005)

    assert (calls, hub.get_timers_count()) == ([], 0)


def test_abort_without_waiting_ends_the_loop_after_the_pass(hub: BaseHub) -> None:
    sleep(0)
    old = hub.greenlet
    hub.schedule_call_global(0, hub.abort)
    sleep(0)
    sleep(0)
    ended = old.dead
    sleep(0)

    assert ended
    assert hub.running


def test_abort_of_a_hub_that_never_ran_changes_nothing(hub: BaseHub) -> None:
    hub.abort()
    hub.abort(wait=True)

    clock = hub.clock
    started = clock()
    sleep(0.002)

    assert clock() - started >= 0.002


def test_waiting_for_the_end_elsewhere_than_in_main_is_refused(hub: BaseHub) -> None:
    def abort() -> str:
        with pytest.raises(HubError, match="the greenlet that made the hub"):
            hub.abort(wait=True)
        return "refused"

    assert spawn(abort).wait() == "refused"


# -- listeners ---------------------------------------------------------------------------


def test_a_listener_is_called_in_every_pass_while_ready_until_removed(
    hub: BaseHub, pipe: Pipe, calls: Calls
) -> None:
    listener = calls.add(hub, READ, pipe.reader)
    passes()
    before = len(calls.cb)
    pipe.write(b"x")
    passes(6)
    ready = len(calls.cb)
    pipe.read()
    sleep(0)
    calls.cb.clear()
    passes()
    after = len(calls.cb)
    hub.remove(listener)
    pipe.write(b"y")
    passes()

    assert (before, after, len(calls.cb)) == (0, 0, 0)
    assert ready >= 3
    assert hub.descriptors == {}


def test_a_listener_gets_the_number_in_the_hubs_greenlet(hub: BaseHub, pipe: Pipe) -> None:
    seen: list[Any] = []

    def note(fileno: int) -> None:
        seen.append((fileno, getcurrent()))
        hub.remove(listener)

    listener = hub.add(WRITE, pipe.writer, note, noop, noop)
    passes()

    assert seen == [(pipe.writer, hub.greenlet)]


def test_the_classic_wait_by_hand(hub: BaseHub, pipe: Pipe) -> None:
    def wait() -> Any:
        current = getcurrent()
        listener = hub.add(READ, pipe.reader, current.switch, current.throw, noop)
        try:
            return hub.switch()
        finally:
            hub.remove(listener)

    thread = spawn(wait)
    sleep(0)
    pipe.write(b"x")

    assert thread.wait() == pipe.reader
    assert hub.get_readers() == []


def test_reading_and_writing_are_listened_for_apart(hub: BaseHub, pipe: Pipe) -> None:
    readers, writers = Calls(), Calls()
    left, right = os.openpty()
    listeners = [readers.add(hub, READ, left), writers.add(hub, WRITE, left)]
    passes()
    only_writable = (len(readers.cb), len(writers.cb) > 0)
    os.write(right, b"x")
    with Timeout(30):
        while not readers.cb:  # the kernel hands on what a terminal gets when it has time
            sleep(0.001)

    assert only_writable == (0, True)
    for each in listeners:
        hub.remove(each)
    os.close(left)
    os.close(right)


def test_a_hang_up_wakes_the_writer_too(hub: BaseHub, pipe: Pipe, calls: Calls) -> None:
    pipe.fill()
    listener = calls.add(hub, WRITE, pipe.writer)
    passes()
    blocked = not calls.cb
    pipe.close(pipe.reader)
    passes()

    assert blocked
    assert calls.cb
    hub.remove(listener)


def test_a_second_listener_is_refused_and_the_first_stays(
    hub: BaseHub, pipe: Pipe, calls: Calls
) -> None:
    listener = calls.add(hub, READ, pipe.reader)

    with pytest.raises(
        RuntimeError, match=rf"^Second simultaneous read on fileno {pipe.reader} detected\."
    ):
        hub.add(READ, pipe.reader, noop, noop, noop)
    with pytest.raises(DescriptorBusy):
        trampoline(pipe.reader, read=True)

    pipe.write(b"x")
    passes()
    assert calls.cb
    hub.remove(listener)


def test_a_listener_is_refused_while_its_callback_runs(hub: BaseHub, pipe: Pipe) -> None:
    refused: list[bool] = []

    def callback(_: int) -> None:
        with pytest.raises(DescriptorBusy):
            hub.add(READ, pipe.reader, noop, noop, noop)
        refused.append(True)
        hub.remove(listener)

    listener = hub.add(READ, pipe.reader, callback, noop, noop)
    pipe.write(b"x")
    passes()

    assert refused == [True]


@pytest.mark.usefixtures("several_waiters")
def test_listeners_behind_the_first_are_promoted_in_order(hub: BaseHub, pipe: Pipe) -> None:
    order: list[int] = []

    def take(number: int) -> Callable[[int], None]:
        def callback(fileno: int) -> None:
            order.append(number)
            os.read(fileno, 1)
            hub.remove(listeners[number])

        return callback

    listeners = [hub.add(READ, pipe.reader, take(number), noop, noop) for number in range(3)]
    first, behind = hub.listeners[READ][pipe.reader], hub.secondaries[READ][pipe.reader]
    pipe.write(b"xyz")
    passes(8)

    assert (first, behind) == (listeners[0], listeners[1:])
    assert order == [0, 1, 2]
    assert hub.secondaries == {READ: {}, WRITE: {}}


def test_a_listener_removed_in_the_same_pass_is_not_called(hub: BaseHub) -> None:
    pipes = [Pipe(), Pipe()]
    called: list[int] = []

    def callback(fileno: int) -> None:
        called.append(fileno)
        for each in listeners:
            hub.remove(each)

    listeners = [hub.add(READ, each.reader, callback, noop, noop) for each in pipes]
    for each in pipes:
        each.write(b"x")
    passes()

    assert len(called) == 1
    for each in pipes:
        each.close()


def test_remove_may_be_repeated(hub: BaseHub, pipe: Pipe, calls: Calls) -> None:
    listener = calls.add(hub, READ, pipe.reader)

    hub.remove(listener)
    hub.remove(listener)

    assert hub.get_readers() == []


def test_an_event_type_there_is_not_is_refused(pipe: Pipe) -> None:
    with pytest.raises(ValueError, match="'read' or 'write', not 'accept'"):
        get_hub().add("accept", pipe.reader, noop, noop, noop)


def test_a_number_the_kernel_does_not_know_is_refused(pipe: Pipe) -> None:
    hub = get_hub()  # makes its descriptors before ours is free to be used again
    pipe.close(pipe.reader)

    with pytest.raises(OSError) as caught:
        hub.add(READ, pipe.reader, noop, noop, noop)
    assert caught.value.errno == errno.EBADF
    assert hub.get_readers() == []


def test_a_failing_callback_is_printed_and_its_descriptor_dropped(
    hub: BaseHub, pipe: Pipe, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add(READ, pipe.reader, lambda _: 1 / 0, noop, noop)
    pipe.write(b"x")
    passes()

    assert capsys.readouterr().err.count("ZeroDivisionError") == 1
    assert hub.get_readers() == []
    assert hub.descriptors == {}


def test_a_callback_that_exits_reaches_main(hub: BaseHub, pipe: Pipe) -> None:
    def leave(_: int) -> None:
        hub.remove(listener)
        raise SystemExit(3)

    listener = hub.add(READ, pipe.reader, leave, noop, noop)
    pipe.write(b"x")

    with pytest.raises(SystemExit):
        sleep(5)


def test_a_listener_of_a_greenlet_that_ended_is_dropped(hub: BaseHub, pipe: Pipe) -> None:
    main = getcurrent()
    plain = greenlet.greenlet(lambda: None, main)
    plain.switch()
    hub.add(READ, pipe.reader, plain.switch, plain.throw, noop)
    pipe.write(b"x")

    clock = hub.clock
    started = clock()
    sleep(0.01)

    assert clock() - started >= 0.01
    assert hub.get_readers() == []


@pytest.mark.parametrize("kind", [name for name in AVAILABLE if name in ("poll", "selects")])
@pytest.mark.usefixtures("own_choice")
def test_a_number_closed_behind_our_back_gets_one_last_call(kind: str, calls: Calls) -> None:
    use_hub(kind)
    hub, pipe = get_hub(), Pipe()
    listener = calls.add(hub, READ, pipe.reader)
    pipe.close(pipe.reader)
    passes()

    assert calls.cb == [pipe.reader]
    assert hub.get_readers() == []
    hub.remove(listener)
    pipe.close()


def test_a_number_closed_by_a_callback_before_gets_one_last_call(hub: BaseHub) -> None:
    pipes = [Pipe(), Pipe()]
    called: list[int] = []

    def callback(fileno: int) -> None:
        called.append(fileno)
        for each in pipes:
            each.close(each.reader)

    for each in pipes:
        hub.add(READ, each.reader, callback, noop, noop)
        each.write(b"x")
    passes(5)

    assert sorted(set(called)) == sorted(each.reader for each in pipes)
    for each in pipes:
        hub.remove_descriptor(each.reader)
        each.close()


# -- numbers that are closed and opened again --------------------------------------------------


def test_remove_descriptor_calls_who_waits_and_forgets(
    hub: BaseHub, pipe: Pipe, calls: Calls
) -> None:
    calls.add(hub, READ, pipe.reader)

    hub.remove_descriptor(pipe.reader)
    passes()

    assert calls.cb == [pipe.reader]
    assert hub.descriptors == {}


def test_remove_descriptor_wakes_a_trampoline(hub: BaseHub, pipe: Pipe) -> None:
    waiter = spawn(trampoline, pipe.reader, read=True)
    sleep(0)

    hub.remove_descriptor(pipe.reader)

    assert waiter.wait() == pipe.reader


def test_remove_descriptor_of_an_unknown_number_is_harmless(hub: BaseHub) -> None:
    hub.remove_descriptor(10**6)

    assert hub.descriptors == {}


def test_mark_as_reopened_defangs_at_once_and_throws_soon(
    hub: BaseHub, pipe: Pipe, calls: Calls
) -> None:
    listener = calls.add(hub, READ, pipe.reader)

    hub.mark_as_reopened(pipe.reader)
    at_once = (listener.spent, calls.closed, listener.cb)
    clock = hub.clock
    started = clock()
    sleep(0)

    assert at_once == (True, [True], noop)
    assert [exc.args for exc in calls.tb] == [(errno.ENOTCONN, "Operation on closed file")]
    assert isinstance(calls.tb[0], IOClosed)
    assert clock() - started < 20
    hub.remove(listener)
    pipe.write(b"x")
    passes()
    assert calls.cb == []


def test_what_escapes_while_throwing_is_printed_and_the_hub_lives(
    hub: BaseHub, pipe: Pipe, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(exc: BaseException) -> None:
        raise KeyError("escaped") from exc

    hub.add(READ, pipe.reader, noop, fail, noop)
    hub.mark_as_reopened(pipe.reader)
    passes()

    assert "KeyError: 'escaped'" in capsys.readouterr().err


def test_throwing_into_a_greenlet_that_ended_is_harmless(
    hub: BaseHub, pipe: Pipe, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = greenlet.greenlet(lambda: None)
    plain.switch()
    hub.add(READ, pipe.reader, plain.switch, plain.throw, noop)

    hub.mark_as_reopened(pipe.reader)
    passes()

    assert capsys.readouterr().err == ""


def test_notify_close_throws_ebadf_into_listeners(hub: BaseHub, pipe: Pipe, calls: Calls) -> None:
    calls.add(hub, READ, pipe.reader)

    hub.notify_close(pipe.reader)
    passes()

    assert [getattr(exc, "errno", None) for exc in calls.tb] == [errno.EBADF]
    assert hub.get_readers() == []


# -- what debug tools read -------------------------------------------------------------------


def test_readers_and_writers_show_everybody_who_waits(hub: BaseHub, pipe: Pipe) -> None:
    pipe.fill()
    writer = spawn(trampoline, pipe.writer, write=True)
    listener = hub.add(READ, pipe.reader, noop, noop, noop)
    hub.remove(listener)
    reader = spawn(trampoline, pipe.reader, read=True)
    sleep(0)
    listed = [(each.fileno, each.greenlet) for each in hub.get_readers() + hub.get_writers()]

    assert listed == [(pipe.reader, reader), (pipe.writer, writer)]
    assert set(hub.listeners[READ]) == {pipe.reader}
    assert set(hub.listeners[WRITE]) == {pipe.writer}
    reader.kill()
    writer.kill()


def test_nobody_can_reach_a_waiter_through_the_snapshot(hub: BaseHub, pipe: Pipe) -> None:
    waiter = spawn(trampoline, pipe.reader, read=True)
    sleep(0)
    shown = hub.get_readers()[0]

    hub.remove(shown)
    shown.cb(pipe.reader)
    hub.listeners[READ].clear()
    sleep(0)

    assert not waiter.dead
    waiter.kill()


def test_a_listener_tells_what_it_is(hub: BaseHub, pipe: Pipe) -> None:
    listener = hub.add(READ, pipe.reader, noop, noop, noop)

    assert (listener.evtype, listener.fileno, listener.spent) == (READ, pipe.reader, False)
    assert listener.greenlet is getcurrent()
    assert repr(listener) == f"FdListener('read', {pipe.reader}, {noop!r}, {noop!r})"
    hub.remove(listener)


def test_debug_listeners_remember_where_they_were_added(hub: BaseHub, pipe: Pipe) -> None:
    hub.set_debug_listeners(True)
    listener = hub.add(READ, pipe.reader, noop, noop, noop)
    hub.remove(listener)
    hub.set_debug_listeners(False)
    plain = hub.add(READ, pipe.reader, noop, noop, noop)
    hub.remove(plain)

    assert isinstance(listener, DebugListener)
    assert __file__ in str(listener)
    assert type(plain) is FdListener


def test_default_sleep_can_be_asked_and_assigned(hub: BaseHub) -> None:
    asked = hub.default_sleep()
    hub.default_sleep = lambda: 0.5  # type: ignore[method-assign]  # programs do

    assert (asked, hub.default_sleep()) == (60.0, 0.5)


def test_a_forked_child_has_no_listeners_and_a_hub_that_works(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        import os
        from eventlet.greenthread import sleep
        from eventlet.hubs import get_hub, trampoline
        hub = get_hub()
        reader, writer = os.pipe()
        listener = hub.add(hub.READ, reader, print, print, print)
        sleep(0)
        child = os.fork()
        if child == 0:
            os.write(writer, b"x")
            print("child", hub.get_readers(), trampoline(reader, read=True) == reader, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        hub.remove(listener)
        print("parent", trampoline(reader, read=True) == reader)
        """
    )

    assert done.stdout == "child [] True\nparent True\n"
