"""A worker for gunicorn, which has none for us any more since its release 26.

    gunicorn -k eventlet.gunicorn.EventletWorker module:app

Everything is patched before the application is loaded, each connection has a green thread, and
gunicorn's settings, hooks and logs work as with its other asynchronous workers:
`--worker-connections` are served at once, `--keep-alive` is waited for the next request, and
`--graceful-timeout` for those in flight when a worker ends. Connections that an application has
taken over are told then, as by `eventlet.wsgi`.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from greenlet import getcurrent
from gunicorn.sock import ssl_wrap_socket
from gunicorn.workers.base_async import AsyncWorker

from eventlet._server.accepting import EXHAUSTED, ONE_FAILED, has_more
from eventlet._unpatched import monotonic
from eventlet.event import Event
from eventlet.greenio import GreenSocket, shutdown_safe
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep, spawn, spawn_n
from eventlet.patcher import is_monkey_patched, monkey_patch
from eventlet.semaphore import Semaphore
from eventlet.timeout import Timeout
from eventlet.wsgi import WSGI_LOCAL

__all__ = ["EventletWorker"]

LOOK_SECONDS = 1.0  # between two signs of life; `--timeout` is whole seconds
DRAIN_SECONDS = 0.05
BACK_OFF_SECONDS = 0.1
LAST_SECONDS = 1.0  # for the first request of a connection, when all is to end


class EventletWorker(AsyncWorker):  # type: ignore[misc]  # gunicorn is not typed
    """Serves each connection in a green thread."""

    alive: bool
    wsgi: Callable[..., Any]

    def init_process(self) -> None:
        """Patch, then load the application and serve."""
        if self.cfg.preload_app and not is_monkey_patched("socket"):
            self.log.warning(
                "--preload has loaded the application before it could be patched: what it took "
                "from patched modules then does not let others run"
            )
        monkey_patch()
        self._told = Event()
        self._connections: dict[Any, _Connection] = {}  # by green thread
        self._farewells: dict[Any, Callable[[], object]] = {}  # by green thread
        self._is_ending = False
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application; it can say what is to be done when the worker ends."""
        super().load_wsgi()
        self.wsgi = partial(self._call_app, self.wsgi)

    def _call_app(self, app: Callable[..., Any], environ: dict[str, Any], *args: Any) -> Any:
        """Call the application; gunicorn must not answer for it what it has taken over."""
        thread = getcurrent()
        environ["eventlet.on_stop"] = partial(self._call_on_stop, thread)
        try:
            return app(environ, *args)
        except (Exception, Timeout):
            if WSGI_LOCAL.take() is None:
                raise
            self.log.exception("Error handling request %s", environ.get("RAW_URI"))
            WSGI_LOCAL.already_handled = True
            return []
        finally:
            self._farewells.pop(thread, None)

    def _call_on_stop(self, thread: Any, callback: Callable[[], object] | None) -> None:
        self._farewells.pop(thread, None)
        if callback is not None:
            self._farewells[thread] = callback
            if self._is_ending:
                self._say_farewells()

    def _say_farewells(self) -> None:
        self._is_ending = True
        while self._farewells:
            spawn_n(self._say_farewell, self._farewells.popitem()[1])

    def _say_farewell(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except (Exception, Timeout):
            self.log.exception("Error ending a connection that was taken over")

    def run(self) -> None:
        """Accept until told to end, then let what is being served finish."""
        # Each acceptor holds the place of the connection that it waits for, lest one that is
        # accepted has none; so one more for every further listener.
        places = Semaphore(self.worker_connections + len(self.sockets) - 1)
        pool = GreenPool(2 * places.counter)  # only counts: a place is free before its thread ends
        acceptors = [spawn(self._accept, each.sock, pool, places) for each in self.sockets]
        while self.alive and all(not each.dead for each in acceptors):
            self.notify()
            if self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                break
            with Timeout(LOOK_SECONDS, False):
                self._told.wait()
        self.alive = False
        for each in acceptors:
            each.kill()
        self._say_farewells()
        began = monotonic()
        while pool.running() and monotonic() < began + self.cfg.graceful_timeout:
            self.notify()
            self._shut_down_idle(monotonic() > began + LAST_SECONDS)
            sleep(DRAIN_SECONDS)
        for each in self.sockets:
            each.close()

    def _shut_down_idle(self, even_new: bool) -> None:
        """End the connections that wait for a request; new ones first get time to send theirs."""
        for each in list(self._connections.values()):
            if each.is_idle and (even_new or not each.is_new) and not has_more(each.sock):
                with suppress(OSError):
                    shutdown_safe(each.sock)

    def _accept(self, sock: Any, pool: GreenPool, places: Semaphore) -> None:
        listener = GreenSocket(sock)
        listener.setblocking(True)  # waits, though gunicorn made it one that does not
        while self.alive:
            places.acquire()
            accepted = None
            try:
                accepted = self._accept_one(listener)
            finally:
                if accepted is None:
                    places.release()
            if accepted is not None:
                pool.spawn_n(self._serve, places, listener, *accepted)  # does not wait

    def _accept_one(self, listener: GreenSocket) -> tuple[Any, Any] | None:
        try:
            return listener.accept()
        except OSError as exc:
            if exc.errno in EXHAUSTED:
                self.log.warning("Cannot accept: %s; trying again", exc)
                sleep(BACK_OFF_SECONDS)
            elif exc.errno not in ONE_FAILED:
                self.log.exception("Cannot accept")
                raise
            return None

    def _serve(self, places: Semaphore, listener: Any, client: Any, address: Any) -> None:
        try:
            self.handle(listener, client, address)
        finally:
            places.release()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection; its TLS handshake holds up nobody else."""
        if self.cfg.is_ssl:
            try:
                client = ssl_wrap_socket(client, self.cfg)
            except OSError as exc:
                self.log.debug("TLS failed with %s: %s", addr, exc)
                client.close()
                return
        thread = getcurrent()
        self._connections[thread] = _Connection(client)
        try:
            super().handle(listener, client, addr)
        finally:
            del self._connections[thread]

    def handle_request(self, *args: Any) -> Any:
        """Serve one request; the one that was the last ends the worker at once."""
        self._connections[getcurrent()].is_new = False
        try:
            return super().handle_request(*args)
        finally:
            if not self.alive:
                self._wake()

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the wait for the next request of a connection."""
        connection = self._connections[getcurrent()]
        connection.is_idle = True
        try:
            with Timeout(self.cfg.keepalive or None, False):
                yield
        finally:
            connection.is_idle = False

    def is_already_handled(self, respiter: Any) -> bool:
        """Tell whether the application has taken the connection over.

        Raises:
            StopIteration: it has; that is how gunicorn is told to leave the connection.
        """
        if WSGI_LOCAL.take():
            raise StopIteration
        return bool(super().is_already_handled(respiter))

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End after the requests in flight."""
        super().handle_exit(sig, frame)
        self._wake()

    def handle_abort(self, sig: int, frame: Any) -> None:
        """End at once, for the master has seen no sign of life, and show where it stood.

        An exception would not do: it would have to reach the main green thread.
        """
        self.alive = False
        self.cfg.worker_abort(self)
        self.log.critical("It was here:\n%s", "".join(traceback.format_stack(frame)).rstrip())
        os._exit(1)

    def _wake(self) -> None:
        if not self._told.ready():
            self._told.send()


class _Connection:
    """What a worker that ends has to know of a connection.

    Attributes:
        is_new: it has not sent a request yet.
        is_idle: it waits for one.
    """

    __slots__ = ("is_idle", "is_new", "sock")

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.is_new = True
        self.is_idle = False
