"""Answers from the hosts file in the form of dnspython's; importing this loads dnspython."""

import time
from typing import TYPE_CHECKING, Any

from eventlet._names.exchange import load_dns

if TYPE_CHECKING:
    import dns
    import dns.resolver
else:
    dns = load_dns()

__all__ = ["HostsAnswer"]


class HostsAnswer(dns.resolver.Answer):
    """An answer that no server has sent; `response` is None.

    Args:
        qname: the name asked for.
        rdtype: the type asked for.
        rdclass: the class asked for.
        rrset: the records; None or empty when there are none.
        raise_on_no_answer: whether that is an error.

    Raises:
        dns.resolver.NoAnswer: there are no records.
    """

    def __init__(
        self, qname: Any, rdtype: Any, rdclass: Any, rrset: Any, raise_on_no_answer: bool = True
    ) -> None:
        if not rrset and raise_on_no_answer:
            raise dns.resolver.NoAnswer
        nothing: Any = None
        self.qname = self.canonical_name = qname
        self.rdtype = rdtype
        self.rdclass = rdclass
        self.response = nothing
        self.nameserver = self.port = None
        self.chaining_result = nothing
        self.rrset = rrset
        self.expiration = time.time() + (rrset.ttl if rrset else 0)
