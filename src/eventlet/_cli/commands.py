"""The table of the commands, and the way from a command line to one of them.

A command is a module with a docstring, whose first line is its help, and two functions:
`add_arguments(parser)`, and `main(args)`, which returns the exit status. One that hands
arguments on to a program also has `split(argv)`, which returns how many of them are its own, and
one whose parser is special has its class as `Parser`.
"""

import argparse
import importlib
from collections.abc import Sequence
from typing import Any, Final

import eventlet

__all__ = ["COMMANDS", "main"]

PROGRAM: Final = "python -m eventlet"

COMMANDS: Final = {
    "run": "eventlet._cli.run",
    "serve": "eventlet._cli.serve",
    "doctor": "eventlet._cli.doctor",
}
"""Name -> module, in the order of the help."""


def main(argv: Sequence[str]) -> int:
    """Run a command; return the exit status.

    Args:
        argv: the name of the command and its arguments.

    Raises:
        SystemExit: by argparse, for help and wrong usage, or by what the command ran.
    """
    if not argv or argv[0] not in COMMANDS:
        return _explain(argv)
    name, *arguments = argv
    command: Any = importlib.import_module(COMMANDS[name])
    kind: Any = getattr(command, "Parser", argparse.ArgumentParser)
    parser: argparse.ArgumentParser = kind(f"{PROGRAM} {name}", description=_first_line(command))
    command.add_arguments(parser)
    split = getattr(command, "split", None)
    own = len(arguments) if split is None else split(arguments)
    args = parser.parse_args(arguments[:own])
    args.arguments = arguments[own:]
    status: int = command.main(args)
    return status


def _explain(argv: Sequence[str]) -> int:
    """Handle a command line without a command: help, or an error."""
    lines = [
        f"  {name:8} {_first_line(importlib.import_module(COMMANDS[name]))}" for name in COMMANDS
    ]
    parser = argparse.ArgumentParser(
        PROGRAM,
        usage=f"{PROGRAM} COMMAND [option ...]",
        description="commands:\n" + "\n".join(lines),
        epilog=f"{PROGRAM} COMMAND --help tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"eventlet {eventlet.__version__}", help="print it"
    )
    parser.parse_args([each for each in argv[:1] if each in {"-h", "--help", "--version"}])
    if argv:
        parser.error(f"no command {argv[0]!r}; there are {', '.join(COMMANDS)}")
    parser.print_help()
    return 2


def _first_line(command: Any) -> str:
    return str(command.__doc__).partition("\n")[0]
