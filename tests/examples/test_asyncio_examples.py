from __future__ import annotations

import http.client
import json
import threading

import pytest

from tests.conftest import RunIsolated
from tests.examples.programs import EXAMPLES, Running, example
from tests.examples.web import Answer, serve_web

pytestmark = pytest.mark.slow


def ask(server: Running, path: str) -> tuple[int, bytes]:
    host, port = server.announced.rpartition("/")[2].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_fastapi_calls_green_code_for_many_at_once(loop: str) -> None:
    answers: dict[int, tuple[int, bytes]] = {}

    def ask_for(number: int) -> None:
        answers[number] = ask(server, f"/report/{number}")

    with example("asyncio_fastapi", "--loop", loop) as server:
        clients = [threading.Thread(target=ask_for, args=(n,)) for n in range(10)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

        assert ask(server, "/report/none")[0] == 422
        assert server.stop() == 0
        assert server.stderr == ""
    assert {n: (status, json.loads(body)) for n, (status, body) in answers.items()} == {
        n: (200, {"report": n, "sum": n * (n + 1) // 2}) for n in range(10)
    }


def test_aiohttp_fetches_pages_at_once(run_isolated: RunIsolated) -> None:
    pages = {"/": Answer(b"front"), "/next": Answer(b"next page")}
    with serve_web(pages, together=2) as web:
        base = f"http://127.0.0.1:{web.port}"
        finished = run_isolated(
            EXAMPLES / "asyncio_aiohttp.py", f"{base}/", f"{base}/next", "http://127.0.0.1:1/"
        )

        assert web.most_in_hand == 2
    first, second, third, summary = finished.stdout.splitlines()
    assert first == f"{base}/  200  5 bytes"
    assert second == f"{base}/next  200  9 bytes"
    assert third.startswith("http://127.0.0.1:1/  failed: Client")
    assert summary.startswith("3 pages in ")
    assert finished.stderr == ""


def test_aiohttp_gives_up_on_a_slow_page(run_isolated: RunIsolated) -> None:
    with serve_web({"/": Answer(b"", delay=60)}) as web:
        finished = run_isolated(
            EXAMPLES / "asyncio_aiohttp.py", "--timeout=0.2", f"http://127.0.0.1:{web.port}/"
        )

    assert "failed: TimeoutError" in finished.stdout
