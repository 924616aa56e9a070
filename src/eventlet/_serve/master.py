"""The process that looks after workers.

Theory of operation
-------------------
There are `number` slots. Each wants one worker of the newest *generation*; SIGHUP makes a new
generation, so every slot then wants a new one. When a worker says that it serves, the older ones
of its slot are told to leave. So the same few steps start everything, repair what was killed,
replace what is tired and reload.

A generation is *proven* when one of its workers has served. Until then only one worker of it is
tried, and a few quick deaths end the attempt: the program, if nothing served before, else that
generation, and the old workers go on. Afterwards the master never gives up: whatever dies young
delays the next start, each time twice as long.

The master is ordinary blocking code without hub and OS threads. It sleeps in `poll` on the pipe
where signals leave a byte, and on the links of the workers. `run` returns twice: in the master
when all is over, and in each forked child with what to do, so that a worker stands on a short
stack and none of the master's clean-up is left on it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import ExitStack, suppress
from typing import Final

from eventlet._serve import link
from eventlet._serve.addresses import Listening
from eventlet._serve.child import NEVER, Child, Watchdog
from eventlet._serve.journal import Journal
from eventlet._serve.notify import notify_ready, notify_reloading, notify_stopping
from eventlet._serve.pulse import Pulse
from eventlet._serve.refusal import reason
from eventlet._serve.settings import Settings
from eventlet._serve.worker import Job
from eventlet.greenio import GreenSocket

__all__ = ["Master"]

QUICK_DEATHS: Final = 5  # of a generation that never served
HEALTHY_SECONDS: Final = 1.0  # of serving: who dies later did not die young
FIRST_DELAY: Final = 0.1
LONGEST_DELAY: Final = 30.0
MARGIN_SECONDS: Final = 2.5  # a worker that is asked to end may take longer than its grace

SIGNALS: Final = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD),
    *(signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1),
)


class Master:
    """Keep workers running.

    Args:
        settings: what was asked for.
        listeners: open sockets.
        journal: for what there is to say.
    """

    def __init__(self, settings: Settings, listeners: list[Listening], journal: Journal) -> None:
        self._settings = settings
        self._listeners = listeners
        self._journal = journal
        self._number = settings.workers
        self._children: dict[int, Child] = {}
        self._generation = 1
        self._newest = 1
        self._proven: int | None = None
        self._deaths = 0  # young ones, since a worker last lived long enough
        self._next_start = 0.0
        self._watchdog = Watchdog(settings.worker_timeout)
        self._is_ending = False
        self._is_complete = False
        self._signals: deque[int] = deque()
        self._wake_up, self._wake_up_end = os.pipe()
        self.status = 0

    def run(self) -> Job | None:
        """Look after the workers until told to end.

        Returns:
            None when all is over, with `status` set; in a forked child, what it is to do.
        """
        self._take_signals()
        while True:
            while self._signals:
                self._handle(signal.Signals(self._signals.popleft()))
            self._reap()
            for child in list(self._children.values()):
                self._hear(child)
            if self._is_ending and not self._children:
                self._give_signals_back()
                return None
            now = time.monotonic()
            self._abort_the_stuck(now)
            self._kill_the_late(now)
            slot = self._wanting(now)
            if slot is not None:
                job = self._start(slot)
                if job is not None:
                    return job
                continue
            self._say_when_complete()
            self._wait(now)

    # --- starting ---------------------------------------------------------------------------

    def _wanting(self, now: float) -> int | None:
        """Give a slot in which a worker is to be started now."""
        if self._is_ending or now < self._next_start:
            return None
        current = [c for c in self._children.values() if self._is_current(c)]
        if self._proven != self._generation and current:
            return None
        taken = {c.slot for c in current}
        return next((slot for slot in range(self._number) if slot not in taken), None)

    def _is_current(self, child: Child) -> bool:
        return child.generation == self._generation and not (child.is_leaving or child.is_tired)

    def _start(self, slot: int) -> Job | None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        try:
            with ExitStack() as undo:
                ours, theirs = socket.socketpair()
                undo.callback(ours.close)
                undo.callback(theirs.close)
                pulse = Pulse()
                undo.callback(pulse.close)
                undo.callback(signal.pthread_sigmask, signal.SIG_UNBLOCK, SIGNALS)
                signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
                pid = os.fork()
                undo.pop_all()
        except OSError as exc:
            self._journal.note(f"cannot start a worker: {reason(exc)}; trying again", "error")
            self._back_off(time.monotonic())
            return None
        if pid == 0:
            ours.close()
            for child in self._children.values():
                child.let_go()
            signal.set_wakeup_fd(-1)
            os.close(self._wake_up)
            os.close(self._wake_up_end)
            return Job(self._settings, self._listeners, GreenSocket(theirs), self._journal, pulse)
        theirs.close()
        due = time.monotonic() + self._settings.ready_timeout
        self._children[pid] = Child(pid, slot, self._generation, link.Inbox(ours), pulse, due)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return None

    # --- what workers say -------------------------------------------------------------------

    def _hear(self, child: Child) -> None:
        for word, text in child.inbox.messages():
            if word == link.READY:
                self._greet(child)
            elif word == link.FAILED:
                child.failure = text
                child.kill_at = NEVER  # it ends by itself, or looks out for a change
                self._journal.note(text, "error")
            elif word == link.TIRED and self._is_current(child):
                child.is_tired = True
                self._is_complete = False
                self._journal.note(f"worker {child.pid} is replaced after {text}")
            elif word == link.CHANGED and self._is_current(child):
                self._journal.note(f"{text} has changed: reloading")
                self._reload()

    def _greet(self, child: Child) -> None:
        child.greet()
        if child.is_leaving:
            return  # the word was on its way
        child.kill_at = NEVER
        if child.generation == self._generation:
            self._proven = self._generation
        for other in list(self._children.values()):
            is_older = other.generation < child.generation or other.is_tired
            if other.slot == child.slot and is_older:
                self._dismiss(other)
        if self._is_ending:
            self._dismiss(child)

    def _dismiss(self, child: Child) -> None:
        """Tell a worker to finish what it does and end."""
        if not child.is_leaving:
            child.is_leaving = True
            child.kill_at = time.monotonic() + self._settings.grace + MARGIN_SECONDS
            self._send(child, signal.SIGTERM)

    def _send(self, child: Child, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, number)

    # --- ends of workers --------------------------------------------------------------------

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:  # or one that came to us as to process 1 of a container
                self._hear(child)
                self._judge(child, os.waitstatus_to_exitcode(status))
                child.let_go()

    def _judge(self, child: Child, code: int) -> None:
        """Think about what the end of a worker means."""
        how = child.describe_end(code)
        if child.is_leaving:
            if code not in {0, -signal.SIGTERM}:
                self._journal.note(f"worker {child.pid} {how}", "warning")
            return
        if not child.failure:
            self._journal.note(f"worker {child.pid} {how}", "error")
        self._is_complete = False
        now = time.monotonic()
        if child.ready_at is not None and now - child.ready_at >= HEALTHY_SECONDS:
            self._deaths = 0
            self._next_start = now
            return
        self._back_off(now)
        is_unproven = child.generation == self._generation != self._proven
        if is_unproven and (child.failure or self._deaths >= QUICK_DEATHS):
            self._give_up(child)

    def _back_off(self, now: float) -> None:
        self._deaths += 1
        self._next_start = now + min(FIRST_DELAY * 2 ** (self._deaths - 1), LONGEST_DELAY)

    def _give_up(self, child: Child) -> None:
        """End what never served: this generation, or all, where it is the first."""
        if not child.failure:
            self._journal.note(
                f"{self._deaths} workers in a row ended before they served; see what they wrote",
                "error",
            )
        if self._proven is None:
            self.status = 1
            self._end()
        else:
            self._journal.note("nothing was reloaded: the old workers go on", "error")
            notify_ready()
            self._generation = self._proven
            self._deaths = 0
            self._next_start = 0.0

    def _abort_the_stuck(self, now: float) -> None:
        for child in self._watchdog.find_stuck(self._children.values(), now):
            self._abort(child, now)

    def _abort(self, child: Child, now: float) -> None:
        """End a worker that does not listen; it leaves its stacks behind, if it can."""
        child.is_aborted = True
        child.kill_at = now + MARGIN_SECONDS
        self._send(child, signal.SIGABRT)

    def _kill_the_late(self, now: float) -> None:
        for child in self._children.values():
            if now >= child.kill_at:
                if not child.is_aborted:
                    what = "did not leave" if child.is_leaving else "did not get ready"
                    self._journal.note(f"worker {child.pid} {what} in time: killed", "warning")
                    if child.is_leaving:
                        self._abort(child, now)
                        continue
                child.kill_at = NEVER
                child.is_killed = True
                self._send(child, signal.SIGKILL)

    # --- signals ----------------------------------------------------------------------------

    def _take_signals(self) -> None:
        for end in (self._wake_up, self._wake_up_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_up_end, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda number, _frame: self._signals.append(number))

    def _give_signals_back(self) -> None:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)
        os.close(self._wake_up)
        os.close(self._wake_up_end)

    def _handle(self, number: signal.Signals) -> None:
        if number in {signal.SIGTERM, signal.SIGINT}:
            if self._is_ending:
                self._end_at_once()
            else:
                self._journal.note(f"{number.name}: ending; once more ends it at once")
                self._end()
        elif number == signal.SIGQUIT:
            self._journal.note("SIGQUIT: ending at once")
            if not self._is_ending:
                self._end()
            self._end_at_once()
        elif number == signal.SIGHUP:
            self._journal.note("SIGHUP: reloading")
            self._reload()
        elif number == signal.SIGUSR1:
            for child in self._children.values():
                if child.ready_at is not None:
                    self._send(child, signal.SIGUSR1)
        elif number == signal.SIGTTIN:
            self._resize(self._number + 1)
        elif number == signal.SIGTTOU:
            self._resize(max(self._number - 1, 1))

    def _reload(self) -> None:
        """Have every slot want a new worker."""
        notify_reloading()
        self._newest += 1
        self._generation = self._newest
        self._deaths = 0
        self._next_start = 0.0
        self._is_complete = False
        for child in list(self._children.values()):
            if child.ready_at is None:  # nobody will want it any more
                self._dismiss(child)

    def _resize(self, number: int) -> None:
        self._journal.note(f"workers wanted: {number}")
        self._number = number
        self._is_complete = False
        for child in list(self._children.values()):
            if child.slot >= number:
                self._dismiss(child)

    def _end(self) -> None:
        self._is_ending = True
        notify_stopping()
        for listening in self._listeners:
            listening.sock.close()  # who comes now is refused, and need not wait in vain
        for child in list(self._children.values()):
            self._dismiss(child)

    def _end_at_once(self) -> None:
        self.status = self.status or 1
        now = time.monotonic()
        for child in self._children.values():
            child.kill_at = min(child.kill_at, now + MARGIN_SECONDS)
            self._send(child, signal.SIGTERM)  # it may not be listening yet
            with suppress(OSError):
                child.inbox.sock.send(link.HURRY)

    # --- waiting ----------------------------------------------------------------------------

    def _say_when_complete(self) -> None:
        serving = [c for c in self._children.values() if self._is_current(c) and c.ready_at]
        if not self._is_complete and len(serving) == self._number:
            self._is_complete = True
            pids = ", ".join(str(c.pid) for c in serving)
            self._journal.note(f"serving with {_workers(len(serving))}: {pids}")
            notify_ready()

    def _wait(self, now: float) -> None:
        """Sleep until something may have happened."""
        poller = select.poll()
        poller.register(self._wake_up, select.POLLIN)
        for child in self._children.values():
            if child.inbox.is_open:
                poller.register(child.inbox.sock, select.POLLIN)
        moments = [self._watchdog.next_look, *(child.kill_at for child in self._children.values())]
        if now < self._next_start:
            moments.append(self._next_start)
        soonest = min(moments, default=NEVER)
        poller.poll(None if soonest == NEVER else max(0.0, soonest - now) * 1000 + 1)
        with suppress(BlockingIOError):
            os.read(self._wake_up, 4096)


def _workers(number: int) -> str:
    return "1 worker" if number == 1 else f"{number} workers"
