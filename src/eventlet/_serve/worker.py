"""The process that serves: load the application, accept, and end in good order."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from random import randint
from signal import signal as set_handler  # the one that is not patched
from typing import Any, Final, NamedTuple

from eventlet._serve import link
from eventlet._serve.addresses import Listening
from eventlet._serve.application import load
from eventlet._serve.changes import LOOK_SECONDS, Watch
from eventlet._serve.counting import Counted
from eventlet._serve.env_file import read_env_file
from eventlet._serve.forwarded import Forwarded
from eventlet._serve.journal import Journal, open_log
from eventlet._serve.pulse import Pulse, beat_seconds
from eventlet._serve.refusal import Refusal
from eventlet._serve.serving import Serving
from eventlet._serve.settings import Settings
from eventlet._serve.tls import make_context
from eventlet.event import Event
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn
from eventlet.patcher import monkey_patch

__all__ = ["FAILURE", "Job", "run"]

FAILURE: Final = 1
"""Exit status of a worker that could not begin."""

# They reach every process of a terminal; the master decides what they mean.
_LEFT_TO_MASTER: Final = (
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGHUP),
    *(signal.SIGTTIN, signal.SIGTTOU),
)
_TOLD_BY_MASTER: Final = (signal.SIGTERM, signal.SIGUSR1)


class Job(NamedTuple):
    """What a forked process is to do.

    Attributes:
        settings: what was asked for.
        listeners: what to accept from.
        link: a green socket; this end tells the master how it goes.
        journal: for what the worker says.
        pulse: for its signs of life.
    """

    settings: Settings
    listeners: list[Listening]
    link: GreenSocket
    journal: Journal
    pulse: Pulse


def run(job: Job) -> int:
    """Serve until told to end; return the exit status.

    Signals are blocked when it is called, so that none finds the handlers of the master.
    """
    try:
        return _Worker(job).run()
    finally:
        for listening in job.listeners:
            listening.sock.close()
        job.link.close()


class _Worker:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._settings = job.settings
        self._status = 0
        self._log_fd: int | None = None
        self._told = Event()
        self._ends_at_once = Event()
        tls = (job.settings.tls_cert, job.settings.tls_key, job.settings.client_ca)
        self._watch = Watch(path for path in tls if path is not None)

    def run(self) -> int:
        self._job.pulse.arm()
        for number in (signal.SIGTERM, signal.SIGCHLD):
            set_handler(number, signal.SIG_DFL)  # there is nothing to finish yet
        self._leave_others_to_master()
        signal.pthread_sigmask(
            signal.SIG_UNBLOCK, {signal.SIGCHLD, *_TOLD_BY_MASTER, *_LEFT_TO_MASTER}
        )
        serving = None
        try:
            if self._settings.reload:
                # Its time stamps are whole seconds: a quick second change would not be seen.
                sys.dont_write_bytecode = True
            self._set_environment()
            if self._settings.patch:
                monkey_patch()
            serving = self._begin()
        except Refusal as exc:
            if exc.details:
                self._job.journal.info(exc.details.rstrip())
            self._say(link.FAILED, str(exc))
            if not (self._settings.reload and exc.files):
                return FAILURE
            self._watch.add(exc.files)
        self._leave_others_to_master()  # the application may have set handlers of its own
        set_handler(signal.SIGTERM, self._terminate)
        set_handler(signal.SIGUSR1, lambda *_: spawn(self._open_log_again))
        threads = [spawn(self._wait_for_master)]
        if self._settings.reload:
            threads.append(spawn(self._wait_for_change))
        if serving is not None:
            if self._settings.worker_timeout is not None:
                threads.append(spawn(self._beat, beat_seconds(self._settings.worker_timeout)))
            self._say(link.READY)
        why = self._told.wait()
        if serving is not None:
            self._end(serving, why)
        for thread in threads:
            thread.kill()
        return self._status

    def _set_environment(self) -> None:
        if self._settings.env_file is not None:
            self._watch.add([self._settings.env_file])
            for name, value in read_env_file(self._settings.env_file).items():
                os.environ.setdefault(name, value)

    def _begin(self) -> Serving:
        settings = self._settings
        sys.path.insert(0, os.getcwd())
        app = load(settings.app)
        tls = None
        if settings.tls_cert is not None:
            from eventlet.green.ssl import GreenSSLContext  # OpenSSL is loaded for TLS alone

            tls = make_context(settings, GreenSSLContext)
        self._log_fd = access_log = open_log(settings.access_log)
        # Last, for whoever makes them has to close them.
        listeners: list[Any] = [
            GreenSocket(sock.family, sock.type, sock.proto, sock.detach())
            for sock, *_ in self._job.listeners
        ]
        if settings.max_requests is not None:
            limit = settings.max_requests + randint(0, settings.max_requests_jitter)  # noqa: S311
            app = Counted(app, limit, partial(self._say, link.TIRED, f"{limit} requests"))
        if settings.forwarded_allow_ips is not None:
            app = Forwarded(app, settings.forwarded_allow_ips)
        return Serving(
            listeners,
            tls,
            app,
            settings,
            self._job.journal,
            None if access_log is None else Journal(access_log),
            self._fail,
        )

    def _end(self, serving: Serving, why: str) -> None:
        if why:
            self._job.journal.note(why)
        serving.stop(self._settings.grace)
        hurry = spawn(self._hurry, serving)
        serving.wait()
        hurry.kill()

    def _hurry(self, serving: Serving) -> None:
        """Wait for the second word, then end what is still going on."""
        self._ends_at_once.wait()
        serving.stop(0.0)

    def _fail(self) -> None:
        self._status = FAILURE
        self._tell("it does not listen any more: ending")

    # --- who tells it to end ----------------------------------------------------------------

    def _leave_others_to_master(self) -> None:
        for number in _LEFT_TO_MASTER:
            set_handler(number, _leave_to_master)

    def _terminate(self, *_: object) -> None:
        self._tell("")

    def _open_log_again(self) -> None:
        """Write to the file that has the name of the access log now."""
        path = self._settings.access_log
        if self._log_fd is None or path == "-":
            return
        try:
            fd = open_log(path)
        except Refusal as exc:
            self._job.journal.note(str(exc), "error")
        else:
            assert fd is not None
            os.dup2(fd, self._log_fd, inheritable=False)
            os.close(fd)

    def _tell(self, why: str) -> None:
        """Have it end; the second time at once. Does not wait."""
        if not self._told.ready():
            self._told.send(why)
        else:
            self._end_at_once()

    def _end_at_once(self) -> None:
        if not self._ends_at_once.ready():
            self._ends_at_once.send()

    def _wait_for_master(self) -> None:
        """All it ever says is to end at once; otherwise its end is what there is to hear."""
        try:
            while self._job.link.recv(1):
                self._tell("")
                self._end_at_once()
        except OSError:
            pass
        self._tell("the master is gone: ending")

    def _beat(self, pause: float) -> None:
        """Show that the hub turns."""
        while True:
            self._job.pulse.beat()
            sleep(pause)

    # --- what it tells ----------------------------------------------------------------------

    def _wait_for_change(self) -> None:
        while (path := self._watch.find_change()) is None:
            sleep(LOOK_SECONDS)
        self._say(link.CHANGED, path)

    def _say(self, word: str, text: str = "") -> None:
        with suppress(OSError):  # the master is gone, which another green thread notices
            self._job.link.sendall(link.encode(word, text))


def _leave_to_master(*_: object) -> None:
    """Take notice, and no more: SIG_IGN would be inherited by the programs we start."""
