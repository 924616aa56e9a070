"""mysqlclient (`MySQLdb`) with MariaDB over TLS: its calls wait in C, in OS threads."""

from __future__ import annotations

from typing import Any

import MySQLdb

from tests.libraries.crew import DELAY, Failure, together


def connect(site: Any) -> Any:
    where = site["mariadb"]
    return MySQLdb.connect(
        host=where["host"], port=where["port"], user=where["user"], ssl={"ca": where["ca"]},
        autocommit=True,
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
        cursor.execute("create database if not exists c")
        cursor.execute("create or replace table c.numbers (n int) engine=innodb")
        cursor.executemany("insert into c.numbers values (%s)", [(n,) for n in range(100)])
        cursor.execute("select n from c.numbers order by n")
        assert [row[0] for row in cursor] == list(range(100))
    with Failure(MySQLdb.Error) as failure, connect(site) as conn, conn.cursor() as cursor:
        cursor.execute("select * from nowhere.at_all")
    assert failure.error.args[0] == 1146
    return "20 slow queries in parallel over TLS, 100 rows, an error; in OS threads"
