"""Let psycopg2 park only the green thread that makes a query.

psycopg2 calls back whenever it would wait for its server; the callback parks instead. It is
one for the whole process. A query that is interrupted there, by a kill or a `Timeout`, leaves
the connection in the middle of an answer: psycopg2 closes it. A connection is for one green
thread at a time; closing it while another one's query runs waits in psycopg2, for ever.
"""

from typing import Any

from eventlet._unpatched import monotonic
from eventlet.hubs import trampoline
from eventlet.timeout import Timeout

__all__ = ["eventlet_wait_callback", "make_psycopg_green"]


def make_psycopg_green() -> None:
    """Have psycopg2 call `eventlet_wait_callback` for every connection of this process.

    Raises:
        ImportError: psycopg2 is missing, or too old to call back.
    """
    from psycopg2 import extensions

    if not hasattr(extensions, "set_wait_callback"):
        raise ImportError(
            "this psycopg2 has no set_wait_callback(); 2.2 is the first version with it"
        )
    extensions.set_wait_callback(eventlet_wait_callback)


def eventlet_wait_callback(conn: Any, timeout: float = -1) -> None:
    """Park until a connection has done what it was asked for.

    Args:
        conn: a psycopg2 connection.
        timeout: seconds for the whole; negative: for ever.

    Raises:
        Timeout: the time was up first.
        psycopg2.OperationalError: the connection is in no state that could be waited for.
    """
    from psycopg2 import OperationalError, extensions

    deadline = None if timeout < 0 else monotonic() + timeout
    reading, writing = extensions.POLL_READ, extensions.POLL_WRITE
    while (state := conn.poll()) != extensions.POLL_OK:
        if state not in (reading, writing):
            raise OperationalError(f"psycopg2 waits for nothing we know: poll() returned {state!r}")
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            raise Timeout  # also when the server never pauses
        # The number may be another one by now: connecting tries several addresses.
        trampoline(conn.fileno(), read=state == reading, write=state == writing, timeout=left)
