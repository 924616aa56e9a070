"""The request cases, damaged at random: an answer or a refusal, never a failure of ours."""

from __future__ import annotations

import base64
import http.client
import re
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventlet import wsgi

from tests.unit.server.scripted_socket import ScriptedSocket
from tests.unit.server.site import Lines
from tests.unit.server.test_request_cases import CASES, REFUSALS

REQUESTS = [base64.b64decode(case["b64"]) for case in CASES]
PIECES = [
    b"",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"\0",
    b"0",
    b"5\r\n",
    b"\xff",
    b"GET / HTTP/1.1\r\n",
]
MUTATION = st.tuples(
    st.floats(0, 1),  # where, as a part of the whole
    st.integers(0, 4),  # bytes to take away there
    st.sampled_from(PIECES) | st.binary(max_size=3),
)


class App:
    """Answers with the length of the body, and knows how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.calls += 1
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"%d" % len(body)]


@given(
    st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=2).map(b"".join),
    st.lists(MUTATION, max_size=3),
    st.sampled_from([65536, 1000, 7, 1]),
)
def test_damaged_requests_are_answered_or_refused(
    data: bytes, mutations: list[tuple[float, int, bytes]], size: int
) -> None:
    for where, taken, put in mutations:
        start = int(where * len(data))
        data = data[:start] + put + data[start + taken :]
    sock = ScriptedSocket(data[i : i + size] for i in range(0, len(data), size))
    app, log = App(), Lines()

    server = wsgi.Server(None, None, app, log)
    server.process_request([("127.0.0.1", 40000), sock, wsgi.STATE_IDLE])

    statuses = [int(code) for code in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", b"".join(sock.sent))]
    assert set(statuses) <= {http.client.OK, http.client.CONTINUE} | REFUSALS
    # Refused is the last word, and nobody is answered twice.
    assert all(status < 400 for status in statuses[:-1])
    assert app.calls <= len(statuses)
    assert "Traceback" not in log.text
