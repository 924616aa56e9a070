"""Trap 15: after `os.fork()` the child runs the greenlet that forked, and nothing else."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from tests.isolated_runner import run_isolated

START = """
import atexit, gc, os, signal, sys, threading, time
import greenlet
from eventlet._core.current import get_hub, existing_hub, hubs
from eventlet._core.wait_queue import EXPIRED, wake
from eventlet.greenthread import sleep, spawn, spawn_after, spawn_n, kill

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def reap(pid):
    "Wait for a child without blocking the hub for ever; return its exit status."
    for _ in range(6000):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the child does not end")
"""


def run(code: str, **options: Any) -> list[str]:
    """Run `code` after START; return what was said, sorted: two processes write."""
    options.setdefault("flags", ("-W", "error", "-W", "ignore:This process:DeprecationWarning"))
    done = run_isolated(START + textwrap.dedent(code), **options)
    return sorted(done.stdout.split("\n")[:-1])


# -- only the forking greenlet goes on ---------------------------------------------------------


@pytest.mark.parametrize("how", ["parked", "ready", "timed", "reading", "unstarted", "later"])
def test_other_green_threads_do_not_run_in_the_child(how: str) -> None:
    said = run(
        f"""
        def other():
            try:
                if {how!r} == "parked":
                    get_hub().park(ticket[0])
                elif {how!r} == "ready":
                    sleep(0)
                elif {how!r} == "timed":
                    sleep(0.02)
                elif {how!r} == "reading":
                    get_hub().wait_foreign(r, read=True)
                say("body in", "parent" if os.getpid() == parent else "child")
            finally:
                say("finally in", "parent" if os.getpid() == parent else "child")

        def waiter():
            ticket.append(get_hub().ticket())
            other()

        parent = os.getpid()
        ticket = []
        r, w = os.pipe()
        if {how!r} == "later":
            thread = spawn_after(0.02, other)
        else:
            thread = spawn(waiter)
            if {how!r} != "unstarted":
                sleep(0)
        pid = os.fork()
        if pid == 0:
            os.write(w, b"x")
            gc.collect()
            sleep(0.05)
            del thread, ticket
            gc.collect()
            sys.exit(3)
        assert reap(pid) == 3
        if ticket and not thread.dead:
            wake(ticket[0])
        thread.wait()
        """
    )
    assert said == ["body in parent", "finally in parent"]


def test_callbacks_of_the_hub_stay_in_the_parent() -> None:
    said = run(
        """
        def call(what):
            say(what, "in the parent" if os.getpid() == parent else "in the child")

        parent = os.getpid()
        sleep(0)
        get_hub().call_soon(call, "soon")
        get_hub().call_later(0.01, call, "later")
        pid = os.fork()
        sleep(0.03)
        if not pid:
            os._exit(0)
        reap(pid)
        """
    )

    assert said == ["later in the parent", "soon in the parent"]


def test_dropped_threads_are_not_collected_in_the_child() -> None:
    said = run(
        """
        parent = os.getpid()

        class Resource:
            def __del__(self):
                if os.getpid() != parent:
                    say("finalised in the child")

        def other(resource):
            try:
                sleep(50)
            finally:
                say("finally in", "parent" if os.getpid() == parent else "child")

        def plain(resource):
            try:
                get_hub().park(get_hub().ticket())
            finally:
                say("finally in", "parent" if os.getpid() == parent else "child")

        spawn(other, Resource())
        spawn_n(other, Resource())
        spawn_after(50, other, Resource())
        get_hub().call_later(50, id, Resource())
        get_hub().call_soon(greenlet.greenlet(plain).switch, Resource())
        sleep(0)
        get_hub().call_soon(id, Resource())
        pid = os.fork()
        if pid == 0:
            gc.collect()
            sleep(0.01)
            gc.collect()
            # main's own program ends here, and its interpreter with it
            sys.exit(0)
        assert reap(pid) == 0
        os._exit(0)
        """
    )
    assert said == []


def test_the_parent_goes_on_as_before() -> None:
    said = run(
        """
        def other(n):
            sleep(0.02)
            say("other", n)

        r, w = os.pipe()
        reader = spawn(get_hub().wait_foreign, r, True)
        threads = [spawn(other, n) for n in range(3)]
        sleep(0)
        pid = os.fork()
        if pid == 0:
            sleep(0.04)
            os._exit(0)
        for thread in threads:
            thread.wait()
        assert reap(pid) == 0
        os.write(w, b"x")
        assert reader.wait()
        """
    )
    assert said == ["other 0", "other 1", "other 2"]


def test_the_child_has_a_hub_of_its_own() -> None:
    run(
        """
        hub = get_hub()
        sleep(0)
        poller, notifier = hub.poller, hub.notifier
        pid = os.fork()
        if pid == 0:
            assert get_hub() is hub
            assert hub.poller is not poller
            assert hub.notifier is not notifier
            assert hub.timers.next_deadline() is None
            assert not hub.ready and not hub.descriptors and not hub.threads
            order = []
            threads = [spawn(order.append, 1), spawn_after(0.01, order.append, 2)]
            for thread in threads:
                thread.wait()
            assert order == [1, 2]
            ticket = hub.ticket()
            threading.Timer(0.02, wake, (ticket, "from an OS thread")).start()
            assert hub.park(ticket, 10) == "from an OS thread"
            a, b = os.pipe()
            spawn(os.write, b, b"x")
            assert hub.wait_foreign(a, read=True, timeout=10)
            sys.exit(5)
        assert reap(pid) == 5
        """
    )


def test_the_childs_files_never_touch_the_parents_poller() -> None:
    # An epoll descriptor is shared by fork: what the child tells it, the parent would feel.
    run(
        """
        import socket
        from eventlet._core.descriptor import Descriptor
        hub = get_hub()
        pairs = [socket.socketpair() for _ in range(5)]
        records = []
        for a, _ in pairs:
            a.setblocking(False)
            records.append(Descriptor(hub, a.fileno(), owned=True))
            records[-1].wait_write(10)
        go, ready = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            for record in records:
                record.close()
            for a, b in pairs:
                a.close()
            # The numbers are used again, for other files, on the child's own poller.
            for a, b in [socket.socketpair() for _ in range(5)]:
                a.setblocking(False)
                Descriptor(hub, a.fileno(), owned=True).wait_write(10)
                hub.wait_foreign(b.fileno(), write=True, timeout=10)
            os.write(ready[1], b"x")
            hub.wait_foreign(go[0], read=True, timeout=10)
            os._exit(0)
        assert hub.wait_foreign(ready[0], read=True, timeout=10) is not EXPIRED
        for n in range(3):  # events still arrive in the parent
            for (a, b), record in zip(pairs, records):
                reader = spawn(record.wait_read, 10)
                sleep(0)
                b.send(b"x")
                assert reader.wait() is not EXPIRED, n
                a.recv(10)
        os.write(go[1], b"x")
        assert reap(pid) == 0
        """
    )


def test_an_owner_goes_on_using_its_socket_in_the_child() -> None:
    run(
        """
        import socket
        from eventlet._core.descriptor import Descriptor
        hub = get_hub()
        a, b = socket.socketpair()
        a.setblocking(False)
        record = Descriptor(hub, a.fileno(), owned=True)
        record.wait_write(10)
        reader = spawn(record.wait_read)
        sleep(0)
        pid = os.fork()
        if pid == 0:
            spawn(b.send, b"to the child")
            assert record.wait_read(10) is not EXPIRED  # the parent's reader is not in its way
            assert a.recv(100) == b"to the child"
            os._exit(0)
        assert reap(pid) == 0
        kill(reader)
        a.close()
        b.close()
        """
    )


def test_hubs_of_other_os_threads_are_closed_in_the_child() -> None:
    run(
        """
        started, stop = threading.Event(), threading.Event()
        there = []
        def other():
            there.append(get_hub())
            spawn(sleep, 50)
            sleep(0)
            there.append(get_hub().ticket())
            started.set()
            stop.wait()
        thread = threading.Thread(target=other)
        thread.start()
        started.wait()
        get_hub()
        pid = os.fork()
        if pid == 0:
            hub, ticket = there
            assert hub.closed
            assert hubs == {get_hub()}
            assert wake(ticket) is False
            sleep(0.001)
            os._exit(4)
        assert reap(pid) == 4
        assert not there[0].closed
        stop.set()
        thread.join()
        """
    )


def test_a_fork_without_a_hub() -> None:
    run(
        """
        pid = os.fork()
        if pid == 0:
            assert existing_hub() is None
            sleep(0.001)
            sys.exit(6)
        assert reap(pid) == 6
        """
    )


def test_a_fork_in_an_os_thread() -> None:
    run(
        """
        result = []
        def other():
            spawn(sleep, 50)
            sleep(0)
            pid = os.fork()
            if pid == 0:
                sleep(0.001)
                assert spawn(lambda: 7).wait() == 7
                os._exit(7)
            result.append(reap(pid))
        sleep(0)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert result == [7], result
        """
    )


def test_a_child_can_fork_again() -> None:
    run(
        """
        def work():
            pid = os.fork()
            if pid == 0:
                sleep(0.001)
                grandchild = os.fork()
                if grandchild == 0:
                    sleep(0.001)
                    sys.exit(9)
                sys.exit(reap(grandchild) + 1)
            return reap(pid)
        assert spawn(work).wait() == 10
        """
    )


# -- who ends the child ---------------------------------------------------------------------------

MAIN = """
def main(body, expected):
    "Fork in a green thread while main holds a `finally`; the child's status is `expected`."
    atexit.register(say, "atexit")
    def forker():
        pid = os.fork()
        if pid == 0:
            say("child")
            sys.stdout.write("buffered\\n")
            body()
            say("returned")
            return
        status = reap(pid)
        assert status == expected, status
        say("parent saw", status)
    thread = start(forker)
    try:
        sleep(0.05)
        while not done:
            sleep(0.01)
            if start is spawn and thread.dead or start is not spawn and getattr(thread, "dead", True):
                break
    finally:
        say("main unwound")
    os._exit(0)  # so that only the child's exit handlers and buffers show

done = []
"""

STARTS = {
    "spawn": "start = spawn",
    "spawn_n": "start = spawn_n",
    "plain": (
        "def start(function):\n"
        "    thread = greenlet.greenlet(function)\n"
        "    get_hub().call_soon(thread.switch)\n"
        "    return thread"
    ),
}
CHILD = ["atexit", "buffered", "child"]
PARENT = ["main unwound"]


ENDS = {
    "pass": (0, ["returned"]),
    "sys.exit(3)": (3, []),
    "raise ValueError('boom')": (1, []),
    "sleep(0.01)": (0, ["returned"]),
    "sleep(0); sys.exit(3)": (3, []),
    "sys.exit()": (0, []),
    "sys.exit(True)": (1, []),
    "sys.exit('why')": (1, []),
    "raise greenlet.GreenletExit": (0, []),
}


@pytest.mark.parametrize(
    "start, body",
    [("spawn", body) for body in ENDS]
    + [(start, body) for start in ("spawn_n", "plain") for body in list(ENDS)[:3]],
)
def test_trap15_the_end_of_the_forking_thread_ends_the_child(start: str, body: str) -> None:
    status, more = ENDS[body]
    code = f"{STARTS[start]}\n{MAIN}\ndef body():\n    {body}\nmain(body, {status})\n"
    done = run_isolated(
        START + code,
        flags=("-W", "error", "-W", "ignore:This process:DeprecationWarning"),
    )
    said = sorted(done.stdout.split("\n")[:-1])
    assert said == sorted([*CHILD, *PARENT, *more, f"parent saw {status}"])
    assert done.stderr.count("ValueError: boom") == ("boom" in body)
    assert done.stderr.count("why") == ("why" in body)


def test_trap15_an_exit_of_a_thread_that_the_child_spawned_ends_the_child() -> None:
    said = run(
        f"""
{textwrap.indent(STARTS["spawn"] + MAIN, "        ")}
        def body():
            spawn(sys.exit, 3)
            try:
                sleep(50)
            finally:
                say("forker unwound")

        main(body, 3)
        """
    )
    assert said == sorted([*CHILD, *PARENT, "forker unwound", "parent saw 3"])


def test_trap15_an_exception_of_a_thread_that_the_child_spawned_is_its_own() -> None:
    done = run_isolated(
        START
        + STARTS["spawn"]
        + MAIN
        + textwrap.dedent(
            """
            def fail():
                raise ValueError("in the child's thread")

            def body():
                thread = spawn(fail)
                try:
                    thread.wait()
                except ValueError:
                    sys.exit(4)

            main(body, 4)
            """
        ),
        flags=("-W", "error", "-W", "ignore:This process:DeprecationWarning"),
    )
    assert sorted(done.stdout.split("\n")[:-1]) == sorted([*CHILD, *PARENT, "parent saw 4"])
    assert done.stderr.count("ValueError: in the child's thread") == 1


def test_trap15_ctrl_c_goes_to_the_forking_thread_in_the_child() -> None:
    said = run(
        f"""
{textwrap.indent(STARTS["spawn"] + MAIN, "        ")}
        def body():
            def interrupt():
                os.kill(os.getpid(), signal.SIGINT)
            spawn(interrupt)
            try:
                sleep(50)
            except KeyboardInterrupt:
                say("interrupted")
                sys.exit(5)

        main(body, 5)
        """
    )
    assert said == sorted([*CHILD, *PARENT, "interrupted", "parent saw 5"])


def test_trap15_stopping_the_childs_loop_does_not_resume_the_parents_main() -> None:
    said = run(
        f"""
{textwrap.indent(STARTS["spawn"] + MAIN, "        ")}
        def body():
            get_hub().stop()
            sleep(0.01)
            get_hub().call_soon(get_hub().stop)
            sleep(0.01)
            sys.exit(6)

        main(body, 6)
        """
    )
    assert said == sorted([*CHILD, *PARENT, "parent saw 6"])


@pytest.mark.parametrize(
    "body, status", [("pass", 0), ("sys.exit(3)", 3), ("raise ValueError('boom')", 1)]
)
def test_trap15_a_callback_of_the_hub_that_forks(body: str, status: int) -> None:
    run(
        f"""
        pids = []
        def others():
            while not pids:
                sleep(0)
            assert os.getpid() == parent
        def callback():
            pids.append(os.fork())
            if pids[0] == 0:
                {body}
        parent = os.getpid()
        thread = spawn(others)
        get_hub().call_soon(callback)
        later = spawn(others)
        thread.wait()
        later.wait()
        assert reap(pids[0]) == {status}
        """
    )


def test_trap15_a_nested_greenlet_that_forks() -> None:
    # Its maker waits for it in a plain switch, and is frozen in the child.
    said = run(
        """
        def nested():
            pid = os.fork()
            if pid == 0:
                sleep(0.001)
                say("child")
                return
            say("parent saw", reap(pid))

        def maker():
            greenlet.greenlet(nested).switch()
            say("maker went on")

        thread = spawn(maker)
        try:
            while not thread.dead:
                sleep(0.01)
        finally:
            say("main unwound")
        """
    )
    assert said == ["child", "main unwound", "maker went on", "parent saw 0"]


def test_trap15_main_that_forks_ends_as_any_program() -> None:
    said = run(
        """
        atexit.register(lambda: say("atexit in", "parent" if os.getpid() == parent else "child"))
        parent = os.getpid()
        def other():
            try:
                sleep(50)
            finally:
                if os.getpid() != parent:
                    say("finally in the child")
        spawn(other)
        sleep(0)
        try:
            pid = os.fork()
            if pid == 0:
                sys.stdout.write("buffered\\n")
                sys.exit(3)
            assert reap(pid) == 3
        finally:
            say("unwound in", "parent" if os.getpid() == parent else "child")
        """
    )
    assert said == [
        "atexit in child",
        "atexit in parent",
        "buffered",
        "unwound in child",
        "unwound in parent",
    ]


def test_a_fork_inside_run_once_frees_the_child_of_the_outer_loop() -> None:
    run(
        """
        hub = get_hub()
        pids = []
        def forker():
            pids.append(os.fork())
            if pids[0] == 0:
                sleep(0.01)
                sys.exit(8)
        notices = []
        hub.on_earlier = lambda: notices.append(1)
        spawn(forker)
        while not pids:
            hub.run_once(1)
        hub.on_earlier = None
        assert reap(pids[0]) == 8
        """
    )


def test_proxies_and_the_like_are_not_asked_who_they_are() -> None:
    run(
        """
        import weakref
        class Gone: pass
        gone = Gone()
        proxy = weakref.proxy(gone)
        del gone
        class Touchy:
            @property
            def __class__(self):
                raise RuntimeError("touched")
        touchy = Touchy()
        sleep(0)
        pid = os.fork()
        if pid == 0:
            sleep(0.001)
            sys.exit(2)
        assert reap(pid) == 2
        """
    )


# -- signals while the child is set up ---------------------------------------------------------

SIGNAL_IN_SET_UP = """
parent = os.getpid()
look = gc.get_objects
def get_objects(*args):  # the set-up looks for green threads
    if os.getpid() != parent:
        os.kill(os.getpid(), SIGNAL)
    return look(*args)
gc.get_objects = get_objects
sleep(0)

def in_a_child(body, forker):
    "Run `body` in a child that `forker` forks; its exit status is 3."
    def fork():
        pid = os.fork()
        if pid == 0:
            body()
            os._exit(3)
        return pid
    pid = fork() if forker == "main" else spawn(fork).wait()
    assert reap(pid) == 3
"""


@pytest.mark.parametrize("forker", ["main", "green thread"])
def test_what_a_signal_handler_spawns_while_the_child_is_set_up_runs(forker: str) -> None:
    said = run(
        f"""
        SIGNAL = signal.SIGTERM
        {textwrap.indent(SIGNAL_IN_SET_UP, " " * 8)}
        signal.signal(SIGNAL, lambda *args: spawn(say, "handled"))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])

        def child():
            assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
            sleep(0.001)

        in_a_child(child, {forker!r})
        """
    )

    assert said == ["handled"]


@pytest.mark.parametrize("forker", ["main", "green thread"])
def test_ctrl_c_while_the_child_is_set_up_interrupts_who_forked(forker: str) -> None:
    said = run(
        f"""
        SIGNAL = signal.SIGINT
        {textwrap.indent(SIGNAL_IN_SET_UP, " " * 8)}

        def child():
            try:
                sleep(60)
            except KeyboardInterrupt:
                say("interrupted")
                spawn(say, "goes on").wait()

        in_a_child(child, {forker!r})
        """
    )

    assert said == ["goes on", "interrupted"]
