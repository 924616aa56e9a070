"""Questions as bytes, and what the bytes that come back say. No sockets, no clock."""

import re
import secrets
import struct
from types import ModuleType
from typing import Any, NamedTuple

__all__ = [
    "NEXT_SERVER",
    "Query",
    "Records",
    "Reply",
    "is_host_name",
    "make_query",
    "read_records",
    "read_reply",
]

EDNS_BYTES = 1200
NEXT_SERVER = frozenset({"SERVFAIL", "NOTIMP", "REFUSED"})
"""Codes that say something about the server, not about the name: another may know it."""

_HEADER_BYTES = 12
_RECURSION_DESIRED = 0x0100
_OPT = 41


class Query(NamedTuple):
    """A question on its way.

    Attributes:
        number: in the message; an answer has the same.
        wire: the message.
        name: the name asked for, as dnspython has it.
        rdtype: the type asked for.
        edns: whether longer answers are welcome.
    """

    number: int
    wire: bytes
    name: Any
    rdtype: int
    edns: bool


class Reply(NamedTuple):
    """An answer to a query.

    Attributes:
        code: name of the response code, such as `NOERROR`.
        is_truncated: whether the rest is to be had over TCP only.
        is_lame: whether the server only says that it does not know.
        message: the whole, as dnspython has it.
    """

    code: str
    is_truncated: bool
    is_lame: bool
    message: Any


class Records(NamedTuple):
    """What a reply says of one name and type.

    Attributes:
        canonical: the last name of the chain of aliases.
        aliases: the names before it, the one asked for first.
        values: of the records, as text; empty when there are none.
        ttl: seconds for which this holds; 0 when the reply does not say.
    """

    canonical: str
    aliases: tuple[str, ...]
    values: tuple[str, ...]
    ttl: int


def make_query(name: Any, rdtype: int, edns: bool) -> Query:
    """Make a question with a number nobody can guess.

    Source: RFC 1035, section 4.1; RFC 6891, section 6.1.2. Made by hand, since dnspython's way
    through a message object costs six times as much.
    """
    number = secrets.randbits(16)
    header = struct.pack("!6H", number, _RECURSION_DESIRED, 1, 0, 0, int(edns))
    question = name.to_wire() + struct.pack("!2H", rdtype, 1)
    option = struct.pack("!B2HIH", 0, _OPT, EDNS_BYTES, 0, 0) if edns else b""
    return Query(number, header + question + option, name, rdtype, edns)


def is_host_name(name: str) -> bool:
    """Whether this may name a host: letters, digits, `-`, `_` and dots, no `-` at the beginning.

    The domain name system knows others; programs that get a name of a host do not expect them.
    """
    return _HOST_NAME.fullmatch(name) is not None


_HOST_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")


def read_reply(dns: ModuleType, query: Query, wire: bytes, over_tcp: bool = False) -> Reply | None:
    """Read bytes that claim to answer a query; None when they do not.

    Whatever has the wrong number or question, or cannot be read, is not the answer: it may be
    forged, and the true one may still come.

    Source: RFC 5452, section 9.1; CVE-2023-29483.
    """
    if len(wire) < _HEADER_BYTES or int.from_bytes(wire[:2], "big") != query.number:
        return None
    is_truncated = bool(wire[2] & 0x02) and not over_tcp  # there is no way to get more
    try:
        message = dns.message.from_wire(wire, question_only=is_truncated, ignore_trailing=True)
    except Exception:
        return None
    if not message.flags & dns.flags.QR or message.opcode() != dns.opcode.QUERY:
        return None
    code = dns.rcode.to_text(message.rcode())
    if not _asks(message, query) and (message.question or code not in {*NEXT_SERVER, "FORMERR"}):
        return None
    is_lame = (
        code == "NOERROR"
        and not is_truncated
        and not message.answer
        and not message.additional
        and not message.flags & (dns.flags.AA | dns.flags.RA)
    )
    return Reply(code, is_truncated, is_lame, message)


def _asks(message: Any, query: Query) -> bool:
    if len(message.question) != 1:
        return False
    question = message.question[0]
    return bool(
        question.name == query.name and question.rdtype == query.rdtype and question.rdclass == 1
    )


def read_records(dns: ModuleType, query: Query, message: Any) -> Records:
    """Follow the aliases in an answer to the records of the type asked for.

    Records of other names are left out: the server was not asked for them. So are those of
    other classes, whose addresses are none of the internet, and aliases that name no host.
    """
    name, ttl = query.name, _LONGEST_TTL
    names = [_plain(name)]
    answers = {
        (rrset.name, rrset.rdtype): rrset
        for rrset in reversed(message.answer)
        if rrset.rdclass == dns.rdataclass.IN and message.rcode() == dns.rcode.NOERROR
    }
    for _ in range(len(answers)):  # more are a loop
        found = answers.get((name, query.rdtype))
        if found is not None:
            values = tuple(_text(record) for record in found)
            return Records(names[-1], tuple(names[:-1]), values, min(ttl, found.ttl))
        alias = answers.get((name, dns.rdatatype.CNAME))
        if alias is None:
            break
        name, ttl = alias[0].target, min(ttl, alias.ttl)
        if is_host_name(_plain(name)):
            names.append(_plain(name))
    negative_ttl = min(ttl, _negative_ttl(dns, message))
    return Records(names[-1], tuple(names[:-1]), (), negative_ttl)


def _negative_ttl(dns: ModuleType, message: Any) -> int:
    """Seconds for which "there is none" holds. Source: RFC 2308, section 5."""
    for rrset in message.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return min(int(rrset.ttl), int(rrset[0].minimum))
    return 0


def _text(record: Any) -> str:
    target = getattr(record, "target", None)
    return str(record.to_text()) if target is None else _plain(target)


def _plain(name: Any) -> str:
    text: str = name.to_text(omit_final_dot=True)
    return text


_LONGEST_TTL = 0x7FFFFFFF
