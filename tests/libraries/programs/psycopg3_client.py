"""psycopg 3, in C, with PostgreSQL over TLS: queries, its pool, a pipeline, COPY, notifications."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import psycopg.errors
import psycopg_pool

from tests.libraries.crew import DELAY, Failure, together


def work(site: Any) -> str:
    address = site["postgres"]
    assert psycopg.pq.__impl__ in ("c", "binary"), psycopg.pq.__impl__
    with psycopg_pool.ConnectionPool(kwargs=address, min_size=1, max_size=20, timeout=20) as pool:

        def ask(number: int) -> int:
            with pool.connection() as conn:
                row = conn.execute("select pg_sleep(%s), %s * 2", (DELAY, number)).fetchone()
                assert row is not None
                return int(row[1])

        assert together(20, ask) == [number * 2 for number in range(20)]
    with psycopg.connect(**address) as conn:
        row = conn.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
        assert row == (True,)
        row = conn.execute("select repeat('x', 5000000)").fetchone()
        assert row is not None
        assert len(row[0]) == 5_000_000
        conn.execute("create temporary table numbers (n int)")
        with conn.cursor() as cursor, cursor.copy("copy numbers from stdin") as copy:
            for number in range(10_000):
                copy.write_row((number,))
        assert conn.execute("select sum(n) from numbers").fetchone() == (49995000,)
        with conn.pipeline():
            cursors = [conn.execute("select %s::int", (number,)) for number in range(50)]
        assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(50)]
        conn.commit()

        def cancel() -> None:
            time.sleep(0.1)
            conn.cancel()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with Failure(psycopg.errors.QueryCanceled):
            conn.execute("select pg_sleep(20)")
        conn.rollback()
        canceller.join()
    hear(address)
    return "20 slow queries in parallel over TLS, 5 MB, COPY, a pipeline, cancelling, notifications"


def hear(address: Any) -> None:
    with (
        psycopg.connect(**address, autocommit=True) as listener,
        psycopg.connect(**address, autocommit=True) as speaker,
    ):
        listener.execute("listen news")

        def speak() -> None:
            time.sleep(0.1)
            speaker.execute("notify news, 'hello'")

        speaking = threading.Thread(target=speak)
        speaking.start()
        heard = [note.payload for note in listener.notifies(timeout=10, stop_after=1)]
        speaking.join()
        assert heard == ["hello"]
