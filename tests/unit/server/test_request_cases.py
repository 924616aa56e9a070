"""The 112 request cases over a real socket: the verdict of each, and nothing smuggled."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from eventlet import wsgi

from tests.unit.server.site import Reply, Site, parse_replies, read_to_end

CASES = json.loads(
    (Path(__file__).parents[2] / "cases" / "http1_requests.json").read_text(encoding="utf-8")
)["cases"]
REFUSALS = {400, 414, 431, 501, 505}


def reading_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def idle_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"never looked at the body"]


def post(site: Site, data: bytes, piece: int) -> list[Reply]:
    """Send a request in pieces, end our side, and read all that comes back."""
    with site.connect() as sock:
        try:
            for start in range(0, len(data), piece):
                sock.sendall(data[start : start + piece])
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before the end: the answer is there to be read
        raw = read_to_end(sock)
    return parse_replies(raw, ["HEAD"] if data.startswith(b"CONNECT") else [])


@pytest.mark.parametrize("piece", [65536, 1], ids=["at-once", "byte-by-byte"])
@pytest.mark.parametrize("case", CASES, ids=[f"{c['corpus'][9:]}-{c['name']}" for c in CASES])
def test_request_case(case: dict[str, Any], piece: int) -> None:
    with Site(reading_app) as site:
        replies = post(site, base64.b64decode(case["b64"]), piece)

    statuses = [reply.status for reply in replies]
    assert judge(case, statuses), (statuses, case["note"], case.get("why"))
    assert "Traceback" not in site.log.text


NEEDS_A_READER = {("gunicorn-invalid", "rfc9112_chunked_missing_final_crlf_01")}


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if (c["corpus"], c["name"]) not in NEEDS_A_READER],
    ids=lambda c: f"{c['corpus'][9:]}-{c['name']}",
)
def test_the_verdict_is_the_same_when_nobody_reads_the_body(case: dict[str, Any]) -> None:
    with Site(idle_app) as site:
        replies = post(site, base64.b64decode(case["b64"]), 65536)

    assert judge(case, [reply.status for reply in replies])


@pytest.mark.parametrize("case", [c for c in CASES if "ours" in c], ids=lambda c: c["name"])
def test_with_narrower_limits_the_verdicts_are_the_given_ones(case: dict[str, Any]) -> None:
    limits = wsgi.Limits(request_line_bytes=4096, header_line_bytes=4096)
    with Site(reading_app, limits=limits) as site:
        (reply,) = post(site, base64.b64decode(case["b64"]), 65536)

    assert case["expect"] == "reject"
    assert reply.status in REFUSALS


def judge(case: dict[str, Any], statuses: list[int]) -> bool:
    """Compare with the verdict; ours, where a limit of ours is wider."""
    accepted = statuses == [200] * max(case["ok_responses"], 1)
    refused = len(statuses) == 1 and statuses[0] in REFUSALS
    return {
        "accept": accepted,
        "reject": refused,
        "any": accepted or refused,
        "incomplete": statuses == [],
    }[case.get("ours", case["expect"])]


@pytest.mark.parametrize(
    "expect, statuses, verdict",
    [
        ("accept", [200], True),
        ("accept", [200, 200], False),
        ("accept", [], False),
        ("reject", [400], True),
        ("reject", [200], False),
        ("reject", [400, 200], False),
        ("reject", [500], False),
        ("incomplete", [], True),
        ("incomplete", [200], False),
        ("any", [500], False),
    ],
)
def test_the_judge_can_say_no(expect: str, statuses: list[int], verdict: bool) -> None:
    assert judge({"expect": expect, "ok_responses": 1}, statuses) is verdict
