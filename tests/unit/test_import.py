"""`import eventlet`: it does nothing, and loads little."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RunIsolated

NOT_NEEDED = {
    *("asyncio", "concurrent", "ctypes", "dataclasses", "dis", "email", "getpass", "http"),
    *("inspect", "json", "locale", "logging", "multiprocessing", "pickle", "pkgutil", "platform"),
    *("random", "runpy", "shutil", "socketserver", "ssl", "subprocess", "tempfile", "unittest"),
    *("urllib", "uuid", "xmlrpc", "zipfile", "argparse", "ast", "copy", "datetime", "decimal"),
    *("dns", "httptools", "OpenSSL", "zmq", "psycopg2", "cryptography", "_ssl", "_multiprocessing"),
}


def test_what_is_not_needed_is_not_loaded(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        f"""
        import sys
        import traceback  # which alone loads half a dozen of these on Python 3.14
        before = set(sys.modules)
        import eventlet
        loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
        print(sorted(loaded & {NOT_NEEDED!r}), "threading" in loaded)
        """
    )

    assert done.stdout == "[] True\n"


def test_most_of_the_package_is_loaded_when_it_is_used(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        import sys
        import eventlet
        ours = {name for name in sys.modules if name.startswith("eventlet.")}
        for part in ("wsgi", "_server", "_protocols", "asyncio", "_aio", "_cli", "tpool",
                     "_patching.private", "_patching.changes", "green.ssl", "green.threading"):
            if any(name == f"eventlet.{part}" or name.startswith(f"eventlet.{part}.") for name in ours):
                print(part)
        """
    )

    assert done.stdout == ""


def test_nothing_is_changed_opened_or_started(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        import builtins, os, signal, socket, select, selectors, ssl, subprocess, sys, threading, time
        import _thread, atexit, gc, queue, warnings

        def state():
            modules = (builtins, os, signal, socket, select, selectors, ssl, subprocess, threading,
                       time, _thread, queue)
            classes = [value for m in modules for value in vars(m).values() if type(value) is type]
            return (
                [dict(vars(each)) for each in (*modules, *classes)],
                sorted(os.listdir("/proc/self/fd")),
                sorted(os.listdir("/proc/self/task")),
                [signal.getsignal(each) for each in signal.valid_signals()],
                (sys.excepthook, threading.excepthook, sys.stdout, sys.stderr, sys.unraisablehook),
                (list(sys.path), list(sys.meta_path), list(sys.path_hooks)),
                (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.callbacks[:]),
                (sys.getswitchinterval(), sys.getrecursionlimit(), warnings.filters[:]),
                dict(os.environ),
                atexit._ncallbacks(),
            )

        before = state()
        import eventlet
        for then, now in zip(before, state(), strict=True):
            assert then == now, (then, now)
        print("same")
        """
    )

    assert (done.stdout, done.stderr) == ("same\n", "")


@pytest.mark.parametrize("program", ["import eventlet", "import eventlet; eventlet.monkey_patch()"])
def test_nothing_is_printed_in_a_session_at_the_prompt(
    program: str, run_isolated: RunIsolated
) -> None:
    done = run_isolated(
        f"""
        import code, io, contextlib
        console = code.InteractiveConsole()
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            console.runcode(compile({program!r}, "<console>", "single"))
            console.runcode(compile("eventlet.sleep(0)", "<console>", "exec"))
        print(repr(said.getvalue()))
        """,
        flags=("-W", "always", "-X", "dev"),
    )

    assert (done.stdout, done.stderr) == ("''\n", "")


def test_nothing_is_printed_by_an_interactive_interpreter(run_isolated: RunIsolated) -> None:
    session = "import eventlet\neventlet.monkey_patch()\neventlet.sleep(0.001)\n1 + 1\n"
    done = run_isolated("pass", stdin=session, flags=("-i", "-q", "-W", "always"))

    assert done.stdout == "2\n"
    assert done.stderr.replace(">>> ", "").strip() == ""


def test_nothing_is_printed_in_a_test_run(tmp_path: Path, run_isolated: RunIsolated) -> None:
    (tmp_path / "test_own.py").write_text(
        "import eventlet\neventlet.monkey_patch()\nimport logging, threading, time\n"
        "def test_output(capfd):\n"
        "    thread = threading.Thread(target=time.sleep, args=(0.01,))\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "    assert capfd.readouterr() == ('', '')\n"
        "def test_log(caplog):\n"
        "    logging.warning('seen')\n"
        "    assert caplog.messages == ['seen']\n"
    )
    options = ["-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(tmp_path)]
    done = run_isolated(
        "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))", *options, str(tmp_path)
    )

    assert "2 passed" in done.stdout
    assert done.stderr == ""
