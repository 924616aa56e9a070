"""A server that leaves the word about its beginning and end to the master, who speaks for all."""

from __future__ import annotations

import traceback

from eventlet._serve.journal import Journal
from eventlet._server.access_log import ServerLog
from eventlet._unpatched import getpid
from eventlet.wsgi import Server

__all__ = ["WorkerServer"]


class WorkerServer(Server):
    """One of the servers of a worker; its `log` is the `Journal` of the program."""

    log: Journal

    def _make_journal(self) -> ServerLog:
        return _WorkerLog(self.log)


class _WorkerLog(ServerLog):
    """Writes to the journal of the program, as the rest of the program does."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal, getpid())
        self._journal = journal

    def milestone(self, what: str) -> None:
        pass

    def note(self, what: str) -> None:
        self._journal.note(what)

    def traceback(self) -> str:
        text = traceback.format_exc()
        self._journal.note(text.rstrip(), "error")
        return text
