"""Accept connections, hand each to a green thread, and stop in good order.

Theory of operation
-------------------
An `Acceptor` is *accepting*, then *finishing*. On every way out of accepting (`stop` was called,
the server's green thread is killed or interrupted, `is_accepting` was turned off, the listening
socket broke) the same happens: every connection is told to close, those that wait for a request
are shut down now, those that serve one finish it, and the listening socket is closed: last, as
programs know it, but at once after `stop`, so that who comes later is refused and need not wait.
Nobody who has asked may go without an answer, so a connection with bytes to read counts as one
that serves, for a moment, and one that has just come is given that moment to send its request.

Only `stop` names a grace. Once it is over, the green threads of the connections that are left
are killed; who does not end of that either is left behind. `stop` may be called from anywhere,
also from a signal handler in the midst of anything, so all it does is to leave word: what
follows is done by the hub, in whose own greenlet nothing else can run.
"""

from __future__ import annotations

import errno
import socket as stdlib_socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from greenlet import GreenletExit, getcurrent

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.scope import shielded
from eventlet._core.thread import throw_soon
from eventlet._core.timers import Timer
from eventlet._server.access_log import ServerLog
from eventlet._server.connection import STATE_CLOSE, STATE_IDLE, STATE_LAST
from eventlet._server.environ import is_tls
from eventlet._unpatched import base_socket, monotonic
from eventlet.greenio import shutdown_safe
from eventlet.greenthread import sleep, spawn_n
from eventlet.timeout import Timeout

peek = base_socket.recv  # below TLS, too

__all__ = ["Acceptor", "ConnectionPool"]

TURN_CONNECTIONS = 4  # accepted before all others have a turn: each costs like several requests
BACK_OFF_SECONDS = 0.1
YOUNG_SECONDS = 1.0  # a client that connects sends its request within this time
LAST_SECONDS = 1.0  # for one more request, when all is to end
KILLED_SECONDS = 2.0  # for what a killed request has to clean up
TLS_BACK_OFF_SECONDS = 0.001

# The listening socket is of no more use; not an error to anybody.
_ENDED = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN})
# One connection failed before it was accepted; the next may be well.
_ONE_FAILED = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EINTR})
# The process or the machine has run out of something; give it time to come back.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_NEW, _ACCEPTING, _FINISHING, _OVER = range(4)


class ConnectionPool(Protocol):
    """What runs the connections; a `GreenPool` does."""

    def spawn(self, function: Callable[..., Any], /, *args: Any) -> Any: ...

    def waitall(self) -> Any: ...


class _Told(BaseException):
    """Raised in the green thread that accepts, or waits for the end, by `stop`."""


class _Open:
    """A connection that was accepted and has not ended.

    Attributes:
        state: the list `[address, socket, state]`.
        arrived: moment on the monotonic clock.
        thread: the green thread that serves it, None before it runs.
        on_stop: what ends it in good order, where the application has taken it over.
    """

    __slots__ = ("arrived", "on_stop", "state", "thread")

    def __init__(self, state: list[Any]) -> None:
        self.state = state
        self.arrived = monotonic()
        self.thread: Any = None
        self.on_stop: Callable[[], object] | None = None


class Acceptor:
    """Accept until told to stop, then wait for what is being served.

    Args:
        sock: the listening socket; closed at the end.
        process: serves one connection `[address, socket, state]` and closes it.
        pool: runs `process`; where it is full, accepting waits.
        is_accepting: asked after each accepted connection whether to go on.
        socket_timeout: seconds one operation of a client may take, None for ever.
        journal: hears of accepted connections and of what goes wrong.
    """

    def __init__(
        self,
        sock: Any,
        process: Callable[[list[Any]], None],
        pool: ConnectionPool,
        *,
        is_accepting: Callable[[], bool],
        socket_timeout: float | None,
        journal: ServerLog,
    ) -> None:
        self._sock = sock
        self._process = process
        self._pool = pool
        self._is_accepting = is_accepting
        self._socket_timeout = socket_timeout
        self._journal = journal
        self._connections: dict[int, _Open] = {}
        self._held: _Open | None = None  # accepted, while the pool was full
        self._phase = _NEW
        self._is_told = False
        self._is_short = False  # of descriptors or memory, and said so
        self._kill_at: float | None = None
        self._killer: Timer | None = None
        self._patience: list[Timer] = []
        self._hub: Hub | None = None
        self._thread: Any = None

    def run(self) -> None:
        """Accept and finish; once only.

        Raises:
            OSError: the listening socket failed.
        """
        self._hub = get_hub()
        self._thread = getcurrent()
        self._phase = _ACCEPTING
        try:
            taken = 0
            while not self._is_told and self._is_accepting() and self._accept_next():
                taken += 1
                if taken % TURN_CONNECTIONS == 0:
                    sleep(0)
        except _Told:
            pass
        except (KeyboardInterrupt, SystemExit):
            self._journal.milestone("wsgi exiting")
        finally:
            self._phase = _FINISHING
            if self._is_told:
                self._sock.close()
            try:
                self._finish()
            finally:
                self._phase = _OVER
                if self._killer is not None:
                    self._killer.cancel()
                self._journal.milestone(f"wsgi exited, is_accepting={self._is_accepting()}")
                self._sock.close()

    def stop(self, grace: float | None = None) -> None:
        """Have `run` end; returns at once. Called again, it can only shorten the grace.

        Args:
            grace: seconds until what is still being served is killed; None never.
        """
        if grace is not None:
            kill_at = monotonic() + grace
            if self._kill_at is None or kill_at < self._kill_at:
                self._kill_at = kill_at
        self._is_told = True
        if self._hub is not None:
            self._hub.call_soon(self._tell)

    def call_on_stop(self, state: list[Any], callback: Callable[[], object] | None) -> None:
        """Have `callback` end a connection, in a green thread of its own; None takes it back.

        Args:
            state: the list of a connection that is being served; of any other it does nothing.
            callback: called once, when all is to end, in place of shutting the socket down.
        """
        opened = self._connections.get(id(state))
        if opened is not None:
            opened.on_stop = callback
            if self._phase == _FINISHING:
                self._say_stop(opened)

    # --- accepting -----------------------------------------------------------------------

    def _accept_next(self) -> bool:
        """Accept one connection and have it served; False when the listening socket has ended."""
        accepted = self._accept()
        if accepted is None:
            return False
        client, address = accepted
        # Keyed by the object: clients of a unix socket all have the same address.
        opened = _Open([address, client, STATE_IDLE])
        self._connections[id(opened.state)] = opened
        try:
            client.settimeout(self._socket_timeout)
            self._journal.detail(f"accepted {address!r}")
            self._pool.spawn(self._serve, opened)
        except _Told:
            self._held = opened
            raise
        except BaseException:
            self._connections.pop(id(opened.state), None)
            client.close()
            raise
        return True

    def _serve(self, opened: _Open) -> None:
        opened.thread = getcurrent()
        try:
            self._process(opened.state)
        finally:
            self._connections.pop(id(opened.state), None)

    def _accept(self) -> tuple[Any, Any] | None:
        """Wait for one connection; None when the listening socket has ended."""
        sock, journal = self._sock, self._journal
        while True:
            try:
                client, address = sock.accept()
            except TimeoutError:
                continue  # a time-out on the listening socket is not ours to judge
            except OSError as exc:
                if isinstance(exc, ssl.SSLError) or (exc.errno in _ENDED and _is_alive(sock)):
                    journal.detail(f"TLS failed while accepting: {exc}")
                    sleep(TLS_BACK_OFF_SECONDS)
                    continue
                if exc.errno in _ENDED:
                    return None
                if exc.errno in _EXHAUSTED:
                    self._say_short(exc)
                    sleep(BACK_OFF_SECONDS)
                elif exc.errno not in _ONE_FAILED:
                    raise
            else:
                if self._is_short:
                    self._is_short = False
                    journal.note("accepting again")
                return client, address

    def _say_short(self, exc: OSError) -> None:
        """Say once, not at each attempt, that nothing can be accepted."""
        if not self._is_short:
            self._is_short = True
            self._journal.note(f"cannot accept: {exc}; trying every {BACK_OFF_SECONDS} s")

    # --- finishing ----------------------------------------------------------------------------

    def _tell(self) -> None:
        """Act on `stop`, in the hub's greenlet."""
        if self._phase == _ACCEPTING:
            self._phase = _FINISHING
            throw_soon(self._thread, _Told())
        elif self._phase == _FINISHING:
            self._set_killer()

    def _finish(self) -> None:
        """Tell all connections to close, and wait until they have."""
        try:
            self._set_killer()
            self._tell_all()
            self._be_patient()
            with shielded():
                if self._held is not None:
                    self._held.state[2] = STATE_LAST
                    self._pool.spawn(self._serve, self._held)
                    self._be_patient()
                self._pool.waitall()
        except _Told:
            self._journal.note(f"{len(self._connections)} connections do not end, though killed")
        finally:
            for timer in self._patience:
                timer.cancel()
            self._shut_down_last_ones()
        for opened in list(self._connections.values()):
            if opened.thread is None:  # killed before it had begun
                opened.state[1].close()

    def _tell_all(self) -> None:
        """Shut down who is idle; who is young or has sent something may have one request."""
        since = monotonic() - YOUNG_SECONDS
        for opened in self._connections.values():
            state = opened.state
            if opened is self._held:
                continue
            if opened.on_stop is not None:
                self._say_stop(opened)
            elif state[2] != STATE_IDLE:
                state[2] = STATE_CLOSE
            elif opened.arrived > since or _has_more(state[1]):
                state[2] = STATE_LAST
            else:
                self._shut_down(state)

    def _say_stop(self, opened: _Open) -> None:
        callback, opened.on_stop = opened.on_stop, None
        if callback is not None:
            opened.state[2] = STATE_CLOSE
            spawn_n(self._call, callback)

    def _call(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except (Exception, Timeout):
            self._journal.traceback()

    def _be_patient(self) -> None:
        """Give those who may have one more request a moment to send it."""
        self._patience.append(get_hub().call_later(LAST_SECONDS, self._shut_down_last_ones))

    def _shut_down_last_ones(self) -> None:
        """Shut down who was given a moment for one more request and has sent none."""
        for opened in list(self._connections.values()):
            if opened.state[2] == STATE_LAST and (opened.thread or opened is not self._held):
                self._shut_down(opened.state)

    def _shut_down(self, state: list[Any]) -> None:
        state[2] = STATE_CLOSE
        try:
            shutdown_safe(state[1])
        except OSError as exc:
            self._journal.detail(f"cannot shut down {state[0]!r}: {exc}")

    # --- killing ----------------------------------------------------------------------------------

    def _set_killer(self) -> None:
        """Have the hub kill what is left when the grace is over."""
        if self._kill_at is None or self._hub is None:
            return
        if self._killer is not None:
            self._killer.cancel()
        left = max(self._kill_at - monotonic(), 0.0)
        self._killer = self._hub.call_later(left, self._kill)

    def _kill(self) -> None:
        """Kill the connections, in the hub's greenlet."""
        if self._phase != _FINISHING or self._hub is None:
            return
        killed = 0
        for opened in list(self._connections.values()):
            opened.state[2] = STATE_CLOSE
            if opened.thread is not None:
                killed += 1
                throw_soon(opened.thread, GreenletExit())
        if killed:
            self._journal.note(f"grace is over: killed {killed} connections")
        self._killer = self._hub.call_later(KILLED_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._phase == _FINISHING:
            throw_soon(self._thread, _Told())


def _is_alive(sock: Any) -> bool:
    """Tell whether an error of accepting was that of a client who left before TLS began."""
    return is_tls(sock) and bool(
        sock.getsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_ACCEPTCONN)
    )


def _has_more(sock: Any) -> bool:
    """Tell whether a client has sent what has not been read."""
    with suppress(OSError):
        return bool(peek(sock, 1, stdlib_socket.MSG_PEEK | stdlib_socket.MSG_DONTWAIT))
    return False
