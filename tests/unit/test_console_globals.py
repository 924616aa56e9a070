"""What a console keeps once per process is its own only while its green thread runs."""

from __future__ import annotations

import builtins
import io
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from greenlet import getcurrent, greenlet

from eventlet._console_globals import ConsoleGlobals, _put_away, stream_here
from eventlet._core.current import drop_hub, get_hub
from eventlet.backdoor import FileProxy
from eventlet.event import Event
from eventlet.greenthread import kill, sleep, spawn


@pytest.fixture(autouse=True)
def clean_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delattr(builtins, "_", raising=False)  # doctests leave theirs behind
    before = (sys.stdin, sys.stdout, sys.stderr, getattr(sys, "ps1", None), sys.displayhook)
    yield
    after = (sys.stdin, sys.stdout, sys.stderr, getattr(sys, "ps1", None), sys.displayhook)
    assert after == before
    assert not hasattr(builtins, "_")
    assert _put_away not in get_hub().around_parks


def console(out: object | None = None) -> ConsoleGlobals:
    return ConsoleGlobals(io.StringIO(), out or io.StringIO(), io.StringIO())


def test_names_are_the_consoles_inside() -> None:
    out = io.StringIO()
    with console(out):
        print("inside")
        sys.displayhook(7)
        assert sys.ps1 == ">>> "
        assert getattr(builtins, "_") == 7  # noqa: B009  # unknown to the type stubs

    assert out.getvalue() == "inside\n7\n"


def test_names_are_the_programs_while_it_is_parked() -> None:
    real, mine = sys.stdout, io.StringIO()
    seen: list[object] = []

    def look() -> None:
        seen.append(sys.stdout)
        seen.append(hasattr(builtins, "_"))

    with console(mine):
        sys.displayhook(7)
        spawn(look)
        sleep(0)
        assert sys.stdout is mine
        assert hasattr(builtins, "_")

    assert seen == [real, False]


def test_each_keeps_what_it_assigned() -> None:
    replaced, program = io.StringIO(), io.StringIO()
    real = sys.stdout

    def change() -> None:
        sys.stdout = program

    try:
        with console():
            sys.stdout = replaced
            del sys.ps1
            spawn(change)
            sleep(0)
            assert sys.stdout is replaced
            assert not hasattr(sys, "ps1")
        assert sys.stdout is program
    finally:
        sys.stdout = real


@pytest.mark.parametrize("end", [None, ValueError("thrown in")])
def test_a_kill_while_parked_brings_it_in_and_its_end_takes_it_out(end: Any) -> None:
    real, mine = sys.stdout, io.StringIO()
    seen: list[object] = []

    def run() -> None:
        try:
            with console(mine):
                try:
                    sleep(60)
                finally:
                    seen.append(sys.stdout)
        except ValueError:
            seen.append(sys.stdout)

    thread = spawn(run)
    sleep(0)
    kill(thread, *([] if end is None else [end]))

    assert seen == [mine] if end is None else [mine, real]
    assert sys.stdout is real


def test_parks_go_around_it_only_while_a_console_is_open() -> None:
    hub = get_hub()
    before = hub.around_parks
    with console():
        with console():
            sleep(0)
        assert hub.around_parks == (*before, _put_away)

    assert hub.around_parks == before


def test_a_greenlet_it_switches_to_works_for_it() -> None:
    mine = io.StringIO()

    def work() -> None:
        print("before")
        sleep(0.001)
        print("after")

    with console(mine):
        greenlet(work, getcurrent()).switch()
        assert sys.stdout is mine

    assert mine.getvalue() == "before\nafter\n"


def test_a_greenlet_of_it_that_goes_on_after_its_end_is_the_programs() -> None:
    goes_on = Event()
    seen: list[object] = []

    def work() -> None:
        goes_on.wait()
        seen.append(sys.stdout)

    def run() -> None:
        with console():
            greenlet(work, getcurrent()).switch()

    thread = spawn(run)
    sleep(0)
    kill(thread)
    goes_on.send()
    sleep(0.001)

    assert seen == [sys.stdout]
    assert thread.dead


def test_a_trace_function_is_put_away() -> None:
    calls: list[str] = []
    outside = sys.gettrace()
    seen: list[object] = []

    def trace(frame: FrameType, event: str, arg: object) -> None:
        calls.append(frame.f_code.co_name)

    def traced() -> None:
        pass

    def untraced() -> None:
        seen.append(sys.gettrace())

    with console():
        sys.settrace(trace)
        spawn(untraced)
        sleep(0)
        traced()
        assert sys.gettrace() is trace

    assert sys.gettrace() is outside
    assert seen == [outside]
    assert "traced" in calls
    assert "untraced" not in calls


class OtherThread:
    """An OS thread with a hub and a console of its own, led step by step."""

    def __init__(self, steps: Callable[[threading.Event, threading.Event], None]) -> None:
        self.ready, self.go_on = threading.Event(), threading.Event()
        self._steps = steps
        self._failure: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self.ready.wait(10)

    def _run(self) -> None:
        try:
            self._steps(self.ready, self.go_on)
        except BaseException as exc:
            self._failure.append(exc)
        finally:
            drop_hub()
            self.ready.set()

    def finish(self) -> None:
        self.go_on.set()
        self._thread.join(10)
        assert self._failure == []


def test_consoles_of_two_os_threads_leave_the_program_its_own() -> None:
    real = sys.stdout
    ours, theirs = io.StringIO(), io.StringIO()

    def steps(ready: threading.Event, go_on: threading.Event) -> None:
        proxy = FileProxy(theirs)
        proxy.elsewhere = "stdout"
        with console(proxy):
            print("theirs 1")
            ready.set()
            assert go_on.wait(10)
            print("theirs 2")

    mine = FileProxy(ours)
    mine.elsewhere = "stdout"
    with console(mine):
        print("ours 1")
        other = OtherThread(steps)
        print("ours 2")
        sleep(0)
        assert stream_here("stdout") is mine
    print("ours no more")
    assert stream_here("stdout") is real
    other.finish()

    assert sys.stdout is real
    assert ours.getvalue() == "ours 1\nours 2\n"
    assert theirs.getvalue() == "theirs 1\ntheirs 2\n"


def test_what_another_os_thread_prints_reaches_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours = io.StringIO()
    proxy = FileProxy(ours)
    proxy.elsewhere = "stdout"
    with console(proxy):
        thread = threading.Thread(target=print, args=["from a thread"])
        thread.start()
        thread.join()
        print("ours")

    assert ours.getvalue() == "ours\n"
    assert capsys.readouterr().out == "from a thread\n"
