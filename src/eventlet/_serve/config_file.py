"""Read options from a TOML file: `workers = 4`, `tls-cert = "..."`, `bind = ["...", "..."]`."""

from __future__ import annotations

import difflib
import tomllib
from typing import Any

from eventlet._serve.refusal import Misuse, Refusal, reason
from eventlet._serve.settings import Option, options

__all__ = ["read_config"]


def read_config(path: str) -> dict[str, Any]:
    """Return what the file sets, by the names of the fields of `Settings`.

    Raises:
        Refusal: it cannot be read, or holds what is no option.
    """
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as exc:
        raise Refusal(
            f"cannot read {path!r}: {reason(exc)}", "name the configuration file with --config"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise Misuse(f"{path!r} is not TOML: {exc}", "correct it") from None
    table = {option.name: option for option in options()}
    for name in document:
        if name not in table:
            near = difflib.get_close_matches(name, table, n=1, cutoff=0.5)
            way_out = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(table)}"
            raise Misuse(f"{path!r} sets {name!r}, which is no option", way_out)
    return {
        name.replace("-", "_"): _read(table[name], value, path) for name, value in document.items()
    }


def _read(option: Option, value: Any, path: str) -> Any:
    try:
        if not option.is_many:
            return option.read(value)
        return tuple(option.read(each) for each in (value if isinstance(value, list) else [value]))
    except ValueError as exc:
        raise Misuse(f"{option.name} in {path!r}: {exc}", "see --help for what it takes") from None
