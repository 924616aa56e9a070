from __future__ import annotations

import pytest

from tests.conftest import RunIsolated
from tests.examples.programs import EXAMPLES
from tests.examples.web import Answer, serve_web

pytestmark = pytest.mark.slow
PROGRAM = EXAMPLES / "recursive_crawler.py"


def html(*links: str) -> Answer:
    body = "".join(f'<a href="{link}">a link</a>' for link in links)
    return Answer(f"<!doctype html><p>{body}".encode(), "text/html; charset=utf-8")


def test_every_page_of_the_site_is_read_once(run_isolated: RunIsolated) -> None:
    site = {
        "/": html("/one", "two#part", "/one", "http://elsewhere.invalid/"),
        "/one": html("/", "/three"),
        "/two": html("/three", "mailto:someone@example.com"),
        "/three": html("/"),
    }
    with serve_web(site) as web:
        finished = run_isolated(PROGRAM, f"{web.url}/")

        assert sorted(web.asked) == ["/", "/one", "/three", "/two"]
    assert finished.stdout.splitlines()[-1] == "4 pages read, 0 failed"


def test_depth_ends_the_walk(run_isolated: RunIsolated) -> None:
    site = {f"/{number}": html(f"/{number + 1}") for number in range(10)}
    with serve_web(site) as web:
        finished = run_isolated(PROGRAM, "--depth=3", f"{web.url}/0")

        assert web.asked == ["/0", "/1", "/2", "/3"]
    assert "level 3" in finished.stdout


def test_limit_ends_the_walk(run_isolated: RunIsolated) -> None:
    site = {"/": html(*(f"/{number}" for number in range(50)))}
    site |= {f"/{number}": html() for number in range(50)}
    with serve_web(site) as web:
        run_isolated(PROGRAM, "--limit=7", f"{web.url}/")

        assert len(web.asked) == 7


def test_a_full_pool_does_not_lock_up(run_isolated: RunIsolated) -> None:
    site = {"/": html(*(f"/{number}" for number in range(9)))}
    site |= {f"/{number}": html("/") for number in range(9)}
    with serve_web(site) as web:
        finished = run_isolated(PROGRAM, "--concurrency=1", f"{web.url}/")

        assert web.most_in_hand == 1
    assert finished.stdout.splitlines()[-1] == "10 pages read, 0 failed"


def test_broken_link_is_reported(run_isolated: RunIsolated) -> None:
    with serve_web({"/": html("/gone")}) as web:
        finished = run_isolated(PROGRAM, f"{web.url}/", expect_status=1)

    assert "/gone" in finished.stderr
    assert finished.stdout.splitlines()[-1] == "1 pages read, 1 failed"
