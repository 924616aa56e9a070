"""A small web server of the standard library, on OS threads: an independent peer for examples."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What one path answers."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    delay: float = 0.0


PATIENCE = 30.0  # seconds until those that should ask together do


@dataclass
class Web:
    """The server as tests see it: answers by path, and what was asked for.

    Nobody is answered before `together` were in hand at once, and delays end with the server.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    together: int = 1
    url: str = ""
    port: int = 0
    in_hand: int = 0
    most_in_hand: int = 0
    asked: list[str] = field(default_factory=list)
    lock: threading.Condition = field(default_factory=threading.Condition)
    is_over: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str) -> Answer:
        with self.lock:
            self.asked.append(path)
            self.in_hand += 1
            self.most_in_hand = max(self.most_in_hand, self.in_hand)
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.most_in_hand >= self.together, PATIENCE)
        answer = self.answers.get(path, Answer(b"no such page", status=404))
        self.is_over.wait(answer.delay)
        with self.lock:
            self.in_hand -= 1
        return answer


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = False  # so that closing waits for every connection

    def __init__(self, web: Web, tls: ssl.SSLContext | None) -> None:
        self.web = web
        self.tls = tls
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: one slow handshake must not hold up the others.
        if self.tls is not None:
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except OSError:
                return  # the client did not like our certificate
        with request:
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up early is its own business


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.web.answer(self.path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_web(
    answers: dict[str, Answer], tls: ssl.SSLContext | None = None, together: int = 1
) -> Iterator[Web]:
    """Serve the answers until the block ends; the first `together` at the same time."""
    web = Web(answers, together)
    with _Server(web, tls) as server:
        web.port = server.server_address[1]
        web.url = f"{'https' if tls else 'http'}://localhost:{web.port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield web
        finally:
            web.is_over.set()
            server.shutdown()
            thread.join()
