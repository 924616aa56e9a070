"""What the measured HTTP servers answer with; the harness compares with the same bytes."""

import json

__all__ = [
    "DOWNLOAD",
    "DOWNLOAD_PATH",
    "HELLO",
    "HELLO_PATH",
    "JSON",
    "JSON_PATH",
    "JSON_TYPE",
    "OCTETS_TYPE",
    "POST_BYTES",
    "POST_PATH",
    "RECEIPT",
    "TEXT_TYPE",
]

HELLO_PATH, JSON_PATH, POST_PATH, DOWNLOAD_PATH = "/", "/catalogue", "/basket", "/download"
TEXT_TYPE, JSON_TYPE, OCTETS_TYPE = "text/plain", "application/json", "application/octet-stream"
JSON_BYTES = 16384
POST_BYTES = 4096


def _document() -> bytes:
    """Return a JSON document of exactly `JSON_BYTES` bytes."""
    items = [{"id": number, "name": f"shoe {number:04}", "price": 59.9} for number in range(300)]
    text = json.dumps({"items": items, "padding": ""})
    return text.replace('"padding": ""', f'"padding": "{"." * (JSON_BYTES - len(text))}"').encode()


HELLO = b"Hello, world!\n"
JSON = _document()
RECEIPT = b'{"received": %d}' % POST_BYTES
DOWNLOAD = bytes(range(256)) * 4096
