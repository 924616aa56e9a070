"""Signal handlers that wait, in a patched program whose hub is asleep or busy."""

import textwrap

import pytest

from tests.conftest import RunIsolated

START = """
import eventlet
eventlet.monkey_patch()
import os, signal, socket, sys, threading, time
from eventlet import patcher

real_time = patcher.original("time")


def send(number=signal.SIGTERM, seconds=0.05):
    pid = os.getpid()
    def work():
        real_time.sleep(seconds)
        os.kill(pid, number)
    patcher.original("threading").Thread(target=work, daemon=True).start()
"""


@pytest.mark.parametrize(
    "wait",
    [
        "time.sleep(50)",
        "threading.Event().wait()",
        "near.recv(1)",
        "eventlet.spawn(time.sleep, 50).wait()",
    ],
)
def test_handler_waits_for_io_and_time_and_ends_the_program(
    run_isolated: RunIsolated, wait: str
) -> None:
    script = START + textwrap.dedent(
        f"""
        near, far = socket.socketpair()
        ours, theirs = socket.socketpair()

        def answer():
            theirs.sendall(theirs.recv(10).upper())

        eventlet.spawn(answer)

        def end(number, frame):
            time.sleep(0.02)
            ours.sendall(b"bye")
            print(ours.recv(10), threading.current_thread() is threading.main_thread())
            sys.exit(3)

        signal.signal(signal.SIGTERM, end)
        send()
        try:
            {wait}
        finally:
            print("cleaned up")
        """
    )
    assert run_isolated(script, expect_status=3).stdout == "b'BYE' True\ncleaned up\n"


def test_program_goes_on_when_the_handler_has_waited(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        steps = []

        def pause(number, frame):
            steps.append("begin")
            time.sleep(0.05)
            steps.append("end")

        signal.signal(signal.SIGUSR1, pause)
        send(signal.SIGUSR1)
        began = time.monotonic()
        time.sleep(0.3)
        assert 0.3 <= time.monotonic() - began < 20
        while len(steps) < 2:
            time.sleep(0.005)
        print(*steps)
        """
    )
    assert run_isolated(script).stdout == "begin end\n"


def test_handler_that_does_not_wait_raises_where_main_waits(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        def complain(number, frame):
            raise LookupError("from the handler")

        signal.signal(signal.SIGALRM, complain)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            time.sleep(50)
        except LookupError as exc:
            print(exc)
        """
    )
    assert run_isolated(script).stdout == "from the handler\n"


def test_actions_are_given_back_as_they_were_set(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        def first(number, frame):
            pass

        def second(number, frame):
            pass

        assert signal.signal(signal.SIGUSR1, first) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGUSR1) is first
        assert signal.signal(signal.SIGUSR1, second) is first
        assert signal.signal(signal.SIGUSR1, signal.SIG_IGN) is second
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
        signal.signal(signal.SIGINT, signal.default_int_handler)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        for wrong in (None, "text", 7):
            try:
                signal.signal(signal.SIGUSR1, wrong)
            except (TypeError, ValueError) as exc:
                print(type(exc).__name__)
        """
    )
    assert run_isolated(script).stdout == "TypeError\n" * 3


def test_handler_runs_as_the_main_thread_wherever_the_signal_comes(
    run_isolated: RunIsolated,
) -> None:
    script = START + textwrap.dedent(
        """
        seen = []

        def note(number, frame):
            seen.append(threading.get_ident() == main and threading.current_thread() is thread)
            if number == signal.SIGUSR2:
                raise LookupError("from the handler")

        thread = threading.main_thread()
        main = thread.ident
        signal.signal(signal.SIGUSR1, note)
        signal.signal(signal.SIGUSR2, note)

        def work():
            before = threading.current_thread(), threading.get_ident()
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR2)
            assert before == (threading.current_thread(), threading.get_ident())
            seen.append("went on")

        worker = threading.Thread(target=work)
        signal.raise_signal(signal.SIGUSR1)
        try:
            worker.start()
            worker.join()
        except LookupError as exc:
            print(exc)
        worker.join()
        eventlet.spawn(signal.raise_signal, signal.SIGUSR1).wait()
        print(*seen)
        """
    )
    assert run_isolated(script).stdout == "from the handler\nTrue True True went on True\n"


def test_loop_that_sets_handlers_lets_others_run(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        sent = []

        def send():
            time.sleep(0.01)
            sent.append(1)

        threading.Thread(target=send).start()
        while not sent:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        print(sent)
        """
    )
    assert run_isolated(script).stdout == "[1]\n"


DEADLOCKS_UNLESS_BESIDE = """
        first, second = threading.Lock(), threading.Lock()
        handled = []

        def handle(number, frame):
            with second:
                handled.append(threading.current_thread() is threading.main_thread())

        signal.signal(signal.SIGUSR1, handle)

        def hold_second():
            with second:
                time.sleep(0.02)
                with first:
                    pass

        def hold_first():
            with first:
                signal.raise_signal(signal.SIGUSR1)
                time.sleep(0.02)

        workers = [threading.Thread(target=each) for each in (hold_second, hold_first)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print(handled)
"""


def test_handler_that_waits_does_not_stop_the_thread_it_found(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(DEADLOCKS_UNLESS_BESIDE)
    assert run_isolated(script).stdout == "[True]\n"


def test_handlers_that_wait_do_not_cost_the_thread_they_found_a_wake(
    run_isolated: RunIsolated,
) -> None:
    script = START + textwrap.dedent(
        """
        import queue

        def handle(number, frame):
            time.sleep(0.0001)
            with lock:
                handled.append(number)

        def pass_on(own, other):
            for _ in range(1000):
                other.put(own.get(timeout=50))

        lock = threading.RLock()
        handled = []
        signal.signal(signal.SIGALRM, handle)
        rings = [queue.Queue() for _ in range(4)]
        workers = [
            threading.Thread(target=pass_on, args=(rings[i], rings[(i + 1) % 4])) for i in range(4)
        ]
        for worker in workers:
            worker.start()
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        rings[0].put("ball")
        for worker in workers:
            worker.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(rings[0].get(timeout=50), bool(handled))
        """
    )
    assert run_isolated(script).stdout == "ball True\n"


def test_interrupt_of_a_thread_whose_handler_waits_reaches_the_thread(
    run_isolated: RunIsolated,
) -> None:
    script = START + textwrap.dedent(
        """
        import greenlet

        def handle(number, frame):
            if not killed:
                killed.append(True)
                eventlet.spawn(eventlet.kill, found[0])
            time.sleep(0.02)
            handled.append(True)

        def work():
            found.append(greenlet.getcurrent())
            try:
                while True:
                    signal.raise_signal(signal.SIGUSR1)
                    time.sleep(0)
            finally:
                print("ended")

        found, killed, handled = [], [], []
        signal.signal(signal.SIGUSR1, handle)
        worker = eventlet.spawn(work)
        try:
            worker.wait()
        except eventlet.greenlet.GreenletExit:
            pass
        while not handled:
            time.sleep(0.001)
        print(bool(handled))
        """
    )
    assert run_isolated(script).stdout == "ended\nTrue\n"


@pytest.mark.parametrize("early", [True, False])
def test_handler_may_take_a_reentrant_lock_that_main_holds(
    run_isolated: RunIsolated, early: bool
) -> None:
    make = "import threading\nlock = threading.RLock()\n"
    script = textwrap.dedent(
        """
        def handle(number, frame):
            with condition, lock:
                time.sleep(0.01)
                handled.append(True)
                condition.notify()

        def work():
            with lock:
                print("free again")

        condition = threading.Condition(lock)
        handled = []
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with lock:
            while not handled:
                time.sleep(0.001)
            eventlet.spawn(work)
            time.sleep(0.02)
            print("released")
        time.sleep(0.02)
        """
    )
    code = make + START + script if early else START + make + script
    assert run_isolated(code).stdout == "released\nfree again\n"
