from __future__ import annotations

import pytest

from tests.conftest import RunIsolated
from tests.examples.programs import EXAMPLES
from tests.examples.web import Answer, serve_web

pytestmark = pytest.mark.slow
PROGRAM = EXAMPLES / "webcrawler.py"


def test_pages_are_fetched_at_the_same_time_and_named_in_order(run_isolated: RunIsolated) -> None:
    answers = {f"/{size}": Answer(b"x" * size, delay=0.01) for size in (3, 1, 2)}
    with serve_web(answers, together=3) as web:
        finished = run_isolated(PROGRAM, *(web.url + path for path in answers))

        assert web.most_in_hand == 3
    assert finished.stdout.splitlines() == [
        "got body 3",
        "got body 1",
        "got body 2",
        "3 pages, 6 bytes, 0 failed",
    ]
    assert finished.stderr == ""


def test_failures_are_named_and_the_rest_goes_on(run_isolated: RunIsolated) -> None:
    with serve_web({"/good": Answer(b"good")}) as web:
        finished = run_isolated(
            PROGRAM,
            f"{web.url}/missing",
            "http://localhost:1/refused",
            "nonsense",
            f"{web.url}/good",
            expect_status=1,
        )

    assert finished.stdout.splitlines()[-2:] == ["got body 4", "4 pages, 4 bytes, 3 failed"]
    failures = sorted(line.partition(": ")[::2] for line in finished.stderr.splitlines())
    reasons = [reason for _, reason in failures]
    assert "HTTPError: HTTP Error 404" in "\n".join(reasons)
    assert "URLError: " in "\n".join(reasons)
    assert "ValueError: " in "\n".join(reasons)
    assert len(failures) == 3


def test_a_page_that_does_not_come_is_given_up(run_isolated: RunIsolated) -> None:
    with serve_web({"/slow": Answer(b"slow", delay=60)}) as web:
        finished = run_isolated(PROGRAM, "--timeout=0.3", f"{web.url}/slow", expect_status=1)

    assert finished.stdout.splitlines()[-1] == "1 pages, 0 bytes, 1 failed"
    assert "Timeout: " in finished.stderr


def test_concurrency_is_kept(run_isolated: RunIsolated) -> None:
    answers = {f"/{number}": Answer(b"page", delay=0.1) for number in range(8)}
    with serve_web(answers, together=2) as web:
        run_isolated(PROGRAM, "--concurrency=2", *(web.url + path for path in answers))

        assert web.most_in_hand == 2
