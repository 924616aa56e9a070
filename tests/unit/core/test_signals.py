"""Trap 4: signals while the hub sleeps in the kernel, runs, or is between two passes.

Whatever sends or handles a signal runs in a fresh interpreter.
"""

from __future__ import annotations

import signal
import textwrap
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.signals import InterruptRouter, route_interrupts, stop_routing

from tests.isolated_runner import run_isolated
from tests.unit.core.os_threads import in_os_thread

START = """
import os, signal, sys, threading, time
from greenlet import getcurrent
from eventlet._core.current import get_hub, hubs
from eventlet._core.wait_queue import wake
from eventlet.greenthread import sleep, spawn, spawn_n

began = time.monotonic()
main = getcurrent()

def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)

def send_later(number=signal.SIGINT, seconds=0.05):
    "Send it when a hub waits in the kernel."
    def work():
        time.sleep(seconds)
        while not any(hub.asleep for hub in list(hubs)):
            time.sleep(0.001)
        send(number)
    threading.Thread(target=work, daemon=True).start()

def took():
    return time.monotonic() - began

def until(is_true):
    while not is_true():
        assert took() < 40
        sleep(0.01)
"""


def run(code: str, **options: Any) -> str:
    return run_isolated(START + textwrap.dedent(code), **options).stdout


# -- SIGINT ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wait",
    [
        "sleep(50)",
        "get_hub().park(get_hub().ticket())",
        "get_hub().park(get_hub().ticket(), 50)",
        "spawn(sleep, 50).wait()",
        "get_hub().wait_foreign(os.pipe()[0], read=True)",
        "get_hub().run_once(None)",
        "get_hub().run_once(50)",
    ],
)
def test_ctrl_c_raises_where_main_waits(wait: str) -> None:
    run(
        f"""
        get_hub()
        send_later()
        try:
            {wait}
        except KeyboardInterrupt:
            assert took() < 20
        else:
            raise AssertionError("not interrupted")
        sleep(0.001)
        """
    )


def test_ctrl_c_ends_the_program_as_it_ends_any() -> None:
    done = run_isolated(
        START + "send_later()\ntry:\n    sleep(50)\nfinally:\n    print('unwound')\n",
        expect_status=-signal.SIGINT,
    )
    assert done.stdout == "unwound\n"
    assert "KeyboardInterrupt" in done.stderr


def test_ctrl_c_while_another_green_thread_runs_goes_to_main() -> None:
    run(
        """
        order = []

        def busy():
            send()
            for _ in range(1000):
                order.append(1)  # goes on undisturbed

        spawn(busy)
        try:
            sleep(50)
        except KeyboardInterrupt:
            assert len(order) == 1000
        else:
            raise AssertionError
        """
    )


def test_a_second_ctrl_c_is_raised_in_place() -> None:
    run(
        """
        where = []

        def endless():
            try:
                send()
                where.append("first went elsewhere")
                send()
                while True:
                    pass
            except KeyboardInterrupt:
                where.append("second came here")

        spawn(endless)
        try:
            sleep(50)
        except KeyboardInterrupt:
            where.append("first came to main")
        assert where == [
            "first went elsewhere", "second came here", "first came to main"
        ], where
        sleep(0.01)  # and neither comes again
        """
    )


def test_ctrl_c_in_the_hubs_own_code_goes_to_main() -> None:
    run(
        """
        order = []

        def callback():
            send()
            order.append("callback went on")

        get_hub().call_soon(callback)
        try:
            sleep(50)
        except KeyboardInterrupt:
            order.append("main")
        assert order == ["callback went on", "main"], order
        """
    )


def test_ctrl_c_while_main_runs_is_raised_in_place() -> None:
    run(
        """
        get_hub()
        sleep(0)
        try:
            send()
            while True:
                pass
        except KeyboardInterrupt:
            pass
        sleep(0.001)
        """
    )


def test_ctrl_c_while_main_is_ready_overtakes_its_wake_up() -> None:
    run(
        """
        ticket = get_hub().ticket()

        def body():
            assert wake(ticket, "value")
            send()

        spawn(body)
        try:
            get_hub().park(ticket)
        except KeyboardInterrupt:
            assert ticket.was_woken
        else:
            raise AssertionError
        """
    )


def test_ctrl_c_inside_a_pass_comes_out_of_run_once() -> None:
    run(
        """
        order = []

        def body():
            send()
            order.append("the thread went on")

        get_hub().run_once()
        spawn(body)
        try:
            get_hub().run_once()
        except KeyboardInterrupt:
            order.append("main")
        assert order == ["the thread went on", "main"], order
        """
    )


def test_ctrl_c_does_not_disturb_an_os_threads_hub() -> None:
    run(
        """
        done = []

        def other():
            sleep(0.1)
            done.append(1)

        thread = threading.Thread(target=other)
        thread.start()
        try:
            send_later(seconds=0.02)
            sleep(50)
        except KeyboardInterrupt:
            pass
        thread.join()
        assert done == [1]
        """
    )


def test_ctrl_c_after_the_hub_was_dropped() -> None:
    run(
        """
        from eventlet._core.current import drop_hub
        get_hub()
        drop_hub()
        try:
            send()
            time.sleep(50)
        except KeyboardInterrupt:
            pass
        send_later()
        try:
            sleep(50)
        except KeyboardInterrupt:
            assert took() < 20
        """
    )


def test_a_handler_that_somebody_chose_is_left_alone() -> None:
    run(
        """
        heard = []
        mine = lambda *_: heard.append(1)
        signal.signal(signal.SIGINT, mine)
        sleep(0)
        assert signal.getsignal(signal.SIGINT) is mine
        send_later()
        until(lambda: heard)
        sleep(0.01)
        assert heard == [1]
        """
    )


def test_an_ignored_interrupt_stays_ignored() -> None:
    run(
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sleep(0)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        """
    )


def test_import_installs_no_handler() -> None:
    run(
        """
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        get_hub()
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        from eventlet._core.signals import stop_routing
        stop_routing()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        stop_routing()
        """
    )


def test_a_hub_of_another_os_thread_routes_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    in_os_thread(get_hub)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_latest_hub_of_main_gets_the_interrupts() -> None:
    hub = get_hub()
    before = signal.getsignal(signal.SIGINT)
    other = Hub()
    try:
        route_interrupts(other)
        route_interrupts(hub)
        router = signal.getsignal(signal.SIGINT)
        assert isinstance(router, InterruptRouter)
        assert router.hub is hub
        stop_routing()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
        other.close()


# -- other signals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, action",
    [
        ("SIGCHLD", "wake(ticket, 1)"),
        ("SIGALRM", "wake(ticket, 1)"),
        ("SIGUSR1", "wake(ticket, 1)"),
        ("SIGUSR1", "spawn(wake, ticket, 1)"),
        ("SIGUSR1", "spawn_n(wake, ticket, 1)"),
        ("SIGUSR1", "hub.call_soon(wake, ticket, 1)"),
        ("SIGUSR1", "hub.call_later(0.01, wake, ticket, 1)"),
        ("SIGUSR1", "hub.call_at(hub.clock() + 0.01, wake, ticket, 1)"),
        ("SIGUSR1", "sleeper.kill()"),
    ],
)
def test_trap4_what_a_handler_does_is_noticed_at_once(name: str, action: str) -> None:
    run(
        f"""
        hub = get_hub()
        ticket = hub.ticket()
        sleeper = spawn(sleep, 100)
        sleeper.link(lambda _: wake(ticket, 1))

        def handler(*_):
            global began
            began = time.monotonic()
            {action}

        signal.signal(signal.{name}, handler)
        sleep(0)
        send_later(signal.{name})
        assert hub.park(ticket, 60) == 1
        assert took() < 20, took()
        """
    )


def test_trap4_a_child_that_ends_is_heard_while_the_hub_sleeps() -> None:
    run(
        """
        ended = []
        def handler(*_):
            found = os.waitpid(-1, os.WNOHANG)
            if found[0]:  # else it was only stopped or continued
                ended.append(time.monotonic())
                wake(ticket, found)
        signal.signal(signal.SIGCHLD, handler)
        hub = get_hub()
        ticket = hub.ticket()
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "pass"], os.environ)
        assert hub.park(ticket, 60) == (pid, 0)
        assert time.monotonic() - ended[0] < 20
        """
    )


def test_trap4_the_kernel_does_not_restart_the_rest_of_a_long_wait() -> None:
    # Python goes back into the same wait after the handler; the wake-up descriptor ends it.
    run(
        """
        hub = get_hub()
        signal.signal(signal.SIGUSR1, lambda *_: hub.call_soon(order.append, 1))
        order = []
        send_later(signal.SIGUSR1)
        hub.run_once(0)
        while not order:
            hub.run_once(50)
        assert took() < 20
        """
    )


def test_trap4_a_signal_just_before_the_kernel_call_is_soon_heard() -> None:
    run(
        """
        from functools import partial
        from operator import call

        hub = get_hub()
        in_kernel = hub.poller.poll
        heard = []
        ticket = hub.ticket()
        signal.signal(signal.SIGUSR1, lambda *_: heard.append(took()) or wake(ticket, 1))

        def poll(wait):
            hub.poller.poll = in_kernel
            # All in C, where nobody looks for signals between the two.
            send, wait_for_events = partial(os.killpg, 0, signal.SIGUSR1), partial(in_kernel, wait)
            return list(map(call, (send, wait_for_events)))[1]

        def work():
            hub.poller.poll = poll

        spawn_n(work)
        assert hub.park(ticket, 50) == 1
        assert heard[0] < 20, heard
        """
    )


def test_trap4_the_wake_up_descriptor_for_signals_is_not_ours() -> None:
    run(
        """
        import socket
        a, b = socket.socketpair()
        a.setblocking(False)
        b.setblocking(False)
        signal.set_wakeup_fd(a.fileno())
        send_later(signal.SIGUSR1)
        heard = []
        signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
        until(lambda: heard)
        assert heard == [1]
        assert b.recv(10) == bytes([signal.SIGUSR1])
        assert signal.set_wakeup_fd(-1) == a.fileno()
        sleep(0)
        assert signal.set_wakeup_fd(-1) == -1
        """
    )


def test_a_stopped_process_goes_on_where_it_was() -> None:
    run(
        """
        pid = os.fork()
        if pid == 0:
            parent = os.getppid()
            time.sleep(0.05)
            os.kill(parent, signal.SIGSTOP)
            time.sleep(0.1)
            os.kill(parent, signal.SIGCONT)
            os._exit(0)
        r, w = os.pipe()
        reader = spawn(get_hub().wait_foreign, r, True)
        sleep(0.4)
        assert 0.4 <= took() < 20
        assert not reader.dead
        os.write(w, b"x")
        assert reader.wait()
        assert os.waitpid(pid, 0) == (pid, 0)
        """,
        flags=("-W", "error", "-W", "ignore:This process"),
    )


def test_what_a_handler_raises_while_the_hub_polls_reaches_main() -> None:
    done = run_isolated(
        START
        + "class Stop(Exception):\n    pass\n"
        + "def stop(*_):\n    raise Stop\n"
        + "signal.signal(signal.SIGALRM, stop)\n"
        + "spawn(sleep, 50)\nsend_later(signal.SIGALRM)\n"
        + "try:\n    sleep(50)\nexcept Stop:\n    print('stopped')\n",
    )
    assert (done.stdout, done.stderr) == ("stopped\n", "")


def test_an_exit_in_a_handler_reaches_main() -> None:
    for number, status in (("SIGTERM", 7), ("SIGALRM", 8)):
        done = run_isolated(
            START
            + f"signal.signal(signal.{number}, lambda *_: sys.exit({status}))\n"
            + f"spawn(sleep, 50)\nsend_later(signal.{number})\n"
            + "try:\n    sleep(50)\nfinally:\n    print('unwound')\n",
            expect_status=status,
        )
        assert (done.stdout, done.stderr) == ("unwound\n", "")


@pytest.mark.parametrize(
    "seconds", [2, pytest.param(10, marks=[pytest.mark.slow, pytest.mark.time_limit(90)])]
)
@pytest.mark.parametrize("mode", ["", "raise"])
def test_trap4_signals_every_100_microseconds_lose_nothing(seconds: int, mode: str) -> None:
    arguments = [str(seconds), mode] if mode else [str(seconds)]
    run_isolated("signal_storm.py", *arguments, timeout=seconds + 60)
