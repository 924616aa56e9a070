"""The tables of who waits for descriptors and timers."""

import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from eventlet import debug
from eventlet._core.timers import Timers
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn, spawn_after
from eventlet.hubs import get_hub, trampoline
from eventlet.hubs.timer import Timer
from eventlet.timeout import Timeout

from tests.unit.conftest import Pipe


@pytest.fixture
def listener_stacks() -> Iterator[None]:
    debug.hub_listener_stacks(True)
    yield
    debug.hub_listener_stacks(False)


@pytest.fixture
def timer_stacks() -> Iterator[None]:
    debug.hub_timer_stacks(True)
    yield
    debug.hub_timer_stacks(False)


@pytest.fixture
def reader(pipe: Pipe) -> Iterator[Any]:
    thread = spawn(wait_for_a_byte, pipe.reader)
    sleep(0)
    yield thread
    thread.kill()


def wait_for_a_byte(fd: int) -> None:
    trampoline(fd, read=True)


def waiting(title: str) -> list[str]:
    """List the lines of one part of the table that are about descriptors."""
    readers, writers = debug.format_hub_listeners().split("WRITERS:")
    part = {"READERS:": readers, "WRITERS:": writers}[title]
    return [line for line in part.splitlines() if line.startswith("fd ")]


# -- descriptors ---------------------------------------------------------------------------


def test_nobody_waits() -> None:
    assert debug.format_hub_listeners() == "READERS:\nWRITERS:"


def test_a_reader_is_named_with_its_descriptor(pipe: Pipe, reader: Any) -> None:
    assert waiting("READERS:") == [f"fd {pipe.reader} (pipe): {reader!r}"]
    assert waiting("WRITERS:") == []
    assert "wait_for_a_byte" not in debug.format_hub_listeners()


@pytest.mark.usefixtures("listener_stacks", "reader")
def test_stacks_show_where_a_reader_waits() -> None:
    assert re.search(r"  File .*, in wait_for_a_byte\n", debug.format_hub_listeners())


def test_a_writer_is_named(pipe: Pipe) -> None:
    pipe.fill()
    writer = spawn(trampoline, pipe.writer, write=True)
    sleep(0)
    lines = waiting("WRITERS:")
    expected = [f"fd {pipe.writer} (pipe): {writer!r}"]
    writer.kill()

    assert lines == expected


def test_a_socket_is_told_with_its_addresses() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    client = GreenSocket(socket.create_connection(("127.0.0.1", port)))
    server, _ = listener.accept()
    green_listener = GreenSocket(listener)
    threads = [spawn(client.recv, 1), spawn(green_listener.accept)]
    sleep(0)
    lines = waiting("READERS:")
    own_port = client.getsockname()[1]
    for thread in threads:
        thread.kill()
    for each in (client, server, green_listener):
        each.close()

    assert any(f"AF_INET socket 127.0.0.1:{own_port} to 127.0.0.1:{port}" in x for x in lines)
    assert any(f"AF_INET socket 127.0.0.1:{port})" in x for x in lines)


def test_looking_does_not_change_the_mode_of_a_file() -> None:
    left, right = socket.socketpair()
    thread = spawn(wait_for_a_byte, left.fileno())
    sleep(0)
    socket.setdefaulttimeout(5)
    lines = waiting("READERS:")
    socket.setdefaulttimeout(None)
    is_blocking = os.get_blocking(left.fileno())
    expected = [f"fd {left.fileno()} (socket): {thread!r}"]
    thread.kill()
    left.close()
    right.close()

    assert is_blocking
    assert lines == expected


def test_several_readers_are_listed_in_order(pipe: Pipe) -> None:
    debug.hub_prevent_multiple_readers(False)
    threads = [spawn(wait_for_a_byte, pipe.reader) for _ in range(3)]
    sleep(0)
    lines = waiting("READERS:")
    expected = [f"fd {pipe.reader} (pipe): {thread!r}" for thread in threads]
    for thread in threads:
        thread.kill()
    debug.hub_prevent_multiple_readers()

    assert lines == expected


def test_a_callback_is_told_and_with_stacks_where_it_was_added(pipe: Pipe) -> None:
    hub = get_hub()

    def ready(_fd: int) -> None:
        pass

    plain = hub.add(hub.READ, pipe.reader, ready, ready, None)
    without = debug.format_hub_listeners()
    hub.remove(plain)
    debug.hub_listener_stacks(True)
    listener = hub.add(hub.READ, pipe.reader, ready, ready, None)
    debug.hub_listener_stacks(False)
    text = debug.format_hub_listeners()
    hub.remove(listener)

    assert f"fd {pipe.reader} (pipe): FdListener('read'" in without
    assert "added by" not in without
    assert "added by" in text
    assert "in test_a_callback_is_told_and_with_stacks_where_it_was_added" in text


# -- timers --------------------------------------------------------------------------------


def test_every_kind_of_timer_is_told() -> None:
    hub = get_hub()
    began = hub.clock()
    call = hub.call_later(50, print, "x", end="")
    soon = hub.schedule_call_global(0, len, ())
    unstarted = spawn_after(60, len)
    sleeper = spawn(sleep, 70)
    sleep(0)
    again = hub.schedule_call_global(0, len, ())
    text = debug.format_hub_timers()
    took = hub.clock() - began
    expected = [
        f"call of {len!r} with (())",
        f"call of {print!r} with ('x', end='')",
        f"start of {unstarted!r}",
        f"time limit of {sleeper!r}",
    ]
    call.cancel()
    again.cancel()
    unstarted.kill()
    sleeper.kill()

    assert soon.called
    assert text.splitlines()[0] == "TIMERS:"
    told = [line.partition(" s: ") for line in text.splitlines()[1:]]
    assert [what for _, _, what in told] == expected
    seconds = [float(when.removeprefix("in ")) for when, _, _ in told]
    assert seconds[0] == 0
    for told_seconds, left in zip(seconds[1:], (50, 60, 70), strict=True):
        assert left - took - 1 < told_seconds < left + 1


def test_without_stacks_there_is_one_line_each() -> None:
    timer = get_hub().call_later(50, print)
    text = debug.format_hub_timers()
    timer.cancel()

    assert text.count("\n") == 1


def make_a_timeout() -> Timeout:
    return Timeout(60)


def fall_asleep() -> None:
    sleep(70)


@pytest.mark.usefixtures("timer_stacks")
def test_stacks_show_where_timers_were_made() -> None:
    limit = make_a_timeout()
    sleeper = spawn(fall_asleep)
    sleep(0)
    text = debug.format_hub_timers()
    limit.cancel()
    sleeper.kill()

    assert re.search(r"  File .*, in make_a_timeout\n", text)
    assert re.search(r"  File .*, in fall_asleep\n", text)
    assert "call_later" not in text.splitlines()[-1]


@pytest.mark.usefixtures("timer_stacks")
def test_a_timer_of_the_old_kind_shows_it_too() -> None:
    assert "in test_a_timer_of_the_old_kind_shows_it_too" in repr(Timer(1, print))


def test_nothing_is_recorded_and_nothing_costs_when_off() -> None:
    plain = Timers.add
    debug.hub_timer_stacks(True)
    recording = Timers.add
    kept = get_hub().call_later(50, print)
    debug.hub_timer_stacks(False)
    off = Timers.add
    text = debug.format_hub_timers()
    kept.cancel()

    assert recording is not plain
    assert off is plain
    assert text.count("\n") == 1


@pytest.mark.usefixtures("timer_stacks")
def test_stacks_of_timers_that_are_over_are_forgotten() -> None:
    from eventlet._debug import timer_stacks as recorded

    hub = get_hub()
    for _ in range(3000):
        hub.call_later(50, print).cancel()
    kept = hub.call_later(50, print)
    has_stack = recorded.stack_of_timer(kept) is not None
    kept.cancel()

    assert has_stack
    assert len(recorded._records._stacks) < 1001
