from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from eventlet._server.response_head import (
    InvalidResponse,
    PerSecond,
    ResponseStyle,
    capitalized_label,
    check_head,
    date_line,
    field_value,
    format_date_time,
    format_fields,
    label_as_given,
    status_code,
)


@pytest.mark.parametrize(
    "status, code", [("200 OK", 200), ("404 Not Found", 404), ("299 ", 299), ("500", 500)]
)
def test_status_lines(status: str, code: int) -> None:
    assert status_code(status) == code


def test_a_status_without_a_reason_keeps_its_space() -> None:
    style = ResponseStyle("HTTP/1.1", True, None)

    assert style.make_head("500", []).data == b"HTTP/1.1 500 \r\n"
    assert style.make_head("299 ", []).data == b"HTTP/1.1 299 \r\n"


@pytest.mark.parametrize("status", ["", "OK", "20 OK", "2000 OK", "200OK", "099 X", b"200 OK", 200])
def test_a_status_that_is_none(status: Any) -> None:
    with pytest.raises(InvalidResponse, match="status"):
        status_code(status)


@pytest.mark.parametrize(
    "name, label",
    [
        ("content-type", "Content-Type"),
        ("CONTENT-type", "Content-Type"),
        ("ETag", "Etag"),
        ("x-a_b", "X-A_b"),
        ("1st-x", "1st-X"),
        ("wiTH-\xdf-LATIN1-\xff", "With-\xdf-Latin1-\xff"),
        ("X-Meta-CAF\xc3\x89", "X-Meta-Caf\xc3\x89"),
    ],
)
def test_names_are_capitalised_part_by_part(name: str, label: str) -> None:
    assert capitalized_label(name)[0] == label
    assert label_as_given(name)[0] == name


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\n", "é\n", "\x7f", "\u20ac", b"a", 1, None])
def test_a_header_name_that_is_none(name: Any) -> None:
    with pytest.raises(InvalidResponse, match="header name"):
        capitalized_label(name)


def test_numbers_are_values() -> None:
    assert field_value("X", 5) == "5"
    assert field_value("X", "5") == "5"


@pytest.mark.parametrize("value", [b"a", None, 1.5, ["a"]])
def test_a_value_of_another_type_is_refused(value: Any) -> None:
    with pytest.raises(InvalidResponse, match="X-Thing"):
        field_value("X-Thing", value)


def test_values_are_latin_1() -> None:
    assert check_head(["X: café"]) == b"X: caf\xe9\r\n"


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb", "a\0b", "a\x7fb", "\u20ac"])
def test_a_value_that_would_break_the_head_is_refused(value: str) -> None:
    with pytest.raises(InvalidResponse, match="X-Thing"):
        check_head(["HTTP/1.1 200 OK", f"X-Thing: {value}", "Y: z"])


def test_the_last_head_is_remembered() -> None:
    style = ResponseStyle("HTTP/1.1", True, None)

    first = style.make_head("200 OK", [("A", "1"), ("Content-Length", "5")])
    second = style.make_head("200 OK", [("A", "1"), ("Content-Length", "5")])
    third = style.make_head("200 OK", [("A", "2"), ("Content-Length", "5")])
    fourth = style.make_head("201 Created", [("A", "2"), ("Content-Length", "5")])

    assert second is first
    assert third.data == b"HTTP/1.1 200 OK\r\nA: 2\r\nContent-Length: 5\r\n"
    assert fourth.code == 201


@pytest.mark.parametrize("field", [["A", "1"], ("A", 1)])
def test_what_may_change_or_compare_wrongly_is_not_remembered(field: Any) -> None:
    style = ResponseStyle("HTTP/1.1", True, None)
    fields = [field]
    style.make_head("200 OK", fields)
    if isinstance(field, list):
        field[1] = "2"
    else:
        fields[0] = ("A", True)  # equal to 1

    again = style.make_head("200 OK", fields)

    assert again.data.partition(b"A: ")[2] in (b"2\r\n", b"True\r\n")


def test_a_list_that_changes_afterwards_changes_nothing() -> None:
    style = ResponseStyle("HTTP/1.1", True, None)
    fields = [("A", "1")]
    head = style.make_head("200 OK", fields)
    fields.append(("B", "2"))

    assert style.make_head("200 OK", fields).data.endswith(b"A: 1\r\nB: 2\r\n")
    assert head.data.endswith(b"A: 1\r\n")


def test_no_fields_are_no_bytes() -> None:
    assert format_fields([], True) == b""
    assert format_fields([("a", 1)], True) == b"A: 1\r\n"


def test_dates() -> None:
    assert format_date_time(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_the_date_line_is_of_now() -> None:
    line = date_line().decode()

    assert line.startswith("Date: ")
    parsedate_to_datetime(line[6:].strip())


def test_a_value_per_second_is_made_once_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []

    def make(second: float) -> float:
        made.append(second)
        return second

    value = PerSecond(make)
    now = 100.2
    monkeypatch.setattr("eventlet._server.response_head.time.time", lambda: now)

    first = [value(), value()]
    now = 101.0
    second = value()

    assert (first, second, made) == ([100, 100], 101, [100, 101])
