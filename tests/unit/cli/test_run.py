"""`python -m eventlet run`: the program finds what it would find without us, but patched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.time_limit(180)  # each starts processes, some of them many

LOOK = """\
import sys
main = sys.modules["__main__"]
shown = {name: value for name, value in vars(main).items()}
print(sorted((name, repr(value).partition(" at 0x")[0]) for name, value in shown.items()))
print(sys.argv, sys.path, __name__, vars(main) is globals(), repr(__spec__).partition(" at 0x")[0])
print(sys.flags.optimize, sys.stdin.encoding, sys.excepthook is sys.__excepthook__)
"""

FAIL = """\
import sys
def fail(what):
    if what == "chain":
        try:
            fail("error")
        except ZeroDivisionError as exc:
            raise KeyError("outer") from exc
    if what == "error":
        return 1 / 0
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "hook":
        sys.excepthook = lambda *what: print("my hook:", what[0], what[2].tb_frame.f_code.co_name)
        raise ValueError
    if what == "group":
        raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
    if what == "number":
        sys.exit(7)
    if what == "text":
        sys.exit("good-bye")
    if what == "nothing":
        sys.exit()
    if what == "last":
        import atexit
        atexit.register(lambda: print(sys.last_traceback.tb_frame.f_code.co_name, sys.last_value))
        raise ValueError("kept")
fail(sys.argv[1])
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with programs: look.py, fail.py, a package, a folder and a zip file."""
    folder = tmp_path.resolve() / "place"
    (folder / "pack" / "age").mkdir(parents=True)
    (folder / "sub").mkdir()
    for name, text in {
        "look.py": LOOK,
        "fail.py": FAIL,
        "wrong.py": "x = 1\ny = (\n",
        "pack/__init__.py": "",
        "pack/mod.py": LOOK,
        "pack/fail.py": FAIL,
        "pack/age/__init__.py": "",
        "pack/age/__main__.py": LOOK,
        "sub/__main__.py": LOOK + "import beside; print(beside.x)",
        "sub/beside.py": "x = 'beside'",
        "sub/look.py": LOOK,
        "sub/ssl.py": "raise AssertionError('imported by us')",
    }.items():
        (folder / name).write_text(text)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("__main__.py", LOOK + "import inside; print(inside.__file__)")
        archive.writestr("inside.py", "")
    (folder / "link.py").symlink_to(folder / "sub" / "look.py")
    return folder


def call(
    command: Sequence[str], place: Path, stdin: str | None = None, flags: Sequence[str] = ()
) -> tuple[int, str, str]:
    """Call `python` in a folder; return status, output and errors."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "EVENTLET_"))}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path and "src" in path)
    done = subprocess.run(
        [sys.executable, *flags, *command],
        cwd=place,
        env=env,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def assert_the_same(
    command: Sequence[str], place: Path, stdin: str | None = None, flags: Sequence[str] = ()
) -> tuple[int, str, str]:
    """Run a program with and without us; return what both did."""
    plain = call(command, place, stdin, flags)
    ours = call(["-m", "eventlet", "run", *command], place, stdin, flags)
    assert ours == plain
    return ours


@pytest.mark.parametrize(
    "command",
    [
        ["look.py"],
        ["look.py", "-v", "--no-os", "--", "-m", "x"],
        ["./sub/../look.py", ""],
        ["link.py"],
        ["sub/look.py"],
        ["sub", "--only", "x"],
        ["all.zip", "x"],
        ["-m", "look", "-c", "--help"],
        ["-m", "pack.mod", "--", "x"],
        ["-m", "pack.age"],
        ["-", "x", "-m"],
        ["-c", LOOK, "--json", "x"],
    ],
    ids=" ".join,
)
def test_a_program_finds_what_it_finds_without_us(command: list[str], place: Path) -> None:
    status, out, _ = assert_the_same(command, place, LOOK)

    assert status == 0
    assert "'__main__'" in out


@pytest.mark.parametrize("flags", [["-O"], ["-P"], ["-I"], ["-X", "utf8=0"]], ids=" ".join)
def test_options_of_the_interpreter_keep_their_meaning(flags: list[str], place: Path) -> None:
    (place / "sub").rename(place / "elsewhere")
    if flags == ["-I"]:  # which ignores PYTHONPATH: only where the package is installed
        installed = call(["-c", "import eventlet"], place, flags=flags)[0] == 0
        if not installed:
            flags = ["-E"]
    for command in (["look.py", "x"], ["elsewhere"], ["-c", LOOK]):
        assert_the_same(command, place, flags=flags)


@pytest.mark.parametrize(
    "what",
    ["error", "chain", "group", "hook", "number", "text", "nothing", "last", "interrupt", "none"],
)
@pytest.mark.parametrize("how", [["fail.py"], ["-m", "pack.fail"]], ids=" ".join)
def test_the_end_is_the_same(how: list[str], what: str, place: Path) -> None:
    status, _, err = assert_the_same([*how, what], place)

    assert "eventlet" not in err
    if what == "interrupt":
        assert status == -signal.SIGINT


def test_errors_in_code_and_standard_input_look_the_same(place: Path) -> None:
    assert_the_same(["-c", FAIL, "chain"], place)
    assert_the_same(["-", "chain"], place, FAIL)


@pytest.mark.parametrize(
    "command",
    [
        ["nix.py"],
        ["-m", "nix"],
        ["pack"],
        ["-m", "pack"],
        ["wrong.py"],
        ["-m", "wrong"],
        ["-c", "("],
    ],
    ids=" ".join,
)
def test_what_cannot_be_run_is_said_in_the_same_words(command: list[str], place: Path) -> None:
    status, _, err = assert_the_same(command, place)

    assert status in {1, 2}
    assert err


def test_compiled_programs_run(place: Path) -> None:
    call(["-c", "import py_compile; py_compile.compile('look.py', 'look.pyc')"], place)

    assert assert_the_same(["look.pyc", "x"], place)[0] == 0


PROGRAM = """
    from time import sleep
    import eventlet, os, queue, socket, sys, threading, time
    from eventlet import patcher
    assert socket.socket is eventlet.green.socket.socket
    turns = []
    def turn(name):
        for _ in range(3):
            turns.append(name)
            sleep(0.001)
    threads = [threading.Thread(target=turn, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("".join(turns), sorted(patcher.already_patched.keys() - {"psycopg"}), patcher.kept_originals())
"""


def test_all_is_patched_from_the_first_line(place: Path) -> None:
    (place / "program.py").write_text(textwrap.dedent(PROGRAM))

    done = call(["-m", "eventlet", "run", "program.py"], place, flags=["-W", "error"])

    every = ["os", "select", "socket", "subprocess", "thread", "time"]
    assert done == (0, f"ababab {every} []\n", "")


@pytest.mark.parametrize(
    ("options", "patched"),
    [
        (["--no-os", "--no-subprocess"], ["select", "socket", "thread", "time"]),
        (["--only", "socket,time"], ["socket", "time"]),
        (["--only=time"], ["time"]),
        (
            ["--also", "builtins", "--no-thread", "--no-os"],
            ["builtins", "select", "socket", "subprocess", "time"],
        ),
        (["--only", "time", "--also", "builtins"], ["builtins", "time"]),
    ],
)
def test_options_say_what_to_patch(options: list[str], patched: list[str], place: Path) -> None:
    (place / "program.py").write_text(
        "import sys\nfrom eventlet.patcher import already_patched\n"
        "print(sorted(already_patched.keys() - {'psycopg'}), sys.argv[1:])"
    )

    done = call(["-m", "eventlet", "run", *options, "program.py", "--only", "x"], place)

    assert done == (0, f"{patched} ['--only', 'x']\n", "")


def test_what_the_old_library_deleted_can_be_removed(place: Path) -> None:
    code = "import select, selectors; print(hasattr(select, 'poll'), dir(selectors).count('PollSelector'))"

    assert call(["-m", "eventlet", "run", "-c", code], place)[1] == "True 1\n"
    assert (
        call(["-m", "eventlet", "run", "--remove-unpatchable", "-c", code], place)[1] == "False 0\n"
    )


@pytest.mark.parametrize("arguments", [[], ["--only", "nix", "x.py"], ["--nix", "x.py"], ["-m"]])
def test_wrong_usage_is_refused(arguments: list[str], place: Path) -> None:
    status, _, err = call(["-m", "eventlet", "run", *arguments], place)

    assert status == 2
    assert err.startswith("usage: python -m eventlet run [option ...] (script |")


PROCESSES = """
    import multiprocessing, os, pickle, sys
    class Own:
        def __init__(self, x):
            self.x = x
    def work(own):
        return type(own) is Own, own.x + 1, __name__, sys.argv[1:]
    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(2) as pool:
            print(pool.map(work, [Own(1), Own(2)]))
        print(type(pickle.loads(pickle.dumps(Own(1)))) is Own)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [["program.py"], ["-m", "program"], ["folder"]], ids=" ".join)
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_what_main_defines_is_found_by_pickle_and_child_processes(
    method: str, how: list[str], place: Path
) -> None:
    (place / "program.py").write_text(textwrap.dedent(PROCESSES))
    (place / "folder").mkdir()
    (place / "folder" / "__main__.py").write_text(
        f"import sys; sys.path.insert(0, {str(place)!r})\n"
        "import program; vars(program)['__name__'] = 'program'\n" + textwrap.dedent(PROCESSES)
    )
    if how == ["folder"] and method == "spawn":
        how = ["program.py"]  # without us children of a folder cannot find its classes either

    status, out, err = call(["-m", "eventlet", "run", *how, method, "x"], place)

    name = "__mp_main__" if method == "spawn" else "__main__"
    assert (status, err) == (0, "")
    expected = [(True, number, name, [method, "x"]) for number in (2, 3)]
    assert out == f"{expected}\nTrue\n"


def test_threads_are_awaited_and_exit_handlers_run(place: Path) -> None:
    (place / "program.py").write_text(
        textwrap.dedent(
            """
            import atexit, threading, time
            atexit.register(print, "exit")
            threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
            print("main")
            """
        )
    )

    assert call(["-m", "eventlet", "run", "program.py"], place)[1] == "main\nthread\nexit\n"


def test_the_patcher_runs_scripts_too(place: Path) -> None:
    """As `python -m eventlet.patcher` always did."""
    (place / "program.py").write_text(
        "import sys, time\nfrom eventlet import patcher\nprint(sys.argv, patcher.is_monkey_patched(time))"
    )

    status, out, _ = call(["-m", "eventlet.patcher", "program.py", "-x"], place)

    assert (status, out) == (0, "['program.py', '-x'] True\n")
