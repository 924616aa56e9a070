"""Options that say what to patch, for commands that do."""

import argparse
from typing import Final

from eventlet._patching.table import ON_REQUEST, SWITCHES

__all__ = ["VALUED", "add_switches", "chosen_switches"]

VALUED: Final = frozenset({"--only", "--also"})
"""The options here that take a value."""


def add_switches(parser: argparse.ArgumentParser) -> None:
    """Declare the options; without any of them all is patched that `monkey_patch()` does."""
    group = parser.add_argument_group("what to patch")
    group.add_argument("--only", type=_names, metavar="NAME,...", help="patch these, no others")
    group.add_argument(
        "--also",
        type=_names,
        default=[],
        metavar="NAME,...",
        help=f"patch these too, which are off unless named: {', '.join(sorted(ON_REQUEST))}",
    )
    for name in SWITCHES:
        if name not in ON_REQUEST:
            group.add_argument(f"--no-{name}", action="store_true", help=f"leave {name} alone")
    group.add_argument(
        "--remove-unpatchable",
        action="store_true",
        help="delete what Eventlet 0.41 could not patch, such as select.poll",
    )


def chosen_switches(args: argparse.Namespace) -> dict[str, bool]:
    """Return the keywords for `monkey_patch` that the options stand for."""
    chosen = {"all": args.only is None}
    chosen.update(dict.fromkeys([*(args.only or ()), *args.also], True))
    for name in SWITCHES:
        if getattr(args, f"no_{name}", False):
            chosen[name] = False
    chosen["remove_unpatchable"] = args.remove_unpatchable
    return chosen


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SWITCHES:
            known = ", ".join(SWITCHES)
            raise argparse.ArgumentTypeError(f"there is no switch {name!r}; there are {known}")
    return names
