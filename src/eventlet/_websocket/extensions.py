"""Negotiate permessage-deflate.

Names are compared without regard to case; spaces around `=`, quoted values and empty
parameters are tolerated. Whatever is not understood declines the offer, never the connection.

Source: RFC 6455, section 9.1; RFC 7692, section 7.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["DEFLATE", "DeflateParameters", "choose_deflate", "read_deflate_answer"]

DEFLATE = "permessage-deflate"
MAX_BITS = 15
# zlib cannot compress with the smallest window of the protocol.
UNUSABLE_BITS = 8

_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_WINDOWS = ("server_max_window_bits", "client_max_window_bits")
_BITS = {str(bits): bits for bits in range(8, MAX_BITS + 1)}


@dataclass(frozen=True)
class DeflateParameters:
    """What both sides agreed on.

    Attributes:
        server_no_context_takeover: the server starts each message anew.
        client_no_context_takeover: the client does.
        server_max_window_bits: logarithm of the server's window, None when not limited.
        client_max_window_bits: of the client's.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None

    @classmethod
    def from_extensions(cls, extensions: Mapping[str, Any] | None) -> Self | None:
        """Read the mapping that a `RFC6455WebSocket` takes; None without the extension."""
        given = (extensions or {}).get(DEFLATE)
        return None if given is None else cls(**given)

    def to_extensions(self) -> dict[str, dict[str, Any]]:
        """Give that mapping."""
        values: dict[str, Any] = {name: getattr(self, name) for name in _FLAGS}
        for name in _WINDOWS:
            if (bits := getattr(self, name)) is not None:
                values[name] = bits
        return {DEFLATE: values}

    def to_header(self) -> str:
        """Give the value of Sec-WebSocket-Extensions."""
        parts = [DEFLATE, *(name for name in _FLAGS if getattr(self, name))]
        windows = ((name, getattr(self, name)) for name in _WINDOWS)
        parts += [f"{name}={bits}" for name, bits in windows if bits is not None]
        return "; ".join(parts)


def choose_deflate(header: str) -> DeflateParameters | None:
    """Choose the first of a client's offers that the server can do; None when there is none."""
    for name, parameters in _parse(header):
        if name != DEFLATE:
            continue
        chosen = _understand(parameters)
        if chosen is not None and chosen.server_max_window_bits != UNUSABLE_BITS:
            return chosen
    return None


def read_deflate_answer(header: str) -> DeflateParameters | None:
    """Read what a server chose of our offer; None when it declined.

    Raises:
        ValueError: it chose what was not offered.
    """
    answers = list(_parse(header))
    if not answers:
        return None
    chosen = None
    if len(answers) == 1 and answers[0][0] == DEFLATE:
        chosen = _understand(answers[0][1], may_be_bare=False)
    if chosen is None:
        raise ValueError(f"extensions that were not offered: {header!r}")
    return chosen


def _understand(
    parameters: list[tuple[str, str | None]], *, may_be_bare: bool = True
) -> DeflateParameters | None:
    found: dict[str, Any] = {}
    for name, value in parameters:
        if name in found:
            return None
        if name in _FLAGS and value is None:
            found[name] = True
        elif name in _WINDOWS and value is None and may_be_bare:
            found[name] = MAX_BITS
        elif name in _WINDOWS and value in _BITS:
            found[name] = _BITS[value]
        else:
            return None
    return DeflateParameters(**found)


def _parse(header: str) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Take a list of extensions apart: names, and their parameters as (name, value)."""
    for extension in _split(header, ","):
        name, *rest = [part.strip() for part in _split(extension, ";")]
        parameters = []
        for part in filter(None, rest):
            key, equals, value = part.partition("=")
            parameters.append((key.strip().lower(), _unquote(value.strip()) if equals else None))
        if name:
            yield name.lower(), parameters


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that do not stand in quotes."""
    parts = [""]
    is_quoted = False
    for char in text:
        if char == '"':
            is_quoted = not is_quoted
        if char == separator and not is_quoted:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
