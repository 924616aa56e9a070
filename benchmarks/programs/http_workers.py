"""Our command line with some workers, on an application that computes for each request."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.programs.http_content import JSON, JSON_TYPE
from benchmarks.programs.http_listener import become

__all__ = ["application"]

DOCUMENT = json.loads(JSON)
HEADERS = [("Content-Type", JSON_TYPE), ("Content-Length", str(len(JSON)))]


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Render 16 KiB of JSON: some hundred microseconds, as an application spends them."""
    start_response("200 OK", HEADERS[:])
    return [json.dumps(DOCUMENT).encode()]


if __name__ == "__main__":
    become(
        *("eventlet", "serve", "--access-log", "none", "--workers", sys.argv[1]),
        application="benchmarks.programs.http_workers:application",
    )
