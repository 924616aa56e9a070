"""Where the server writes: the log objects people pass in, and the line for each request."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from eventlet._server.response_head import PerSecond

__all__ = [
    "DEFAULT_LOG_FORMAT",
    "AccessLog",
    "JsonAccessLog",
    "Logger",
    "LoggerFileWrapper",
    "LoggerNull",
    "NameClient",
    "ServerLog",
    "chain_and_peer",
    "escape",
    "get_logger",
    "make_access_log",
    "peer_alone",
]

DEFAULT_LOG_FORMAT = (
    '%(client_ip)s - - [%(date_time)s] "%(request_line)s"'
    " %(status_code)s %(body_length)s %(wall_seconds).6f"
)


class Logger(Protocol):
    """What the server writes its lines to."""

    def info(self, msg: str, /, *args: Any, **kwargs: Any) -> None: ...

    def debug(self, msg: str, /, *args: Any, **kwargs: Any) -> None: ...


class LoggerNull:
    """A logger that drops everything."""

    def _drop(self, msg: str, *args: Any, **kwargs: Any) -> None:
        pass

    write = info = debug = error = exception = _drop


class LoggerFileWrapper(LoggerNull):
    """Make a logger of anything with a `write(str)`: one message, one line.

    Args:
        log: where the lines go.
        debug: write debug messages too.
    """

    def __init__(self, log: Any, debug: bool) -> None:
        self.log = log
        self._debug = debug

    def info(self, msg: str, *args: Any, **kwargs: Any) -> None:
        self.write(msg, *args)

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if self._debug:
            self.write(msg, *args)

    def error(self, msg: str, *args: Any, **kwargs: Any) -> None:
        self.write(msg, *args)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        self.write(f"{msg % args if args else msg}\n{traceback.format_exc().rstrip()}")

    def write(self, msg: str, *args: Any) -> None:
        """Write one line; `args` are filled into the message."""
        self.log.write((msg % args if args else msg) + "\n")


def get_logger(log: Any, debug: bool) -> Logger:
    """Give the logger for what a caller passed as `log`.

    An object with callable `info` and `debug` is used as it is, anything else is written to;
    None means the standard error of now.
    """
    if callable(getattr(log, "info", None)) and callable(getattr(log, "debug", None)):
        logger: Logger = log
        return logger
    return LoggerFileWrapper(sys.stderr if log is None else log, debug)


def escape(text: str) -> str:
    """Make what a client sent fit for one line of a log; one that fits comes back as it is."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escape_quoted(text: str) -> str:
    """Make what a client sent fit for what stands in quotes in a line of a log."""
    if '"' in text or "\\" in text:
        text = text.replace("\\", r"\\").replace('"', r"\"")
    return escape(text)


def outlast(write: Callable[[str], Any]) -> Callable[[str], None]:
    """Give a `write` that never fails: a log on a full disk may not take requests with it.

    The first failure, and the first after it has worked again, is told on the standard error.
    """
    is_working = True

    def write_or_tell(text: str) -> None:
        nonlocal is_working
        try:
            write(text)
            is_working = True
        except Exception:
            if is_working:
                is_working = False
                with suppress(Exception):  # it may be what has failed
                    sys.stderr.write(f"eventlet.wsgi: cannot log {text!r}\n")
                    traceback.print_exc()

    return write_or_tell


class ServerLog:
    """What a server says about itself, each line with the number of its process.

    One finished text is handed on, never a text and arguments: a `log` that people pass in may
    take no more than that.
    """

    def __init__(self, logger: Logger, pid: int) -> None:
        self._info = outlast(logger.info)
        self._debug = outlast(logger.debug)
        self._pid = pid

    def note(self, what: str) -> None:
        """Say what an operator wants to know."""
        self._info(f"({self._pid}) {what}")

    def milestone(self, what: str) -> None:
        """Say that the server begins or ends."""
        self.note(what)

    def detail(self, what: str) -> None:
        """Say what helps to find a fault."""
        self._debug(f"({self._pid}) {what}")

    def traceback(self) -> str:
        """Write the traceback of the exception being handled, and return it."""
        text = traceback.format_exc()
        self._info(text)
        return text


NameClient = Callable[[str, str | None], str]
"""Takes the address of the peer and its X-Forwarded-For, gives what stands in the log."""


def peer_alone(peer: str, forwarded_for: str | None) -> str:
    """Name the client of a request: the peer, whatever it says."""
    return peer


def chain_and_peer(peer: str, forwarded_for: str | None) -> str:
    """Name the client of a request: the addresses of X-Forwarded-For, then the peer, by commas."""
    if not forwarded_for:
        return peer
    return f"{forwarded_for},{peer}".replace(" ", "")


class AccessLog:
    """Write one line for each request.

    Args:
        write: takes the line.
        log_format: %-format over `client_ip client_port date_time request_line status_code
            body_length wall_seconds`.
        client_ip: names the client of a request.

    Raises:
        ValueError: there is no such field, or the format is none.
    """

    def __init__(
        self, write: Callable[[str], None], log_format: str, client_ip: NameClient
    ) -> None:
        self._write: Callable[[str], Any] = str  # to try the format: at a request it is too late
        self._format = log_format
        self.client_ip = client_ip
        try:
            self.request("", "", "", 0, 0, 0.0)
        except (KeyError, TypeError, ValueError) as exc:
            raise ValueError(f"bad log_format {log_format!r}: {exc!r}") from exc
        self._write = outlast(write)

    def request(
        self,
        client_ip: str,
        client_port: str,
        request_line: str,
        status_code: int,
        body_length: int,
        wall_seconds: float,
    ) -> None:
        """Write the line of one request; `body_length` counts all bytes sent for it."""
        self._write(
            self._format
            % {
                "client_ip": escape(client_ip),
                "client_port": client_port,
                "date_time": _date_time(),
                "request_line": escape_quoted(request_line),
                "status_code": status_code,
                "body_length": body_length,
                "wall_seconds": wall_seconds,
            }
        )


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
                    "time": _iso_time(),
                    "client_ip": client_ip,
                    "client_port": client_port,
                    "request": request_line,
                    "status": status_code,
                    "bytes": body_length,
                    "seconds": round(wall_seconds, 6),
                }
            )
        )


def make_access_log(
    write: Callable[[str], None], log_format: str, client_ip: NameClient
) -> AccessLog:
    """Give the access log for a format: `json`, or one for `AccessLog`."""
    kind = JsonAccessLog if log_format == "json" else AccessLog
    return kind(write, log_format, client_ip)


_iso_time = PerSecond(lambda second: time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second)))
_date_time = PerSecond(lambda second: time.strftime("%d/%b/%Y %H:%M:%S", time.localtime(second)))
