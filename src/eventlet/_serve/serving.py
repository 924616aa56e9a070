"""Run the application on the sockets of one worker: the seam to `eventlet.wsgi`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from greenlet import GreenletExit

from eventlet._serve.journal import Journal
from eventlet._serve.json_lines import JsonAccessLog
from eventlet._serve.proxied import ProxiedServer
from eventlet._serve.settings import Settings
from eventlet._server.access_log import AccessLog
from eventlet._server.listener import accept_connections
from eventlet.greenpool import GreenPool
from eventlet.greenthread import GreenThread, spawn
from eventlet.timeout import Timeout
from eventlet.wsgi import DEFAULT_LOG_FORMAT, Server

__all__ = ["Serving"]

HEAD_SECONDS = 60.0


class Serving:
    """The servers of one worker.

    Args:
        listeners: green sockets.
        tls: the green context, None without TLS.
        app: the application.
        settings: what was asked for.
        journal: gets what the servers say, and tracebacks.
        access_log: gets a line for each request; None for none.
    """

    def __init__(
        self,
        listeners: Iterable[Any],
        tls: Any,
        app: Callable[..., Any],
        settings: Settings,
        journal: Journal,
        access_log: Journal | None,
    ) -> None:
        self._settings = settings
        self._tls = tls
        self._journal = journal
        self._access_log = access_log
        self._pool = GreenPool(settings.max_connections)
        self._threads: list[GreenThread] = [
            spawn(self._serve, self._make_server(listener, app)) for listener in listeners
        ]

    def _make_server(self, listener: Any, app: Callable[..., Any]) -> Server:
        settings, tls = self._settings, self._tls
        server: Server
        environ = {"wsgi.multiprocess": True}  # while one replaces another, at least
        if settings.proxy_protocol:
            assert settings.forwarded_allow_ips is not None
            address = listener.getsockname()
            server = ProxiedServer(listener, address, app, log=self._journal, environ=environ)
            server.peers, server.tls = settings.forwarded_allow_ips, tls
            server.header_seconds = HEAD_SECONDS
        else:
            if tls is not None:
                listener = tls.wrap_socket(
                    listener, server_side=True, do_handshake_on_connect=False
                )
            address = listener.getsockname()
            server = Server(listener, address, app, log=self._journal, environ=environ)
        server.access_log = self._make_access_log()
        return server

    def _make_access_log(self) -> AccessLog | None:
        if self._access_log is None:
            return None
        is_behind_proxies = self._settings.forwarded_allow_ips is not None
        form = self._settings.log_format
        kind = JsonAccessLog if form == "json" else AccessLog
        return kind(self._access_log.info, form or DEFAULT_LOG_FORMAT, is_behind_proxies)

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
