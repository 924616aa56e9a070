"""The options of `serve`: one table for the command line and the configuration file.

A field is an option; its name has `_` for the `-` of the option.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from eventlet._serve.option_values import (
    Reader,
    count,
    grace,
    line_format,
    mode,
    seconds,
    switch,
    text,
    watch,
    workers,
)
from eventlet._serve.peers import Peers

__all__ = ["Option", "Settings", "add_arguments", "options"]


class Option(NamedTuple):
    """One option.

    Attributes:
        name: as it is written, without the dashes in front.
        read: makes the value; raises ValueError.
        is_many: it may be given several times; each value is read by itself.
        default: its value if it is not given.
    """

    name: str
    read: Reader
    metavar: str
    help: str
    is_many: bool
    default: Any


def _option(
    default: Any, read: Reader, metavar: str, explanation: str, is_many: bool = False
) -> Any:
    return field(
        default=default,
        metadata={"read": read, "metavar": metavar, "help": explanation, "is_many": is_many},
    )


def _switch(default: bool, explanation: str) -> Any:
    return _option(default, switch, "", explanation)


def _deadline(default: float, explanation: str) -> Any:
    return _option(default, seconds(True), "SECONDS", f"{explanation}; or none")


@dataclass(frozen=True)
class Settings:
    """What `serve` was asked to do."""

    app: str = _option("", text, "MODULE:APP", "the application: module:name or module:make()")
    bind: tuple[str, ...] = _option(
        ("127.0.0.1:8000",),
        text,
        "ADDRESS",
        "listen on host:port, [v6]:port, unix:path or fd://number (fd:// alone: all that systemd "
        "hands over); may be repeated",
        is_many=True,
    )
    backlog: int = _option(1024, count(1), "N", "connections that the kernel lets wait")
    socket_mode: int | None = _option(
        None, mode, "MODE", "permissions of the files of unix sockets, such as 660"
    )
    workers: int = _option(1, workers, "N", "processes that serve; auto: one for each processor")
    max_connections: int = _option(1024, count(1), "N", "connections at once, in each worker")
    grace: float = _option(
        30.0, grace, "SECONDS", "for requests in flight when a worker ends; 0: none"
    )
    ready_timeout: float = _option(
        60.0, seconds(False), "SECONDS", "until a new worker has to serve"
    )
    worker_timeout: float | None = _option(
        60.0,
        watch,
        "SECONDS",
        "a worker that computes for so long without letting others run is replaced; 0 never",
    )
    idle_timeout: float | None = _deadline(75.0, "to wait for a request")
    head_timeout: float | None = _deadline(
        20.0, "from the first byte of a request's head, or of a TLS handshake, to the last"
    )
    body_timeout: float | None = _deadline(60.0, "to wait for each 64 KiB of a body")
    write_timeout: float | None = _deadline(
        60.0, "to wait for a client to take each 64 KiB of a response"
    )
    max_body: int | None = _option(None, count(0), "BYTES", "a longer body is refused")
    max_requests: int | None = _option(
        None, count(1), "N", "have a worker replaced after so many requests"
    )
    max_requests_jitter: int = _option(
        0, count(0), "N", "and up to so many more, so that not all are replaced at once"
    )
    tls_cert: str | None = _option(None, text, "FILE", "certificate chain, PEM; turns TLS on")
    tls_key: str | None = _option(None, text, "FILE", "its private key; may be in --tls-cert")
    client_ca: str | None = _option(
        None, text, "FILE", "clients must show a certificate of these authorities"
    )
    http2: bool = _switch(False, "speak HTTP/2 as well; needs the extra http2")
    patch: bool = _switch(True, "patch the standard library first, as `run` does")
    reload: bool = _switch(False, "reload when a file of the program changes, for development")
    access_log: str = _option(
        "-", text, "FILE", "a line for each request; - is the standard output; or none"
    )
    log_format: str | None = _option(
        None, line_format, "FORMAT", "json for all that is said, or the %-format of a request"
    )
    forwarded_allow_ips: Peers | None = _option(  # noqa: RUF009 - it makes a field
        None,
        Peers,
        "PEER,...",
        "proxies (addresses, networks, unix or *) whose X-Forwarded-For and -Proto are believed",
    )
    proxy_protocol: bool = _switch(
        False, "the PROXY protocol, 1 or 2, is spoken, by --forwarded-allow-ips and nobody else"
    )
    env_file: str | None = _option(
        None, text, "FILE", "NAME=value lines for the environment, where it does not have them"
    )
    chdir: str | None = _option(None, text, "FOLDER", "change to it first; paths begin there")


def options() -> Iterator[Option]:
    """Give the table, in the order of the help."""
    for each in fields(Settings):
        values: Mapping[str, Any] = each.metadata
        yield Option(each.name.replace("_", "-"), **values, default=each.default)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; those not given are absent from the result."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="a TOML file with these options; the command line comes first",
    )
    for option in options():
        if option.name == "app":
            parser.add_argument(
                "app",
                nargs="?",
                default=argparse.SUPPRESS,
                metavar=option.metavar,
                help=option.help,
            )
        elif option.read is switch:
            parser.add_argument(
                f"--{option.name}",
                action=argparse.BooleanOptionalAction,
                default=argparse.SUPPRESS,
                help=option.help,
            )
        else:
            parser.add_argument(
                f"--{option.name}",
                type=_complaining(option.read),
                action="append" if option.is_many else "store",
                default=argparse.SUPPRESS,
                metavar=option.metavar,
                help=_with_default(option).replace("%", "%%"),
            )


def _with_default(option: Option) -> str:
    if option.default is None:
        return option.help
    shown = ", ".join(option.default) if option.is_many else option.default
    return f"{option.help} [{shown}]"


def _complaining(read: Reader) -> Reader:
    """Have argparse show what a reader says."""

    def convert(value: str) -> Any:
        try:
            return read(value)
        except ValueError as exc:
            raise argparse.ArgumentTypeError(str(exc)) from None

    return convert
