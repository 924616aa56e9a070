"""Serve a WSGI application with several processes."""

import argparse
import os
import platform
import sys
from dataclasses import replace

import eventlet
from eventlet._cli.one_line_parser import OneLineParser as Parser
from eventlet._http2.extra import load_http2
from eventlet._serve import settings as table
from eventlet._serve import worker
from eventlet._serve.addresses import Listening, close_all, open_all
from eventlet._serve.application import parse
from eventlet._serve.config_file import read_config
from eventlet._serve.descriptors import make_room
from eventlet._serve.env_file import read_env_file
from eventlet._serve.journal import Journal, open_log
from eventlet._serve.master import Master
from eventlet._serve.refusal import Misuse, Refusal, reason
from eventlet._serve.settings import Settings
from eventlet._serve.tls import check

__all__ = ["Parser", "add_arguments", "choose", "main", "prepare"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = f"{parser.prog} [option ...] module:app"
    table.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Serve until told to end; return the exit status.

    In a worker it returns when the worker is done.
    """
    if not sys.flags.safe_path:
        del sys.path[0]  # where `python -m` was called; workers put the application's folder there
    _open_standard_streams()
    journal = Journal(2)
    try:
        settings = choose(args)
        journal = Journal(2, settings.log_format == "json")
        listeners = prepare(settings)
    except Refusal as exc:
        journal.refuse(f"python -m eventlet serve: error: {exc}")
        return 2 if isinstance(exc, Misuse) else 1
    journal.note(_banner(settings, listeners))
    make_room(settings.max_connections, journal)
    master = Master(settings, listeners, journal)
    job = master.run()
    if job is not None:
        return worker.run(job)
    close_all(listeners)
    return master.status


def _open_standard_streams() -> None:
    """Have a descriptor 0, 1 and 2, or a listening socket becomes what logs are written to."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def choose(args: argparse.Namespace) -> Settings:
    """Put together what the command line and the configuration file say, and change the folder.

    Raises:
        Refusal: something cannot be read or done.
    """
    given = {name: value for name, value in vars(args).items() if name != "arguments"}
    config = given.pop("config", None)
    if "bind" in given:
        given["bind"] = tuple(given["bind"])
    settings = replace(Settings(), **(read_config(config) if config else {}) | given)
    if settings.chdir is not None:
        try:
            os.chdir(settings.chdir)
        except OSError as exc:
            raise Refusal(
                f"cannot change to {settings.chdir!r}: {reason(exc)}",
                "give --chdir a folder that this user may enter",
            ) from None
    return settings


def prepare(settings: Settings) -> list[Listening]:
    """Find out what can be found out before a worker is there, and listen.

    Raises:
        Refusal: the application cannot be served like that.
    """
    if not settings.app:
        raise Misuse("no application is named", "write module:app behind the options")
    parse(settings.app)
    if settings.proxy_protocol and settings.forwarded_allow_ips is None:
        raise Misuse(
            "--proxy-protocol believes nobody yet", "name the proxies with --forwarded-allow-ips"
        )
    if settings.env_file is not None:
        read_env_file(settings.env_file)
    check(settings)
    if settings.http2:
        try:
            load_http2()
        except ImportError as exc:
            raise Refusal(str(exc), "or leave --http2 out") from None
    log = open_log(settings.access_log)
    if log is not None and log > 2:
        os.close(log)
    scheme = "http" if settings.tls_cert is None else "https"
    return open_all(settings.bind, settings.backlog, scheme, os.environ, settings.socket_mode)


def _banner(settings: Settings, listeners: list[Listening]) -> str:
    number = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    how = "patched" if settings.patch else "not patched"
    python = platform.python_version()
    first = f"eventlet {eventlet.__version__}, Python {python}, serves {settings.app}"
    lines = [f"{first} with {number}, {how}", *(f"listening on {each.url}" for each in listeners)]
    if settings.tls_cert is not None:
        clients = settings.client_ca
        more = "" if clients is None else f"; clients need one of {clients}"
        lines.append(f"certificate: {settings.tls_cert}{more}")
    log = "standard output" if settings.access_log == "-" else settings.access_log
    lines.append(f"access log: {log}")
    return "\n  ".join(lines)
