"""Parks of child processes, OS threads, and the green `threading` with what is built on it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import getcurrent

from eventlet import tpool
from eventlet.event import Event
from eventlet.green import fcntl as green_fcntl
from eventlet.green import os as green_os
from eventlet.green import queue as green_queue
from eventlet.green import subprocess as green_subprocess
from eventlet.green import thread as green_thread
from eventlet.green import threading as green_threading
from eventlet.green import time as green_time
from eventlet.green.concurrent import futures as green_futures
from eventlet.greenthread import spawn

from tests.unit.parks.park import Table, Wait
from tests.unit.parks.stage import LONG, Stage, send_once

PARKS = Table()
park = PARKS.park

thread_module: Any = green_thread
threading: Any = green_threading
futures: Any = green_futures


def _send_last(events: list[Event]) -> None:
    events[-1].send()


# -- children --------------------------------------------------------------------------------


@park(green_os.waitpid)
def waitpid(stage: Stage) -> Wait:
    child = _plain_child(stage)
    call = partial(green_os.waitpid, child.pid, 0)
    return Wait(call, partial(os.kill, child.pid, signal.SIGTERM), (child.pid, signal.SIGTERM))


@park(green_os.wait, green_os.waitpid, alone=True)
def wait_for_any_child(stage: Stage) -> Wait:
    child = _plain_child(stage)
    complete = partial(os.kill, child.pid, signal.SIGTERM)
    return Wait(green_os.wait, complete, (child.pid, signal.SIGTERM))


@park(green_os.wait4)
def wait4(stage: Stage) -> Wait:
    child = _plain_child(stage)
    call = lambda: green_os.wait4(child.pid, 0)[:2]  # noqa: E731
    return Wait(call, partial(os.kill, child.pid, signal.SIGTERM), (child.pid, signal.SIGTERM))


@park(green_os.wait3, alone=True)
def wait3(stage: Stage) -> Wait:
    child = _plain_child(stage)
    call = lambda: green_os.wait3(0)[:2]  # noqa: E731
    return Wait(call, partial(os.kill, child.pid, signal.SIGTERM), (child.pid, signal.SIGTERM))


@park(green_os.waitid)
def waitid(stage: Stage) -> Wait:
    child = _plain_child(stage)
    call = partial(green_os.waitid, os.P_PID, child.pid, os.WEXITED)
    complete = partial(os.kill, child.pid, signal.SIGTERM)
    return Wait(call, complete, lambda found: found.si_status == signal.SIGTERM)


@park(green_os.waitpid)
def waitpid_of_a_stopped_child(stage: Stage) -> Wait:
    child = _plain_child(stage)
    stage.at_end(os.kill, child.pid, signal.SIGCONT)
    return Wait(
        partial(green_os.waitpid, child.pid, os.WUNTRACED),
        partial(os.kill, child.pid, signal.SIGSTOP),
        lambda found: found[0] == child.pid and os.WIFSTOPPED(found[1]),
    )


class _Child:
    """A child process that somebody else may reap."""

    def __init__(self) -> None:
        self.pid = os.posix_spawnp("sleep", ["sleep", "600"], os.environ)

    def end(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            return


def _plain_child(stage: Stage) -> _Child:
    child = _Child()
    stage.at_end(child.end)
    return child


@park(green_subprocess.Popen, shielded=True)
def popen_start(stage: Stage) -> Wait:
    """It waits until the child has begun with its program, which is slow to come here."""
    gates: list[Event] = []
    read = green_os.read

    def read_through_gate(fd: int, count: int) -> bytes:
        if gates and getcurrent() is starting[-1]:
            gates[-1].wait()
        return read(fd, count)

    starting: list[Any] = []
    stage.replace(green_os, "read", read_through_gate)

    def call() -> int:
        starting.append(getcurrent())
        gates.append(Event())
        with green_subprocess.Popen(["true"]) as child:
            starting.append(None)
        return int(child.returncode)

    return Wait(call, partial(_send_last, gates), 0, stays=False)


@park(green_subprocess.Popen.wait)
def popen_wait(stage: Stage) -> Wait:
    child = stage.child()
    return Wait(child.wait, child.stdin.close, 0, lambda: child.returncode)


@park(green_subprocess.Popen.wait)
def popen_wait_with_a_timeout(stage: Stage) -> Wait:
    child = stage.child()
    return Wait(partial(child.wait, LONG), child.stdin.close, 0, lambda: child.returncode)


@park(green_subprocess.Popen.communicate)
def popen_communicate(stage: Stage) -> Wait:
    reader, writer = stage.pipe()
    child: Any = green_subprocess.Popen(["cat"], stdin=reader, stdout=subprocess.PIPE)
    stage.at_end(child.wait)
    stage.at_end(child.kill)
    stage.keep(child.stdout)

    def complete() -> None:
        os.write(writer, b"data")
        os.close(writer)

    return Wait(child.communicate, complete, (b"data", None), lambda: child.returncode)


def _running(stage: Stage, run: Callable[..., Any], gives: Any) -> Wait:
    """Run `cat` over a pipe that the test ends."""
    reader, writer = stage.pipe()
    return Wait(partial(run, ["cat"], stdin=reader), partial(os.close, writer), gives)


@park(green_subprocess.run)
def subprocess_run(stage: Stage) -> Wait:
    return _running(stage, green_subprocess.run, lambda done: done.returncode == 0)


@park(green_subprocess.call)
def subprocess_call(stage: Stage) -> Wait:
    return _running(stage, green_subprocess.call, 0)


@park(green_subprocess.check_call)
def subprocess_check_call(stage: Stage) -> Wait:
    return _running(stage, green_subprocess.check_call, 0)


@park(green_subprocess.check_output)
def subprocess_check_output(stage: Stage) -> Wait:
    return _running(stage, green_subprocess.check_output, b"")


@park(green_subprocess.getoutput, green_subprocess.getstatusoutput)
def subprocess_getoutput(stage: Stage) -> Wait:
    path = stage.directory() / "fifo"
    os.mkfifo(path)
    stage.keep_number(os.open(path, os.O_RDWR))
    writer = os.open(path, os.O_RDWR)
    stage.keep_number(writer)
    call = partial(green_subprocess.getoutput, f"exec head -n 1 {path}")
    return Wait(call, partial(os.write, writer, b"a line\n"), "a line", stays=False)


# -- locks on files --------------------------------------------------------------------------


@park(green_fcntl.flock)
def flock(stage: Stage) -> Wait:
    """An OS thread waits, and gives back the lock that an interrupted caller no longer wants."""
    path = stage.directory() / "locked"
    holder = stage.keep(path.open("w"))
    waiter = stage.keep(path.open("w"))
    fcntl.flock(holder, fcntl.LOCK_EX)

    def call() -> None:
        green_fcntl.flock(waiter, fcntl.LOCK_EX)
        fcntl.flock(waiter, fcntl.LOCK_UN)

    unlock = partial(fcntl.flock, holder, fcntl.LOCK_UN)
    return Wait(call, unlock, None, goes_on=unlock, ready_first=True)


HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@park(green_fcntl.lockf)
def lockf(stage: Stage) -> Wait:
    path = stage.directory() / "locked"
    command = (sys.executable, "-I", "-S", "-c", HOLDER, str(path))
    holder = stage.child(*command, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"locked\n"
    waiter = stage.keep(path.open("w"))

    def call() -> None:
        green_fcntl.lockf(waiter, fcntl.LOCK_EX)
        fcntl.lockf(waiter, fcntl.LOCK_UN)

    unlock = holder.stdin.close
    return Wait(call, unlock, None, goes_on=unlock, ready_first=True)


# -- OS threads ------------------------------------------------------------------------------


def _in_threads(stage: Stage) -> None:
    stage.at_end(tpool.killall)


@park(tpool.execute)
def tpool_execute(stage: Stage) -> Wait:
    _in_threads(stage)
    gate = stage.os_gate()
    return Wait(partial(tpool.execute, gate.wait), gate.set, True)


@park(tpool.Proxy, tpool.proxy_call)
def tpool_proxy(stage: Stage) -> Wait:
    _in_threads(stage)
    gate = stage.os_gate()
    proxy: Any = tpool.Proxy(gate)
    return Wait(proxy.wait, gate.set, True)


@park(tpool.killall, alone=True)
def tpool_killall(stage: Stage) -> Wait:
    _in_threads(stage)
    gate = stage.os_gate()
    waiting = stage.thread(tpool.execute, gate.wait)
    return Wait(tpool.killall, gate.set, None, lambda: waiting.dead)


# -- green threading -------------------------------------------------------------------------


@park(green_time.sleep)
def time_sleep(stage: Stage) -> Wait:
    return Wait(partial(green_time.sleep, LONG), stage.skip_time, stays=False)


@park(threading.Thread.join)
def thread_join(stage: Stage) -> Wait:
    event = Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    stage.at_end(thread.join)
    stage.at_end(send_once, event)
    return Wait(thread.join, event.send, None, thread.is_alive)


@park(threading.Thread.join)
def thread_join_with_a_timeout(stage: Stage) -> Wait:
    event = Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    stage.at_end(thread.join)
    stage.at_end(send_once, event)
    return Wait(partial(thread.join, LONG), event.send, None, thread.is_alive)


@park(threading._GreenThread.join)
def spawned_thread_join(stage: Stage) -> Wait:
    event = Event()
    known: list[Any] = []

    def run() -> None:
        known.append(threading.current_thread())
        event.wait()

    thread = stage.thread(run)
    while not known:
        green_time.sleep(0)
    return Wait(known[0].join, event.send, None, lambda: (thread.dead, len(thread._links)))


@park(thread_module._ThreadHandle.join)
def thread_handle_join(stage: Stage) -> Wait:
    event = Event()
    handle = thread_module.start_joinable_thread(event.wait)
    stage.at_end(handle.join)
    stage.at_end(send_once, event)
    return Wait(handle.join, event.send, None, handle.is_done)


@park(thread_module.allocate_lock)
def lock_of_thread(stage: Stage) -> Wait:
    lock = thread_module.allocate_lock()
    lock.acquire()
    return Wait(lock.acquire, lock.release, True, lock.locked)


@park(threading.Lock)
def threading_lock(stage: Stage) -> Wait:
    lock = threading.Lock()
    lock.acquire()
    return Wait(partial(lock.acquire, True, LONG), lock.release, True, lock.locked)


@park(threading.RLock)
def threading_rlock(stage: Stage) -> Wait:
    lock = threading.RLock()
    may_release = Event()

    def hold() -> None:
        with lock:
            may_release.wait()

    stage.thread(hold)
    green_time.sleep(0)

    def call() -> bool:
        with lock:
            return bool(lock._is_owned())

    return Wait(call, may_release.send, True, lock._is_owned)


def _notifying(condition: Any) -> Callable[[], None]:
    def notify() -> None:
        with condition:
            condition.notify()

    return notify


@park(threading.Condition.wait)
def condition_wait(stage: Stage) -> Wait:
    condition = threading.Condition()

    def call() -> Any:
        with condition:
            return condition.wait()

    def state() -> Any:
        return condition._is_owned(), len(condition._waiters)

    return Wait(call, _notifying(condition), True, state, stays=False)


@park(threading.Condition.wait_for)
def condition_wait_for(stage: Stage) -> Wait:
    condition = threading.Condition()
    found: list[int] = []

    def call() -> Any:
        with condition:
            return condition.wait_for(lambda: found)

    def complete() -> None:
        found.append(7)
        _notifying(condition)()

    return Wait(call, complete, [7], lambda: len(condition._waiters))


@park(threading.Condition.wait, stubborn=True)
def condition_wait_for_its_lock(stage: Stage) -> Wait:
    """Notified, it has to take its lock again before it can be told anything."""
    condition = threading.Condition()
    gates: list[Event] = []

    def hold(gate: Event) -> None:
        with condition:
            condition.notify()
            gate.wait()

    def call() -> Any:
        gates.append(Event())
        with condition:
            spawn(hold, gates[-1])
            return condition.wait()

    def state() -> Any:
        return condition._is_owned(), len(condition._waiters)

    return Wait(call, partial(_send_last, gates), True, state, stays=False)


@park(threading.Event.wait)
def threading_event_wait(stage: Stage) -> Wait:
    event = threading.Event()
    return Wait(event.wait, event.set, True, lambda: len(event._cond._waiters))


@park(threading.Semaphore.acquire)
def threading_semaphore(stage: Stage) -> Wait:
    semaphore = threading.Semaphore(0)
    state: Callable[[], Any] = lambda: (semaphore._value, len(semaphore._cond._waiters))  # noqa: E731
    return Wait(semaphore.acquire, semaphore.release, True, state)


@park(threading.BoundedSemaphore)
def threading_bounded_semaphore(stage: Stage) -> Wait:
    semaphore = threading.BoundedSemaphore(1)
    semaphore.acquire()
    state: Callable[[], Any] = lambda: (semaphore._value, len(semaphore._cond._waiters))  # noqa: E731
    return Wait(semaphore.acquire, semaphore.release, True, state)


@park(threading.Barrier.wait)
def barrier_wait(stage: Stage) -> Wait:
    """Who waits with somebody that leaves is told: the barrier is broken until it is reset."""
    barrier = threading.Barrier(2)

    def call() -> int:
        return int(barrier.wait()) & 0

    return Wait(call, call, 0, repair=barrier.reset, stays=False)


# -- the standard queues -----------------------------------------------------------------------


def _kept(queue: Any) -> Callable[[], Any]:
    return lambda: (queue.qsize(), getattr(queue, "unfinished_tasks", None))


@park(green_queue.Queue)
def standard_queue_get(stage: Stage) -> Wait:
    queue: Any = green_queue.Queue()
    return Wait(queue.get, partial(queue.put, 7), 7, _kept(queue))


@park(green_queue.Queue)
def standard_queue_put(stage: Stage) -> Wait:
    queue: Any = green_queue.Queue(1)
    queue.put(1)
    return Wait(partial(queue.put, 7), queue.get, None, _kept(queue))


@park(green_queue.Queue)
def standard_queue_join(stage: Stage) -> Wait:
    queue: Any = green_queue.Queue()
    queue.put(1)
    return Wait(queue.join, queue.task_done, None, _kept(queue))


@park(green_queue.SimpleQueue)
def simple_queue_get(stage: Stage) -> Wait:
    queue: Any = green_queue.SimpleQueue()
    return Wait(queue.get, partial(queue.put, 7), 7, _kept(queue))


@park(green_queue.PriorityQueue)
def standard_priority_queue_get(stage: Stage) -> Wait:
    queue: Any = green_queue.PriorityQueue()
    return Wait(queue.get, partial(queue.put, 7), 7, _kept(queue))


@park(green_queue.LifoQueue)
def standard_lifo_queue_get(stage: Stage) -> Wait:
    queue: Any = green_queue.LifoQueue()
    return Wait(queue.get, partial(queue.put, 7), 7, _kept(queue))


# -- futures -------------------------------------------------------------------------------------


@park(futures.Future.result)
def future_result(stage: Stage) -> Wait:
    future = futures.Future()
    return Wait(future.result, partial(future.set_result, 7), 7, future.done)


@park(futures.Future.exception)
def future_exception(stage: Stage) -> Wait:
    future = futures.Future()
    return Wait(future.exception, partial(future.set_result, 7), None, future.done)


@park(futures.wait)
def futures_wait(stage: Stage) -> Wait:
    """What it leaves in the future is the standard code's, the same after a KeyboardInterrupt."""
    future = futures.Future()
    call = lambda: futures.wait([future]).done == {future}  # noqa: E731
    return Wait(call, partial(future.set_result, 7), True, future.done)


@park(futures.as_completed)
def futures_as_completed(stage: Stage) -> Wait:
    future = futures.Future()
    state: Callable[[], Any] = lambda: len(future._waiters)  # noqa: E731
    call = lambda: list(futures.as_completed([future])) == [future]  # noqa: E731
    return Wait(call, partial(future.set_result, 7), True, state)


@park(futures.ThreadPoolExecutor.shutdown)
def executor_shutdown(stage: Stage) -> Wait:
    executor = futures.ThreadPoolExecutor(1)
    event = Event()
    work = executor.submit(event.wait)
    stage.at_end(executor.shutdown)
    stage.at_end(send_once, event)
    return Wait(executor.shutdown, event.send, None, work.done, repair=bool)


@park(futures.ThreadPoolExecutor.map)
def executor_map(stage: Stage) -> Wait:
    executor = futures.ThreadPoolExecutor(1)
    assert executor.submit(int).result() == 0  # its only thread is there
    event = Event()
    stage.at_end(executor.shutdown)
    stage.at_end(send_once, event)
    call = lambda: list(executor.map(lambda _number: event.wait(), [0]))  # noqa: E731
    return Wait(call, partial(event.send, 7), [7])
