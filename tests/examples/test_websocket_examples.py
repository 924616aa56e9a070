from __future__ import annotations

import http.client
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eventlet import websocket
from eventlet.greenthread import sleep
from eventlet.timeout import Timeout

from tests.conftest import RunIsolated
from tests.examples.programs import EXAMPLES, Running, example

pytestmark = pytest.mark.slow
PATIENCE = 60.0


def url_of(server: Running, path: str) -> str:
    host, port = server.address
    return f"ws://{host}:{port}{path}"


def enter(server: Running, name: str, **options: Any) -> websocket.RFC6455WebSocket:
    ws = websocket.connect(url_of(server, "/chat"), **options)
    ws.send(name)
    return ws


def hear(ws: websocket.RFC6455WebSocket, line: str) -> None:
    with Timeout(PATIENCE):
        while (heard := ws.wait()) != line:
            assert heard is not None


def test_the_echo_and_its_client(run_isolated: RunIsolated) -> None:
    with example("websocket") as server:
        arguments = ["--ask", url_of(server, "/echo"), "hello", "gr\u00fc\u00df"]
        done = run_isolated(EXAMPLES / "websocket.py", *arguments)
        assert done.stdout == "hello\ngr\u00fc\u00df\n"
        assert server.stop() == 0


def test_a_client_says_what_is_wrong(run_isolated: RunIsolated) -> None:
    with example("websocket") as server:
        arguments = ["--ask", url_of(server, "/nowhere"), "hello"]
        done = run_isolated(EXAMPLES / "websocket.py", *arguments, expect_status=1)
        assert "the server answered 404 Not Found" in done.stderr


def test_ticks_until_the_client_has_had_enough() -> None:
    with example("websocket") as server:
        with websocket.connect(url_of(server, "/ticks")) as ws:
            assert [ws.wait() for _ in range(3)] == ["0", "1", "2"]
            ws.send("stop")
            assert all(str(message).isdigit() for message in ws)
        assert server.stop() == 0
        assert "Traceback" not in server.stderr


def test_ticks_end_with_the_server() -> None:
    with example("websocket") as server:
        with websocket.connect(url_of(server, "/ticks")) as ws:
            assert ws.wait() == "0"
            end_with(server, ws)
        assert "Traceback" not in server.stderr


def test_a_room_ends_with_the_server() -> None:
    with example("websocket_chat") as server:
        with enter(server, "Ann") as ann, enter(server, "Bob") as bob:
            hear(ann, "Bob has come (2 here)")
            end_with(server, ann, bob)
        assert "Traceback" not in server.stderr


def end_with(server: Running, *websockets: websocket.RFC6455WebSocket) -> None:
    """Stop the server; see that it says goodbye."""
    server.process.send_signal(signal.SIGINT)
    with Timeout(PATIENCE):
        for ws in websockets:
            list(ws)
    assert [ws.close_code for ws in websockets] == [1001] * len(websockets)
    assert server.process.wait(PATIENCE) == 0


def test_a_room() -> None:
    with example("websocket_chat") as server:
        connection = http.client.HTTPConnection(*server.address, timeout=60)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert (response.status, response.read()) == (
            200,
            (EXAMPLES / "websocket_chat.html").read_bytes(),
        )
        connection.close()
        with enter(server, "Ann") as ann, enter(server, "Bob") as bob:
            hear(ann, "Bob has come (2 here)")
            bob.send("hello")
            hear(ann, "Bob: hello")
            hear(bob, "Bob: hello")
            bob.close()
            hear(ann, "Bob has gone")
        assert server.stop() == 0
        assert "Traceback" not in server.stderr


def test_what_a_room_refuses() -> None:
    with example("websocket_chat") as server:
        with pytest.raises(websocket.HandshakeFailed, match="403"):
            websocket.connect(url_of(server, "/chat"), headers={"Origin": "http://elsewhere"})
        with enter(server, " ") as nobody:
            assert (nobody.wait(), nobody.close_code) == (None, 4000)
        with enter(server, "Loud") as loud:
            loud.send("x" * 1001)
            hear(loud, "Loud has come (1 here)")
            assert (loud.wait(), loud.close_code) == (None, 1009)


def test_a_guest_who_does_not_read_is_shown_out_and_holds_up_nobody() -> None:
    with example("websocket_chat") as server:
        # What is not compressed fills the buffers of the kernel sooner.
        with enter(server, "Ann") as ann, enter(server, "Lazy", compression=False) as lazy:
            hear(ann, "Lazy has come (2 here)")
            line = "x" * 900
            with Timeout(180):
                for _ in range(20_000):
                    ann.send(line)
                    heard = ann.wait()
                    if heard == "Lazy has gone":
                        break
                    assert heard == f"Ann: {line}"
            lazy.abandon()
        assert server.stop() == 0


# -- the page, in a browser ----------------------------------------------------------------------------


class Browser:
    """A page in a browser, driven over its DevTools protocol: a WebSocket too."""

    def __init__(self, ws: websocket.RFC6455WebSocket) -> None:
        self.ws = ws
        self.number = 0

    def call(self, method: str, **parameters: Any) -> Any:
        self.number += 1
        self.ws.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = self.ws.wait()
            assert message is not None, "the browser has gone"
            answer = json.loads(message)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, expression: str) -> Any:
        result = self.call("Runtime.evaluate", expression=expression)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        with Timeout(PATIENCE):
            while not self.evaluate(expression):
                sleep(0.05)

    def say(self, text: str) -> None:
        self.evaluate(
            f"document.getElementById('text').value = {json.dumps(text)};"
            "document.getElementById('form').requestSubmit();"
        )


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Browser]:
    command = [
        *(program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = int(read_when_there(profile / "DevToolsActivePort").split()[0])
        with websocket.connect(page_of(port), compression=False) as ws:
            yield Browser(ws)
    finally:
        process.terminate()
        process.wait()


def read_when_there(path: Path) -> str:
    def read() -> str:
        return path.read_text() if path.exists() else ""

    return until(read)


def page_of(port: int) -> str:
    def look() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/json")
        pages = json.loads(connection.getresponse().read())
        connection.close()
        found = [page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"]
        return found[0] if found else ""

    return until(look)


def until(look: Callable[[], str]) -> str:
    give_up = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < give_up, "the browser did not start in time"
        time.sleep(0.05)
    return found


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Debian's chromium is not installed")
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    program = shutil.which("chromium")
    assert program is not None
    with (
        example("websocket_chat") as server,
        enter(server, "Ann") as ann,
        browser(program, tmp_path) as page,
    ):
        host, port = server.address
        page.call("Page.navigate", url=f"http://{host}:{port}/")
        page.wait_for("document.getElementById('state')?.textContent === 'connected'")
        page.say("Browser")
        hear(ann, "Browser has come (2 here)")
        page.say("<b>hello</b>")
        hear(ann, "Browser: <b>hello</b>")
        ann.send("hello yourself")
        page.wait_for(
            "[...document.querySelectorAll('#said li')].some("
            "li => li.textContent === 'Ann: hello yourself')"
        )
        assert page.evaluate("document.querySelectorAll('#said b').length") == 0
