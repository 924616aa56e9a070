"""psycopg2 with PostgreSQL over TLS: queries, a pool, notifications, cancelling, COPY refused."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.pool

from tests.libraries.crew import DELAY, Failure, together


def work(site: Any) -> str:
    address = site["postgres"]
    pool = psycopg2.pool.ThreadedConnectionPool(0, 20, **address)

    def ask(number: int) -> int:
        conn = pool.getconn()
        try:
            with conn, conn.cursor() as cursor:
                cursor.execute("select pg_sleep(%s), %s * 2", (DELAY, number))
                row = cursor.fetchone()
                assert row is not None
                return int(row[1])
        finally:
            pool.putconn(conn)

    assert together(20, ask) == [number * 2 for number in range(20)]
    conn = pool.getconn()
    with conn.cursor() as cursor:
        cursor.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert cursor.fetchone() == (True,)
        cursor.execute("select repeat('x', 5000000)")
        row = cursor.fetchone()
        assert row is not None
        assert len(row[0]) == 5_000_000
    conn.rollback()

    def cancel() -> None:
        time.sleep(0.1)
        conn.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with Failure(psycopg2.errors.QueryCanceled), conn.cursor() as cursor:
        cursor.execute("select pg_sleep(20)")
    conn.rollback()
    canceller.join()
    pool.putconn(conn)
    pool.closeall()
    return "20 slow queries in parallel over TLS, 5 MB, a query cancelled by another thread"
