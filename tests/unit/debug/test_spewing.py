"""`debug.spew`: every line that runs is printed."""

import linecache
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from eventlet import debug
from eventlet.greenthread import sleep, spawn

HERE = __name__
A_GLOBAL = 5


def frame_here() -> Any:
    a_local = "x"
    assert a_local
    return sys._getframe()


@pytest.fixture(autouse=True)
def tracer_of_the_tests() -> Iterator[Any]:
    """Whatever traces the tests (coverage, a debugger) is there again afterwards."""
    before = sys.gettrace()
    yield before
    debug.unspew()
    sys.settrace(before)


def add_one(number: int) -> int:
    more = number + 1
    return more  # noqa: RET504  # two lines to be printed


def test_a_line_is_printed_with_its_module_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    frame = frame_here()
    spewer = debug.Spew()

    assert spewer(frame, "line", None) is spewer
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{HERE}:{frame.f_lineno}:     return sys._getframe()"
    assert second == f"\tsys={sys!r}"


def test_values_of_locals_and_globals_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    a_local = "x"
    debug.Spew()(sys._getframe(), "line", [a_local, A_GLOBAL, len])

    values = capsys.readouterr().out.splitlines()[1]
    assert "a_local='x'" in values
    assert "A_GLOBAL=5" in values
    assert "len=" not in values


def test_values_are_left_out_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    debug.Spew(show_values=False)(frame_here(), "line", None)

    assert capsys.readouterr().out.count("\n") == 1


def test_only_the_chosen_modules_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    debug.Spew(trace_names=["other"])(frame_here(), "line", None)
    nothing = capsys.readouterr().out
    debug.Spew(trace_names=[HERE])(frame_here(), "line", None)

    assert nothing == ""
    assert capsys.readouterr().out.startswith(HERE)


def test_events_that_are_no_lines_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    debug.Spew()(frame_here(), "call", None)

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("file_name", ["<no such file>", __file__])
def test_code_without_a_file_is_unknown(file_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"frame_of": sys._getframe}
    exec(compile("def made():\n    return frame_of()\n", file_name, "exec"), names)

    debug.Spew()(names["made"](), "line", None)

    source = linecache.getline(file_name, 2).rstrip()
    assert capsys.readouterr().out.startswith(
        f"[unknown]:2: {source}" if source else "[unknown]:2: code named made, VM instruction #"
    )


def test_a_value_that_cannot_be_shown_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError("not yet")

    broken = Broken()
    debug.Spew()(sys._getframe(), "line", broken)

    assert "broken=<Broken whose repr failed: ValueError('not yet')>" in capsys.readouterr().out


def test_calls_are_printed_until_unspew(capsys: pytest.CaptureFixture[str]) -> None:
    debug.spew([HERE], show_values=True)
    add_one(3)
    debug.unspew()
    add_one(4)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(":     more = number + 1")
    assert "\tnumber=3" in lines
    assert "\tmore=4" in lines
    assert not any("number=4" in line for line in lines)


def test_green_threads_begun_before_and_after_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def begun_before() -> int:
        sleep(0)
        return add_one(10)

    before = spawn(begun_before)
    sleep(0)
    debug.spew([HERE], show_values=True)
    after = spawn(add_one, 20)
    got = before.wait(), after.wait()
    debug.unspew()

    out = capsys.readouterr().out
    assert got == (11, 21)
    assert "number=10" in out
    assert "number=20" in out


def test_green_threads_print_nothing_after_unspew(capsys: pytest.CaptureFixture[str]) -> None:
    def goes_on() -> int:
        add_one(1)
        sleep(0)
        return add_one(2)

    debug.spew([HERE], show_values=True)
    thread = spawn(goes_on)
    sleep(0)
    debug.unspew()
    capsys.readouterr()
    thread.wait()

    assert capsys.readouterr().out == ""


def test_the_trace_function_before_spew_comes_back() -> None:
    def theirs(frame: Any, event: str, arg: Any) -> None:
        return None

    sys.settrace(theirs)
    debug.spew([])
    debug.spew([HERE])
    meanwhile = sys.gettrace()
    debug.unspew()
    afterwards = sys.gettrace()
    sys.settrace(None)

    assert isinstance(meanwhile, debug.Spew)
    assert afterwards is theirs


def test_a_trace_function_set_meanwhile_stays() -> None:
    def theirs(frame: Any, event: str, arg: Any) -> None:
        return None

    debug.spew([])
    sys.settrace(theirs)
    debug.unspew()
    afterwards = sys.gettrace()
    sys.settrace(None)

    assert afterwards is theirs
