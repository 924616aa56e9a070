"""Every example explains itself, as a file and as a module."""

from __future__ import annotations

import pytest

from tests.conftest import RunIsolated
from tests.examples.programs import EXAMPLES

PROGRAMS = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "__init__")


def test_all_examples_are_there() -> None:
    assert set(PROGRAMS) >= {
        "asyncio_aiohttp",
        "asyncio_fastapi",
        "backdoor",
        "chat_server",
        "connect",
        "echoserver",
        "feedscraper",
        "feedscraper_client",
        "forwarder",
        "prefork",
        "producer_consumer",
        "recursive_crawler",
        "webcrawler",
        "websocket",
        "websocket_chat",
        "wsgi",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_printed(name: str, run_isolated: RunIsolated) -> None:
    finished = run_isolated(EXAMPLES / f"{name}.py", "--help")

    assert finished.stdout.startswith("usage: ")
    assert "--help" in finished.stdout
    assert finished.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_unknown_option_is_refused(name: str, run_isolated: RunIsolated) -> None:
    finished = run_isolated(EXAMPLES / f"{name}.py", "--no-such-option", expect_status=2)

    assert "usage: " in finished.stderr


@pytest.mark.slow
def test_demo_explains_itself(run_isolated: RunIsolated) -> None:
    finished = run_isolated(
        "import runpy, sys\n"
        "sys.argv[1:] = ['--help']\n"
        "runpy.run_module('examples.demo', run_name='__main__')"
    )

    assert "--quick" in finished.stdout
