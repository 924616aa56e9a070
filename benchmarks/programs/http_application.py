"""The application that every WSGI server serves: it costs next to nothing itself."""

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.programs import http_content as content

__all__ = ["application"]

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], object]
Answer = tuple[bytes, Headers]


def _answer(body: bytes, kind: str) -> Answer:
    return body, [("Content-Type", kind), ("Content-Length", str(len(body)))]


ANSWERS = {
    content.HELLO_PATH: _answer(content.HELLO, content.TEXT_TYPE),
    content.JSON_PATH: _answer(content.JSON, content.JSON_TYPE),
    content.DOWNLOAD_PATH: _answer(content.DOWNLOAD, content.OCTETS_TYPE),
}


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the content of the path; a POST is read and answered with its length."""
    if environ["REQUEST_METHOD"] == "POST":
        data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        body, headers = _answer(b'{"received": %d}' % len(data), content.JSON_TYPE)
    else:
        body, headers = ANSWERS[environ["PATH_INFO"]]
    start_response("200 OK", headers[:])
    return [body]
