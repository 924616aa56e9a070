"""Accept connections, hand each to a green thread, and stop in good order.

On every way out (the server's green thread is killed or interrupted, `is_accepting` was turned
off, the listening socket broke) the same happens: every connection is told to close, those that
wait for a request are shut down now, those that serve one finish it, and the listening socket
is closed last.
"""

from __future__ import annotations

import errno
import socket as stdlib_socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from eventlet._core.scope import shielded
from eventlet._server.access_log import ServerLog
from eventlet._server.connection import STATE_CLOSE, STATE_IDLE
from eventlet._server.environ import is_tls
from eventlet.greenio import shutdown_safe
from eventlet.greenthread import sleep

__all__ = ["ConnectionPool", "accept_connections"]

BACK_OFF_SECONDS = 0.1
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
    connections: dict[int, list[Any]] = {}

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
            connections[id(connection)] = connection
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
            for _, client, _ in connections.values():
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


def _stop(connections: dict[int, list[Any]], journal: ServerLog) -> None:
    for connection in list(connections.values()):
        state, connection[2] = connection[2], STATE_CLOSE
        if state == STATE_IDLE:
            try:
                shutdown_safe(connection[1])
            except OSError as exc:
                journal.detail(f"cannot shut down {connection[0]!r}: {exc}")
