"""The server's side of the opening handshake: an environ in, an answer out.

Source: RFC 6455, sections 4.1 and 4.2.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from eventlet._websocket.errors import BadRequest
from eventlet._websocket.extensions import DeflateParameters, choose_deflate

__all__ = ["VERSIONS", "Handshake", "accept_key", "check_request"]

VERSIONS = (8, 13)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16
_LEGACY = "the WebSocket drafts from before RFC 6455 are not spoken here\n"

OriginChecker = Callable[[str | None, str], Any]


@dataclass(frozen=True)
class Handshake:
    """What was agreed on.

    Attributes:
        version: of the protocol.
        key: the client's, which the answer proves to have read.
        protocol: the sub-protocol, None for none.
        deflate: how messages are compressed, None for not.
    """

    version: int
    key: str
    protocol: str | None
    deflate: DeflateParameters | None

    def to_response(self) -> bytes:
        """Give the answer as it goes out."""
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept_key(self.key)}",
        ]
        if self.protocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self.protocol}")
        if self.deflate is not None:
            lines.append(f"Sec-WebSocket-Extensions: {self.deflate.to_header()}")
        return "\r\n".join([*lines, "", ""]).encode()


def check_request(
    environ: dict[str, Any],
    supported_protocols: Collection[str],
    origin_checker: OriginChecker | None,
) -> Handshake:
    """Read a request for a WebSocket.

    Raises:
        BadRequest: it is none, or refused.
    """
    if environ.get("REQUEST_METHOD", "GET") != "GET":
        raise BadRequest
    if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise BadRequest
    if "upgrade" not in _list(environ.get("HTTP_CONNECTION", "").lower()):
        raise BadRequest
    if environ.get("HTTP_UPGRADE", "").strip().lower() != "websocket":
        raise BadRequest
    if environ.get("CONTENT_LENGTH", "0") not in {"", "0"} or "HTTP_TRANSFER_ENCODING" in environ:
        raise BadRequest  # what follows the head would be read as frames
    version = _check_version(environ)
    key = _check_key(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""))
    if origin_checker is not None and not origin_checker(
        environ.get("HTTP_HOST"), _find_origin(environ, version)
    ):
        raise BadRequest("403 Forbidden")
    wanted = _list(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", ""))
    protocol = next((each for each in wanted if each in supported_protocols), None)
    deflate = choose_deflate(environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", ""))
    return Handshake(version, key, protocol, deflate)


def accept_key(key: str) -> str:
    """Give the proof that a client's key was read."""
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _check_version(environ: dict[str, Any]) -> int:
    given = environ.get("HTTP_SEC_WEBSOCKET_VERSION")
    if given is None:
        raise BadRequest(body=_LEGACY if "HTTP_SEC_WEBSOCKET_KEY1" in environ else None)
    for version in VERSIONS:
        if given.strip() == str(version):
            return version
    known = ", ".join(map(str, VERSIONS))
    raise BadRequest("426 Upgrade Required", headers=[("Sec-WebSocket-Version", known)])


def _find_origin(environ: dict[str, Any], version: int) -> str:
    """Give the web site that the client belongs to; empty if it does not say."""
    old = "HTTP_SEC_WEBSOCKET_ORIGIN" if version < 13 else "HTTP_ORIGIN"
    origin: str = environ.get("HTTP_ORIGIN", environ.get(old, ""))
    return origin


def _check_key(key: str) -> str:
    key = key.strip()
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest from None
    if len(nonce) != _KEY_BYTES:
        raise BadRequest
    return key


def _list(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]
