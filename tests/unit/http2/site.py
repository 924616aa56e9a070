"""A server that speaks HTTP/2, and applications for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from eventlet.event import Event
from eventlet.greenthread import sleep

from tests.unit.http2.peer import Peer
from tests.unit.server.site import Site

__all__ = ["Gate", "echo", "hello", "peer_of", "site"]


def site(app: Any, **options: Any) -> Site:
    """Serve HTTP/2 too."""
    return Site(app, http2=True, **options)


@contextmanager
def peer_of(app: Any, settings: dict[int, int] | None = None, **options: Any) -> Iterator[Peer]:
    """Serve, and open one connection."""
    with site(app, **options) as served, Peer(served.connect(), settings or {}) as peer:
        peer.site = served  # type: ignore[attr-defined]  # for the log
        yield peer


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Length", str(environ.get("CONTENT_LENGTH")))])
    return [body]


class Gate:
    """An application that answers when it is told to, and remembers what it met."""

    def __init__(self) -> None:
        self.began = 0
        self.ended = 0
        self.opens = Event()
        self.errors: list[BaseException] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.began += 1
        try:
            self.opens.wait()
            return hello(environ, start_response)
        except BaseException as exc:
            self.errors.append(exc)
            raise
        finally:
            self.ended += 1

    def open(self) -> None:
        self.opens.send()

    def wait_for(self, count: int) -> None:
        while self.began < count:
            sleep(0.001)
