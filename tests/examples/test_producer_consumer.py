from __future__ import annotations

import pytest

from tests.conftest import RunIsolated
from tests.examples.programs import EXAMPLES
from tests.examples.web import Answer, serve_web

pytestmark = pytest.mark.slow
PROGRAM = EXAMPLES / "producer_consumer.py"


def test_every_link_of_every_index_is_fetched_once(run_isolated: RunIsolated) -> None:
    pages = [f"/page/{number}" for number in range(20)]
    site = {page: Answer(b"some text", delay=0.02) for page in pages}
    site["/first"] = Answer("\n".join(pages[:12]).encode())
    site["/second"] = Answer("\r\n".join(pages[12:]).encode())
    with serve_web(site, together=2) as web:
        finished = run_isolated(
            PROGRAM,
            "--consumers=4",
            "--queue-size=3",
            f"{web.url}/first",
            f"{web.url}/second",
        )

        assert sorted(web.asked) == sorted(site)
        # The second index may be on its way while four pages are.
        assert 2 <= web.most_in_hand <= 5
    assert finished.stdout.splitlines()[-1] == (
        "20 pages fetched, 0 failed, never more than 3 links queued"
    )


def test_failures_do_not_stop_the_consumers(run_isolated: RunIsolated) -> None:
    site = {"/index": Answer(b"/gone\n/there\nnonsense://here\n"), "/there": Answer(b"text")}
    with serve_web(site) as web:
        finished = run_isolated(
            PROGRAM,
            "--consumers=1",
            f"{web.url}/index",
            f"{web.url}/no-index",
            expect_status=1,
        )

    assert finished.stdout.splitlines()[-1].startswith("1 pages fetched, 3 failed")
