"""dnspython: look-ups over UDP and TCP in parallel, an error, a time limit."""

from __future__ import annotations

import time
from typing import Any

import dns.exception
import dns.resolver

from tests.libraries.crew import Failure, together


def work(site: Any) -> str:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = site["dns"]["port"]

    def ask(number: int, tcp: bool = False) -> str:
        return str(resolver.resolve(f"host-{number}.test.", "A", tcp=tcp, lifetime=10)[0])

    assert together(20, ask) == ["192.0.2.1"] * 20
    assert together(20, lambda number: ask(number, tcp=True)) == ["192.0.2.1"] * 20
    assert len(resolver.resolve("big.test.", "A", lifetime=10)) == 60
    with Failure(dns.resolver.NXDOMAIN):
        resolver.resolve("no.test.", "A", lifetime=10)
    began = time.monotonic()
    with Failure(dns.exception.Timeout):
        resolver.resolve("late.test.", "A", lifetime=0.05)
    assert time.monotonic() - began < 5
    return (
        "20 look-ups over UDP and 20 over TCP in parallel, a truncated answer, NXDOMAIN, a time-out"
    )
