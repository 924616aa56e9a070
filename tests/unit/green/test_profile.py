"""Green `profile`: a call stack for each green thread."""

import gc
import pstats
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import greenlet
import pytest

from eventlet.green import profile
from eventlet.greenthread import sleep, spawn


class Ticks:
    """A clock of which the program decides when it goes on."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def profiler(ticks: Ticks) -> Any:
    return profile.Profile(ticks, bias=0)


def found(profiler: Any, name: str) -> tuple[int, int, int]:
    """Return (calls, own time, time with callees) of the function called `name`."""
    profiler.create_stats()
    for (_, _, function), (calls, _, own, total, _) in profiler.stats.items():
        if function == name:
            return calls, own, total
    raise AssertionError(f"{name} is not in the table")


def work(ticks: Ticks, cost: int, turns: int) -> None:
    for _ in range(turns):
        ticks.now += cost
        sleep(0)


def first(ticks: Ticks) -> None:
    work(ticks, 1, 3)


def second(ticks: Ticks) -> None:
    work(ticks, 100, 3)


def both(ticks: Ticks) -> str:
    threads = [spawn(first, ticks), spawn(second, ticks)]
    for thread in threads:
        thread.wait()
    return "done"


def test_green_threads_that_take_turns_are_charged_apart(profiler: Any, ticks: Ticks) -> None:
    assert profiler.runcall(both, ticks) == "done"

    assert found(profiler, "first") == (1, 0, 3)
    assert found(profiler, "second") == (1, 0, 300)
    assert found(profiler, "work") == (2, 303, 303)
    assert found(profiler, "green thread")[0] >= 2
    assert found(profiler, "both")[2] == 0


def test_a_statement_is_in_the_table(profiler: Any, ticks: Ticks) -> None:
    names = {"both": both, "ticks": ticks}

    assert profiler.runctx("result = both(ticks)", names, names) is profiler
    assert names["result"] == "done"
    assert ("profile", 0, "result = both(ticks)") in profiler.timings
    assert sys.getprofile() is None
    assert greenlet.gettrace() is None


def test_results_add_up(profiler: Any, ticks: Ticks) -> None:
    profiler.runcall(first, ticks)
    profiler.runcall(both, ticks)

    assert found(profiler, "first") == (2, 0, 6)


def test_start_and_stop_in_the_middle(profiler: Any, ticks: Ticks) -> None:
    def outer() -> None:
        profiler.start()
        first(ticks)

    outer()
    second(ticks)
    profiler.stop()
    first(ticks)
    profiler.stop()

    assert found(profiler, "first") == (1, 0, 3)
    assert found(profiler, "second") == (1, 0, 300)
    assert ("profile", 0, "start") in profiler.timings


def test_a_green_thread_begun_before_is_measured_too(profiler: Any, ticks: Ticks) -> None:
    def begun_before() -> None:
        sleep(0)
        first(ticks)

    thread = spawn(begun_before)
    sleep(0)
    profiler.runcall(thread.wait)

    assert found(profiler, "first") == (1, 0, 3)


class Garbage:
    """In a cycle, with a finalizer that calls a function."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        sys.getrecursionlimit()
        nothing()


def nothing() -> None:
    pass


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.enable()


@pytest.mark.usefixtures("thresholds")
def test_the_collector_may_run_at_any_moment() -> None:
    # Also while a function has begun whose call is not told yet.
    def go(ticks: Ticks) -> None:
        gc.enable()
        first(ticks)
        gc.disable()

    for threshold in range(1, 200):
        clock = Ticks()
        profiler = profile.Profile(clock, bias=0)
        gc.collect(0)
        gc.disable()
        Garbage()
        gc.set_threshold(threshold)
        profiler.runcall(go, clock)
        assert found(profiler, "first") == (1, 0, 3), threshold


def test_a_green_thread_that_goes_on_after_the_end(profiler: Any, ticks: Ticks) -> None:
    thread = spawn(second, ticks)
    profiler.runcall(work, ticks, 1, 1)
    thread.wait()

    assert found(profiler, "second") == (1, 0, 100)
    assert found(profiler, "work")[1] == 101


def test_exceptions_pass(profiler: Any, ticks: Ticks) -> None:
    def fail() -> None:
        try:
            int("x")
        except ValueError:
            ticks.now += 5
            sleep(0)
            raise

    with pytest.raises(ValueError, match="invalid"):
        profiler.runcall(fail)

    assert found(profiler, "fail") == (1, 5, 5)


def test_recursion_counts_total_time_once(profiler: Any, ticks: Ticks) -> None:
    def recursive(depth: int) -> None:
        ticks.now += 1
        sleep(0)
        if depth:
            recursive(depth - 1)

    profiler.runcall(recursive, 4)

    assert found(profiler, "recursive") == (1, 5, 5)


def test_the_profiler_is_a_function_for_setprofile(profiler: Any, ticks: Ticks) -> None:
    def busy() -> None:
        ticks.now += 3

    sys.setprofile(profiler)
    busy()
    sys.setprofile(None)

    assert found(profiler, "busy") == (1, 3, 3)


def test_run_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    profile.run("sorted([2, 1])")

    assert "function calls in" in capsys.readouterr().out


def test_runctx_writes_the_table(tmp_path: Path, ticks: Ticks) -> None:
    names = {"first": first, "ticks": ticks, "SystemExit": SystemExit}
    file = tmp_path / "table"

    profile.runctx("first(ticks)\nraise SystemExit", names, names, str(file))

    table: Any = pstats.Stats(str(file))
    assert any(name == "first" for _, _, name in table.stats)


def test_its_methods_can_be_replaced_by_some_that_call_those_of_its_base(
    ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Swift's profiling middleware does, which sets each profiler up at its first run."""

    def set_up(self: Any) -> None:
        self.cur, self.timings = None, {}
        self.simulate_call("profiler")

    def runctx(self: Any, cmd: str, names: dict[str, Any], local_names: Any) -> Any:
        self._setup()
        try:
            return self.base.runctx(self, cmd, names, local_names)
        finally:
            self.TallyTimings()

    def runcall(self: Any, func: Any, *args: Any, **kw: Any) -> Any:
        self._setup()
        try:
            return self.base.runcall(self, func, *args, **kw)
        finally:
            self.TallyTimings()

    monkeypatch.setattr(profile.Profile, "_setup", set_up, raising=False)
    monkeypatch.setattr(profile.Profile, "runctx", runctx)
    monkeypatch.setattr(profile.Profile, "runcall", runcall)
    called, stated = (profile.Profile(ticks, bias=0) for _ in range(2))

    result = called.runcall(both, ticks)
    stated.runctx("both(ticks)", {"both": both, "ticks": ticks}, {})

    assert result == both(ticks)
    for profiler in (called, stated):
        assert found(profiler, "first")[::2] == (1, 3)
        assert found(profiler, "second")[::2] == (1, 300)
