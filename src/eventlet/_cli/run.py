"""Run a program with everything patched from its first line."""

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Literal

from eventlet._cli.switches import VALUED, add_switches, chosen_switches
from eventlet._patching.program import Program, run_program
from eventlet.patcher import monkey_patch

__all__ = ["add_arguments", "main", "split"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options, and what to run in the forms that `python` knows."""
    parser.usage = (
        f"{parser.prog} [option ...] (script | folder | zip file | - | -m module | -c code) "
        "[argument ...]"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("path", nargs="?", help="the script, folder or zip file; - is standard input")
    what.add_argument("-m", dest="module", help="a module, found on the path")
    what.add_argument("-c", dest="code", help="code")
    add_switches(parser)


def split(argv: Sequence[str]) -> int:
    """Tell how many arguments are ours: up to the name of the program. The rest is its own."""
    position = 0
    while position < len(argv):
        argument = argv[position]
        if argument in {"-m", "-c"}:
            return position + 2
        if argument == "-" or not argument.startswith("-"):
            return position + 1
        position += 2 if argument in VALUED else 1
    return len(argv)


def main(args: argparse.Namespace) -> int:
    """Run the program in this process.

    Raises:
        BaseException: what the program raised; the interpreter prints it.
    """
    kind: Literal["path", "module", "code"]
    for kind in ("path", "module", "code"):
        target = getattr(args, kind)
        if target is not None:
            program = Program(kind, target, args.arguments)
            run_program(program, partial(monkey_patch, **chosen_switches(args)))
    return 0
