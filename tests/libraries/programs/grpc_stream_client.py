"""A stream of gRPC, read in an OS thread; its own threads must stay those of the system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc


def work(site: Any) -> str:
    from eventlet.tpool import execute

    where = site["grpc"]
    credentials = grpc.ssl_channel_credentials(Path(where["ca"]).read_bytes())
    channel = grpc.secure_channel(f"localhost:{where['port']}", credentials)
    count = channel.unary_stream("/Test/Count")

    def read() -> list[int]:
        return [int(number) for number in count(b"1000", timeout=20)]

    for _ in range(5):
        assert execute(read) == list(range(1000))
    channel.close()
    return "5 streams of 1,000 messages over TLS; through tpool, patched but for `thread`"
