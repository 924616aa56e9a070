"""Read the head of one HTTP/1 request: bytes in, a checked request or a refusal out.

Theory of operation
-------------------
A head is everything up to the first empty line. `HeadCollector` finds that end in bytes that
come in pieces and refuses what can never become a head; `parse_head` takes one whole head and
either returns a `RequestHead` or raises `RequestRefused`. Both see the bytes of one message
only: the body is framed by what `parse_head` decided (a length, chunked, or none), and what
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
those checks, still without a way for unknown methods, took as long as the parser below: 2.9
against 2.7 microseconds for a head of three fields, 6.5 against 6.4 for a browser's twelve
(CPython 3.11), and left two opinions of the same bytes. So this is the only reader of heads,
and llhttp keeps two jobs: its URL parser splits absolute targets, where it is exact
(`_server/request_target.py`), and the tests compare our verdicts with it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from eventlet._errors import EventletError

__all__ = [
    "HeadCollector",
    "HeadLimits",
    "HeaderLineTooLong",
    "HeadersTooLarge",
    "RequestHead",
    "RequestRefused",
    "parse_head",
]

MAX_FIELDS = 100

# Everything that may stand in a head: no control character but TAB, CR and LF.
_HEAD_BYTES = bytes(c for c in range(256) if (c >= 32 and c != 127) or c in b"\t\r\n")
# The same without line ends.
_LINE_BYTES = bytes(c for c in _HEAD_BYTES if c not in b"\r\n")
_LINE_ENDS = b"\r\n" * MAX_FIELDS
# One header line, from the line end before it; see `parse_head` for what makes this exact.
_FIELD = re.compile(r"\r\n([^:]+):[ \t]*([^\r]*)")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# A token by the grammar; that it begins with a letter is true of every method there is.
_METHOD = re.compile(r"[A-Za-z][!#$%&'*+\-.^_`|~0-9A-Za-z]*")
_VERSION = re.compile(r"HTTP/([0-9])\.([0-9])")
_HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|\[[vV][0-9A-Fa-f]+\.[!$&'()*+;=:\-._~0-9A-Za-z]+\]"
    r"|(?:[!$&'()*+;=\-._~0-9A-Za-z]|%[0-9A-Fa-f]{2})+)"
    r"(?::[0-9]*)?"
)
_MINOR_VERSIONS = {"HTTP/1.1": 1, "HTTP/1.0": 0}
_MAX_LENGTH_DIGITS = 18
# Codings that may stand before "chunked"; undoing them is left to the application.
_INNER_CODINGS = frozenset({"identity", "gzip", "x-gzip", "compress", "x-compress", "deflate"})
# Fields whose repetition makes two readers disagree; all others are joined by a comma.
_SINGLE = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST"})


class RequestRefused(EventletError, ValueError):
    """The peer sent what we cannot or will not serve; the connection must be closed.

    Attributes:
        status: the HTTP status to answer with.
        phrase: its reason phrase.
        detail: what is wrong, for the log; never contains the peer's bytes.
    """

    def __init__(self, status: int, phrase: str, detail: str) -> None:
        self.status = status
        self.phrase = phrase
        self.detail = detail
        super().__init__(f"{status} {phrase}: {detail}")


class BadRequest(RequestRefused):
    """The request is malformed or ambiguous."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, "Bad Request", detail)


class RequestLineTooLong(RequestRefused):
    """The request line reaches the limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(414, "Request URI Too Long", f"request line of {limit_bytes} bytes")


class HeaderLineTooLong(RequestRefused):
    """One header line reaches the limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(400, "Header Line Too Long", f"header line of {limit_bytes} bytes")


class HeadersTooLarge(RequestRefused):
    """All header lines together exceed the limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(400, "Headers Too Large", f"header lines over {limit_bytes} bytes")


class TooManyFields(RequestRefused):
    """The request has more than `MAX_FIELDS` header fields."""

    def __init__(self) -> None:
        super().__init__(
            431, "Request Header Fields Too Large", f"more than {MAX_FIELDS} header fields"
        )


class UnsupportedVersion(RequestRefused):
    """The request is of another major version of HTTP."""

    def __init__(self) -> None:
        super().__init__(505, "HTTP Version Not Supported", "not a version of HTTP/1")


class UnsupportedCoding(RequestRefused):
    """The body has a transfer coding that nobody here knows."""

    def __init__(self) -> None:
        super().__init__(501, "Not Implemented", "unknown transfer coding")


class HeadLimits(NamedTuple):
    """How long the parts of a head may be, in bytes, line ends included.

    A line that *reaches* its limit is refused, the total only when it *exceeds* its own; the
    request line does not count towards the total.
    """

    request_line: int = 8192
    header_line: int = 8192
    total: int = 65536

    def check(self, head: bytes) -> None:
        """Refuse a whole head (without its empty line) that breaks a limit."""
        lines = head.split(b"\r\n")
        if len(lines[0]) + 2 >= self.request_line:
            raise RequestLineTooLong(self.request_line)
        for line in lines[1:]:
            if len(line) + 2 >= self.header_line:
                raise HeaderLineTooLong(self.header_line)
        if len(head) - len(lines[0]) > self.total:
            raise HeadersTooLarge(self.total)


class RequestHead(NamedTuple):
    """One checked request head.

    Attributes:
        line: the request line as it came.
        method: as sent; methods are case-sensitive.
        target: as sent, one character a byte; which form it has is not looked at here.
        minor: the minor version we speak, 0 or 1.
        fields: pairs (name, value) in order, case, duplicates and underscores as sent; values
            without surrounding blanks, one character a byte.
        variables: the fields by their CGI names (`HTTP_ACCEPT`, `CONTENT_TYPE` ...), repeated
            ones joined; names with an underscore are left out, because `X_A` and `X-A` would
            be one name.
        content_length: bytes of the body, None when none was named.
        is_chunked: the body is chunked; `content_length` is None then.
        keep_alive: the client will use the connection again.
    """

    line: str
    method: str
    target: str
    minor: int
    fields: list[tuple[str, str]]
    variables: dict[str, str]
    content_length: int | None
    is_chunked: bool
    keep_alive: bool


def parse_head(head: bytes, *, chunked_wins: bool = False) -> RequestHead:
    """Check one whole head and take it apart.

    Args:
        head: from the first byte of the request line to the last before the empty line.
        chunked_wins: accept a Content-Length beside Transfer-Encoding and ignore it.

    Raises:
        RequestRefused: with the status to answer.

    Source: RFC 9112 sections 2 to 6, RFC 9110 sections 5 to 7.
    """
    text = head.decode("latin-1")
    fields: list[tuple[str, str]] = _FIELD.findall(text)
    # A match for each CR LF pair, and nothing but those pairs besides printable bytes: so each
    # pair began a match, each line but the first is one field, and no CR or LF stands alone.
    if head.translate(None, _LINE_BYTES) != _LINE_ENDS[: 2 * len(fields)]:
        raise _find_fault(head)
    line = text.partition("\r\n")[0]
    method, target, minor = parse_request_line(line)
    if " \r" in text or "\t\r" in text or text[-1] in " \t":
        fields = [(name, value.rstrip(" \t")) for name, value in fields]

    variables: dict[str, str] = {}
    for name, value in fields:
        variable = cgi_name(name)
        if variable in variables:
            value = _join(variable, variables[variable], value)
        variables[variable] = value
    variables.pop("", None)

    host = variables.get("HTTP_HOST")
    if host is not None and not is_host(host):
        raise BadRequest("Host is not a host name with an optional port")
    length = variables.get("CONTENT_LENGTH")
    codings = variables.get("HTTP_TRANSFER_ENCODING")
    content_length = None
    if codings is not None:
        if length is not None and not chunked_wins:
            raise BadRequest("both Content-Length and Transfer-Encoding")
        _check_codings(codings, minor)
    elif length is not None:
        content_length = _parse_length(length)
    options = variables.get("HTTP_CONNECTION")
    keep_alive = minor == 1 if options is None else wants_keep_alive(options, minor)
    return RequestHead(
        line,
        method,
        target,
        minor,
        fields,
        variables,
        content_length,
        codings is not None,
        keep_alive,
    )


def _find_fault(head: bytes) -> RequestRefused:
    """Say what is wrong with the lines of a head."""
    if head.translate(None, _HEAD_BYTES):
        return BadRequest("control character in the head")
    lines = head.split(b"\r\n")
    if any(b"\r" in line or b"\n" in line for line in lines):
        return BadRequest("line end other than CRLF")
    if len(lines) > MAX_FIELDS + 1:
        return TooManyFields()
    return BadRequest("header line without a name and a colon")


@lru_cache(maxsize=128)
def parse_request_line(line: str) -> tuple[str, str, int]:
    """Split a request line into method, target and minor version.

    Raises:
        RequestRefused: it is malformed, or of another major version.
    """
    words = line.split(" ")
    if len(words) != 3:
        raise BadRequest("request line is not method, target and version")
    method, target, version = words
    if not is_method(method):
        raise BadRequest("method is not a name")
    if not target or "\t" in target:
        raise BadRequest("target is empty or contains a blank")
    minor = _MINOR_VERSIONS.get(version)
    if minor is None:
        minor = _parse_version(version)
    return method, target, minor


def _parse_version(version: str) -> int:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise BadRequest("version is not HTTP/x.y")
    if match[1] != "1":
        raise UnsupportedVersion
    return 1  # a later 1.x speaks 1.1 with us; 1.0 and 1.1 themselves were in the table


@lru_cache(maxsize=64)
def is_method(name: str) -> bool:
    """Tell whether `name` can be a method."""
    return _METHOD.fullmatch(name) is not None


@lru_cache(maxsize=1024)
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


@lru_cache(maxsize=256)
def is_host(value: str) -> bool:
    """Tell whether `value` names one host, with or without a port."""
    return _HOST.fullmatch(value) is not None


@lru_cache(maxsize=64)
def wants_keep_alive(options: str, minor: int) -> bool:
    """Read the value of Connection: will the peer use the connection again?"""
    names = {name.strip(" \t").lower() for name in options.split(",")}
    if "close" in names:
        return False
    return minor == 1 or "keep-alive" in names


def _join(variable: str, first: str, second: str) -> str:
    if variable in _SINGLE:
        raise BadRequest(f"repeated {variable.removeprefix('HTTP_').replace('_', '-').title()}")
    if variable == "HTTP_COOKIE":
        return f"{first}; {second}"
    return f"{first},{second}"


def _check_codings(value: str, minor: int) -> None:
    """Refuse every Transfer-Encoding whose body has no certain end."""
    if minor == 0:
        raise BadRequest("Transfer-Encoding on HTTP/1.0")
    codings = [coding.strip(" \t").lower() for coding in value.split(",")]
    if codings[-1] != "chunked" or codings.count("chunked") != 1:
        raise BadRequest("Transfer-Encoding does not end with its only chunked")
    if not _INNER_CODINGS.issuperset(codings[:-1]):
        raise UnsupportedCoding


def _parse_length(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS):
        raise BadRequest("Content-Length is not a number")
    return int(value)


class HeadCollector:
    """Gather one head from bytes that come in pieces, and refuse early.

    Empty lines before the request line are skipped; they count towards the total, so that
    they have an end. What is plainly not HTTP (a TLS greeting, lines that end in LF alone) is
    refused as soon as it shows, rather than when an empty line follows.
    """

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._data = bytearray()
        self._skipped = 0
        self._line_start = 0  # of the line that is not complete yet

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add bytes.

        Returns:
            The head without its empty line and what came behind it, or None when more is
            needed.

        Raises:
            RequestRefused: this cannot become a request.
        """
        whole = self._data
        if len(whole) <= 1:  # nothing yet, or half of an empty line
            data = self._skip_empty_lines(bytes(whole) + data)
            whole.clear()
        whole += data
        if whole == b"\r":
            return None
        searched = max(0, len(whole) - len(data) - 3)
        end = whole.find(b"\r\n\r\n", searched)
        if end < 0:
            self._check_part(data)
            return None
        head = bytes(whole[:end])
        self._limits.check(head)
        return head, bytes(whole[end + 4 :])

    def __bool__(self) -> bool:
        """Tell whether any byte of a head has come."""
        return bool(self._data)

    def _skip_empty_lines(self, data: bytes) -> bytes:
        start = 0
        while data.startswith(b"\r\n", start):
            start += 2
        self._skipped += start
        if self._skipped > self._limits.total:
            raise HeadersTooLarge(self._limits.total)
        return data[start:]

    def _check_part(self, data: bytes) -> None:
        """Refuse a head that is not complete yet for what it has already."""
        if data.translate(None, _HEAD_BYTES):
            raise BadRequest("control character in the head")
        whole, limits = self._data, self._limits
        while (line_end := whole.find(b"\n", self._line_start)) >= 0:
            line = whole[self._line_start : line_end + 1]
            if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
                raise BadRequest("line end other than CRLF")
            self._check_line(len(line))
            if self._line_start == 0:
                parse_request_line(line[:-2].decode("latin-1"))
            self._line_start = line_end + 1
        self._check_line(len(whole) - self._line_start)
        request_line_end = whole.find(b"\n") + 1
        if request_line_end and len(whole) - request_line_end > limits.total:
            raise HeadersTooLarge(limits.total)

    def _check_line(self, length: int) -> None:
        if self._line_start == 0:
            if length >= self._limits.request_line:
                raise RequestLineTooLong(self._limits.request_line)
        elif length >= self._limits.header_line:
            raise HeaderLineTooLong(self._limits.header_line)
