"""The hosts file."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from eventlet._names.hosts_file import HostsFile, parse_hosts
from eventlet._names.outcomes import Host, LookupFailed
from eventlet._names.watched_file import WatchedFile

V4, V6 = socket.AF_INET, socket.AF_INET6
TEXT = """\
127.0.0.1 localhost
::1 localhost
10.0.0.1 Canonical alias # comment
10.0.0.2 canonical other
2001:DB8::1 six
::ffff:10.0.0.3 mapped
nonsense name
10.0.0.4
"""


def found(hosts: HostsFile, name: str, *families: int, multi: bool = True) -> list[str]:
    return [each.text for each in hosts.forward(name, families, multi).addresses]


def test_a_name_has_the_addresses_of_its_families() -> None:
    hosts = parse_hosts(TEXT)

    assert found(hosts, "localhost", V4, V6) == ["127.0.0.1", "::1"]
    assert found(hosts, "localhost", V6) == ["::1"]
    assert found(hosts, "six", V6) == ["2001:db8::1"]


def test_a_host_has_its_names_from_all_lines() -> None:
    host = parse_hosts(TEXT).forward("CANONICAL", (V4,), multi=True)

    assert isinstance(host, Host)
    assert (host.name, host.aliases) == ("Canonical", ("alias", "canonical", "other"))


def test_the_first_line_alone_counts_without_multi() -> None:
    assert found(parse_hosts(TEXT), "canonical", V4, multi=False) == ["10.0.0.1"]


def test_lines_of_ipv6_that_mean_ipv4_serve_those_who_want_it() -> None:
    hosts = parse_hosts("::1 six\n::ffff:10.0.0.3 mapped\n")

    assert found(hosts, "six", V4) == ["127.0.0.1"]
    assert found(hosts, "mapped", V4) == ["10.0.0.3"]


@pytest.mark.parametrize("name", ["unknown", "name", "comment", "#"])
def test_other_names_are_not_found(name: str) -> None:
    with pytest.raises(LookupFailed):
        parse_hosts(TEXT).forward(name, (V4, V6), multi=True)


def test_a_name_without_address_of_the_family_is_not_found() -> None:
    with pytest.raises(LookupFailed):
        parse_hosts(TEXT).forward("six", (V4,), multi=True)


def test_an_address_has_the_names_of_its_first_line() -> None:
    hosts = parse_hosts(TEXT)
    host = hosts.reverse(socket.inet_pton(V4, "10.0.0.1"))

    assert (host.name, host.aliases) == ("Canonical", ("alias",))
    with pytest.raises(LookupFailed):
        hosts.reverse(socket.inet_pton(V4, "10.0.0.9"))


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = WatchedFile(str(path), str.split)
    missing = file.read()
    path.write_text("one")
    first, again = file.read(), file.read()
    path.write_text("one two")

    assert (missing, first, file.read()) == ([], ["one"], ["one", "two"])
    assert first is again


def test_an_unreadable_file_is_empty(tmp_path: Path) -> None:
    assert WatchedFile(str(tmp_path), str.split).read() == []


def test_a_change_that_keeps_the_time_of_the_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    file = WatchedFile(str(path), str.split)
    assert file.read() == ["one"]
    before = path.stat()
    give_up = time.monotonic() + 30
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of files is a coarse one
        assert time.monotonic() < give_up
        path.write_text("two")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert file.read() == ["two"]
