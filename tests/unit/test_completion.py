"""Tests of `eventlet.completion`: results as they come, and the first alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet._core.current import get_hub
from eventlet._core.scope import shielded
from eventlet.completion import as_completed, wait_first
from eventlet.event import Event
from eventlet.greenthread import kill, sleep, spawn
from eventlet.taskgroup import Cancelled, move_on_after
from eventlet.timeout import Timeout

from tests.unit.actors import settle
from tests.unit.core.os_threads import start_os_thread

SOON = 0.01
LONG = 5.0


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    assert get_hub().scopes == 0


def after(passes: int, value: Any) -> Callable[[], Any]:
    """Make a work that returns or raises `value` after some passes of the hub."""

    def work() -> Any:
        for _ in range(passes):
            sleep(0)
        if isinstance(value, BaseException):
            raise value
        return value

    return work


def endless(journal: list[str], name: str = "ended") -> Callable[[], None]:
    def work() -> None:
        try:
            sleep(LONG)
        finally:
            journal.append(name)

    return work


def test_threads_come_in_the_order_of_their_end() -> None:
    with as_completed([after(4, "slow"), after(0, "quick"), after(2, "middle")]) as threads:
        results = [thread.wait() for thread in threads]

    assert results == ["quick", "middle", "slow"]


def test_any_iterable_of_works_will_do() -> None:
    with as_completed(partial(pow, 2, n) for n in range(4)) as threads:
        assert sorted(thread.wait() for thread in threads) == [1, 2, 4, 8]


def test_works_run_at_the_same_time() -> None:
    meeting = Event()

    def wait() -> str:
        return str(meeting.wait())

    with as_completed([wait, partial(meeting.send, "met")]) as threads:
        assert "met" in [thread.wait() for thread in threads]


def test_no_works_are_no_results() -> None:
    with as_completed([]) as threads:
        assert list(threads) == []


def test_green_threads_may_be_given_also_ended_ones() -> None:
    running, ended = spawn(after(3, "running")), spawn(after(0, "ended"))
    ended.wait()

    with as_completed([running, ended]) as threads:
        assert list(threads) == [ended, running]


def test_leaving_early_cancels_what_was_started_and_waits_for_it() -> None:
    journal: list[str] = []
    with as_completed([endless(journal), after(0, "quick")]) as threads:
        first = next(threads)

    assert first.wait() == "quick"
    assert journal == ["ended"]


def test_leaving_early_leaves_given_green_threads_alone() -> None:
    given = spawn(after(5, "goes on"))
    with as_completed([given, after(0, "quick")]) as threads:
        next(threads)

    assert not given.dead
    assert given._links == []
    assert given.wait() == "goes on"


def test_a_failing_work_ends_nobody_else() -> None:
    outcomes = []
    with as_completed([after(0, KeyError("one")), after(1, "two")]) as threads:
        for thread in threads:
            try:
                outcomes.append(thread.wait())
            except KeyError as exc:
                outcomes.append(repr(exc))

    assert outcomes == ["KeyError('one')", "two"]


def test_failures_that_were_seen_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with as_completed([after(0, KeyError("seen"))]) as threads, pytest.raises(KeyError):
        next(threads).wait()

    assert capsys.readouterr().err == ""


def test_failures_that_were_never_reached_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with as_completed([after(0, "first"), after(1, KeyError("unseen"))]) as threads:
        next(threads)
        settle()

    assert "KeyError: 'unseen'" in capsys.readouterr().err


def test_an_error_of_the_block_leaves_as_it_is() -> None:
    journal: list[str] = []

    def block() -> None:
        with as_completed([endless(journal)]):
            sleep(0)
            raise ValueError("block")

    with pytest.raises(ValueError, match="block") as caught:
        block()

    assert caught.value.__context__ is None
    assert journal == ["ended"]


def test_a_timeout_in_the_block_leaves_as_it_is() -> None:
    journal: list[str] = []
    with Timeout(SOON, False), as_completed([endless(journal)]) as threads:
        next(threads)

    assert journal == ["ended"]


def test_a_scope_around_ends_block_and_works() -> None:
    journal: list[str] = []
    with move_on_after(SOON) as scope, as_completed([endless(journal)]) as threads:
        next(threads)

    assert scope.cancelled_caught
    assert journal == ["ended"]


def test_a_killed_work_comes_too() -> None:
    with as_completed([partial(sleep, LONG)]) as threads:
        (work,) = threads._started
        sleep(0)
        kill(work)
        with pytest.raises(GreenletExit):
            next(threads).wait()


def test_several_consumers_share_the_results() -> None:
    results: list[str] = []

    def consume(threads: Any) -> None:
        results.extend(thread.wait() for thread in [next(threads)])

    with as_completed([after(0, "a"), after(1, "b")]) as threads:
        consumers = [spawn(consume, threads) for _ in range(2)]
        for consumer in consumers:
            consumer.wait()

    assert results == ["a", "b"]


def test_a_consumer_too_many_is_told_at_once() -> None:
    with as_completed([after(2, "one")]) as threads:
        first = spawn(next, threads)
        sleep(0)
        assert next(threads, "nothing left") == "nothing left"
        assert first.wait().wait() == "one"


def test_a_result_is_not_lost_when_its_consumer_is_interrupted() -> None:
    with as_completed([after(2, "one")]) as threads:
        with move_on_after(0):
            next(threads)
        assert next(threads).wait() == "one"


def test_a_green_thread_of_another_os_thread_is_watched() -> None:
    gate = Event()
    threads_there: list[Any] = []
    made = Event()

    def there() -> None:
        threads_there.append(spawn(gate.wait))
        made.send()
        threads_there[0].wait()

    os_thread = start_os_thread(there)
    made.wait()
    with as_completed(threads_there) as threads:
        gate.send("from there")
        assert next(threads).wait() == "from there"
    os_thread.result()


def test_it_is_used_in_a_block() -> None:
    with pytest.raises(RuntimeError, match="with as_completed"):
        next(as_completed([after(0, 1)]))


def test_after_the_block_there_is_nothing_more() -> None:
    with as_completed([after(0, 1)]) as threads:
        pass

    assert list(threads) == []


@pytest.mark.parametrize("call", [as_completed, wait_first])
def test_other_works_are_refused(call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="function or a GreenThread, not 3"):
        call([3])


# -- the first alone -----------------------------------------------------------------------------


def test_wait_first_returns_what_the_first_returns_and_ends_the_others() -> None:
    journal: list[str] = []

    assert wait_first([endless(journal), after(1, "quick")]) == "quick"
    assert journal == ["ended"]


def test_wait_first_raises_what_the_first_raises() -> None:
    journal: list[str] = []

    with pytest.raises(KeyError):
        wait_first([endless(journal), after(0, KeyError())])

    assert journal == ["ended"]


def test_wait_first_watches_given_green_threads() -> None:
    given = spawn(after(5, "slow"))

    assert wait_first([given, after(0, "quick")]) == "quick"
    assert given.wait() == "slow"


def test_wait_first_waits_for_clean_up_that_shields_itself() -> None:
    journal: list[str] = []

    def careful() -> None:
        try:
            sleep(LONG)
        except Cancelled:
            with shielded():
                sleep(0)
                journal.append("cleaned up")
            raise

    wait_first([careful, after(1, None)])

    assert journal == ["cleaned up"]


def test_wait_first_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one work"):
        wait_first([])
