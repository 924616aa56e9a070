"""resolv.conf, nsswitch.conf and host.conf."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from eventlet._names.settings_files import (
    DnsSettings,
    Server,
    ServiceStep,
    parse_host_conf,
    parse_nsswitch,
    parse_resolv_conf,
)


def parsed(text: str, environ: dict[str, str] | None = None) -> DnsSettings:
    return parse_resolv_conf(text, 5353, environ or {}, lambda: "machine.home.test")


def test_without_a_file_this_machine_is_asked_and_its_domain_searched() -> None:
    settings = parsed("")

    assert settings.servers == (Server(socket.AF_INET, ("127.0.0.1", 5353)),)
    assert settings.search == ("home.test",)
    assert (settings.ndots, settings.timeout, settings.attempts) == (1, 5, 2)


def test_three_servers_at_most_and_none_that_is_no_address() -> None:
    text = "nameserver ns.test\n" + "".join(f"nameserver 10.0.0.{n}\n" for n in range(1, 6))

    assert [server.address[0] for server in parsed(text).servers] == [
        *("10.0.0.1", "10.0.0.2", "10.0.0.3")
    ]


def test_a_server_may_have_a_scope() -> None:
    server = parsed("nameserver fe80::1%lo\n").servers[0]

    assert server.family == socket.AF_INET6
    assert server.address[3] == socket.if_nametoindex("lo")


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("search a.test b.test\n", ("a.test", "b.test")),
        ("domain a.test b.test\n", ("a.test",)),
        ("domain a.test\nsearch b.test\n", ("b.test",)),
        ("search b.test\ndomain a.test\n", ("a.test",)),
        ("# search a.test\n;search a.test\n search a.test\nsearch\n", ("home.test",)),
    ],
)
def test_the_last_list_is_searched(text: str, search: tuple[str, ...]) -> None:
    assert parsed(text).search == search


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("ndots:3 timeout:7 attempts:4", {"ndots": 3, "timeout": 7, "attempts": 4}),
        ("ndots:99 timeout:99 attempts:99", {"ndots": 15, "timeout": 30, "attempts": 5}),
        ("ndots:x ndots", {"ndots": 0}),
        ("rotate use-vc edns0", {"rotate": True, "use_vc": True, "edns0": True}),
        ("single-request", {"one_at_a_time": True}),
        ("single-request-reopen", {"one_at_a_time": True}),
        ("no-tld-query no-aaaa", {"tld_queries": False, "ask_aaaa": False}),
        ("debug unknown inet6", {}),
    ],
)
def test_options_are_taken(options: str, expected: dict[str, Any]) -> None:
    from_file, from_environment = (
        parsed(f"options {options}\n"),
        parsed("", {"RES_OPTIONS": options}),
    )
    usual = parsed("")

    for settings in (from_file, from_environment):
        changed = {
            name: value for name, value in vars(settings).items() if value != vars(usual)[name]
        }
        assert changed == expected


def test_the_environment_has_the_last_word_on_domains() -> None:
    assert parsed("search a.test\n", {"LOCALDOMAIN": "b.test c.test"}).search == (
        *("b.test", "c.test"),
    )


def steps(line: str) -> tuple[ServiceStep, ...]:
    return parse_nsswitch(f"passwd: files\n# hosts: none\n{line}\nservices: db\n")


def test_services_are_asked_in_the_order_of_the_file() -> None:
    assert [step.service for step in steps("hosts: dns mymachines files # more")] == [
        *("dns", "mymachines", "files")
    ]
    assert [step.service for step in steps("")] == ["files", "dns"]


@pytest.mark.parametrize(
    ("line", "ends_on"),
    [
        ("dns", {"SUCCESS"}),
        ("dns [NOTFOUND=return]", {"SUCCESS", "NOTFOUND"}),
        ("dns [!UNAVAIL=return]", {"SUCCESS", "NOTFOUND", "TRYAGAIN"}),
        (
            "dns [ notfound=return  tryagain=RETURN ] [bogus=return]",
            {"SUCCESS", "NOTFOUND", "TRYAGAIN"},
        ),
        ("dns [SUCCESS=continue]", set()),
    ],
)
def test_rules_say_when_a_look_up_ends(line: str, ends_on: set[str]) -> None:
    assert steps(f"hosts: {line} files")[0] == ServiceStep("dns", frozenset(ends_on))


@pytest.mark.parametrize(
    ("text", "multi"),
    [
        ("", False),
        ("multi on\n", True),
        ("multi off\n", False),
        ("# multi on\norder hosts\n", False),
    ],
)
def test_host_conf_says_whether_all_lines_count(text: str, multi: bool) -> None:
    assert parse_host_conf(text) is multi
