"""Names asked of a server: together, shared, kept, and not believing what is forged."""

from __future__ import annotations

import socket
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from eventlet._core.hub import Hub
from eventlet._names.outcomes import Miss
from eventlet._names.standard import StandardNames
from eventlet.event import Event
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep, spawn
from eventlet.semaphore import Semaphore
from eventlet.timeout import Timeout

from tests.leaks import DESCRIPTORS
from tests.unit.names.dns_server import DnsServer, Zone, make_names, running_server

RECORDS = {
    ("one.test", "A"): ["10.0.0.1"],
    ("dual.test", "A"): ["10.0.0.2"],
    ("dual.test", "AAAA"): ["2001:db8::2"],
    ("www.corp.test", "A"): ["10.0.0.3"],
    ("alias.test", "CNAME"): ["one.test."],
    ("loop.test", "CNAME"): ["loop.test."],
    ("text.test", "TXT"): ["hello"],
    ("big.test", "A"): [f"10.5.0.{number}" for number in range(1, 61)],
    ("1.0.0.10.in-addr.arpa", "PTR"): ["one.test."],
}
PATIENT = "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n"
BRIEF = "nameserver 127.0.0.1\noptions timeout:3 attempts:1\n"


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with running_server(Zone(dict(RECORDS))) as running:
        yield running


@pytest.fixture
def names(server: DnsServer, tmp_path: Path) -> StandardNames:
    return make_names(tmp_path, server.port, PATIENT)


def addresses(names: StandardNames, host: str, family: int = 0, flags: int = 0) -> list[str]:
    found = names.getaddrinfo(host, 80, family, socket.SOCK_STREAM, 0, flags)
    return [entry[4][0] for entry in found]


def code_of(names: StandardNames, host: str, family: int = 0) -> int | None:
    with pytest.raises(socket.gaierror) as caught:
        names.getaddrinfo(host, 80, family)
    return caught.value.errno


# -- questions -------------------------------------------------------------------------------------


def test_both_families_are_asked_before_either_answers(
    server: DnsServer, names: StandardNames
) -> None:
    server.delay = 0.05

    assert sorted(addresses(names, "dual.test")) == ["10.0.0.2", "2001:db8::2"]
    assert sorted(server.asked) == [("A", "dual.test"), ("AAAA", "dual.test")]
    assert server.senders[0] == server.senders[1]


def test_one_at_a_time_when_the_file_says_so(server: DnsServer, tmp_path: Path) -> None:
    names = make_names(tmp_path, server.port, PATIENT + "options single-request\n")

    assert sorted(addresses(names, "dual.test")) == ["10.0.0.2", "2001:db8::2"]
    assert server.asked == [("A", "dual.test"), ("AAAA", "dual.test")]


def test_one_family_is_asked_for_alone(server: DnsServer, names: StandardNames) -> None:
    assert addresses(names, "dual.test", socket.AF_INET) == ["10.0.0.2"]
    assert server.asked == [("A", "dual.test")]


def test_no_aaaa_asks_for_ipv4_only(server: DnsServer, tmp_path: Path) -> None:
    names = make_names(tmp_path, server.port, PATIENT + "options no-aaaa\n")

    assert addresses(names, "dual.test") == ["10.0.0.2"]
    assert server.asked == [("A", "dual.test")]


def test_each_look_up_comes_from_another_port(server: DnsServer, names: StandardNames) -> None:
    for number in range(8):
        code_of(names, f"no{number}.test", socket.AF_INET)

    assert len({port for _host, port in server.senders}) > 4


def test_a_loop_of_aliases_ends(names: StandardNames) -> None:
    assert code_of(names, "loop.test") == socket.EAI_NODATA


def test_a_long_chain_of_aliases_is_followed(server: DnsServer, names: StandardNames) -> None:
    def chain(server: DnsServer, wire: bytes, sender: Any) -> None:
        reply = dns.message.make_response(dns.message.from_wire(wire))
        for number in range(20):
            target = f"a{number + 1}.test."
            reply.answer.append(dns.rrset.from_text(f"a{number}.test.", 60, "IN", "CNAME", target))
        reply.answer.append(dns.rrset.from_text("a20.test.", 60, "IN", "A", "10.0.0.1"))
        server.send(reply.to_wire(), sender)

    server.reply = chain
    aliases = [f"a{number}.test" for number in range(20)]

    assert names.gethostbyname_ex("a0.test") == ("a20.test", aliases, ["10.0.0.1"])


def test_edns0_offers_longer_answers(server: DnsServer, tmp_path: Path) -> None:
    plain = make_names(tmp_path, server.port, PATIENT)
    addresses(plain, "one.test", socket.AF_INET)
    (tmp_path / "resolv.conf").write_text(PATIENT + "options edns0\n")
    addresses(plain, "one.test", socket.AF_INET)

    assert server.payloads == [0, 1200]


def test_a_server_that_knows_no_edns0_is_asked_without(server: DnsServer, tmp_path: Path) -> None:
    def refuse_edns(server: DnsServer, wire: bytes, sender: Any) -> None:
        query = dns.message.from_wire(wire)
        reply = server.zone.answer(wire)
        if query.edns >= 0:
            reply = dns.message.make_response(query)
            reply.set_rcode(dns.rcode.FORMERR)
        server.send(reply.to_wire(), sender)

    server.reply = refuse_edns
    names = make_names(tmp_path, server.port, PATIENT + "options edns0\n")

    assert addresses(names, "one.test", socket.AF_INET) == ["10.0.0.1"]
    assert len(server.asked) == 2


# -- TCP -------------------------------------------------------------------------------------------


def test_a_cut_answer_is_asked_for_over_tcp(server: DnsServer, names: StandardNames) -> None:
    assert len(addresses(names, "big.test")) == 60
    assert server.tcp_asked == [("A", "big.test")]


def test_what_is_cut_even_over_tcp_is_taken_as_it_is(
    server: DnsServer, names: StandardNames
) -> None:
    def cut_as_well(connection: Any) -> None:
        with connection, connection.makefile("rb") as lines:
            wire = lines.read(int.from_bytes(lines.read(2), "big"))
            reply = server.zone.answer(wire)
            reply.flags |= dns.flags.TC
            answer = reply.to_wire()
            connection.sendall(len(answer).to_bytes(2, "big") + answer)

    server.converse = cut_as_well  # type: ignore[method-assign]  # a test's server

    assert len(addresses(names, "big.test", socket.AF_INET)) == 60


def test_use_vc_asks_over_tcp_only(server: DnsServer, tmp_path: Path) -> None:
    names = make_names(tmp_path, server.port, PATIENT + "options use-vc\n")

    assert sorted(addresses(names, "dual.test")) == ["10.0.0.2", "2001:db8::2"]
    assert server.asked == []


# -- sharing and keeping ---------------------------------------------------------------------------


def test_those_who_ask_the_same_share_one_question(server: DnsServer, names: StandardNames) -> None:
    server.delay = 0.05
    pool = GreenPool()

    found = list(pool.imap(lambda _number: addresses(names, "one.test"), range(50)))

    assert found == [["10.0.0.1"]] * 50
    assert len(server.asked) == 2


def test_who_gives_up_does_not_disturb_the_others(server: DnsServer, names: StandardNames) -> None:
    server.delay = 0.1
    first = spawn(addresses, names, "one.test")
    second = spawn(addresses, names, "one.test")
    sleep(0.02)
    first.kill()

    assert second.wait() == ["10.0.0.1"]


def test_a_hub_in_the_place_of_another_asks_anew(server: DnsServer, names: StandardNames) -> None:
    first = names.service.dns._here.jobs()
    again = names.service.dns._here.jobs()
    first._hub = weakref.ref(Hub())  # gone at once

    assert again is first
    assert names.service.dns._here.jobs() is not first


def test_who_waits_hears_of_a_question_that_was_ended(
    server: DnsServer, names: StandardNames
) -> None:
    server.reply = lambda *_args: None
    waiting = spawn(code_of, names, "one.test", socket.AF_INET)
    sleep(0.02)
    (job,) = names.service.dns._here.jobs()._running.values()
    assert job.thread is not None
    job.thread.kill()

    assert waiting.wait() == socket.EAI_AGAIN


def test_a_look_up_that_nobody_waits_for_ends(server: DnsServer, tmp_path: Path) -> None:
    server.reply = lambda *_args: None
    names = make_names(tmp_path, server.port)  # the leak check sees what would stay for 5 s

    with Timeout(0.05, False):
        addresses(names, "one.test")


def test_answers_are_kept_as_long_as_the_server_says(
    server: DnsServer, names: StandardNames
) -> None:
    now = [1000.0]
    names.service.dns.cache._clock = lambda: now[0]
    for moment in (1000.0, 1059.0, 1061.0):
        now[0] = moment
        addresses(names, "one.test", socket.AF_INET)

    assert server.asked == [("A", "one.test")] * 2


def test_that_there_is_nothing_is_kept_too(server: DnsServer, names: StandardNames) -> None:
    now = [1000.0]
    names.service.dns.cache._clock = lambda: now[0]
    for moment in (1000.0, 1006.0, 1008.0):  # the zone says 7 s
        now[0] = moment
        assert code_of(names, "no.test", socket.AF_INET) == socket.EAI_NONAME
        assert code_of(names, "text.test", socket.AF_INET) == socket.EAI_NODATA

    assert len(server.asked) == 4


def test_answers_without_time_to_live_are_not_kept(server: DnsServer, names: StandardNames) -> None:
    server.zone.ttl = 0
    addresses(names, "one.test", socket.AF_INET)
    addresses(names, "one.test", socket.AF_INET)

    assert len(server.asked) == 2


def test_failures_are_not_kept(server: DnsServer, names: StandardNames) -> None:
    server.zone.rcodes["one.test"] = "SERVFAIL"
    assert code_of(names, "one.test", socket.AF_INET) == socket.EAI_AGAIN
    server.zone.rcodes.clear()

    assert addresses(names, "one.test", socket.AF_INET) == ["10.0.0.1"]


def test_other_servers_are_asked_anew(
    server: DnsServer, names: StandardNames, tmp_path: Path
) -> None:
    addresses(names, "one.test", socket.AF_INET)
    (tmp_path / "resolv.conf").write_text(PATIENT + "options attempts:2\n")
    addresses(names, "one.test", socket.AF_INET)

    assert len(server.asked) == 2


def test_what_other_servers_said_meanwhile_is_not_kept(
    server: DnsServer, names: StandardNames, tmp_path: Path
) -> None:
    addresses(names, "dual.test")  # loads dnspython
    gate = Event()

    def hold_one(server: DnsServer, wire: bytes, sender: Any) -> None:
        if b"one" in wire:
            gate.wait()
        server.send(server.zone.answer(wire).to_wire(), sender)

    server.reply = hold_one
    first = spawn(addresses, names, "one.test", socket.AF_INET)
    sleep(0.01)
    (tmp_path / "resolv.conf").write_text(PATIENT + "options attempts:2\n")
    addresses(names, "dual.test", socket.AF_INET)  # notices it
    gate.send()

    assert first.wait() == ["10.0.0.1"]
    addresses(names, "one.test", socket.AF_INET)
    assert server.asked.count(("A", "one.test")) == 2


@pytest.mark.slow
@pytest.mark.parametrize("conf", [BRIEF, BRIEF + "options use-vc\n"], ids=["UDP", "TCP"])
def test_waiting_for_room_does_not_count_as_the_servers_time(
    conf: str, server: DnsServer, tmp_path: Path
) -> None:
    names = make_names(tmp_path, server.port, conf)
    addresses(names, "dual.test")  # loads dnspython
    channels = names.service.dns._here.jobs()._channels
    channels._room, channels._tcp_room = Semaphore(1), Semaphore(1)
    server.delay = 0.85
    pool = GreenPool()

    found = list(pool.imap(lambda n: code_of(names, f"no{n}.test", socket.AF_INET), range(4)))

    assert found == [socket.EAI_NONAME] * 4  # those that came last waited for nearly three seconds


@pytest.mark.slow
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNSPEC], ids=["one", "both"])
def test_a_thousand_names_at_once_are_asked_for_before_one_is_answered(
    family: int, server: DnsServer, tmp_path: Path
) -> None:
    wanted = {f"h{number}.test": f"10.9.{number // 250}.{number % 250}" for number in range(1000)}
    server.zone.records.update({(name, "A"): [text] for name, text in wanted.items()})
    server.zone.records.update({(name, "AAAA"): ["2001:db8::1"] for name in wanted})
    ready: dict[bytes, bytes] = {}
    names = make_names(
        tmp_path, server.port, "nameserver 127.0.0.1\noptions timeout:5 attempts:5\n"
    )
    addresses(names, "one.test")  # loads dnspython
    most_open = 0
    gate = Event()
    server.asked.clear()
    expected = 1000 if family == socket.AF_INET else 2000

    def answer_when_all_have_asked(server: DnsServer, wire: bytes, sender: Any) -> None:
        nonlocal most_open
        reply = ready.setdefault(wire, server.zone.answer(wire).to_wire())
        most_open = max(most_open, len(list(DESCRIPTORS.iterdir())))
        if len(set(server.asked)) >= expected and not gate.ready():
            gate.send()
        gate.wait()
        server.send(reply, sender)

    server.reply = answer_when_all_have_asked
    before = len(list(DESCRIPTORS.iterdir()))
    pool = GreenPool(1000)
    found = list(pool.imap(lambda name: addresses(names, name, family), wanted))

    more = [] if family == socket.AF_INET else ["2001:db8::1"]
    assert [sorted(each) for each in found] == [[text, *more] for text in wanted.values()]
    assert most_open - before < 64


# -- what is not believed --------------------------------------------------------------------------


def forged(change: str, query: bytes, server: DnsServer) -> bytes:
    """Make a reply that is wrong in one point."""
    message = dns.message.from_wire(query)
    reply = dns.message.make_response(message)
    name = message.question[0].name
    if change == "another question":
        other = dns.message.make_query("other.test", "A")
        other.id = message.id
        reply = dns.message.make_response(other)
    if change == "another type":
        other = dns.message.make_query(name, "TXT")
        other.id = message.id
        reply = dns.message.make_response(other)
    reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "6.6.6.6"))
    wire = bytearray(reply.to_wire())
    if change == "another number":
        wire[0] ^= 0xFF
    if change == "no reply":
        wire[2] &= 0x7F
    if change == "cut in the middle":
        wire = wire[:-3]
    if change == "nothing":
        wire = wire[:5]
    return bytes(wire)


CHANGES = (
    *("another question", "another type", "another number", "no reply"),
    *("cut in the middle", "nothing"),
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_forged_reply_is_dropped_and_the_true_one_awaited(
    change: str, server: DnsServer, names: StandardNames
) -> None:
    def lie_first(server: DnsServer, wire: bytes, sender: Any) -> None:
        server.send(forged(change, wire, server), sender)
        sleep(0.02)
        server.send(server.zone.answer(wire).to_wire(), sender)

    server.reply = lie_first

    assert addresses(names, "one.test", socket.AF_INET) == ["10.0.0.1"]


def test_a_reply_from_elsewhere_is_dropped(server: DnsServer, names: StandardNames) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", server.port))

        def let_a_stranger_answer(server: DnsServer, wire: bytes, sender: Any) -> None:
            stranger.sendto(forged("", wire, server), sender)
            sleep(0.02)
            server.send(server.zone.answer(wire).to_wire(), sender)

        server.reply = let_a_stranger_answer

        assert addresses(names, "one.test", socket.AF_INET) == ["10.0.0.1"]


@pytest.mark.slow
def test_a_stream_of_forged_replies_ends_with_the_deadline(
    server: DnsServer, tmp_path: Path
) -> None:
    conf = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
    names = make_names(tmp_path, server.port, conf)
    is_lying = True

    def lie_for_ever(server: DnsServer, wire: bytes, sender: Any) -> None:
        while is_lying:
            server.send(forged("another number", wire, server), sender)
            sleep(0.01)

    server.reply = lie_for_ever
    began = time.monotonic()

    try:
        assert code_of(names, "one.test", socket.AF_INET) == socket.EAI_AGAIN
        assert 0.9 < time.monotonic() - began < 20
    finally:
        is_lying = False


def test_addresses_of_other_names_are_left_out(server: DnsServer, names: StandardNames) -> None:
    def add_a_stranger(server: DnsServer, wire: bytes, sender: Any) -> None:
        reply = server.zone.answer(wire)
        reply.answer.append(dns.rrset.from_text("bank.test.", 60, "IN", "A", "6.6.6.6"))
        server.send(reply.to_wire(), sender)

    server.reply = add_a_stranger

    assert addresses(names, "one.test", socket.AF_INET) == ["10.0.0.1"]
    server.reply = None
    assert code_of(names, "bank.test", socket.AF_INET) == socket.EAI_NONAME


def test_addresses_of_other_classes_are_left_out(server: DnsServer, names: StandardNames) -> None:
    def answer_for_chaos(server: DnsServer, wire: bytes, sender: Any) -> None:
        reply = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
        reply.answer.append(dns.rrset.from_text("one.test.", 60, "CH", "A", "far. 17"))
        server.send(reply.to_wire(), sender)

    server.reply = answer_for_chaos

    assert code_of(names, "one.test", socket.AF_INET) == socket.EAI_NODATA


def test_addresses_of_a_name_that_does_not_exist_are_left_out(
    server: DnsServer, names: StandardNames
) -> None:
    def contradict(server: DnsServer, wire: bytes, sender: Any) -> None:
        reply = server.zone.answer(wire)
        reply.set_rcode(dns.rcode.NXDOMAIN)
        server.send(reply.to_wire(), sender)

    server.reply = contradict

    assert code_of(names, "one.test", socket.AF_INET) == socket.EAI_NONAME


def test_names_that_no_host_has_are_left_out(server: DnsServer, names: StandardNames) -> None:
    server.zone.records |= {
        ("a.test", "CNAME"): ["b\\032b.test."],
        ("b b.test", "A"): ["6.6.6.6"],
        ("b\\032b.test", "A"): ["10.0.0.8"],
        ("2.0.0.10.in-addr.arpa", "PTR"): ["new\\010line.test."],
        ("3.0.0.10.in-addr.arpa", "PTR"): ["-dash.test."],
    }

    assert names.gethostbyname_ex("a.test") == ("a.test", [], ["10.0.0.8"])
    assert code_of(names, "b b.test", socket.AF_INET) == socket.EAI_NONAME
    for address in ("10.0.0.2", "10.0.0.3"):
        with pytest.raises(socket.herror) as caught:
            names.gethostbyaddr(address)
        assert caught.value.errno == Miss.NO_RECOVERY
        assert names.getnameinfo((address, 9), socket.NI_NUMERICSERV) == (address, "9")


def test_a_name_with_a_nul_is_refused_or_ends_there(
    server: DnsServer, names: StandardNames
) -> None:
    for function in (names.gethostbyname, names.gethostbyname_ex, names.gethostbyaddr):
        with pytest.raises(TypeError):
            function("one.test\0.bank.test")
    assert server.asked == []
    assert addresses(names, "one.test\0.bank.test", socket.AF_INET) == ["10.0.0.1"]
    assert server.asked == [("A", "one.test")]


def test_a_bytearray_is_a_name_that_we_look_up(server: DnsServer, names: StandardNames) -> None:
    name = bytearray(b"one.test")

    assert names.gethostbyname(name) == "10.0.0.1"
    assert names.gethostbyname_ex(name) == ("one.test", [], ["10.0.0.1"])
    assert names.gethostbyaddr(name) == ("one.test", [], ["10.0.0.1"])


# -- several servers -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NOTIMP"])
def test_the_next_server_is_asked_when_one_cannot_tell(
    code: str, server: DnsServer, tmp_path: Path
) -> None:
    with running_server(Zone({}), "127.0.0.3", server.port) as other:
        other.zone.rcodes["one.test"] = code
        conf = "nameserver 127.0.0.3\nnameserver 127.0.0.1\n"
        names = make_names(tmp_path, server.port, conf)

        assert addresses(names, "one.test", socket.AF_INET) == ["10.0.0.1"]
        assert other.asked


def test_a_server_that_is_not_there_costs_no_time(server: DnsServer, tmp_path: Path) -> None:
    conf = "nameserver 127.0.0.4\nnameserver 127.0.0.1\noptions timeout:30\n"
    names = make_names(tmp_path, server.port, conf)
    began = time.monotonic()

    assert addresses(names, "one.test") == ["10.0.0.1"]
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_a_silent_server_costs_its_time(server: DnsServer, tmp_path: Path) -> None:
    with running_server(Zone({}), "127.0.0.3", server.port) as silent:
        silent.reply = lambda *_args: None
        conf = "nameserver 127.0.0.3\nnameserver 127.0.0.1\noptions timeout:1 attempts:5\n"
        names = make_names(tmp_path, server.port, conf)
        began = time.monotonic()

        assert addresses(names, "one.test") == ["10.0.0.1"]
        assert 0.9 < time.monotonic() - began < 20


@pytest.mark.slow
def test_attempts_are_made_as_often_as_the_file_says(server: DnsServer, tmp_path: Path) -> None:
    server.reply = lambda *_args: None
    conf = "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n"
    names = make_names(tmp_path, server.port, conf)

    assert code_of(names, "one.test", socket.AF_INET) == socket.EAI_AGAIN
    assert server.asked == [("A", "one.test")] * 2


def test_rotate_begins_with_another_server_each_time(server: DnsServer, tmp_path: Path) -> None:
    with running_server(Zone({}), "127.0.0.3", server.port) as other:
        conf = "nameserver 127.0.0.1\nnameserver 127.0.0.3\noptions rotate\n"
        names = make_names(tmp_path, server.port, conf)
        for number in range(4):
            code_of(names, f"no{number}.test", socket.AF_INET)

        assert (len(server.asked), len(other.asked)) == (2, 2)


def test_one_family_is_enough_when_the_other_fails(server: DnsServer, names: StandardNames) -> None:
    def refuse_aaaa(server: DnsServer, wire: bytes, sender: Any) -> None:
        reply = server.zone.answer(wire)
        if dns.message.from_wire(wire).question[0].rdtype == dns.rdatatype.AAAA:
            reply = dns.message.make_response(dns.message.from_wire(wire))
            reply.set_rcode(dns.rcode.SERVFAIL)
        server.send(reply.to_wire(), sender)

    server.reply = refuse_aaaa

    assert addresses(names, "one.test") == ["10.0.0.1"]
