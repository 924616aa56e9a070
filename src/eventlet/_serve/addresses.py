"""Open what `--bind` names: the master does, before it forks.

All workers accept from the same sockets. The other way, a socket for each worker on one port
(SO_REUSEPORT), lets the kernel decide by a hash who gets a connection: one that was given to a
worker that ends, dies or computes is lost or waits, though others are free. From a shared
socket it is taken by whoever has time, and outlives every worker: the master keeps it open.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from eventlet._serve.refusal import Misuse, Refusal, reason

__all__ = ["Listening", "close_all", "open_all"]

FORM = "write host:port, [v6 address]:port, :port, unix:path or fd://number"
FIRST_FD = 3  # Source: sd_listen_fds(3)
_PROBE_SECONDS = 1.0

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")


class Listening(NamedTuple):
    """One open socket.

    Attributes:
        sock: listens; an ordinary socket.
        url: how it is shown.
        file: path, device and inode of what is to be removed at the end, None where nothing is.
    """

    sock: socket.socket
    url: str
    file: tuple[str, int, int] | None


def open_all(
    names: Iterable[str],
    backlog: int,
    scheme: str,
    environ: Mapping[str, str],
    mode: int | None = None,
) -> list[Listening]:
    """Open every address.

    Args:
        names: as given with `--bind`.
        backlog: connections that the kernel lets wait.
        scheme: `http` or `https`, for the URLs.
        environ: has LISTEN_FDS and LISTEN_PID where systemd hands sockets over.
        mode: permissions of the files of unix sockets; None for those of the umask.

    Raises:
        Refusal: one cannot be opened; the others are closed again.
    """
    opened: list[Listening] = []
    names = list(names)
    _refuse_twins(names)
    try:
        for name in names:
            if name.startswith("unix:"):
                opened.append(_open_unix(name.removeprefix("unix:"), backlog, scheme, mode))
            elif name.startswith("fd://"):
                for fd in _numbers(name, environ):
                    sock = _take_over(name, fd)
                    opened.append(Listening(sock, _url(sock, scheme), None))
            else:
                opened += _open_tcp(name, backlog, scheme, names)
    except BaseException:
        close_all(opened)
        raise
    return opened


def close_all(opened: Iterable[Listening]) -> None:
    """Close the sockets, and remove the files that were made for them."""
    for sock, _, file in opened:
        sock.close()
        if file is not None:
            path, *identity = file
            try:
                now = os.stat(path)
                if [now.st_dev, now.st_ino] == identity:
                    os.unlink(path)
            except FileNotFoundError:
                pass


# --- TCP ------------------------------------------------------------------------------------


def _refuse_twins(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1 and not name.endswith(":0"):
            raise Misuse(f"--bind {name} is given twice", "give it once")


def _serves_ipv4(names: list[str], port: int) -> bool:
    """Tell whether every IPv4 address has a socket of its own on a port."""
    return any(f"{host}:{port}" in names for host in ("", "0.0.0.0"))  # noqa: S104 - only compared


def _open_tcp(name: str, backlog: int, scheme: str, names: list[str]) -> list[Listening]:
    match = _HOST_PORT.fullmatch(name)
    if match is None:
        raise Misuse(f"{name!r} is no address to listen on", FORM)
    host, port = match["v6"] or match["host"] or "0.0.0.0", int(match["port"])  # noqa: S104 - `:port` says so
    if port > 65535:
        raise Misuse(f"{name!r} has a port above 65535", FORM)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as exc:
        raise Refusal(
            f"cannot find the address of {host!r} in {name!r}: {reason(exc)}",
            "name an address of this machine",
        ) from None
    if port == 0:
        del found[1:]  # each would get another one
    opened: list[Listening] = []
    try:
        for family, kind, number, _, address in dict.fromkeys(found):
            sock = socket.socket(family, kind, number)
            opened.append(Listening(sock, "", None))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and (len(found) > 1 or _serves_ipv4(names, port)):
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            _bind(sock, name, address)
            _listen(sock, name, backlog)
            opened[-1] = Listening(sock, _url(sock, scheme), None)
    except BaseException:
        close_all(opened)
        raise
    return opened


def _bind(sock: socket.socket, name: str, address: Any) -> None:
    try:
        sock.bind(address)
    except OSError as exc:
        way_out = {
            errno.EADDRINUSE: "stop what listens there, or choose another one with --bind",
            errno.EACCES: "choose a port above 1023, or be allowed to use those below",
            errno.EADDRNOTAVAIL: "name an address of this machine",
        }.get(exc.errno or 0, "choose another one with --bind")
        raise Refusal(f"cannot listen on {name}: {reason(exc)}", way_out) from None


def _listen(sock: socket.socket, name: str, backlog: int) -> None:
    try:
        sock.listen(backlog)
    except OSError as exc:  # two may bind to one port with SO_REUSEADDR, one can listen
        raise Refusal(
            f"cannot listen on {name}: {reason(exc)}",
            "stop what listens there, or choose another one with --bind",
        ) from None


def _url(sock: socket.socket, scheme: str) -> str:
    address = sock.getsockname()
    if not isinstance(address, tuple):
        return f"{scheme} on unix:{os.fsdecode(address)}"
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


# --- unix -----------------------------------------------------------------------------------


def _open_unix(path: str, backlog: int, scheme: str, mode: int | None) -> Listening:
    if not path:
        raise Misuse("'unix:' has no path", "write unix:/run/my-application.sock")
    name = f"unix:{path}"
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            _bind_file(sock, path, mode)
        except OSError as exc:
            raise Refusal(
                f"cannot listen on {name}: {reason(exc)}",
                "name a short path in a folder that this user may write",
            ) from None
        made = os.stat(path)
        _listen(sock, name, backlog)
    except BaseException:
        sock.close()
        raise
    return Listening(sock, _url(sock, scheme), (path, made.st_dev, made.st_ino))


def _bind_file(sock: socket.socket, path: str, mode: int | None) -> None:
    """Bind to a path that nobody can use with more than these permissions at any time."""
    if mode is None:
        sock.bind(path)
        return
    usual = os.umask(0o777 & ~mode)
    try:
        sock.bind(path)
    finally:
        os.umask(usual)


def _remove_stale(path: str) -> None:
    """Remove the socket of a server that died; leave anything else alone."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise Refusal(f"{path!r} is there and is no socket", "name another path with --bind")
    except OSError:
        return  # nothing there, or binding says what is wrong
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError:
            pass
    raise Refusal(
        f"cannot listen on unix:{path}: Address already in use",
        "stop what listens there, or choose another one with --bind",
    )


# --- sockets that somebody else opened --------------------------------------------------------


def _numbers(name: str, environ: Mapping[str, str]) -> Iterable[int]:
    number = name.removeprefix("fd://")
    if number:
        if not number.isdecimal():
            raise Misuse(f"{name!r} has no number of a descriptor", FORM)
        return [int(number)]
    handed = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not handed.isdecimal() or handed == "0":
        raise Refusal(
            "fd:// wants the sockets of systemd, and LISTEN_FDS and LISTEN_PID name none "
            "for this process",
            "start it from a .socket unit, or give the number: fd://3",
        )
    return range(FIRST_FD, FIRST_FD + int(handed))


def _take_over(name: str, fd: int) -> socket.socket:
    try:
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=fd)
    except OSError as exc:
        raise Refusal(
            f"{name}: descriptor {fd} is no socket ({reason(exc)})",
            "have it opened by what starts this",
        ) from None
    if not _is_listening(sock):
        sock.detach()
        raise Refusal(
            f"{name}: descriptor {fd} is a socket that does not listen",
            "hand over a stream socket after listen()",
        )
    return sock


def _is_listening(sock: socket.socket) -> bool:
    return sock.type == socket.SOCK_STREAM and bool(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    )
