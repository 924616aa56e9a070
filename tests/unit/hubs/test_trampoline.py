"""Waiting for descriptors of others: pipes, numbers, owned sockets, regular files."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlet import hubs
from eventlet._core.descriptor import waiter_policy
from eventlet._errors import DescriptorBusy, DescriptorClosed, MainloopBlocked
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn
from eventlet.hubs import IOClosed, trampoline
from eventlet.hubs.hub import BaseHub
from eventlet.timeout import Timeout

from tests.unit.conftest import Pipe


class Late(Exception):
    """A time-out of somebody else."""


@pytest.fixture
def several_waiters() -> Iterator[None]:
    """Allow several waiters for one side of a descriptor."""
    waiter_policy.exclusive = False
    yield
    waiter_policy.exclusive = True


# -- readiness ---------------------------------------------------------------------------


def test_it_returns_the_number_when_readable(hub: BaseHub, pipe: Pipe) -> None:
    waiter = spawn(trampoline, pipe.reader, read=True)
    sleep(0)
    pipe.write(b"x")

    assert waiter.wait() == pipe.reader


def test_it_returns_the_number_when_writable(hub: BaseHub, pipe: Pipe) -> None:
    pipe.fill()
    waiter = spawn(trampoline, pipe.writer, write=True)
    sleep(0)
    sleep(0)
    blocked = not waiter.dead
    pipe.read()

    assert blocked
    assert waiter.wait() == pipe.writer


def test_it_takes_an_object_with_fileno(hub: BaseHub) -> None:
    left, right = socket.socketpair()
    with left, right:
        right.send(b"x")

        assert trampoline(left, read=True) == left.fileno()


def test_data_left_unread_is_announced_to_the_next_wait(hub: BaseHub, pipe: Pipe) -> None:
    pipe.write(b"xy")

    for _ in range(3):
        assert trampoline(pipe.reader, read=True, timeout=1) == pipe.reader
    assert os.read(pipe.reader, 1) == b"x"
    assert trampoline(pipe.reader, read=True, timeout=1) == pipe.reader


def test_the_end_of_the_stream_is_readable(hub: BaseHub, pipe: Pipe) -> None:
    waiter = spawn(trampoline, pipe.reader, read=True)
    sleep(0)
    pipe.close(pipe.writer)

    assert waiter.wait() == pipe.reader


def test_a_reader_that_went_away_wakes_the_writer(hub: BaseHub, pipe: Pipe) -> None:
    pipe.fill()
    waiter = spawn(trampoline, pipe.writer, write=True)
    sleep(0)
    pipe.close(pipe.reader)

    assert waiter.wait() == pipe.writer


def test_a_reader_and_a_writer_of_one_number_both_wake(hub: BaseHub) -> None:
    left, right = socket.socketpair()
    with left, right:
        reader = spawn(trampoline, left, read=True)
        writer = spawn(trampoline, left, write=True)

        assert writer.wait() == left.fileno()
        assert not reader.dead
        right.send(b"x")
        assert reader.wait() == left.fileno()


def test_a_regular_file_is_always_ready(hub: BaseHub, tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb+") as file:
        assert trampoline(file, read=True, timeout=1) == file.fileno()
        assert trampoline(file, write=True, timeout=1) == file.fileno()


# -- time --------------------------------------------------------------------------------


def test_it_raises_timeout_when_the_time_is_up(hub: BaseHub, pipe: Pipe) -> None:
    with pytest.raises(Timeout):
        trampoline(pipe.reader, read=True, timeout=0.001)


@pytest.mark.parametrize("timeout_exc", [Late, Late("instance")])
def test_it_raises_the_exception_it_was_given(timeout_exc: Any, pipe: Pipe) -> None:
    with pytest.raises(Late):
        trampoline(pipe.reader, read=True, timeout=0.001, timeout_exc=timeout_exc)


def test_no_time_looks_once(hub: BaseHub, pipe: Pipe) -> None:
    with pytest.raises(Late):
        trampoline(pipe.reader, read=True, timeout=0, timeout_exc=Late)
    pipe.write(b"x")

    assert trampoline(pipe.reader, read=True, timeout=0, timeout_exc=Late) == pipe.reader


# -- misuse ------------------------------------------------------------------------------


def test_reading_and_writing_at_once_is_refused(pipe: Pipe) -> None:
    with pytest.raises(RuntimeError, match="not allowed to trampoline for reading and writing"):
        trampoline(pipe.reader, read=True, write=True)


def test_neither_reading_nor_writing_is_refused(pipe: Pipe) -> None:
    with pytest.raises(ValueError, match="read=True or for write=True"):
        trampoline(pipe.reader)


def test_the_hubs_own_greenlet_may_not_wait(hub: BaseHub, pipe: Pipe) -> None:
    refused: list[bool] = []

    def wait() -> None:
        with pytest.raises(MainloopBlocked):
            trampoline(pipe.reader, read=True)
        refused.append(True)

    hub.schedule_call_global(0, wait)
    sleep(0)

    assert refused == [True]


def test_a_number_the_kernel_does_not_know_is_an_error(pipe: Pipe) -> None:
    hubs.get_hub()  # makes its descriptors before ours is free to be used again
    pipe.close(pipe.reader)

    with pytest.raises(OSError) as caught:
        trampoline(pipe.reader, read=True, timeout=1)
    assert caught.value.errno == errno.EBADF


def test_the_second_reader_gets_the_error_and_the_first_the_data(hub: BaseHub, pipe: Pipe) -> None:
    first = spawn(trampoline, pipe.reader, read=True)
    sleep(0)

    with pytest.raises(
        RuntimeError, match=rf"^Second simultaneous read on fileno {pipe.reader} detected\."
    ) as caught:
        trampoline(pipe.reader, read=True)

    assert isinstance(caught.value, DescriptorBusy)
    assert first.name in str(caught.value)
    pipe.write(b"x")
    assert first.wait() == pipe.reader


@pytest.mark.usefixtures("several_waiters")
def test_several_readers_queue_first_come_first_served(hub: BaseHub, pipe: Pipe) -> None:
    got: list[tuple[int, bytes]] = []

    def read(number: int) -> None:
        trampoline(pipe.reader, read=True)
        got.append((number, os.read(pipe.reader, 1)))

    readers = [spawn(read, number) for number in range(4)]
    sleep(0)
    waiting = len(hub.secondaries[hub.READ][pipe.reader])
    for byte in (b"a", b"b", b"c", b"d"):
        pipe.write(byte)
        for _ in range(4):
            sleep(0)
    for reader in readers:
        reader.wait()

    assert waiting == 3
    assert got == [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")]


@pytest.mark.usefixtures("several_waiters")
def test_the_next_reader_gets_what_a_killed_one_was_to_read(hub: BaseHub, pipe: Pipe) -> None:
    first, second = (spawn(trampoline, pipe.reader, read=True) for _ in range(2))
    sleep(0)
    hub.schedule_call_global(0, pipe.write, b"x")
    hub.schedule_call_global(0, first.kill)

    assert second.wait() == pipe.reader


# -- the end of a wait -------------------------------------------------------------------


def test_nothing_is_left_after_a_wait_however_it_ends(hub: BaseHub, pipe: Pipe) -> None:
    killed = spawn(trampoline, pipe.reader, read=True)
    sleep(0)
    listed = len(hub.get_readers())
    killed.kill()
    with pytest.raises(Timeout):
        trampoline(pipe.reader, read=True, timeout=0.001)
    pipe.write(b"x")
    trampoline(pipe.reader, read=True, timeout=5)

    assert listed == 1
    assert hub.get_readers() == hub.get_writers() == []
    assert hub.descriptors == {}
    assert len(hub.timers) == 0


def test_a_number_that_was_closed_wakes_its_waiter_with_ebadf(hub: BaseHub, pipe: Pipe) -> None:
    def wait() -> int | None:
        with pytest.raises(DescriptorClosed) as caught:
            trampoline(pipe.reader, read=True)
        return caught.value.errno

    waiter = spawn(wait)
    sleep(0)
    hubs.notify_close(pipe.reader)
    pipe.close(pipe.reader)

    assert waiter.wait() == errno.EBADF


def test_a_number_that_was_opened_again_wakes_its_old_waiter_with_io_closed(
    hub: BaseHub, pipe: Pipe
) -> None:
    marks: list[str] = []

    def wait() -> tuple[Any, ...]:
        with pytest.raises(IOClosed) as caught:
            trampoline(pipe.reader, read=True, mark_as_closed=lambda: marks.append("closed"))
        return caught.value.args

    waiter = spawn(wait)
    sleep(0)
    hubs.notify_opened(pipe.reader)

    assert waiter.wait() == (errno.ENOTCONN, "Operation on closed file")
    assert marks == ["closed"]
    pipe.write(b"x")
    assert trampoline(pipe.reader, read=True, timeout=1) == pipe.reader


def test_notices_about_numbers_nobody_waits_for_are_harmless(hub: BaseHub, pipe: Pipe) -> None:
    hubs.notify_close(pipe.reader)
    hubs.notify_opened(pipe.reader)

    assert hub.descriptors == {}


def test_waiting_for_a_green_sockets_number_takes_nothing_from_its_owner(hub: BaseHub) -> None:
    left, right = (GreenSocket(each) for each in socket.socketpair())
    with left, right:
        receiver = spawn(left.recv, 10)
        sleep(0)
        for _ in range(3):
            assert trampoline(left.fileno(), write=True, timeout=1) == left.fileno()
        right.sendall(b"to the owner")

        assert receiver.wait() == b"to the own"
        assert trampoline(left, read=True, timeout=1) == left.fileno()
        assert left.recv(10) == b"er"


@pytest.mark.usefixtures("several_waiters")
def test_several_waiters_for_a_green_sockets_number_take_turns(hub: BaseHub) -> None:
    left, right = (GreenSocket(each) for each in socket.socketpair())
    with left, right:
        left.settimeout(0.001)
        with pytest.raises(TimeoutError):
            left.recv(1)  # so that the kernel knows the number by its owner
        readers = [spawn(trampoline, left.fileno(), read=True) for _ in range(3)]
        sleep(0)
        right.sendall(b"x")  # and nobody reads it

        assert [reader.wait() for reader in readers] == [left.fileno()] * 3
