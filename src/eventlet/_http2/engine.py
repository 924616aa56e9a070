"""The library `h2`, set up as we use it: it keeps the states and windows, and judges no fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hpack import Decoder

__all__ = ["STREAM_WINDOW", "Engine", "Unpacker"]

STREAM_WINDOW = 131072


class Unpacker(Decoder):
    """Unpack header blocks, and keep the lengths of bodies from `h2`.

    To `h2` a Content-Length that is no number, or two that differ, are the end of the connection;
    they are the fault of one request, which others that share the connection must survive.

    Attributes:
        fields: all of the last block, pairs (name, value).
    """

    fields: Iterable[tuple[bytes, bytes]] = ()

    def decode(self, data: bytes, raw: bool = False) -> Iterable[Any]:
        """Give the fields of a block but for Content-Length."""
        self.fields = fields = super().decode(data, raw)
        return [field for field in fields if field[0] != b"content-length"]


class Engine(H2Connection):
    """The server's side of a connection, without its socket.

    Args:
        max_streams: that may be open at once.
        list_bytes: that a client shall not exceed with the fields of a request.

    Attributes:
        unpacker: what has read the last header block.
    """

    MAX_CLOSED_STREAMS = 1000  # that are remembered; 65536 elsewhere

    def __init__(self, max_streams: int, list_bytes: int) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                # What comes is judged by `request_head`, what goes out by `response_head`.
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._list_bytes = list_bytes
        self.unpacker = self.decoder = Unpacker()
        self.announce(max_streams)
        # What is somewhat longer than it may be is answered; this bounds what is unpacked at all.
        self.decoder.max_header_list_size = 2 * list_bytes

    def announce(self, max_streams: int) -> None:
        """Set what the client is told when the connection is initiated, or bound it later."""
        self.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: max_streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: self._list_bytes,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            },
        )
