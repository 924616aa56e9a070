"""pymongo over TLS: its connection code, its monitors and pool, with a scripted server."""

from __future__ import annotations

import time
from typing import Any

import pymongo
import pymongo.errors

from tests.libraries.crew import Failure, together


def work(site: Any) -> str:
    where = site["mongo"]
    client: Any = pymongo.MongoClient(
        "localhost", where["port"], tls=True, tlsCAFile=where["ca"], maxPoolSize=20,
        serverSelectionTimeoutMS=10_000,
    )  # fmt: skip
    things = client.shop.things

    def put(number: int) -> bool:
        return bool(things.insert_one({"number": number, "text": "x" * 1000}).acknowledged)

    def get(number: int) -> list[int]:
        return [each["number"] for each in things.find({"number": number})]

    assert all(together(20, put))
    assert [found[-1] for found in together(20, get)] == list(range(20))
    assert client.admin.command("ping") == {"ok": 1.0}
    with Failure(pymongo.errors.OperationFailure) as failure:
        client.admin.command("dance")
    assert failure.error.code == 59
    client.close()
    began = time.monotonic()
    nobody: Any = pymongo.MongoClient("localhost", 1, serverSelectionTimeoutMS=300)
    with Failure(pymongo.errors.ServerSelectionTimeoutError):
        nobody.admin.command("ping")
    assert time.monotonic() - began < 5
    nobody.close()
    return "20 slow inserts and finds over TLS (scripted server), an error, no server to select"
