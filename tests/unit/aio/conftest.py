"""The hosted loop of the main OS thread ends with each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlet._aio.hosted import close_hosted_loop
from eventlet._core.current import get_hub


@pytest.fixture(autouse=True)
def close_loop(leak_check: None) -> Iterator[None]:
    get_hub()
    yield
    close_hosted_loop(get_hub())
