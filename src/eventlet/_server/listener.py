"""Accept connections, hand each to a green thread, and stop in good order.

On every way out (the server's green thread is killed or interrupted, `is_accepting` was turned
off, the listening socket broke) the same happens: every connection is told to close, those that
wait for a request are shut down now, those that serve one finish it, and the listening socket
is closed last. Nobody who has asked may go without an answer, so a connection with bytes to read
counts as one that serves, and one that has just come is given a moment to send its request.
"""

from __future__ import annotations

import errno
import socket as stdlib_socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from eventlet._core.scope import shielded
from eventlet._server.access_log import ServerLog
from eventlet._server.connection import STATE_CLOSE, STATE_IDLE, STATE_LAST
from eventlet._server.environ import is_tls
from eventlet._unpatched import base_socket, monotonic
from eventlet.greenio import shutdown_safe
from eventlet.greenthread import sleep

peek = base_socket.recv  # below TLS, too

__all__ = ["ConnectionPool", "accept_connections"]

BACK_OFF_SECONDS = 0.1
YOUNG_SECONDS = 1.0  # a client that connects sends its request within this time
LOOK_SECONDS = 0.01
TLS_BACK_OFF_SECONDS = 0.001

# The listening socket is of no more use; not an error to anybody.
_ENDED = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN})
# One connection failed before it was accepted; the next may be well.
_ONE_FAILED = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EINTR})
# The process or the machine has run out of something; give it time to come back.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ConnectionPool(Protocol):
    """What runs the connections; a `GreenPool` does."""

    def spawn(self, function: Callable[..., Any], /, *args: Any) -> Any: ...

    def waitall(self) -> Any: ...


def accept_connections(
    sock: Any,
    process: Callable[[list[Any]], None],
    pool: ConnectionPool,
    *,
    is_accepting: Callable[[], bool],
    socket_timeout: float | None,
    journal: ServerLog,
) -> None:
    """Accept until told to stop, then wait for what is being served.

    Args:
        sock: the listening socket; closed at the end.
        process: serves one connection `[address, socket, state]` and closes it.
        pool: runs `process`; where it is full, accepting waits.
        is_accepting: asked after each accepted connection whether to go on.
        socket_timeout: seconds one operation of a client may take, None for ever.
        journal: hears of accepted connections and of what goes wrong.
    """
    connections: dict[int, tuple[list[Any], float]] = {}

    def serve(connection: list[Any]) -> None:
        try:
            process(connection)
        finally:
            del connections[id(connection)]

    try:
        while is_accepting():
            accepted = _accept(sock, journal)
            if accepted is None:
                break
            client, address = accepted
            # Keyed by the object: clients of a unix socket all have the same address.
            connection = [address, client, STATE_IDLE]
            connections[id(connection)] = connection, monotonic()
            try:
                client.settimeout(socket_timeout)
                journal.detail(f"accepted {address!r}")
                pool.spawn(serve, connection)
            except BaseException:
                del connections[id(connection)]
                client.close()
                raise
    except (KeyboardInterrupt, SystemExit):
        journal.note("wsgi exiting")
    finally:
        try:
            _stop(connections, journal)
            with shielded():
                pool.waitall()
            for (_, client, _), _ in connections.values():
                client.close()  # killed before its green thread had begun
        finally:
            journal.note(f"wsgi exited, is_accepting={is_accepting()}")
            sock.close()


def _accept(sock: Any, journal: ServerLog) -> tuple[Any, Any] | None:
    """Wait for one connection; None when the listening socket has ended."""
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
                journal.note(f"cannot accept: {exc}; trying again in {BACK_OFF_SECONDS} s")
                sleep(BACK_OFF_SECONDS)
            elif exc.errno not in _ONE_FAILED:
                raise
        else:
            return client, address


def _is_alive(sock: Any) -> bool:
    """Tell whether an error of accepting was that of a client who left before TLS began."""
    return is_tls(sock) and bool(
        sock.getsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_ACCEPTCONN)
    )


def _stop(connections: dict[int, tuple[list[Any], float]], journal: ServerLog) -> None:
    """Tell all connections to close; a young one may still bring its first request."""
    since = monotonic() - YOUNG_SECONDS
    for connection, arrived in connections.values():
        state = connection[2]
        if state == STATE_IDLE and arrived > since:
            connection[2] = STATE_LAST
        else:
            connection[2] = STATE_CLOSE
            if state == STATE_IDLE and not _has_more(connection[1]):
                _shut_down(connection, journal)
    give_up = monotonic() + YOUNG_SECONDS
    try:
        with shielded():
            while _young(connections) and monotonic() < give_up:
                sleep(LOOK_SECONDS)
    finally:
        for connection in _young(connections):
            connection[2] = STATE_CLOSE
            _shut_down(connection, journal)


def _young(connections: dict[int, tuple[list[Any], float]]) -> list[list[Any]]:
    return [connection for connection, _ in connections.values() if connection[2] == STATE_LAST]


def _shut_down(connection: list[Any], journal: ServerLog) -> None:
    try:
        shutdown_safe(connection[1])
    except OSError as exc:
        journal.detail(f"cannot shut down {connection[0]!r}: {exc}")


def _has_more(sock: Any) -> bool:
    """Tell whether a client has sent what has not been read."""
    try:
        return bool(peek(sock, 1, stdlib_socket.MSG_PEEK | stdlib_socket.MSG_DONTWAIT))
    except OSError:
        return False
