from __future__ import annotations

import socket

import pytest

from tests.conftest import RunIsolated
from tests.examples.programs import EXAMPLES
from tests.examples.web import Answer, serve_web

pytestmark = pytest.mark.slow
PROGRAM = EXAMPLES / "connect.py"


def test_servers_answer_in_the_order_they_were_named(run_isolated: RunIsolated) -> None:
    with serve_web({"/": Answer(b"")}, together=2) as web:
        servers = [f"localhost:{web.port}", "localhost:1", f"127.0.0.1:{web.port}"]
        finished = run_isolated(PROGRAM, *servers)

        assert web.most_in_hand == 2
    first, second, third, summary = finished.stdout.splitlines()
    assert first == f"localhost:{web.port}  HTTP/1.0 200 OK"
    assert second.startswith("localhost:1  failed: ConnectionRefusedError")
    assert third == f"127.0.0.1:{web.port}  HTTP/1.0 200 OK"
    assert summary.startswith("3 servers in ")


def test_silent_server_is_cut_off(run_isolated: RunIsolated) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        finished = run_isolated(PROGRAM, "--timeout=0.3", server)

    assert f"{server}  failed: Timeout" in finished.stdout
