"""Read the head of one HTTP/1 request: bytes in, a checked request or a refusal out.

Theory of operation
-------------------
A head is everything up to the first empty line. `HeadCollector`, next door, finds that end in
bytes that come in pieces and refuses what can never become a head; `HeadParser` takes one whole head and
either gives its `RequestLine` and `HeaderFields` or raises `RequestRefused`. Both see the bytes
of one message only: the body is framed as the fields say (a length, chunked, or none), and what
follows the body is the next head. Nothing here knows of sockets, clocks or threads.

The rules are those of RFC 9110 and 9112 read strictly wherever two readers of the same bytes
could come to different ends (that is what request smuggling lives on): one framing decision,
CRLF line ends only, no folding, no space before a colon, one Content-Length, one Host.

Why not llhttp (httptools 0.9), which this could be built on: measured over the 112 request
cases of `tests/cases` and some of our own, fed with nothing but the head,

* it accepts what must be refused: a repeated Host or Content-Type, an empty or joined Host,
  Transfer-Encoding on HTTP/1.0, HTTP/2.0, `RTSP/1.0` and `ICE/1.0`, `GET *`, several blanks
  between the words of a request line, and heads of any length;
* it refuses what must reach the application: methods it has not heard of, HTTP/1.2, bytes
  above 127 in a target; and fed with the body too, a blank in a chunk extension, or
  anything that follows a request with `Connection: close`;
* one feed runs on into the next request, so the end of the message has to be found by other
  means first, which for a chunked body means parsing it.

Each of the first two points needs a check or a second parser beside it, in Python. llhttp with
those checks, still without a way for unknown methods, took as long as the parser below (about
2.8 microseconds for a head of three fields and 6.4 for a browser's twelve, either way, on
CPython 3.11; a block of fields that is remembered takes 0.4) and left two opinions of the same
bytes. So this is the only reader of heads, and llhttp keeps two jobs: its URL parser judges
absolute targets, where it is exact (`_server/request_target.py`), and the tests compare our
verdicts with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple

from eventlet._protocols.refusals import (
    MAX_FIELDS,
    BadRequest,
    RequestRefused,
    TooManyFields,
    UnsupportedCoding,
    UnsupportedVersion,
)

__all__ = [
    "HEAD_BYTES",
    "LINE_BYTES",
    "HeadParser",
    "HeaderFields",
    "RequestLine",
    "cgi_name",
    "is_host",
    "parse_request_line",
    "split_list",
    "upper_case",
]

# Everything that may stand in a head: no control character but TAB, CR and LF.
HEAD_BYTES = bytes(c for c in range(256) if (c >= 32 and c != 127) or c in b"\t\r\n")
# The same without line ends.
LINE_BYTES = bytes(c for c in HEAD_BYTES if c not in b"\r\n")
# One header line, from the line end before it; see `_parse_fields` for what makes this exact.
# A name ends with its line, or lines without a colon would each be searched to the end of all.
_FIELD = re.compile(r"\r\n([^:\r]+):[ \t]*((?:[^\r]*[^\r \t])?)")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_WIDE_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z\x80-\xff]+")
# A method is a token by the grammar; that it begins with a letter is true of all there are.
_REQUEST_LINE = re.compile(
    rb"([A-Za-z][!#$%&'*+\-.^_`|~0-9A-Za-z]*) ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])"
)
_HOST = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|\[[vV][0-9A-Fa-f]+\.[!$&'()*+;=:\-._~0-9A-Za-z]+\]"
    r"|(?:[!$&'()*+;=\-._~0-9A-Za-z]|%[0-9A-Fa-f]{2})+)"
    r"(?::0*([0-9]{0,5}))?"
)
_MAX_PORT = 65535
_MAX_LENGTH_DIGITS = 18
# Codings that may stand before "chunked"; undoing them is left to the application.
_INNER_CODINGS = frozenset({"identity", "gzip", "x-gzip", "compress", "x-compress", "deflate"})
# Fields whose repetition makes two readers disagree; all others are joined by a comma.
_SINGLE = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST"})


class RequestLine(NamedTuple):
    """The first line of a request.

    Attributes:
        text: as it came, one character a byte.
        method: as sent; methods are case-sensitive.
        target: as sent; which form it has is not looked at here.
        minor: the minor version we speak, 0 or 1.
    """

    text: str
    method: str
    target: str
    minor: int


class HeaderFields(NamedTuple):
    """The header lines of a request. Never change it: equal blocks of lines share one.

    Attributes:
        raw: pairs (name, value) in order, case, duplicates and underscores as sent; values
            without surrounding blanks, one character a byte.
        variables: the fields by their CGI names (`HTTP_ACCEPT`, `CONTENT_TYPE` ...), repeated
            ones joined; names with an underscore are left out, because `X_A` and `X-A` would
            be one name.
        content_length: bytes of the body, None when none was named.
        is_chunked: the body is chunked; `content_length` is None then.
        closes: the client will not use the connection again.
        keeps: it asked for the connection to be kept.
    """

    raw: tuple[tuple[str, str], ...]
    variables: dict[str, str]
    content_length: int | None
    is_chunked: bool
    closes: bool
    keeps: bool


class HeadParser:
    """Check and take apart the heads of one connection.

    The header lines of the last head are remembered: most clients that keep a connection send
    the same block of them with each request, and comparing is twenty times cheaper than parsing.

    Args:
        is_lenient: accept a Content-Length beside Transfer-Encoding and ignore it; such a
            request is the last of its connection. Accept bytes above 127 in the names of
            fields, as Swift has them in those of metadata.
        max_fields: header fields in one head.
        requires_host: refuse heads of HTTP/1.1 without a Host.
    """

    __slots__ = ("_block", "_fields", "_is_lenient", "_max_fields", "_requires_host")

    def __init__(
        self,
        is_lenient: bool = False,
        max_fields: int = MAX_FIELDS,
        requires_host: bool = False,
    ) -> None:
        self._is_lenient = is_lenient
        self._max_fields = max_fields
        self._requires_host = requires_host
        self._block = b""
        self._fields = HeaderFields((), {}, None, False, False, False)

    def parse(self, head: bytes) -> tuple[RequestLine, HeaderFields]:
        """Check one whole head.

        Args:
            head: from the first byte of the request line to the last before the empty line.

        Raises:
            RequestRefused: with the status to answer.

        Source: RFC 9112 sections 2 to 6, RFC 9110 sections 5 to 7.
        """
        end = head.find(b"\r\n")
        if end < 0:
            end = len(head)
        line = parse_request_line(head[:end])
        block = head[end:]
        if block == self._block:
            fields = self._fields
        else:
            fields = _parse_fields(block, self._is_lenient, self._max_fields)
            self._block, self._fields = block, fields
        if fields.is_chunked and line.minor == 0:
            raise BadRequest("Transfer-Encoding on HTTP/1.0")
        if self._requires_host and line.minor == 1 and "HTTP_HOST" not in fields.variables:
            raise BadRequest("no Host")
        return line, fields


@lru_cache(maxsize=128)
def parse_request_line(line: bytes) -> RequestLine:
    """Take a request line apart, without its line end.

    Raises:
        RequestRefused: it is malformed, or of another major version.
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        if line.translate(None, LINE_BYTES):
            raise BadRequest("control character in the request line")
        raise BadRequest("request line is not method, target and version")
    method, target, major, minor = (part.decode("latin-1") for part in match.groups())
    if major != "1":
        raise UnsupportedVersion
    # A later 1.x speaks 1.1 with us.
    return RequestLine(line.decode("latin-1"), method, target, 0 if minor == "0" else 1)


def _parse_fields(block: bytes, is_lenient: bool, max_fields: int) -> HeaderFields:
    """Take a block of header lines apart, each with the line end *before* it."""
    if block.count(b"\r\n") > max_fields:
        raise _find_fault(block, max_fields)
    fields: list[tuple[str, str]] = _FIELD.findall(block.decode("latin-1"))
    # A match for each CR LF pair, and nothing but those pairs besides printable bytes: so each
    # pair began a match, each line is one field, and no CR or LF stands alone.
    if block.translate(None, LINE_BYTES) != b"\r\n" * len(fields):
        raise _find_fault(block, max_fields)
    name_of = _wide_cgi_name if is_lenient else cgi_name
    variables = {name_of(name): value for name, value in fields}
    if len(variables) != len(fields):
        variables = _join_repeated(fields, name_of)
    variables.pop("", None)

    host = variables.get("HTTP_HOST")
    if host is not None and not is_host(host):
        raise BadRequest("Host is not a host name with an optional port")
    length = variables.get("CONTENT_LENGTH")
    codings = variables.get("HTTP_TRANSFER_ENCODING")
    content_length = None
    if codings is not None:
        if length is not None and not is_lenient:
            raise BadRequest("both Content-Length and Transfer-Encoding")
        _check_codings(codings)
    elif length is not None:
        content_length = _parse_length(length)
    connection = variables.get("HTTP_CONNECTION")
    options = () if connection is None else split_list(connection)
    return HeaderFields(
        tuple(fields),
        variables,
        content_length,
        codings is not None,
        # Who sent both a length and chunks may have been split by somebody on the way.
        "close" in options or (codings is not None and length is not None),
        "keep-alive" in options,
    )


def _find_fault(block: bytes, max_fields: int) -> RequestRefused:
    """Say what is wrong with the header lines."""
    if block.translate(None, HEAD_BYTES):
        return BadRequest("control character in a header line")
    line_ends = block.count(b"\r\n")
    if line_ends > max_fields:
        return TooManyFields(max_fields)
    if block.count(b"\r") != line_ends or block.count(b"\n") != line_ends:
        return BadRequest("line end other than CRLF")
    return BadRequest("header line without a name and a colon")


@lru_cache(maxsize=512)
def cgi_name(name: str) -> str:
    """Give the CGI variable of a header name; empty for a name with an underscore.

    Raises:
        BadRequest: it is not a header name.
    """
    if _TOKEN.fullmatch(name) is None:
        raise BadRequest("header name is not a token")
    if "_" in name:
        return ""
    variable = name.upper().replace("-", "_")
    if variable in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return variable
    return "HTTP_" + variable


@lru_cache(maxsize=512)
def _wide_cgi_name(name: str) -> str:
    """Give the CGI variable of a header name that may have bytes above 127, which stay as is."""
    if name.isascii() or _WIDE_TOKEN.fullmatch(name) is None:
        return cgi_name(name)
    if "_" in name:
        return ""
    return "HTTP_" + upper_case(name).replace("-", "_")


def upper_case(name: str) -> str:
    """Give a header name in upper case, without making one name of two: only ASCII has any."""
    return name.upper() if name.isascii() else name.encode("latin-1").upper().decode("latin-1")


@lru_cache(maxsize=256)
def is_host(value: str) -> bool:
    """Tell whether `value` names one host, with or without a port."""
    match = _HOST.fullmatch(value)
    if match is None:
        return False
    address, port = match.groups()
    if address is not None:
        try:
            IPv6Address(address)
        except ValueError:
            return False
    return not port or int(port) <= _MAX_PORT


@lru_cache(maxsize=64)
def split_list(value: str) -> tuple[str, ...]:
    """Give the items of a field that is a list, in lower case."""
    return tuple([item.strip(" \t").lower() for item in value.split(",")])


def _join_repeated(fields: list[tuple[str, str]], name_of: Callable[[str], str]) -> dict[str, str]:
    """Make the CGI variables of fields of which some are repeated."""
    variables: dict[str, str] = {}
    for name, value in fields:
        variable = name_of(name)
        if variable in variables:
            if variable in _SINGLE:
                raise BadRequest(f"repeated {name.title()}")
            joint = "; " if variable == "HTTP_COOKIE" else ","
            value = f"{variables[variable]}{joint}{value}"
        variables[variable] = value
    return variables


def _check_codings(value: str) -> None:
    """Refuse every Transfer-Encoding whose body has no certain end."""
    codings = split_list(value)
    if codings[-1] != "chunked" or codings.count("chunked") != 1:
        raise BadRequest("Transfer-Encoding does not end with its only chunked")
    if not _INNER_CODINGS.issuperset(codings[:-1]):
        raise UnsupportedCoding


def _parse_length(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS):
        raise BadRequest("Content-Length is not a number")
    return int(value)
