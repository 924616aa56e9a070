"""Run the application on the sockets of one worker: the seam to `eventlet.wsgi`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from eventlet._serve.forwarded import believed_client
from eventlet._serve.journal import Journal
from eventlet._serve.proxied import ProxiedServer
from eventlet._serve.quiet import WorkerServer
from eventlet._serve.settings import Settings
from eventlet._server.access_log import AccessLog, make_access_log
from eventlet.greenpool import GreenPool
from eventlet.greenthread import spawn
from eventlet.wsgi import DEFAULT_LOG_FORMAT, Limits

__all__ = ["Serving"]


class Serving:
    """The servers of one worker.

    Args:
        listeners: green sockets.
        tls: the green context, None without TLS.
        app: the application.
        settings: what was asked for.
        journal: gets what the servers say, and tracebacks.
        access_log: gets a line for each request; None for none.
        on_failure: called when a server ends that was not told to.
    """

    def __init__(
        self,
        listeners: Iterable[Any],
        tls: Any,
        app: Callable[..., Any],
        settings: Settings,
        journal: Journal,
        access_log: Journal | None,
        on_failure: Callable[[], object],
    ) -> None:
        self._settings = settings
        self._tls = tls
        self._journal = journal
        self._access_log = access_log
        self._on_failure = on_failure
        self._is_told = False
        self._pool = GreenPool(settings.max_connections)
        self._servers = [self._make_server(listener, app) for listener in listeners]
        self._threads = [spawn(self._serve, server) for server in self._servers]

    def stop(self, grace: float) -> None:
        """Accept no more, and have requests finish within so many seconds; does not wait."""
        self._is_told = True
        for server in self._servers:
            server.stop(grace)

    def wait(self) -> None:
        """Wait until all has ended."""
        for thread in self._threads:
            thread.wait()

    def _serve(self, server: WorkerServer) -> None:
        try:
            server.serve()
        except OSError as exc:
            self._journal.note(f"a listening socket failed: {exc}", "error")
        if not self._is_told:
            self._on_failure()

    def _make_server(self, listener: Any, app: Callable[..., Any]) -> WorkerServer:
        settings = self._settings
        kind = ProxiedServer if settings.proxy_protocol else WorkerServer
        if self._tls is not None and not settings.proxy_protocol:
            listener = self._tls.wrap_socket(
                listener, server_side=True, do_handshake_on_connect=False
            )
        server = kind(
            listener,
            listener.getsockname(),
            app,
            log=self._journal,
            environ={"wsgi.multiprocess": True},  # while one replaces another, at least
            limits=Limits(
                idle_timeout=settings.idle_timeout,
                head_timeout=settings.head_timeout,
                body_timeout=settings.body_timeout,
                write_timeout=settings.write_timeout,
                body_bytes=settings.max_body,
            ),
            custom_pool=self._pool,
            http2=settings.http2,
        )
        if isinstance(server, ProxiedServer):
            assert settings.forwarded_allow_ips is not None
            server.peers, server.tls = settings.forwarded_allow_ips, self._tls
        server.access_log = self._make_access_log()
        return server

    def _make_access_log(self) -> AccessLog | None:
        if self._access_log is None:
            return None
        form = self._settings.log_format or DEFAULT_LOG_FORMAT
        return make_access_log(self._access_log.info, form, self._client_ip)

    def _client_ip(self, peer: str, forwarded_for: str | None) -> str:
        """Name the client of a request as the application sees it."""
        peers = self._settings.forwarded_allow_ips
        if peers is None or not forwarded_for or peer not in peers:
            return peer
        return believed_client(forwarded_for, peers) or peer
