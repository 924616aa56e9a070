"""gRPC over TLS: its core waits in C in threads of its own, so calls are made in OS threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc

from tests.libraries.crew import Failure, together


def work(site: Any) -> str:
    where = site["grpc"]
    try:
        from eventlet.patcher import already_patched
        from eventlet.tpool import execute
    except ImportError:
        already_patched = {}
    credentials = grpc.ssl_channel_credentials(Path(where["ca"]).read_bytes())
    channel = grpc.secure_channel(f"localhost:{where['port']}", credentials)
    double = channel.unary_unary("/Test/Double")

    def call(number: int) -> int:
        request = b"%d" % number
        if already_patched:
            return int(execute(double, request, timeout=20))
        return int(double(request, timeout=20))

    expected = [int(f"{number}{number}") for number in range(20)]
    assert together(20, call) == expected
    with Failure(grpc.RpcError) as failure:
        if already_patched:
            execute(double, b"1", timeout=0.05)
        else:
            double(b"1", timeout=0.05)
    assert failure.error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    channel.close()
    return "20 slow calls in parallel over TLS, a deadline; through tpool"
