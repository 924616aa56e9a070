"""Accept connections, hand each to a green thread, and stop in good order.

Theory of operation
-------------------
An `Acceptor` is *accepting*, then *finishing*. On every way out of accepting (`stop` was called,
the server's green thread is killed or interrupted, `is_accepting` was turned off, the listening
socket broke) the same happens: every connection is told to close, those that serve a request
finish it, those that are idle are shut down now, and the listening socket is closed: last, as
programs know it, but at once after `stop`, so that who comes later is refused and need not wait.

Nobody who has asked may go without an answer; after `stop`, nobody who is about to. A client is about
to ask that has come, was answered, or has begun to send a request within the last second
(`YOUNG_SECONDS`), and has asked if it has sent what nobody has read yet. Those may have one more
request, answered with `Connection: close`, and have a second for it (`LAST_SECONDS`). Programs that
kill the server know idle connections to be closed at once, and count on it. Whoever is answered after the end of
accepting by a response that had begun before it, and so has promised to keep the connection, is
given that second too (see `connection`). And those that the kernel has connected, but nobody has
accepted, are accepted after `stop`, as far as the pool has room.

Only `stop` names a grace. Once it is over, be it before that second, the green threads of the
connections that are left are killed; who does not end of that either is left behind. `stop` may be
called from anywhere, also from a signal handler in the midst of anything, so all it does is to
leave word: what follows is done by the hub, in whose own greenlet nothing else can run.
"""

from __future__ import annotations

import errno
import socket as stdlib_socket
import ssl
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

from greenlet import GreenletExit, getcurrent

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.scope import shielded
from eventlet._core.thread import throw_into, throw_soon
from eventlet._core.timers import Timer
from eventlet._server.accepting import EXHAUSTED, ONE_FAILED, has_more
from eventlet._server.access_log import ServerLog
from eventlet._server.activity import LAST_SECONDS, Activity
from eventlet._server.connection import STATE_CLOSE, STATE_IDLE, STATE_LAST
from eventlet._server.environ import is_tls
from eventlet._server.takeover import say_stop
from eventlet._unpatched import monotonic
from eventlet.greenio import shutdown_safe
from eventlet.greenthread import sleep

__all__ = ["Acceptor", "ConnectionPool"]

TURN_CONNECTIONS = 4  # accepted before all others have a turn: each costs like several requests
BACK_OFF_SECONDS = 0.1
YOUNG_SECONDS = 1.0  # a client that is at work sends a request within this time
GOODBYE_SECONDS = 0.5  # for an idle one that says goodbye to its client, when there is no grace
KILLED_SECONDS = 2.0  # for what a killed request has to clean up
TLS_BACK_OFF_SECONDS = 0.001

# The listening socket is of no more use; not an error to anybody.
_ENDED = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN})

_NEW, _ACCEPTING, _FINISHING, _OVER = range(4)


class ConnectionPool(Protocol):
    """What runs the connections; a `GreenPool` does."""

    def spawn(self, function: Callable[..., Any], /, *args: Any) -> Any: ...

    def waitall(self) -> Any: ...


class _Told(BaseException):
    """Raised in the green thread that accepts, or waits for the end, by `stop`."""


class _Open(Activity):
    """A connection that was accepted and has not ended.

    Attributes:
        state: the list `[address, socket, state]`.
        thread: the green thread that serves it, None before it runs.
        on_stop: what ends it in good order, where the application has taken it over.
        is_held: it has no place in the pool yet.
        is_extended: it was given more time for what it had sent just before that was over.
    """

    __slots__ = ("is_extended", "is_held", "on_stop", "state", "thread")

    def __init__(self, state: list[Any]) -> None:
        super().__init__()
        self.state = state
        self.is_held = self.is_extended = False
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
        self._held: deque[_Open] = deque()  # accepted, but there is no place in the pool yet
        self._phase = _NEW
        self._is_told = False
        self._is_short = False  # of descriptors or memory, and said so
        self._kill_at: float | None = None
        self._killer: Timer | None = None
        self._is_killing = False
        self._patience: Timer | None = None
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
            self._phase = _FINISHING
            self._journal.milestone("wsgi exiting")
        finally:
            self._phase = _FINISHING
            try:
                self._finish()
            finally:
                self._phase = _OVER
                if self._killer is not None:
                    self._killer.cancel()
                try:
                    self._journal.milestone(f"wsgi exited, is_accepting={self._is_accepting()}")
                finally:  # the log may wait, and in a cancelled scope it must not
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

    def find_activity(self, state: list[Any]) -> Activity:
        """Give what is noted of a connection's client; of one that is not ours, a new note."""
        return self._connections.get(id(state)) or Activity()

    # --- accepting -----------------------------------------------------------------------

    def _accept_next(self) -> bool:
        """Accept one connection and have it served; False when the listening socket has ended."""
        accepted = self._accept()
        if accepted is None:
            return False
        opened = self._take(*accepted)
        try:
            self._welcome(opened)
            self._pool.spawn(self._serve, opened)
        except _Told:
            self._hold(opened)
            raise
        except BaseException:
            self._drop(opened)
            raise
        return True

    def _take(self, client: Any, address: Any) -> _Open:
        # Keyed by the object: clients of a unix socket all have the same address.
        opened = _Open([address, client, STATE_IDLE])
        self._connections[id(opened.state)] = opened
        return opened

    def _welcome(self, opened: _Open) -> None:
        address, client, _ = opened.state
        client.settimeout(self._socket_timeout)
        if self._is_short:
            self._is_short = False
            self._journal.note("accepting again")
        self._journal.detail(f"accepted {address!r}")

    def _hold(self, opened: _Open) -> None:
        opened.is_held = True
        opened.state[2] = STATE_LAST
        self._held.append(opened)

    def _drop(self, opened: _Open) -> None:
        self._connections.pop(id(opened.state), None)
        opened.state[1].close()

    def _serve(self, opened: _Open) -> None:
        opened.thread = getcurrent()
        if self._is_killing:
            self._drop(opened)
            return
        try:
            self._process(opened.state)
        finally:
            self._connections.pop(id(opened.state), None)

    def _accept(self) -> tuple[Any, Any] | None:
        """Wait for one connection; None when the listening socket has ended."""
        sock, journal = self._sock, self._journal
        while True:
            try:
                accepted: tuple[Any, Any] = sock.accept()
            except TimeoutError:
                continue  # a time-out on the listening socket is not ours to judge
            except OSError as exc:
                if isinstance(exc, ssl.SSLError) or (exc.errno in _ENDED and _is_alive(sock)):
                    journal.detail(f"TLS failed while accepting: {exc}")
                    sleep(TLS_BACK_OFF_SECONDS)
                    continue
                if exc.errno in _ENDED:
                    return None
                if isinstance(exc, BlockingIOError) and sock.gettimeout() == 0.0:
                    sock.settimeout(None)  # whose mode is not for us
                elif exc.errno in EXHAUSTED:
                    self._say_short(exc)
                    sleep(BACK_OFF_SECONDS)
                elif exc.errno not in ONE_FAILED:
                    raise
            else:
                return accepted

    def _say_short(self, exc: OSError) -> None:
        """Say once, not at each attempt, that nothing can be accepted."""
        if not self._is_short:
            self._is_short = True
            self._journal.note(f"cannot accept: {exc}; trying every {BACK_OFF_SECONDS} s")

    # --- finishing ----------------------------------------------------------------------------

    def _tell(self) -> None:
        """Act on `stop`, in the hub's greenlet."""
        if self._phase == _ACCEPTING:
            self._interrupt(_ACCEPTING)
        elif self._phase == _FINISHING:
            self._set_killer()

    def _interrupt(self, phase: int) -> None:
        """Raise `_Told` in `run`, unless it comes to the end of a phase by itself."""
        if self._phase == phase and not throw_into(self._thread, _Told()) and self._hub is not None:
            self._hub.call_soon(self._interrupt, phase)

    def _finish(self) -> None:
        """Tell all connections to close, and wait until they have."""
        try:
            self._set_killer()
            self._tell_all()
            if self._is_told:
                self._take_backlog()
                self._sock.close()
            self._be_patient(LAST_SECONDS)
            with shielded():
                while self._held:
                    opened = self._held[0]
                    self._pool.spawn(self._serve, opened)
                    self._held.popleft().is_held = False
                    opened.last = monotonic()
                    self._be_patient(LAST_SECONDS)
                self._pool.waitall()
        except _Told:
            self._journal.note(f"{len(self._connections)} connections do not end, though killed")
        finally:
            if self._patience is not None:
                self._patience.cancel()
            for opened in list(self._connections.values()):
                if opened.thread is None:  # killed before it had begun
                    opened.state[1].close()
                elif opened.state[2] == STATE_LAST:
                    self._shut_down(opened.state)

    def _take_backlog(self) -> None:
        """Accept whom the kernel has connected already, as far as the pool has room for them.

        Those beyond it may find room with somebody else who listens here too.
        """
        count_room = getattr(self._pool, "free", None)
        room = count_room() - len(self._held) if callable(count_room) else 0
        if room > 0:
            self._sock.settimeout(0.0)
        while room > 0:
            try:
                accepted = self._sock.accept()
            except OSError as exc:
                if isinstance(exc, ssl.SSLError) or exc.errno in ONE_FAILED:
                    continue
                break  # nobody is left, or they cannot be had
            room -= 1
            opened = self._take(*accepted)
            self._hold(opened)
            self._welcome(opened)

    def _tell_all(self) -> None:
        """Shut down who is idle; who is at work or has sent something may have one request."""
        since = monotonic() - YOUNG_SECONDS if self._is_told else inf
        for opened in list(self._connections.values()):
            state = opened.state
            if opened.is_held:
                continue
            if opened.on_stop is not None:
                if state[2] == STATE_IDLE and opened.is_disclaimed() and not self._is_told:
                    get_hub().call_later(GOODBYE_SECONDS, self._hang_up, opened)
                self._say_stop(opened)
            elif state[2] != STATE_IDLE:
                state[2] = STATE_CLOSE
            elif opened.last > since or opened.thread is None or has_more(state[1]):
                state[2] = STATE_LAST
            else:
                self._shut_down(state)

    def _say_stop(self, opened: _Open) -> None:
        callback, opened.on_stop = opened.on_stop, None
        if callback is not None:
            opened.state[2] = STATE_CLOSE
            say_stop(callback, self._journal)

    def _hang_up(self, opened: _Open) -> None:
        """Shut down who was told of the end and is still there."""
        if id(opened.state) in self._connections:
            self._shut_down(opened.state)

    def _be_patient(self, seconds: float) -> None:
        """Give those who may have one more request a moment to send it."""
        if self._patience is None:
            self._patience = get_hub().call_later(seconds, self._shut_down_last_ones)

    def _shut_down_last_ones(self) -> None:
        """Shut down who was given a moment for one more request and has not begun to send it."""
        self._patience = None
        now = monotonic()
        soonest = LAST_SECONDS
        is_waiting = False
        for opened in list(self._connections.values()):
            if opened.state[2] != STATE_LAST or opened.is_held:
                continue
            if not opened.is_extended and has_more(opened.state[1]):
                opened.is_extended = True
                opened.last = now
            left = opened.last + LAST_SECONDS - now
            if left > 0:
                is_waiting = True
                soonest = min(soonest, left)
            else:
                self._shut_down(opened.state)
        if is_waiting:
            self._be_patient(soonest)

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
        self._is_killing = True
        killed = 0
        for opened in list(self._connections.values()):
            killed += opened.state[2] != STATE_LAST
            opened.state[2] = STATE_CLOSE
            if opened.thread is not None:
                throw_soon(opened.thread, GreenletExit())
        if killed:
            what = "1 connection" if killed == 1 else f"{killed} connections"
            self._journal.note(f"grace is over: killed {what}")
        self._killer = self._hub.call_later(KILLED_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._interrupt(_FINISHING)


def _is_alive(sock: Any) -> bool:
    """Tell whether an error of accepting was that of a client who left before TLS began."""
    return is_tls(sock) and bool(
        sock.getsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_ACCEPTCONN)
    )
