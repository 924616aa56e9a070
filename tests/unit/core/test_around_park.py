"""The seam around parks, and the embedder's greenlet while its loop is not running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventlet._core.current import drop_hub, get_hub
from eventlet._core.hub import Hub
from eventlet._errors import EmbeddingError
from eventlet.greenthread import sleep, spawn


@pytest.fixture
def hub() -> Iterator[Hub]:
    drop_hub()
    yield get_hub()
    drop_hub()


class Noting:
    """Goes around parks and notes when they begin and end."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def __call__(self, switch: Callable[[], Any]) -> Any:
        self.log.append("away")
        try:
            return switch()
        finally:
            self.log.append("back")


@pytest.mark.parametrize("is_running", [False, True])
def test_every_park_goes_through_it(hub: Hub, is_running: bool) -> None:
    around = Noting()
    if is_running:
        sleep(0)
    hub.add_around_park(around)

    sleep(0)
    sleep(0.001)

    assert around.log == ["away", "back"] * 2


def test_an_interrupted_park_comes_back_through_it(hub: Hub) -> None:
    around = Noting()

    def wait() -> None:
        hub.add_around_park(around)
        sleep(60)

    thread = spawn(wait)
    sleep(0)
    thread.kill()

    assert around.log == ["away", "away", "back", "back"]


def test_it_outlives_the_hubs_greenlet(hub: Hub) -> None:
    around = Noting()
    hub.add_around_park(around)
    sleep(0)
    hub.stop()
    sleep(0)
    around.log.clear()

    sleep(0.001)
    sleep(0.001)

    assert around.log == ["away", "back"] * 2


def test_several_go_around_a_park_until_they_are_removed(hub: Hub) -> None:
    one, other = Noting(), Noting()
    hub.add_around_park(one)
    hub.add_around_park(other)
    hub.add_around_park(one)
    sleep(0)

    hub.remove_around_park(one)
    sleep(0)
    hub.remove_around_park(other)
    sleep(0)

    assert one.log == ["away", "back"]
    assert other.log == ["away", "back"] * 2
    assert hub._switch == hub.greenlet.switch


def test_one_that_is_removed_while_a_thread_is_parked_still_ends_that_park(hub: Hub) -> None:
    around = Noting()
    hub.add_around_park(around)
    thread = spawn(sleep, 0.001)
    sleep(0)
    hub.remove_around_park(around)
    around.log.clear()

    thread.wait()

    assert around.log == ["back"]


def test_a_pass_for_an_embedder_goes_through_it(hub: Hub) -> None:
    around = Noting()
    hub.add_around_park(around)
    ran: list[str] = []
    spawn(ran.append, "ran")

    hub.run_once(0)

    assert ran == ["ran"]
    assert around.log == ["away", "back"]


def test_the_embedders_greenlet_parks_only_while_its_loop_is_not_running(hub: Hub) -> None:
    notices: list[str] = []
    is_running = [False]
    hub.outer_loop_runs = lambda: is_running[0]
    hub.on_earlier = lambda: notices.append("earlier")

    sleep(0.001)
    spawn(sleep, 0)
    assert notices == ["earlier"]
    is_running[0] = True
    with pytest.raises(EmbeddingError, match="to_green"):
        sleep(0.001)
    is_running[0] = False
    sleep(0.001)
    hub.on_earlier = None
    sleep(0.001)
