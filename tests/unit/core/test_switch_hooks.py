"""Hooks that are told of switches."""

from collections.abc import Iterator
from typing import Any

import greenlet
import pytest

from eventlet._core.switch_hooks import add_switch_hook, remove_switch_hook, renew_switch_hooks


@pytest.fixture
def foreign_tracer() -> Iterator[list[str]]:
    told: list[str] = []

    def tracer(event: Any, switch: Any) -> None:
        told.append(event)

    before = greenlet.settrace(tracer)
    yield told
    greenlet.settrace(before)


def switch_once() -> greenlet.greenlet:
    other = greenlet.greenlet(lambda: None)
    other.switch()
    return other


def test_each_switch_tells_who_was_left_and_who_goes_on() -> None:
    seen: list[tuple[Any, Any]] = []

    def note(origin: Any, target: Any) -> None:
        seen.append((origin, target))

    add_switch_hook(note)
    other = switch_once()
    remove_switch_hook(note)
    switch_once()

    here = greenlet.getcurrent()
    assert seen == [(here, other), (other, here)]


def test_several_hooks_are_independent() -> None:
    first: list[Any] = []
    second: list[Any] = []

    def to_first(*switch: Any) -> None:
        first.append(switch)

    def to_second(*switch: Any) -> None:
        second.append(switch)

    add_switch_hook(to_first)
    add_switch_hook(to_second)
    switch_once()
    remove_switch_hook(to_first)
    switch_once()
    remove_switch_hook(to_second)

    assert (len(first), len(second)) == (2, 4)


def test_a_tracer_that_was_there_hears_too_and_comes_back(foreign_tracer: list[str]) -> None:
    present = greenlet.gettrace()

    add_switch_hook(print_nothing)
    switch_once()
    heard_meanwhile = len(foreign_tracer)
    remove_switch_hook(print_nothing)

    assert heard_meanwhile == 2
    assert greenlet.gettrace() is present


def test_a_tracer_set_meanwhile_stays() -> None:
    def theirs(event: Any, switch: Any) -> None:
        pass

    add_switch_hook(print_nothing)
    greenlet.settrace(theirs)
    remove_switch_hook(print_nothing)
    present: Any = greenlet.gettrace()
    greenlet.settrace(None)

    assert present is theirs


def test_a_hook_that_is_not_there_can_be_removed() -> None:
    remove_switch_hook(print_nothing)

    assert greenlet.gettrace() is None


def test_a_lost_tracer_is_set_again() -> None:
    add_switch_hook(print_nothing)
    lost: Any = greenlet.gettrace()
    greenlet.settrace(None)
    renew_switch_hooks()
    renewed: Any = greenlet.gettrace()
    remove_switch_hook(print_nothing)
    renew_switch_hooks()

    assert renewed is lost
    assert greenlet.gettrace() is None


def print_nothing(_origin: object, _target: object) -> None:
    """Hear of a switch."""
