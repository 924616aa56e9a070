"""What the tests over OS threads share: the pool's threads, and their hubs, end with each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlet import tpool


@pytest.fixture(autouse=True)
def tpool_ends(leak_check: None) -> Iterator[None]:
    yield
    tpool.killall()
