"""`python -m eventlet doctor`: what it finds in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import greenlet
import pytest

from eventlet._settings import SETTINGS

from tests.isolated_runner import run_isolated

pytestmark = pytest.mark.time_limit(120)  # each starts a process

RUN = "import sys; from eventlet._cli.commands import main; sys.exit(main(sys.argv[1:]))\n"


def diagnose(*options: str, status: int = 0, env: dict[str, str] | None = None) -> Any:
    done = run_isolated(
        RUN, "doctor", "--json", *options, timeout=60, expect_status=status, env=env
    )
    return json.loads(done.stdout)


def test_it_tells_versions_hub_and_resolver() -> None:
    report = diagnose()

    assert report["versions"]["python"].endswith(sys.version.split()[0])
    assert report["versions"]["greenlet"] == greenlet.__version__
    assert report["versions"]["executable"] == sys.executable
    assert report["core"] == "pure Python"
    assert report["hub"]["hub"].startswith("eventlet.hubs.")
    assert report["hub"]["poller"].startswith("eventlet._core.pollers.")
    assert report["resolver"].startswith("over green sockets")
    assert report["problems"] == []


def test_it_tells_every_setting_and_where_it_comes_from() -> None:
    env = {"EVENTLET_HUB": "poll", "EVENTLET_NO_GREENDNS": "yes", "EVENTLET_NIX": "1"}
    report = diagnose(env=env)
    settings = {each["name"]: each for each in report["settings"]}

    assert settings.keys() == {setting.name for setting in SETTINGS}
    assert (settings["EVENTLET_HUB"]["value"], settings["EVENTLET_HUB"]["is set"]) == ("poll", True)
    assert settings["EVENTLET_THREADPOOL_SIZE"]["value"] == 20
    assert not settings["EVENTLET_THREADPOOL_SIZE"]["is set"]
    assert report["hub"]["poller"] == "eventlet._core.pollers.poll.PollPoller"
    assert report["resolver"].startswith("of the operating system")
    assert report["unknown settings"] == ["EVENTLET_NIX"]


def test_a_module_that_is_not_there_is_named() -> None:
    done = run_isolated(RUN, "doctor", "--before", "nowhere.inner", timeout=60, expect_status=2)

    assert done.stdout == ""
    assert "doctor: error: there is no module 'nowhere'; name one that " in done.stderr
    assert "Traceback" not in done.stderr


def test_it_reads_the_ledger() -> None:
    report = diagnose("--only", "time,select")

    assert report["patched"] == ["select", "time"]
    sleep = [each for each in report["ledger"] if each["name"] == "sleep"]
    assert sleep == [
        {
            "module": "time",
            "name": "sleep",
            "before": "<built-in function sleep>",
            "after": sleep[0]["after"],
        }
    ]
    assert sleep[0]["after"].startswith("<function sleep")


def test_it_can_leave_everything_alone() -> None:
    report = diagnose("--no-patch")

    assert (report["patched"], report["ledger"], report["kept originals"]) == ([], [], [])


def test_it_finds_who_was_imported_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "early_bird.py").write_text("from time import sleep")

    env = {"PYTHONPATH": f"{tmp_path}:src:."}
    report = diagnose("--before", "early_bird", env=env)

    wanted = {"module": "early_bird", "name": "sleep", "original": "time.sleep"}
    assert report["kept originals"] == [wanted]


def test_nothing_of_the_standard_library_keeps_an_original_that_blocks() -> None:
    early = (
        *(
            "asyncio",
            "concurrent.futures.thread",
            "email.utils",
            "ftplib",
            "http.server",
            "imaplib",
        ),
        *("logging.handlers", "multiprocessing.managers", "multiprocessing.pool", "poplib"),
        *("queue", "sched", "smtplib", "socketserver", "subprocess", "tempfile", "threading"),
        *(
            "urllib.request",
            "wsgiref.simple_server",
            "xmlrpc.server",
            "multiprocessing.shared_memory",
        ),
    )
    options = [option for name in early for option in ("--before", name)]

    assert diagnose(*options)["kept originals"] == []


def test_what_cannot_work_is_a_problem_and_the_status() -> None:
    env = {"EVENTLET_HUB": "nix.nix", "EVENTLET_THREADPOOL_SIZE": "many"}
    report = diagnose("--no-patch", status=1, env=env)

    assert any("no hub can run here" in problem for problem in report["problems"])
    assert any("EVENTLET_THREADPOOL_SIZE='many'" in problem for problem in report["problems"])


def test_a_hub_that_is_not_there_is_a_problem_and_nothing_is_patched() -> None:
    report = diagnose(status=1, env={"EVENTLET_HUB": "epol"})

    (problem,) = report["problems"]
    assert problem.startswith("no hub can run here: EVENTLET_HUB='epol': there is no hub 'epol'")
    assert (report["hub"]["hub"], report["patched"], report["ledger"]) == (None, [], [])


def test_people_get_text() -> None:
    env = {"EVENTLET_NIX": "x"}
    done = run_isolated(RUN, "doctor", "--before", "asyncio", timeout=60, env=env)

    for part in (
        "\n  greenlet     ",
        "\n  core         pure Python",
        "\n  EVENTLET_THREADPOOL_SIZE = 20 (default)",
        "\n  EVENTLET_NIX is set, and has no meaning",
        "\nPatched\n  os, ",
        "\n  socket\n    create_connection,",
        "\nTaken before patching: 0 references",
    ):
        assert part in done.stdout
