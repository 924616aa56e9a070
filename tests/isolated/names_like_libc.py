"""Look names up as the C library does and as we do, and print where the two differ.

Runs as root in namespaces of its own (`unshare --net --mount --uts`): there /etc is a private
copy, and port 53 of loopback belongs to dnsmasq, so that the C library asks the same server.

usage: names_like_libc.py SCENARIO FOLDER
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import eventlet
from eventlet._names.service import NameService
from eventlet._names.standard import StandardNames

ETC = Path("/etc")
FAST = "options timeout:1 attempts:1\n"
RESOLV_CONF = "nameserver 127.0.0.1\nsearch corp.test sub.corp.test\n" + FAST
HOSTS = """\
127.0.0.1 localhost
::1 localhost ip6-localhost
10.1.1.1 filehost.example filehost fh  # a comment
10.1.1.2 filehost.example
2001:db8::77 v6only.example v6only
::1 six
::ffff:10.1.1.7 mapped
fe80::9 linklocal
10.9.9.9 Mixed.Case
10.1.1.8 one.test.shadow both.test
nonsense nonsense
"""
ZONE = (
    *("--host-record=one.test,10.0.0.1", "--host-record=dual.test,192.0.2.77,2001:db8::77"),
    *("--host-record=six.test,2001:db8::66", "--host-record=www.corp.test,10.0.0.2"),
    *("--host-record=deep.sub.corp.test,10.0.0.3", "--host-record=a.b.test,10.0.0.4"),
    *("--host-record=one,10.0.0.11", "--host-record=under_score.test,10.0.0.6"),
    *(f"--host-record=multi.test,{each}" for each in ("127.0.0.9", "192.0.2.9", "192.0.2.200")),
    *(f"--host-record=multi.test,{each}" for each in ("198.51.100.7", "2001:db8::1", "2a00::1")),
    *("--host-record=both.test,10.0.0.8", "--host-record=dotted.name.corp.test,10.0.0.12"),
    *("--cname=alias.test,one.test", "--cname=alias2.test,alias.test"),
    *("--txt-record=nodata.test,hello", "--ptr-record=9.9.0.10.in-addr.arpa,ptr.test"),
    *(f"--host-record=big.test,10.5.0.{number}" for number in range(1, 61)),
)
NAMES: list[Any] = [
    *("localhost", "filehost", "filehost.example", "fh", "FH", "v6only", "six", "mapped"),
    *("linklocal", "mixed.case", "one.test", "one.test.", "ONE.test", "dual.test", "six.test"),
    *("www", "deep", "multi.test", "alias.test", "alias2.test", "nodata.test", "nosuch.test"),
    *("nosuch.test.", "nosuch", "big.test", "a.b", "a.b.test", "one", "under_score.test"),
    *("", "127.1", "0x7f.1", "1.2.3", "256.1.1.1", "1.2.3.4.", "1.2.3.4", "::1", "[::1]"),
    *("fe80::1%lo", "fe80::1%nosuch", "::ffff:1.2.3.4", "-bad.test", "a b.test", "*", "."),
    *("x" * 64, "x" * 64 + ".test", ("y" * 50 + ".") * 6, "b\xfccher.test", "a..b", "one.test.."),
    *(".test", "localhost.", "www.", "both.test", b"one.test", b"\xff.test"),
]
FAMILIES = (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6)
FLAGS = (
    *(0, socket.AI_CANONNAME, socket.AI_ADDRCONFIG, socket.AI_V4MAPPED, socket.AI_ALL),
    *(socket.AI_V4MAPPED | socket.AI_ALL, socket.AI_NUMERICHOST, socket.AI_NUMERICSERV),
    *(socket.AI_PASSIVE, socket.AI_CANONNAME | socket.AI_V4MAPPED | socket.AI_ADDRCONFIG),
)
ODD_CALLS: list[tuple[Any, ...]] = [
    *(("one.test", "http"), ("one.test", "nosuch"), ("one.test", "http", 0, socket.SOCK_DGRAM)),
    *(("one.test", None), ("one.test", "80", 0, 0, 0, socket.AI_NUMERICSERV), (None, None)),
    *(("one.test", "http", 0, 0, 0, socket.AI_NUMERICSERV), ("one.test", 80, 99)),
    *((None, 80, 0, 0, 0, socket.AI_PASSIVE), ("one.test", 80, 0, 77), ("", 80), ("", None)),
    *(("one.test", 80, 0, socket.SOCK_STREAM, socket.IPPROTO_UDP), ("nosuch.test", "nosuch")),
    *(("one.test", 80, 0, 0, 0, 0x10000), ("one.test", b"http"), ("one.test", 70000)),
    *(("one.test", -1), ("one.test", 2**70), (5, 80), ("one.test", 5.5), ("dual.test", "domain")),
]
ADDRESSES = [
    *("10.0.0.1", "10.0.0.99", "10.0.9.9", "127.0.0.1", "::1", "2001:db8::66", "10.1.1.1"),
    *("10.1.1.2", "2001:db8::77", "10.5.0.1", "8.8.8.8", "192.0.2.77", "fe80::9"),
]
ODD_ADDRESSES: list[Any] = [
    *(("fe80::1", 80, 0, 1), ("nosuch", 80), ("one.test", 80), ("10.0.0.1", 80, 0, 0)),
    *(("10.0.0.1", "http"), 5, ("10.0.0.1",), ("::1", 80), ("127.1", 80), ("10.0.0.1", 70000)),
]


class Comparison:
    """Counts calls made both ways, and keeps those that differ."""

    def __init__(self) -> None:
        self.names = StandardNames(NameService())
        self.made = 0
        self.differences: list[tuple[str, str, str]] = []

    def compare(self, function: str, *args: Any) -> None:
        """Make one call both ways."""
        theirs = outcome(getattr(socket, function), args)
        ours = outcome(getattr(self.names, function), args)
        self.made += 1
        if theirs != ours and not is_known_difference(theirs, ours, args):
            self.differences.append((f"{function}{args!r}", theirs, ours))


def outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """Describe what a call returns or raises."""
    try:
        return repr(function(*args))
    except UnicodeError as exc:
        return f"{type(exc).__name__}: {exc}"
    except Exception as exc:
        return f"{type(exc).__name__}{exc.args!r}"


def is_known_difference(theirs: str, ours: str, args: tuple[Any, ...]) -> bool:
    """Tell whether this one is in docs/names.md."""
    if not theirs.startswith("gaierror(-2"):
        return False
    if args[0] in ("alias.test", "alias2.test"):  # an alias of what has no such address
        return ours.startswith("gaierror(-5")
    return args[0] == "mapped" and bool(args[-1] & socket.AI_V4MAPPED)


# -- scenarios -------------------------------------------------------------------------------------


def everything(comparison: Comparison) -> None:
    """Ask for each name in each family with each flag, and all the other functions."""
    for name, family, flags in product(NAMES, FAMILIES, FLAGS):
        comparison.compare("getaddrinfo", name, 80, family, socket.SOCK_STREAM, 0, flags)
    for call in ODD_CALLS:
        comparison.compare("getaddrinfo", *call)
    for name in (*NAMES, "<broadcast>", 5, None):
        for function in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
            comparison.compare(function, name)
    for text in ADDRESSES:
        comparison.compare("gethostbyaddr", text)
        target = (text, 80, 0, 0) if ":" in text else (text, 80)
        for flags in range(32):
            comparison.compare("getnameinfo", target, flags)
    for odd in ODD_ADDRESSES:
        for flags in (0, socket.NI_NAMEREQD, socket.NI_NUMERICHOST | socket.NI_NAMEREQD):
            comparison.compare("getnameinfo", odd, flags)


SEARCHED = (
    *("www", "deep", "one", "one.test", "one.test.", "dotted.name", "a.b", "nosuch", "nosuch.test"),
    *("filehost", "sub.corp.test", "name", "both.test"),
)


def look_at(comparison: Comparison, names: tuple[str, ...] = SEARCHED) -> None:
    """Ask for some names, each family."""
    for name, family in product(names, FAMILIES):
        comparison.compare("getaddrinfo", name, 80, family, socket.SOCK_STREAM)


def searches(comparison: Comparison) -> None:
    """Change what is searched, and how."""
    server = "nameserver 127.0.0.1\n" + FAST
    for more in (
        *(
            "",
            "search corp.test\n",
            "domain corp.test\n",
            "search corp.test\ndomain sub.corp.test\n",
        ),
        *("domain sub.corp.test\nsearch corp.test\n", "search .\n", "search . corp.test\n"),
        *("search corp.test.\n", "search corp.test\noptions ndots:0\n"),
        *("search corp.test\noptions ndots:2\n", "search corp.test\noptions ndots:99\n"),
        *("search corp.test\noptions ndots:3 no-tld-query\n", "# comment\n;search corp.test\n"),
        *(" search corp.test\n", "search corp.test\noptions no-tld-query\n"),
        *("search corp.test\noptions use-vc\n", "search corp.test\noptions edns0 rotate\n"),
        *("search corp.test\noptions single-request\n", "search corp.test\noptions trust-ad\n"),
    ):
        write("resolv.conf", server + more)
        look_at(comparison)


def orders(comparison: Comparison) -> None:
    """Change which services are asked, in which order."""
    for line in (
        *("files dns", "dns files", "files", "dns", "files [NOTFOUND=return] dns"),
        *("dns [!UNAVAIL=return] files", "files [SUCCESS=return] dns", "mdns4 files dns"),
        *("files  mdns4_minimal [NOTFOUND=return] dns", "dns [NOTFOUND=return] files"),
    ):
        write("nsswitch.conf", f"# hosts: nothing\nhosts: {line}\nservices: files\n")
        look_at(comparison)
        comparison.compare("gethostbyaddr", "10.1.1.1")
        comparison.compare("gethostbyaddr", "10.0.0.1")


def no_files(comparison: Comparison) -> None:
    """Do without resolv.conf, and without the hosts file."""
    (ETC / "resolv.conf").unlink()
    look_at(comparison)
    (ETC / "hosts").unlink()
    look_at(comparison)


def servers(comparison: Comparison) -> None:
    """Ask servers that are not there, refuse, or stay silent."""
    with silent_server("127.0.0.3"), dnsmasq("127.0.0.2"):  # the second one refuses all
        for listed in (
            *(("127.0.0.9",), ("127.0.0.9", "127.0.0.1"), ("127.0.0.2",)),
            *(("127.0.0.2", "127.0.0.1"), ("127.0.0.3",), ("127.0.0.3", "127.0.0.1")),
        ):
            lines = "".join(f"nameserver {each}\n" for each in listed)
            write("resolv.conf", lines + FAST)
            if "127.0.0.3" in listed:
                comparison.compare("getaddrinfo", "dual.test.", 80)  # a second for each of us
            else:
                look_at(comparison, ("one.test.", "dual.test.", "filehost"))


def single_lines(comparison: Comparison) -> None:
    """Read only the first line for a name from the hosts file."""
    look_at(comparison, ("localhost", "filehost.example", "six", "mapped", "both.test"))


def preferences(comparison: Comparison) -> None:
    """Prefer other addresses than usual."""
    look_at(comparison, ("multi.test", "dual.test", "localhost"))


SCENARIOS: dict[str, tuple[Callable[[Comparison], None], dict[str, str]]] = {
    "everything": (everything, {}),
    "searches": (searches, {}),
    "orders": (orders, {}),
    "no files": (no_files, {}),
    "servers": (servers, {}),
    "single lines": (single_lines, {"host.conf": "multi off\n"}),
    "ipv4 first": (preferences, {"gai.conf": "precedence ::ffff:0:0/96 100\n"}),
    "a label": (preferences, {"gai.conf": "label 2001:db8::/64 4\nlabel ::/0 7\n"}),
    "a scope": (preferences, {"gai.conf": "scopev4 ::ffff:198.51.100.0/120 2\n"}),
}


# -- the stage -------------------------------------------------------------------------------------


def write(name: str, text: str) -> None:
    """Write a file of /etc so that the C library sees the change."""
    path = ETC / name
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.rename(path)


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def prepare(folder: Path, files: dict[str, str]) -> None:
    """Make /etc a copy, with files of ours, and give loopback the addresses of a network."""
    run("mount", "--make-rprivate", "/")
    copy = folder / "etc"
    shutil.copytree(ETC, copy, symlinks=True, ignore_dangling_symlinks=True)
    run("mount", "--bind", str(copy), str(ETC))
    usual = {
        "resolv.conf": RESOLV_CONF,
        "hosts": HOSTS,
        "nsswitch.conf": "hosts: files dns\nservices: files\nprotocols: files\n",
        "host.conf": "multi on\n",
        "gai.conf": "",
    }
    for name, text in (usual | files).items():
        (ETC / name).unlink(missing_ok=True)
        write(name, text)
    socket.sethostname("machine")
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", "192.0.2.5/24", "dev", "lo")
    run("ip", "-6", "addr", "add", "2001:db8::5/64", "dev", "lo", "nodad")


@contextmanager
def dnsmasq(host: str, *records: str) -> Iterator[None]:
    """Run a server on port 53; without records it refuses every question."""
    command = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]
    command += ["--bind-interfaces", f"--listen-address={host}", "--user=root", "--pid-file="]
    command += ["--no-round-robin", "--local-ttl=60", *records]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            wait_for_server(server, host)
            threading.Thread(target=drain, args=(server,), daemon=True).start()
            yield
        finally:
            server.send_signal(signal.SIGTERM)


def drain(server: subprocess.Popen[str]) -> None:
    assert server.stderr is not None
    for _line in server.stderr:
        pass


def wait_for_server(server: subprocess.Popen[str], host: str) -> None:
    give_up = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((host, 53)) == 0:
                return
        if server.poll() is not None or time.monotonic() > give_up:
            assert server.stderr is not None
            raise SystemExit(f"no dnsmasq: {server.stderr.read()}")
        time.sleep(0.01)


@contextmanager
def silent_server(host: str) -> Iterator[None]:
    """Hold port 53 and never answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 53))
        yield


def main(scenario: str, folder: str) -> None:
    """Run a scenario; print how many calls were made, and those that differ, as JSON."""
    show, files = SCENARIOS[scenario]
    for name in ("LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES"):
        os.environ.pop(name, None)
    prepare(Path(folder), files)
    eventlet.sleep(0)
    with dnsmasq("127.0.0.1", "--local=/#/", "--local=//", *ZONE):
        comparison = Comparison()
        show(comparison)
    print(json.dumps({"made": comparison.made, "differences": comparison.differences}))


if __name__ == "__main__":
    main(*sys.argv[1:])
