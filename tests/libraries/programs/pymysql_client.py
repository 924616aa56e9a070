"""PyMySQL with MariaDB over TLS: queries, a transaction, a large result, a time limit."""

from __future__ import annotations

from typing import Any

import pymysql

from tests.libraries.crew import DELAY, Failure, together


def connect(site: Any, **more: Any) -> Any:
    where = site["mariadb"]
    return pymysql.connect(
        host=where["host"], port=where["port"], user=where["user"], ssl_ca=where["ca"],
        ssl_verify_cert=True, autocommit=True, **more,
    )  # fmt: skip


def work(site: Any) -> str:
    def ask(number: int) -> int:
        with connect(site) as conn, conn.cursor() as cursor:
            cursor.execute("select sleep(%s), %s * 2", (DELAY, number))
            return int(cursor.fetchone()[1])

    assert together(20, ask) == [number * 2 for number in range(20)]
    with connect(site) as conn, conn.cursor() as cursor:
        cursor.execute("show status like 'Ssl_cipher'")
        assert cursor.fetchone()[1]
        cursor.execute("select repeat('x', 5000000)")
        assert len(cursor.fetchone()[0]) == 5_000_000
        cursor.execute("create database if not exists py")
        cursor.execute("create or replace table py.numbers (n int) engine=innodb")
        conn.begin()
        cursor.executemany("insert into py.numbers values (%s)", [(n,) for n in range(100)])
        conn.rollback()
        cursor.execute("select count(*) from py.numbers")
        assert cursor.fetchone() == (0,)
    with (
        Failure(pymysql.err.OperationalError) as failure,
        connect(site, read_timeout=1) as conn,
        conn.cursor() as cursor,
    ):
        cursor.execute("select sleep(5)")
    assert failure.error.args[0] in (2006, 2013)
    return "20 slow queries in parallel over TLS, 5 MB, a rollback, a time-out"
