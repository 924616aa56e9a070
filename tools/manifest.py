"""Show where the manifest of public names and the package disagree, and write down progress.

python -m tools.manifest           what disagrees, and which public names are missing
python -m tools.manifest --flip    mark due names that are there, as promised, as built
python -m tools.manifest --flip eventlet.queue eventlet.event    of these modules only
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from tests.compat import manifest
from tests.test_architecture import SOURCE
from tests.test_public_api import public_names


def main(argv: list[str] | None = None) -> int:
    """Report, or flip; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tools.manifest", description=__doc__.splitlines()[0])
    parser.add_argument("--flip", nargs="*", metavar="MODULE", help="mark what has landed as built")
    options = parser.parse_args(argv)

    text = manifest.NAMES.read_text(encoding="utf-8")
    findings = manifest.find_out()
    landed = {}
    wrong = []
    for entry in manifest.read_entries(text):
        finding = findings[entry.line]
        if entry.status == "due" and finding == manifest.MATCHES:
            landed[entry.line] = entry.name
        elif finding != manifest.EXPECTED[entry.status]:
            wrong.append(f"{entry.name} is {entry.status}, but {finding}")

    listed = {entry.bare for entry in manifest.read_entries(text)}
    unlisted = sorted(public_names(SOURCE) - listed)
    _show("landed", landed.values())
    _show("wrong", wrong)
    _show("in an __all__, but not in the manifest", unlisted)
    if options.flip is not None:
        chosen = {
            line
            for line, name in landed.items()
            if not options.flip or name.partition(":")[0] in options.flip
        }
        manifest.NAMES.write_text(flip(text, chosen), encoding="utf-8")
        print(f"{len(chosen)} names are built now")
        landed = {line: name for line, name in landed.items() if line not in chosen}
    return 1 if landed or wrong or unlisted else 0


def flip(text: str, lines: set[int]) -> str:
    """Mark the given lines (numbers, from 1) as built."""
    flipped = [
        line.replace("due  ", "built", 1) if number in lines else line
        for number, line in enumerate(text.splitlines(), 1)
    ]
    return "\n".join(flipped) + "\n"


def _show(title: str, names: Iterable[str]) -> None:
    listed = list(names)
    if listed:
        print(f"{title}:", *listed, sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
