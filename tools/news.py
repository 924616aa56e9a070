"""Assemble the change log from news fragments.

python -m tools.news                    what the next release will say
python -m tools.news --release 1.1.0    move it into CHANGELOG.md
"""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("added", "changed", "deprecated", "removed", "fixed", "faster", "security")
MARK = "<!-- releases -->\n"
_FILE_NAME = re.compile(r"(?P<issue>\d+)\.(?P<kind>[a-z]+)(\.\d+)?\.md")


class Fragment(NamedTuple):
    """One piece of news."""

    kind: str
    issue: int
    text: str


def read_fragments(directory: Path) -> list[Fragment]:
    """Read the fragments in a directory, by kind and issue.

    Raises:
        ValueError: a file has another name than `<issue>.<kind>.md`, or says nothing.
    """
    fragments = []
    for path in sorted(directory.iterdir()):
        if path.name == "README.md":
            continue
        match = _FILE_NAME.fullmatch(path.name)
        if match is None or match["kind"] not in KINDS:
            raise ValueError(f"{path.name} is not <issue>.<kind>.md with a kind of {KINDS}")
        text = " ".join(path.read_text(encoding="utf-8").split())
        if not text:
            raise ValueError(f"{path.name} says nothing")
        fragments.append(Fragment(match["kind"], int(match["issue"]), text))
    return sorted(fragments, key=lambda each: (KINDS.index(each.kind), each.issue))


def render(title: str, fragments: Iterable[Fragment]) -> str:
    """Write one release as Markdown."""
    fragments = list(fragments)
    parts = [f"## {title}\n"]
    for kind in KINDS:
        items = [f"- {each.text} (#{each.issue})\n" for each in fragments if each.kind == kind]
        if items:
            parts.append(f"### {kind.capitalize()}\n\n" + "".join(items))
    return "\n".join(parts)


def release(root: Path, version: str, day: datetime.date) -> None:
    """Move the fragments below `root` into its change log.

    Raises:
        ValueError: there are no fragments, or the change log has lost its mark.
    """
    fragments = read_fragments(root / "news")
    log = root / "CHANGELOG.md"
    before, mark, after = log.read_text(encoding="utf-8").partition(MARK)
    if not fragments or not mark:
        raise ValueError("no fragments to release" if mark else f"{log} lacks {MARK!r}")
    entry = render(f"{version} ({day.isoformat()})", fragments)
    log.write_text(f"{before}{mark}\n{entry}{after}", encoding="utf-8")
    for path in (root / "news").iterdir():
        if path.name != "README.md":
            path.unlink()


def main(argv: list[str] | None = None) -> int:
    """Show the draft or make the release; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tools.news", description=__doc__.splitlines()[0])
    parser.add_argument("--release", metavar="VERSION", help="move the news into CHANGELOG.md")
    options = parser.parse_args(argv)
    if options.release:
        release(ROOT, options.release, datetime.datetime.now(datetime.UTC).date())
    else:
        print(render("next release", read_fragments(ROOT / "news")), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
