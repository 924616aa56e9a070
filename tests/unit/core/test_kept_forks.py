"""The switch by which a forked child keeps all green threads."""

from __future__ import annotations

import pytest

from tests.isolated_runner import run_isolated

FLAGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")
SETTING = "EVENTLET_FORK_KEEPS_GREEN_THREADS"

START = """
import os, sys
import eventlet
from eventlet import hubs
from eventlet.green.os import waitpid

def note(word):
    os.write(1, (word + "\\n").encode())

def status_of(pid):
    return os.waitstatus_to_exitcode(waitpid(pid, 0)[1])
"""


def run(code: str, **options: object) -> list[str]:
    """Run code after START; return the lines that both processes wrote, sorted."""
    done = run_isolated(START + code, flags=FLAGS, **options)  # type: ignore[arg-type]  # passed on
    return sorted(done.stdout.split())


@pytest.mark.parametrize("hub", ["epolls", "poll", "selects"])
@pytest.mark.parametrize("patched", ["patched", "plain"])
def test_everything_goes_on_in_the_child(patched: str, hub: str) -> None:
    done = run_isolated("fork_keeps_all.py", patched, flags=FLAGS, env={"EVENTLET_HUB": hub})

    assert done.stdout == "passed\n"


def test_threading_knows_the_green_threads_in_the_child() -> None:
    assert run_isolated("fork_keeps_threads.py", flags=FLAGS).stdout == "awaited\npassed\n"


CHOICES = {
    "nothing": ({}, "", False),
    "environment": ({SETTING: "yes"}, "", True),
    "call": ({}, "hubs.keep_green_threads_on_fork()", True),
    "call against the environment": (
        {SETTING: "yes"},
        "hubs.keep_green_threads_on_fork(False)",
        False,
    ),
    "call taken back": (
        {SETTING: "yes"},
        "hubs.keep_green_threads_on_fork(False); hubs.keep_green_threads_on_fork(None)",
        True,
    ),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_it_is_chosen_by_the_environment_or_a_call(choice: str) -> None:
    env, call, keeps = CHOICES[choice]
    said = run(
        f"""
{call}
eventlet.spawn_after(0.02, note, "background")
pid = os.fork()
eventlet.sleep(0.05)
if pid == 0:
    os._exit(3)
assert status_of(pid) == 3
""",
        env=env,
    )

    assert said == ["background"] * (2 if keeps else 1)


def test_a_green_thread_that_forked_ends_alone_and_main_goes_on_in_both() -> None:
    said = run(
        """
hubs.keep_green_threads_on_fork()
pid = eventlet.spawn(os.fork).wait()
note("main")
if pid == 0:
    sys.exit(3)
assert status_of(pid) == 3
"""
    )

    assert said == ["main", "main"]


def test_the_parents_poller_is_left_alone() -> None:
    run(
        """
import socket as real
from eventlet.green import socket
hubs.keep_green_threads_on_fork()
ours, theirs = socket.socketpair()
reader = eventlet.spawn(ours.recv, 10)
eventlet.sleep(0)
pid = os.fork()
if pid == 0:
    reader.kill()
    ours.close()  # which makes a poller forget
    theirs.close()
    others = [socket.socketpair() for _ in range(4)]
    for one, two in others:
        two.send(b"x")
        assert one.recv(10) == b"x"
    os._exit(0)
assert status_of(pid) == 0
theirs.send(b"still here")
assert reader.wait() == b"still here"
"""
    )


def test_who_waits_for_a_child_of_the_parent_is_told_in_the_child() -> None:
    said = run(
        """
hubs.keep_green_threads_on_fork()
gate, opener = os.pipe()
sleeper = os.fork()
if sleeper == 0:
    os.read(gate, 1)
    os._exit(7)

def wait(pid):
    try:
        note(f"status={os.waitstatus_to_exitcode(waitpid(pid, 0)[1])}")
    except ChildProcessError:
        note("no-child")

waiters = [eventlet.spawn(wait, pid) for pid in (sleeper, -1)]
eventlet.sleep(0.01)
pid = os.fork()
if pid == 0:
    for waiter in waiters:
        waiter.wait()
    os._exit(0)
os.write(opener, b"x")
for waiter in waiters:
    waiter.wait()
"""
    )

    # In the parent, one of the two takes the status of the first child, the other what is left.
    assert said.count("no-child") >= 2
    assert "status=7" in said


def test_a_hub_that_another_loop_drives_keeps_only_the_one_that_forked() -> None:
    said = run(
        """
import asyncio
hubs.keep_green_threads_on_fork()

async def main():
    hubs.use_hub("asyncio")
    background = eventlet.spawn_after(0.02, note, "background")
    thread = eventlet.spawn(os.fork)
    pid = await thread
    await background
    await asyncio.sleep(0.05)
    return pid

def program():
    pid = asyncio.run(main())
    os.waitpid(pid, 0)

program()
"""
    )

    assert said == ["background"]
