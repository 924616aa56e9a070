r"""Read a file of variables for the environment: `NAME=value`, one a line.

A line may begin with `export`, blank lines and those that begin with `#` say nothing. In single
quotes all stands for itself; in double quotes `\n`, `\t`, `\"`, `\\` and `\$` are known; without
quotes a value ends at ` #` or the end of the line. Nothing is ever replaced by the value of
another variable.
"""

from __future__ import annotations

import re

from eventlet._serve.refusal import Refusal, reason

__all__ = ["read_env_file"]

_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*"""
    r"""(?:'(?P<plain>[^']*)'|"(?P<escaped>(?:[^"\\]|\\.)*)"|(?P<bare>(?:(?!\s\#)[^'"])*?))"""
    r"""\s*(?:(?:^|(?<=\s))\#.*)?"""
)
_ESCAPE = re.compile(r"\\(.)")
_MEANINGS = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def read_env_file(path: str) -> dict[str, str]:
    """Return the variables.

    Raises:
        Refusal: it cannot be read, or a line is something else.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except OSError as exc:
        raise Refusal(
            f"cannot read {path!r}: {reason(exc)}", "name the file of variables with --env-file"
        ) from None
    except UnicodeDecodeError:
        raise Refusal(f"{path!r} is not in UTF-8", "write it in that encoding") from None
    variables: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or "\0" in line:
            raise Refusal(f"line {number} of {path!r} sets no variable", "write NAME=value")
        value = match["plain"] or match["bare"] or ""
        if match["escaped"] is not None:
            value = _ESCAPE.sub(lambda each: _MEANINGS.get(each[1], each[0]), match["escaped"])
        variables[match["name"]] = value
    return variables
