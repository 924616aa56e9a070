"""SIGINT reaches the main green thread as KeyboardInterrupt wherever it waits, and ends the program.

The status is that of any Python program: killed by the signal, after its clean-up.
"""

from __future__ import annotations

import signal
import textwrap

import pytest

from tests.isolated_runner import run_isolated

START = """
import asyncio, os, signal, sys
import eventlet
if sys.argv[1] == "patched":
    eventlet.monkey_patch()
import select, threading, time
import eventlet.asyncio
from eventlet import queue, tpool
from eventlet.green import socket, subprocess
from eventlet.green.os import waitpid
from eventlet.patcher import original

block, native = original("time").sleep, original("threading")

def send_soon():
    "From an OS thread: as Ctrl-C comes, while the hub waits."
    def work():
        block(0.04)
        while not hub.asleep:
            block(0.001)
        os.kill(os.getpid(), signal.SIGINT)
        sent.append(True)
    sent.clear()
    native.Thread(target=work, daemon=True).start()

def past_the_signal(pause, seconds):
    "Take longer than the signal takes to come, whenever that is."
    while not sent:
        pause(0.01)
    pause(seconds)

def run_beside():
    while True:
        eventlet.sleep(0.001)
        turns.append(1)

hub = eventlet.hubs.get_hub()
sent = []
turns = []
bystander = eventlet.spawn(run_beside)
near, far = socket.socketpair()
listener = eventlet.listen(("127.0.0.1", 0))
child = subprocess.Popen(["sleep", "60"])

def interrupted(wait):
    began = time.monotonic()
    send_soon()
    try:
        wait()
    finally:
        before = len(turns)
        eventlet.sleep(0.005)  # clean-up may wait
        assert len(turns) > before and not bystander.dead
        assert time.monotonic() - began < 20

def end():
    child.kill()
    child.wait()
    for sock in near, far, listener:
        sock.close()
"""

WAITS = {
    "sleep": "eventlet.sleep(60)",
    "receive": "near.recv(1)",
    "accept": "listener.accept()",
    "queue": "queue.Queue().get()",
    "queue with a time-out": "queue.Queue().get(timeout=60)",
    "thread": "eventlet.spawn(eventlet.sleep, 60).wait()",
    "pool": """
        pool = eventlet.GreenPool()
        pool.spawn(eventlet.sleep, 60)
        pool.waitall()
    """,
    "imap": "list(eventlet.GreenPool(2).imap(eventlet.sleep, [60, 60, 60]))",
    "tpool": "tpool.execute(past_the_signal, block, 1.5)",
    "child": "child.wait()",
    "waitpid": "waitpid(child.pid, 0)",
    "any child": "waitpid(-1, 0)",
    "communicate": "subprocess.run(['sleep', '60'])",
    "loop in main": "eventlet.asyncio.run(asyncio.sleep(60))",
    "loop in a green thread": "eventlet.spawn(eventlet.asyncio.run, asyncio.sleep(60)).wait()",
    "awaitable": "eventlet.asyncio.wait_for_awaitable(asyncio.sleep(60))",
    "scope": "with eventlet.move_on_after(60), eventlet.CancelScope(): eventlet.sleep(60)",
    "shield": "with eventlet.CancelScope(shield=True): eventlet.sleep(60)",
    "group": """
        with eventlet.TaskGroup() as group:
            group.spawn(eventlet.sleep, 60)
    """,
    "block of a group": """
        with eventlet.TaskGroup() as group:
            group.spawn(eventlet.sleep, 60)
            eventlet.sleep(60)
    """,
    "nested groups": """
        with eventlet.TaskGroup(), eventlet.TaskGroup() as group:
            group.spawn(eventlet.sleep, 60)
    """,
    "Timeout": "with eventlet.Timeout(60): eventlet.sleep(60)",
    "as completed": """
        with eventlet.as_completed([lambda: eventlet.sleep(60)]) as threads:
            list(threads)
    """,
}
PATCHED = {
    "time.sleep": "time.sleep(60)",
    "thread": "t = threading.Thread(target=time.sleep, args=(60,), daemon=True); t.start(); t.join()",
    "event": "threading.Event().wait()",
    "condition": "c = threading.Condition(); c.acquire(); c.wait()",
    "lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "asyncio.run": "asyncio.run(asyncio.sleep(60))",
    "to_thread": "asyncio.run(asyncio.to_thread(past_the_signal, time.sleep, 0.5))",
    "select": "select.select([near], [], [])",
}
PATCHED_TOO = ("sleep", "receive", "tpool", "child", "loop in main", "group")
CASES = {"plain": WAITS, "patched": PATCHED | {f"{n}!": WAITS[n] for n in PATCHED_TOO}}
FLAGS = ("-W", "error", "-W", "ignore::ResourceWarning")
"""subprocess.run() that is interrupted leaves a child to be reaped, also without us."""


def as_function(wait: str) -> str:
    body = textwrap.indent(textwrap.dedent(wait).strip(), "    ")
    return f"def wait():\n{body}\n"


@pytest.mark.parametrize("mode", CASES)
def test_ctrl_c_is_raised_wherever_main_waits(mode: str) -> None:
    code = START
    for name, wait in CASES[mode].items():
        code += as_function(wait)
        code += "try:\n    interrupted(wait)\nexcept KeyboardInterrupt:\n"
        code += f"    print({name!r})\nelse:\n    print('nothing in', {name!r})\n"
    done = run_isolated(code + "end()\n", mode, timeout=100, flags=FLAGS)
    assert done.stdout.splitlines() == list(CASES[mode])
    assert done.stderr == ""


@pytest.mark.parametrize("mode", CASES)
@pytest.mark.parametrize("name", ["tpool", "child", "loop in main", "group"])
def test_ctrl_c_ends_the_program_after_its_clean_up(mode: str, name: str) -> None:
    code = START + as_function(WAITS[name])
    code += "try:\n    interrupted(wait)\nfinally:\n    end()\n    print('cleaned up')\n"
    done = run_isolated(code, mode, expect_status=-signal.SIGINT, flags=FLAGS)
    assert done.stdout == "cleaned up\n"
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")


def test_a_caught_interrupt_leaves_everything_in_order() -> None:
    done = run_isolated(
        """
        import asyncio, os, signal
        import eventlet
        import eventlet.asyncio

        def interrupted(call, *args):
            eventlet.hubs.get_hub().call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
            try:
                call(*args)
            except KeyboardInterrupt:
                return True

        def group():
            with eventlet.TaskGroup() as tasks:
                child.append(tasks.spawn(eventlet.sleep, 60))

        child = []
        loop = eventlet.asyncio.spawn_for_awaitable(asyncio.sleep(0.3, "untouched"))
        assert interrupted(eventlet.sleep, 60)
        assert interrupted(group)
        assert child[0].dead
        assert interrupted(eventlet.asyncio.run, asyncio.sleep(60))
        assert interrupted(eventlet.asyncio.wait_for_awaitable, asyncio.sleep(60))
        assert interrupted(eventlet.sleep, 60)
        assert loop.wait() == "untouched"
        print("passed")
        """
    )
    assert (done.stdout, done.stderr) == ("passed\n", "")


# -- handlers that call green functions -------------------------------------------------------------


def test_a_handler_may_wait_where_it_finds_a_green_thread() -> None:
    # It runs in that green thread, which then waits as if it had called the function itself.
    done = run_isolated(
        """
        import os, signal
        import eventlet
        from greenlet import getcurrent

        def handler(*_):
            where.append(getcurrent())
            eventlet.sleep(0.01)

        where = []
        signal.signal(signal.SIGUSR1, handler)
        def work():
            os.kill(os.getpid(), signal.SIGUSR1)
            return getcurrent()
        thread = eventlet.spawn(work)
        assert thread.wait() is thread
        assert where == [thread]
        """
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    "call",
    [
        "eventlet.sleep(0.01)",
        "queue.get()",
        "other.wait()",
        "semaphore.acquire()",
        "listener.accept()",
        "tpool.execute(int)",
    ],
)
def test_a_handler_that_waits_while_the_hub_runs_gets_a_clear_error(call: str) -> None:
    # It is raised where the program waits: in the main green thread.
    done = run_isolated(
        f"""
        import os, signal, threading, time
        import eventlet
        from eventlet import tpool
        from eventlet.queue import Queue
        from eventlet.semaphore import Semaphore

        queue, semaphore = Queue(), Semaphore(0)
        listener = eventlet.listen(("127.0.0.1", 0))
        other = eventlet.spawn(eventlet.sleep, 60)

        hub = eventlet.hubs.get_hub()

        def send():
            while not hub.asleep:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)

        def handler(*_):
            {call}

        signal.signal(signal.SIGUSR1, handler)
        threading.Thread(target=send).start()
        try:
            eventlet.sleep(60)
        except RuntimeError as exc:
            print(exc)
        eventlet.sleep(0.01)  # and the hub is well
        listener.close()
        """
    )
    assert "do not call blocking functions from the mainloop" in done.stdout
    assert "spawn a green thread" in done.stdout
    assert done.stderr == ""


def test_the_rule_a_handler_spawns_what_waits() -> None:
    done = run_isolated(
        """
        import os, signal
        import eventlet

        def reload():
            eventlet.sleep(0.01)
            print("reloaded")

        threads = []
        signal.signal(signal.SIGHUP, lambda *_: threads.append(eventlet.spawn(reload)))
        eventlet.hubs.get_hub().call_later(0.01, os.kill, os.getpid(), signal.SIGHUP)
        while not threads:
            eventlet.sleep(0.01)
        threads[0].wait()
        """
    )
    assert (done.stdout, done.stderr) == ("reloaded\n", "")
