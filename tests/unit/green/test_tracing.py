"""Trace and profile functions of threads: each green thread has its own."""

from __future__ import annotations

import textwrap

import pytest

from tests.conftest import RunIsolated

START = """
import sys
import eventlet
{patch}
from {threading} import current_thread, Thread
import {threading} as threading
from eventlet import sleep

seen = {{"trace": set(), "profile": set()}}

def note(kind, frame):
    seen[kind].add((frame.f_code.co_name, current_thread().name))

def trace(frame, event, arg):
    note("trace", frame)
    return trace

def profile(frame, event, arg):
    note("profile", frame)

def job():
    sleep(0.01)
    inner()

def inner():
    pass

def ours():
    return sys.gettrace(), sys.getprofile()
"""

PATCHED = {"patch": "eventlet.monkey_patch()", "threading": "threading"}
GREEN = {"patch": "", "threading": "eventlet.green.threading"}
both = pytest.mark.parametrize("names", [PATCHED, GREEN], ids=["patched", "green"])


def run(run_isolated: RunIsolated, names: dict[str, str], script: str) -> str:
    return run_isolated(START.format(**names) + textwrap.dedent(script)).stdout


@both
def test_threads_are_traced_and_nobody_else(
    run_isolated: RunIsolated, names: dict[str, str]
) -> None:
    script = """
    def beside():
        sleep(0.005)
        ours()
        sleep(0.02)
        return ours()

    spawned = eventlet.spawn(beside)
    threading.settrace(trace)
    threading.setprofile(profile)
    workers = [Thread(target=job, name=name) for name in "ab"]
    for worker in workers:
        worker.start()
    sleep(0.005)
    print("meanwhile", ours())
    for worker in workers:
        worker.join()
    print("after", ours(), spawned.wait())
    for kind in seen:
        print(kind, sorted(each for each in seen[kind] if each[0] in ("job", "inner", "ours")))
    """

    nobody = "(None, None)"
    each = [(name, thread) for name in ("inner", "job") for thread in "ab"]
    assert run(run_isolated, names, script).splitlines() == [
        f"meanwhile {nobody}",
        f"after {nobody} {nobody}",
        f"trace {each}",
        f"profile {each}",
    ]


@both
def test_a_thread_may_change_its_functions_and_keeps_them(
    run_isolated: RunIsolated, names: dict[str, str]
) -> None:
    script = """
    def change():
        sys.settrace(None)
        sleep(0)
        kept.append(ours() == (None, profile))

    def keep():
        sleep(0)
        kept.append(ours() == (trace, profile))

    kept = []
    threading.settrace(trace)
    threading.setprofile(profile)
    workers = [Thread(target=target) for target in (change, keep)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(kept)
    """

    assert run(run_isolated, names, script) == "[True, True]\n"


@both
def test_the_functions_of_the_others_come_back_when_a_traced_thread_is_killed(
    run_isolated: RunIsolated, names: dict[str, str]
) -> None:
    script = """
    import greenlet

    def mine(frame, event, arg):
        return None

    def wait():
        parked.append(greenlet.getcurrent())
        sleep(50)

    parked = []
    sys.settrace(mine)
    threading.settrace(trace)
    worker = Thread(target=wait)
    worker.start()
    while not parked:
        sleep(0)
    eventlet.kill(parked[0])
    worker.join()
    print(sys.gettrace() is mine, greenlet.gettrace())
    """

    assert run(run_isolated, names, script) == "True None\n"
