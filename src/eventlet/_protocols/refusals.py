"""Why a request is refused, and with which status."""

from __future__ import annotations

from eventlet._errors import EventletError

__all__ = [
    "MAX_FIELDS",
    "BadRequest",
    "ContentTooLarge",
    "HeaderLineTooLong",
    "HeadersTooLarge",
    "RequestLineTooLong",
    "RequestRefused",
    "TooManyFields",
    "UnsupportedCoding",
    "UnsupportedVersion",
]

MAX_FIELDS = 100  # by default


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
    """The request has more header fields than it may."""

    def __init__(self, limit: int) -> None:
        super().__init__(431, "Request Header Fields Too Large", f"more than {limit} header fields")


class ContentTooLarge(RequestRefused):
    """The body is longer than it may be."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(413, "Content Too Large", f"body over {limit_bytes} bytes")


class UnsupportedVersion(RequestRefused):
    """The request is of another major version of HTTP."""

    def __init__(self) -> None:
        super().__init__(505, "HTTP Version Not Supported", "not a version of HTTP/1")


class UnsupportedCoding(RequestRefused):
    """The body has a transfer coding that nobody here knows."""

    def __init__(self) -> None:
        super().__init__(501, "Not Implemented", "unknown transfer coding")
