"""A gRPC server over TLS, in a process of its own: calls that take their time, in bare bytes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from tests.libraries.crew import DELAY


def double(request: bytes, context: Any) -> bytes:
    time.sleep(DELAY)
    return request * 2


def count(request: bytes, context: Any) -> Iterator[bytes]:
    for number in range(int(request)):
        yield b"%d" % number


def main() -> None:
    pem = Path(sys.argv[1]).read_bytes()
    server = grpc.server(ThreadPoolExecutor(32))
    handlers = {
        "Double": grpc.unary_unary_rpc_method_handler(double),
        "Count": grpc.unary_stream_rpc_method_handler(count),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Test", handlers),))
    credentials = grpc.ssl_server_credentials([(pem, pem)])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
