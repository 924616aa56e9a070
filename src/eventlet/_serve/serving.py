"""Run the application on the sockets of one worker: the seam to `eventlet.wsgi`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from greenlet import GreenletExit

from eventlet._serve.journal import Journal
from eventlet._serve.settings import Settings
from eventlet._server.access_log import AccessLog
from eventlet._server.listener import accept_connections
from eventlet.greenpool import GreenPool
from eventlet.greenthread import GreenThread, spawn
from eventlet.timeout import Timeout
from eventlet.wsgi import DEFAULT_LOG_FORMAT, Server

__all__ = ["Serving"]


class Serving:
    """The servers of one worker.

    Args:
        listeners: green sockets, wrapped in TLS where it is on.
        app: the application.
        settings: what was asked for.
        journal: gets what the servers say, and tracebacks.
        access_log: gets a line for each request; None for none.
    """

    def __init__(
        self,
        listeners: Iterable[Any],
        app: Callable[..., Any],
        settings: Settings,
        journal: Journal,
        access_log: Journal | None,
    ) -> None:
        self._pool = GreenPool(settings.max_connections)
        self._threads: list[GreenThread] = []
        for listener in listeners:
            server = Server(
                listener,
                listener.getsockname(),
                app,
                log=journal,
                environ={"wsgi.multiprocess": settings.workers > 1},
            )
            server.access_log = (
                None
                if access_log is None
                else AccessLog(access_log.info, DEFAULT_LOG_FORMAT, False)
            )
            self._threads.append(spawn(self._serve, server))

    def _serve(self, server: Server) -> None:
        accept_connections(
            server.socket,
            server.process_request,
            self._pool,
            is_accepting=lambda: True,
            socket_timeout=server.socket_timeout,
            journal=server.journal,
        )

    def stop(self, grace: float) -> bool:
        """Accept no more, let requests finish; tell whether all did within so many seconds."""
        for thread in self._threads:
            spawn(thread.kill)
        are_done = False
        with Timeout(grace, False):
            self._wait()
            are_done = True
        if are_done:
            return True
        for thread in [*self._pool.coroutines_running, *self._threads]:
            spawn(thread.kill)
        self._wait()
        return False

    def _wait(self) -> None:
        for thread in self._threads:
            with suppress(GreenletExit):
                thread.wait()
