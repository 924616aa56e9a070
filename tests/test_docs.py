"""The pages for users: their code is code, their links lead somewhere."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from tests.isolated_runner import ROOT, run_isolated

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"^( *)```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PRINTS = re.compile(r"# prints: (.*)")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def code_blocks(page: Path) -> list[str]:
    return [textwrap.dedent(code) for _, code in CODE.findall(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_compiles(page: Path) -> None:
    for block in code_blocks(page):
        compile(block, page.name, "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if "://" not in link]

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "docs/patterns.md"])
@pytest.mark.parametrize(
    "lines",
    [
        [
            "from eventlet.green.urllib.request import urlopen",
            "for body in pool.imap(fetch, urls):",
        ],
        ["    new_sock, address = server.accept()", "    pool.spawn_n(handle, new_sock)"],
        ["    pile = eventlet.GreenPile(pool)", "    titles = '\\n'.join(pile)"],
    ],
    ids=["client", "server", "dispatch"],
)
def test_patterns_stand_there_as_users_know_them(name: str, lines: list[str]) -> None:
    blocks = "\n".join(code_blocks(ROOT / name)).splitlines()
    shown = [line.strip() for line in blocks]

    assert [line for line in lines if line.strip() not in shown] == []


PROGRAMS = [
    pytest.param(block, id=f"{name}-{number}")
    for name in ("cancellation", "debugging", "hubs", "patching", "threads-and-forks", "websocket")
    for number, block in enumerate(code_blocks(ROOT / "docs" / f"{name}.md"))
]


@pytest.mark.parametrize("block", PROGRAMS)
def test_programs_print_what_they_say(block: str) -> None:
    printed = run_isolated(block).stdout

    assert printed.split() == " ".join(PRINTS.findall(block)).split()
