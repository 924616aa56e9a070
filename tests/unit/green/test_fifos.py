"""The patched `open`: it parks at a FIFO, and is the plain one for everything else."""

import textwrap

from tests.conftest import RunIsolated

START = """
import eventlet
eventlet.monkey_patch()
import io, os, pathlib, sys, tempfile, threading, time

folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "fifo")
os.mkfifo(path)
ticks = []

def tick():
    while True:
        ticks.append(1)
        time.sleep(0.005)

threading.Thread(target=tick, daemon=True).start()

def beat():
    enough = len(ticks) + 3
    while len(ticks) < enough:
        time.sleep(0.005)
"""


def test_threads_meet_at_a_fifo_however_they_open_it(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        ways = [open, io.open, lambda path, mode: pathlib.Path(path).open(mode)]
        for way in ways:
            for mode in "r", "rb":
                got = []
                def read():
                    with way(path, mode) as file:
                        got.append(file.read())
                thread = threading.Thread(target=read)
                thread.start()
                beat()
                with way(path, "w") as file:
                    beat()
                    file.write("through\\n")
                thread.join()
                print(*got)
        """
    )
    out = run_isolated(script).stdout
    assert out == "through\n\nb'through\\n'\n" * 3


def test_kill_of_who_waits_for_the_other_side(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        thread = eventlet.spawn(open, path)
        eventlet.sleep(0.02)
        thread.kill()
        print(thread.dead)
        with open(os.open(path, os.O_RDWR)):  # lets the OS thread go
            pass
        """
    )
    assert run_isolated(script).stdout == "True\n"


def test_everything_else_is_opened_as_ever(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        class Keeper:
            opener = open

        name = os.path.join(folder.name, "file")
        with Keeper().opener(name, "w", encoding="utf-8") as file:
            assert type(file) is io.TextIOWrapper and type(file.buffer.raw) is io.FileIO
            file.write("text")
        assert open(name, "rb", 0).__class__ is io.FileIO
        assert io.open is open and open.__name__ == "open" and open.__doc__
        for wrong in None, "a\\0b", 3.5, "/no/such/file":
            try:
                open(wrong)
            except Exception as exc:
                print(type(exc).__name__, exc)
        patcher = eventlet.patcher
        assert not patcher.is_monkey_patched("builtins")
        patcher.unpatch()
        for wrong in None, "a\\0b", 3.5, "/no/such/file":
            try:
                open(wrong)
            except Exception as exc:
                print(type(exc).__name__, exc)
        """
    )
    lines = run_isolated(script, flags=("-W", "ignore::ResourceWarning")).stdout.splitlines()
    assert lines[:4] == lines[4:]


def test_a_warning_about_the_encoding_is_for_the_caller(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            open(os.devnull).close()
        print([each.filename for each in caught] == [sys._getframe().f_code.co_filename])
        """
    )
    done = run_isolated(script, flags=("-X", "warn_default_encoding", "-W", "ignore"))
    assert done.stdout == "True\n"
