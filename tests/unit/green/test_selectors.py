"""Green selectors: each cooperates, and is a standard selector to `isinstance`."""

from __future__ import annotations

import selectors as real_selectors
from typing import Any

import pytest

from eventlet.green import selectors
from eventlet.greenthread import sleep, spawn

from tests.unit.conftest import Pipe

NAMES = [
    name
    for name in ("DefaultSelector", "SelectSelector", "PollSelector", "EpollSelector")
    if hasattr(real_selectors, name)
]


@pytest.fixture(params=NAMES)
def selector(request: pytest.FixtureRequest) -> Any:
    with getattr(selectors, request.param)() as made:
        yield made


def test_a_selector_parks_until_a_file_is_ready(selector: Any, pipe: Pipe) -> None:
    key = selector.register(pipe.reader, selectors.EVENT_READ, "data")

    def write() -> None:
        sleep(0.01)
        pipe.write(b"x")

    spawn(write)

    assert selector.select() == [(key, selectors.EVENT_READ)]


def test_a_selector_ends_with_its_timeout(selector: Any, pipe: Pipe) -> None:
    selector.register(pipe.reader, selectors.EVENT_READ)

    assert selector.select(0.01) == []
    assert selector.select(0) == []
    assert selector.select(-1) == []


def test_a_selector_is_a_standard_one(selector: Any, pipe: Pipe) -> None:
    key = selector.register(pipe.reader, selectors.EVENT_READ)

    assert isinstance(selector, real_selectors.BaseSelector)
    assert isinstance(key, real_selectors.SelectorKey)
    assert selectors.BaseSelector is real_selectors.BaseSelector


def test_the_default_is_of_the_kind_the_standard_module_takes() -> None:
    assert selectors.DefaultSelector.__name__ == real_selectors.DefaultSelector.__name__
    assert selectors.DefaultSelector is not real_selectors.DefaultSelector
