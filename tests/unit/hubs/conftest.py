"""A hub of each kind this platform has, and a hub choice that is taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlet import hubs
from eventlet._core import current
from eventlet.hubs.hub import BaseHub

AVAILABLE = [
    name
    for name, module in zip(hubs.builtin_hub_names, hubs.builtin_hub_modules, strict=True)
    if module.is_available()
]


@pytest.fixture
def own_choice() -> Iterator[None]:
    """Let the test choose hubs; the next test gets the usual one."""
    yield
    current.set_hub_factory(None)
    current.drop_hub()


@pytest.fixture(params=AVAILABLE)
def hub(request: pytest.FixtureRequest, own_choice: None) -> BaseHub:
    """Run the test on a hub of each kind."""
    hubs.use_hub(request.param)
    return hubs.get_hub()
