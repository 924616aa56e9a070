"""The access log as JSON: an object for each request."""

from __future__ import annotations

import json
import time

from eventlet._server.access_log import AccessLog

__all__ = ["JsonAccessLog"]


class JsonAccessLog(AccessLog):
    """Write one object for each request, on one line."""

    def request(
        self,
        client_ip: str,
        client_port: str,
        request_line: str,
        status_code: int,
        body_length: int,
        wall_seconds: float,
    ) -> None:
        """Write the line of one request; control characters are escaped as JSON does."""
        self._write(
            json.dumps(
                {
                    "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                    "client_ip": client_ip,
                    "client_port": client_port,
                    "request": request_line,
                    "status": status_code,
                    "bytes": body_length,
                    "seconds": round(wall_seconds, 6),
                }
            )
        )
