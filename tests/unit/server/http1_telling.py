"""An application that tells what it was asked, and what is wrong with what it told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.unit.server.http1_oracle import Opinion, judge
from tests.unit.server.site import Reply, parse_replies

__all__ = ["REFUSALS", "fault", "tell"]

REFUSALS = {400, 414, 431, 501, 505}


def tell(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with what was asked."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    words = [
        environ["REQUEST_METHOD"],
        environ["RAW_PATH_INFO"],
        environ.get("QUERY_STRING"),
        environ.get("HTTP_HOST"),
    ]
    return [repr(words).encode("ascii", "backslashreplace"), b"\n", body]


def told(opinion: Opinion) -> list[bytes]:
    """What `tell` has to say of the requests that are to be served."""
    answers = []
    for served in opinion.served:
        words = [
            None if word is None else word.decode("latin-1")
            for word in (served.method, served.path, served.query, served.host)
        ]
        body = repr(words).encode("ascii", "backslashreplace") + b"\n" + served.body
        answers.append(b"" if served.method in (b"HEAD", b"CONNECT") else body)
    return answers


def fault(data: bytes, raw: bytes) -> str | None:
    """Say what is wrong with the answers to some bytes; None if nothing is."""
    opinion = judge(data)
    # For the standard library's client an answer to CONNECT may have a body; ours has none.
    methods = [served.method.decode().replace("CONNECT", "HEAD") for served in opinion.served]
    try:
        replies: list[Reply] = parse_replies(raw, methods)
    except Exception as exc:
        return f"answers that are none: {exc!r}"
    answers = [reply.body for reply in replies if reply.status == 200]
    if answers != told(opinion):
        return f"served {answers}, not {told(opinion)}"
    refusals = [reply.status for reply in replies if reply.status != 200]
    if not set(refusals) <= REFUSALS or (refusals and replies[-1].status == 200):
        return f"refusals {refusals}"
    allowed = {"over": [0], "refused": [1], "unfinished": [0, 1]}[opinion.end]
    return None if len(refusals) in allowed else f"{opinion.end}, but refused with {refusals}"
