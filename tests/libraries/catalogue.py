"""Which program needs what: only data."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PROGRAMS", "Program"]


class Program(NamedTuple):
    """A program of `programs/`.

    Attributes:
        distribution: whose version the results name.
        servers: names of `servers.SERVERS`.
        switches: for `monkey_patch`.
        path: a folder below the environment that comes first in `sys.path`.
    """

    distribution: str
    servers: tuple[str, ...]
    switches: dict[str, bool] = {}
    path: str = ""


PROGRAMS: dict[str, Program] = {
    "requests_client": Program("requests", ("https",)),
    "urllib3_client": Program("urllib3", ("https",)),
    "urllib3_1_client": Program("urllib3", ("https",), path="urllib3-1"),
    "httpx_client": Program("httpx", ("https",)),
    "aiohttp_client": Program("aiohttp", ("https",)),
    "botocore_client": Program("botocore", ("https",)),
    "redis_client": Program("redis", ("redis",)),
    "pymysql_client": Program("PyMySQL", ("mariadb",)),
    "mysqldb_client": Program("mysqlclient", ("mariadb",), {"all": True, "MySQLdb": True}),
    "psycopg2_client": Program("psycopg2-binary", ("postgres",)),
    "psycopg3_client": Program("psycopg", ("postgres",)),
    "sqlalchemy_client": Program("SQLAlchemy", ("postgres",)),
    "pymongo_client": Program("pymongo", ("mongo",)),
    "pika_client": Program("pika", ("rabbitmq",)),
    "dns_client": Program("dnspython", ("dns",)),
    "paramiko_client": Program("paramiko", ("ssh",)),
    "grpc_client": Program("grpcio", ("grpc",)),
    "grpc_stream_client": Program("grpcio", ("grpc",), {"all": True, "thread": False}),
}
"""File of `programs/` -> what it needs."""
