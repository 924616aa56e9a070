"""`eventlet.support.greendns`: the names that programs for the old library use."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlet.greenthread import spawn
from eventlet.support import greendns

from tests.conftest import RunIsolated
from tests.unit.names.dns_server import DnsServer, Zone, running_server

RECORDS = {
    ("one.test", "A"): ["10.0.0.1"],
    ("dual.test", "A"): ["10.0.0.2"],
    ("dual.test", "AAAA"): ["2001:db8::2"],
    ("alias.test", "CNAME"): ["one.test."],
    ("big.test", "A"): [f"10.5.0.{number}" for number in range(1, 61)],
    ("db", "A"): ["10.0.0.9"],
    ("mail.test", "MX"): ["10 one.test."],
}
dns: Any = greendns.dns


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with running_server(Zone(dict(RECORDS))) as running:
        yield running


@pytest.fixture
def proxy(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> greendns.ResolverProxy:
    made = greendns.ResolverProxy(filename="/nonexistent/resolv.conf")
    made._resolver.port = server.port
    monkeypatch.setattr(greendns, "resolver", made)
    return made


def hosts_resolver(folder: Path, text: str) -> greendns.HostsResolver:
    path = folder / "hosts"
    path.write_text(text, newline="")
    return greendns.HostsResolver(str(path))


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "is_v4", "is_v6"),
    [
        ("127.0.0.1", True, False),
        ("::1", False, True),
        ("fe80::1%lo", False, True),
        ("127.1", False, False),
        ("name", False, False),
        (b"127.0.0.1", False, False),
        (None, False, False),
    ],
)
def test_addresses_are_told_from_names(host: Any, is_v4: bool, is_v6: bool) -> None:
    assert greendns.is_ipv4_addr(host) is is_v4
    assert greendns.is_ipv6_addr(host) is is_v6
    assert greendns.is_ip_addr(host) is (is_v4 or is_v6)


# -- the hosts file ----------------------------------------------------------------------------


def test_lines_end_and_comment_in_any_way(tmp_path: Path) -> None:
    hosts = hosts_resolver(tmp_path, "# first\nline0\nline1 # more\r\nline2\rline3\n\n")

    assert hosts._readlines() == ["line0", "line1", "line2", "line3"]


def test_a_missing_file_is_empty() -> None:
    hosts = greendns.HostsResolver("/nonexistent/hosts")

    assert (hosts._readlines(), hosts._v4, hosts._v6, hosts._aliases) == ([], {}, {}, {})


def test_names_addresses_and_aliases_are_read(tmp_path: Path) -> None:
    hosts = hosts_resolver(
        tmp_path, "1.2.3.4 V4.example.com v4\ndead:beef::1 v6.example.com. v6\n1.2.3 odd\n"
    )

    assert hosts._v4 == {"v4.example.com": "1.2.3.4", "v4": "1.2.3.4"}
    assert hosts._v6 == {"v6.example.com": "dead:beef::1", "v6": "dead:beef::1"}
    assert hosts._aliases == {"v4": "v4.example.com", "v6": "v6.example.com"}


def test_link_local_addresses_are_left_out(tmp_path: Path) -> None:
    hosts = hosts_resolver(tmp_path, "fe80:: foo\nfe80:dead:beef::1 bar\n")

    assert hosts._v6 == {}


def test_a_name_keeps_all_its_addresses(tmp_path: Path) -> None:
    hosts = hosts_resolver(tmp_path, "1.2.3.4 host\n1.2.3.5 host\n")

    assert [record.address for record in hosts.query("host")] == ["1.2.3.4", "1.2.3.5"]


@pytest.mark.parametrize("name", ["host.test", b"host.test", "host.test.", "HOST.test"])
def test_the_hosts_file_answers_questions(name: Any, tmp_path: Path) -> None:
    hosts = hosts_resolver(tmp_path, "1.2.3.4 host.test alias\n::5 host.test\n")
    answer = hosts.query(name)

    assert isinstance(answer, greendns.HostsAnswer)
    assert [record.address for record in answer] == ["1.2.3.4"]
    assert [record.address for record in hosts.query(name, dns.rdatatype.AAAA)] == ["::5"]
    assert answer.response is None
    assert 0 <= answer.rrset.ttl <= 10
    assert str(hosts.query("alias", "CNAME")[0].target) == "host.test."
    assert hosts.getaliases("host.test") == ["alias"]


def test_what_is_not_in_the_file_is_no_answer(tmp_path: Path) -> None:
    hosts = hosts_resolver(tmp_path, "1.2.3.4 host\n")

    for question in (("other",), ("host", "AAAA"), ("host", "MX")):
        with pytest.raises(dns.resolver.NoAnswer):
            hosts.query(*question)
    assert not hosts.query("other", raise_on_no_answer=False).rrset


def test_the_file_is_read_again_after_the_interval(tmp_path: Path) -> None:
    hosts = hosts_resolver(tmp_path, "1.2.3.4 host\n")
    (tmp_path / "hosts").write_text("1.2.3.5 host\n")
    first = hosts.query("host")[0].address
    hosts._last_load -= hosts.interval

    assert (first, hosts.query("host")[0].address) == ("1.2.3.4", "1.2.3.5")


# -- questions ---------------------------------------------------------------------------------


def test_any_type_can_be_asked_for(proxy: greendns.ResolverProxy) -> None:
    assert str(proxy.query("mail.test", "MX")[0].exchange) == "one.test."


def test_the_hosts_file_goes_first(proxy: greendns.ResolverProxy, tmp_path: Path) -> None:
    proxy._hosts = hosts_resolver(tmp_path, "1.2.3.4 one.test\n")

    assert [record.address for record in proxy.query("one.test")] == ["1.2.3.4"]
    with pytest.raises(dns.resolver.NoAnswer):
        proxy.query("dual.test", use_network=False)


def test_a_name_without_dots_is_also_asked_as_it_is(proxy: greendns.ResolverProxy) -> None:
    assert [record.address for record in proxy.query("db")] == ["10.0.0.9"]


def test_what_does_not_exist_is_an_error_or_an_empty_answer(proxy: greendns.ResolverProxy) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        proxy.query("no.test")
    assert not proxy.query("no.test", raise_on_no_answer=False).rrset


def test_answers_that_are_cut_come_over_tcp(
    proxy: greendns.ResolverProxy, server: DnsServer
) -> None:
    assert len(list(proxy.query("big.test"))) == 60
    assert server.tcp_asked == [("A", "big.test")]


def test_aliases_are_followed(proxy: greendns.ResolverProxy) -> None:
    assert greendns.resolve_cname("alias.test") == "one.test."
    assert greendns.resolve_cname("one.test") == "one.test"
    assert greendns.getaliases("alias.test") == ["one.test"]


def test_resolve_gives_answers_and_socket_errors(
    proxy: greendns.ResolverProxy, server: DnsServer
) -> None:
    assert [record.address for record in greendns.resolve("one.test")] == ["10.0.0.1"]
    assert not greendns.resolve("no.test", raises=False).rrset
    with pytest.raises(socket.gaierror) as caught:
        greendns.resolve("no.test")
    assert caught.value.args == greendns.EAI_NONAME_ERROR.args
    for family in (socket.AF_UNIX, 99):
        with pytest.raises(socket.gaierror) as caught:
            greendns.resolve("one.test", family)
        assert caught.value.errno == socket.EAI_FAMILY


def test_a_late_answer_is_a_temporary_failure(
    proxy: greendns.ResolverProxy, server: DnsServer
) -> None:
    server.reply = lambda *_args: None
    proxy._resolver.lifetime = 0.1

    with pytest.raises(socket.gaierror) as caught:
        greendns.resolve("one.test")
    assert caught.value.errno == socket.EAI_AGAIN
    assert caught.value is not greendns.EAI_EAGAIN_ERROR


def test_a_resolver_in_its_place_is_obeyed(proxy: greendns.ResolverProxy) -> None:
    found = greendns.getaddrinfo("dual.test", 80, 0, socket.SOCK_STREAM)

    assert [entry[4][0] for entry in found] == ["2001:db8::2", "10.0.0.2"]
    assert greendns.gethostbyname("one.test") == "10.0.0.1"
    assert greendns.gethostbyname_ex("alias.test") == ("alias.test", ["one.test"], ["10.0.0.1"])
    flags = socket.AI_V4MAPPED | socket.AI_ALL
    found = greendns.getaddrinfo("dual.test", 80, socket.AF_INET6, socket.SOCK_STREAM, 0, flags)
    assert [entry[4][0] for entry in found] == ["2001:db8::2", "::ffff:10.0.0.2"]
    with pytest.raises(socket.gaierror) as caught:
        greendns.getaddrinfo("no.test", 80)
    assert caught.value.errno == socket.EAI_NONAME


def test_reset_forgets_what_was_put_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greendns, "resolver", object())
    monkeypatch.setattr(greendns, "_OWN", greendns._OWN)
    greendns.reset()

    assert isinstance(greendns.resolver, greendns.ResolverProxy)
    assert greendns.gethostbyname("127.0.0.1") == "127.0.0.1"


# -- single exchanges --------------------------------------------------------------------------


def question(name: str = "one.test", rdtype: str = "A") -> Any:
    return dns.message.make_query(name, rdtype)


def test_udp_and_tcp_return_the_response(server: DnsServer) -> None:
    for ask in (greendns.udp, greendns.tcp):
        response = ask(question(), "127.0.0.1", port=server.port)
        assert response.answer[0][0].address == "10.0.0.1"
        assert response.time >= 0


def test_udp_waits_no_longer_than_it_should(server: DnsServer) -> None:
    server.reply = lambda *_args: None
    began = time.monotonic()

    with pytest.raises(dns.exception.Timeout):
        greendns.udp(question(), "127.0.0.1", timeout=0.1, port=server.port)
    assert time.monotonic() - began < 20


def test_udp_leaves_a_socket_that_it_was_given_open(server: DnsServer) -> None:
    with greendns.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        greendns.udp(question(), "127.0.0.1", port=server.port, sock=sock)

        assert sock.fileno() >= 0
        assert sock.gettimeout() is None


def test_udp_raises_for_a_stranger_unless_told_to_ignore_it(server: DnsServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))

        def let_a_stranger_answer(server: DnsServer, wire: bytes, sender: Any) -> None:
            stranger.sendto(server.zone.answer(wire).to_wire(), sender)
            server.send(server.zone.answer(wire).to_wire(), sender)

        server.reply = let_a_stranger_answer

        with pytest.raises(dns.query.UnexpectedSource):
            greendns.udp(question(), "127.0.0.1", port=server.port)
        found = greendns.udp(question(), "127.0.0.1", port=server.port, ignore_unexpected=True)
        assert found.answer


def test_udp_raises_for_nonsense_unless_told_to_ignore_it(server: DnsServer) -> None:
    def send_nonsense_first(server: DnsServer, wire: bytes, sender: Any) -> None:
        other = dns.message.make_query("other.test", "A")
        for nonsense in (b"short", dns.message.make_response(other).to_wire()):
            server.send(nonsense, sender)
        server.send(server.zone.answer(wire).to_wire(), sender)

    server.reply = send_nonsense_first

    with pytest.raises(dns.exception.DNSException):
        greendns.udp(question(), "127.0.0.1", port=server.port)
    assert greendns.udp(question(), "127.0.0.1", port=server.port, ignore_errors=True).answer


def test_udp_speaks_ipv6() -> None:
    listener = greendns.socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        listener.bind(("::1", 0))
    except OSError as exc:
        listener.close()
        pytest.skip(f"nobody can bind to ::1 here: {exc}")
    zone = Zone(dict(RECORDS))

    def answer_once() -> None:
        wire, sender = listener.recvfrom(512)
        listener.sendto(zone.answer(wire).to_wire(), sender)

    spawn(answer_once)
    port = listener.getsockname()[1]
    response = greendns.udp(question(), "0:0:0:0:0:0:0:1", port=port)
    listener.close()

    assert response.answer


# -- the process -------------------------------------------------------------------------------


def test_the_users_dnspython_is_left_alone(run_isolated: RunIsolated) -> None:
    run_isolated("""
        import sys
        import dns.rdtypes, dns.query
        before = {name: module for name, module in sys.modules.items() if name.startswith("dns")}
        udp = dns.query.udp
        import eventlet
        eventlet.monkey_patch()
        from eventlet.support import greendns
        assert greendns.dns is not dns
        assert greendns.dns.query.udp is greendns.udp
        import dns.reversename
        assert str(dns.reversename.from_address("127.0.0.1")) == "1.0.0.127.in-addr.arpa."
        after = {name: module for name, module in sys.modules.items() if name.startswith("dns")}
        assert dns.query.udp is udp
        assert all(after[name] is module for name, module in before.items())
    """)


def test_the_old_code_for_no_data_can_be_had(run_isolated: RunIsolated) -> None:
    code = """
        import socket
        from eventlet.support import greendns
        print(greendns.EAI_NODATA_ERROR.errno == socket.EAI_NODATA)
    """

    assert run_isolated(code).stdout.strip() == "False"
    env = {"EVENTLET_DEPRECATED_EAI_NODATA": "yes"}
    assert run_isolated(code, env=env).stdout.strip() == "True"
