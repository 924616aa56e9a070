"""A parser of command lines whose errors are one line, and end with the way out."""

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, NoReturn

__all__ = ["OneLineParser"]


class OneLineParser(argparse.ArgumentParser):
    """Takes options by their full names; `error` shows no usage."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog, description=description, allow_abbrev=False)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]  # argparse has overloads for what is one function
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown[0])
        return found

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message.removeprefix('argument ')}; see --help\n")

    def _refuse(self, argument: str) -> NoReturn:
        name = argument.partition("=")[0]
        if not name.startswith("-"):
            self.error(f"there is one thing too many, {argument!r}")
        known = [each for each in self._option_string_actions if each.startswith("--")]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        self.error(f"there is no option {name}" + (f"; did you mean {near[0]}?" if near else ""))
