"""Green time: sleep parks and refuses what the plain one refuses."""

from __future__ import annotations

import time as real_time
from typing import Any

import pytest

from eventlet.green import time
from eventlet.greenthread import spawn


def test_sleep_lets_others_run() -> None:
    ran: list[bool] = []
    spawn(ran.append, True)

    time.sleep(0)

    assert ran == [True]


def test_sleep_takes_its_time() -> None:
    begin = time.monotonic()
    time.sleep(0.02)

    assert time.monotonic() - begin >= 0.02


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan")])
def test_sleep_refuses_a_negative_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(seconds)


@pytest.mark.parametrize("seconds", [None, "1", [], 1j])
def test_sleep_refuses_what_is_no_number(seconds: Any) -> None:
    with pytest.raises(TypeError, match="integer or float"):
        time.sleep(seconds)


def test_all_else_is_the_standard_module() -> None:
    assert time.time is real_time.time
    assert time.sleep is not real_time.sleep
