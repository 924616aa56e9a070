"""The package itself: what is there after `import eventlet`, and what is not."""

from __future__ import annotations

import pytest

import eventlet
from eventlet import convenience, event, greenpool, greenthread, patcher, queue, semaphore, timeout

from tests.conftest import RunIsolated

MODULES = [
    "convenience",
    "event",
    "green",
    "greenio",
    "greenlet",
    "greenpool",
    "greenthread",
    "hubs",
    "patcher",
    "queue",
    "semaphore",
    "support",
    "timeout",
]

TO_BE_IMPORTED = [
    "tpool",
    "pools",
    "debug",
    "backdoor",
    "db_pool",
    "dagpool",
    "coros",
    "asyncio",
    "wsgi",
    "websocket",
]


def test_the_usual_modules_are_attributes_after_the_import(run_isolated: RunIsolated) -> None:
    done = run_isolated(f"""
        import eventlet
        print([name for name in {MODULES} if not hasattr(eventlet, name)])
        print(eventlet.green.socket.socket.__name__)
    """)

    assert done.stdout == "[]\nGreenSocket\n"


@pytest.mark.parametrize(
    "name",
    [
        "green.os",
        "green.select",
        "green.selectors",
        "green.ssl",
        "green.subprocess",
        "green.thread",
        "green.threading",
        "green.time",
        "green.Queue",
        "green.BaseHTTPServer",
        "green.SocketServer",
        "greenio.base",
        "greenio.py3",
        "support.greendns",
        "support.greenlets",
    ],
)
def test_modules_that_programs_use_without_importing_them(
    run_isolated: RunIsolated, name: str
) -> None:
    done = run_isolated(f"""
        import sys
        import eventlet
        before = "eventlet.{name}" in sys.modules
        print(before, eventlet.{name} is sys.modules["eventlet.{name}"])
    """)

    assert done.stdout == "False True\n"


def test_no_other_module_of_the_green_ones_is_there_without_importing_it(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated("""
        import eventlet
        print([hasattr(eventlet.green, name) for name in ("ftplib", "zmq", "nothing")])
        print(hasattr(eventlet.greenio, "nothing"), hasattr(eventlet.support, "nothing"))
    """)

    assert done.stdout == "[False, False, False]\nFalse False\n"


def test_the_other_modules_are_imported_by_name(run_isolated: RunIsolated) -> None:
    done = run_isolated(f"""
        import importlib
        import eventlet
        for name in {TO_BE_IMPORTED}:
            try:
                module = importlib.import_module("eventlet." + name)
            except ModuleNotFoundError as exc:
                assert exc.name == "eventlet." + name
            else:
                assert getattr(eventlet, name) is module
        print("done")
    """)

    assert done.stdout == "done\n"


@pytest.mark.parametrize("name", ["Lock", "GreenThread", "use_hub", "local"])
def test_names_that_belong_to_a_module_are_not_here(name: str) -> None:
    assert not hasattr(eventlet, name)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (convenience, ("connect", "listen", "serve", "StopServe", "wrap_ssl")),
        (event, ("Event",)),
        (greenpool, ("GreenPool", "GreenPile")),
        (greenthread, ("sleep", "spawn", "spawn_n", "spawn_after", "kill", "getcurrent")),
        (greenthread, ("exc_after", "call_after_global", "TimeoutError")),
        (patcher, ("monkey_patch", "import_patched")),
        (queue, ("Queue",)),
        (semaphore, ("Semaphore", "BoundedSemaphore", "CappedSemaphore")),
        (timeout, ("Timeout", "with_timeout", "is_timeout", "wrap_is_timeout")),
    ],
)
def test_names_are_those_of_their_modules(module: object, names: tuple[str, ...]) -> None:
    for name in names:
        assert getattr(eventlet, name) is getattr(module, name)


def test_the_warning_about_deprecation_is_a_name_alone() -> None:
    assert issubclass(eventlet.EventletDeprecationWarning, Warning)


@pytest.mark.parametrize("variables", [{}, {"EVENTLET_TESTS": "1"}, {"EVENTLET_TPOOL_DNS": "1"}])
def test_neither_the_import_nor_a_fork_says_anything(
    variables: dict[str, str], run_isolated: RunIsolated
) -> None:
    done = run_isolated(
        """
        import os
        import eventlet
        child = os.fork()
        if not child:
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        env=variables,
        flags=("-W", "always"),
    )

    assert (done.stdout, done.stderr) == ("7\n", "")


def test_the_version_is_a_text_of_numbers() -> None:
    assert all(part.isdigit() for part in eventlet.__version__.split(".")[:2])
