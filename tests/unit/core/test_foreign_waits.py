"""Foreign waits, and several waits for one descriptor. Trap 3: one number, several users."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet._core.descriptor import Descriptor, waiter_policy
from eventlet._core.hub import Hub
from eventlet._core.poller import (
    ERROR,
    READ,
    WRITE,
)
from eventlet._core.wait_queue import EXPIRED
from eventlet._errors import DescriptorBusy, DescriptorClosed, IOClosed
from eventlet.greenthread import kill, sleep, spawn

from tests.unit.core.plumbing import LONG, Pair, drain, fill, socket_pair


@pytest.fixture
def hub() -> Hub:
    return get_hub()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket_pair() as pair:
        yield pair


@contextmanager
def owned(sock: socket.socket, exact: bool = False) -> Iterator[Descriptor]:
    record = Descriptor(get_hub(), sock.fileno(), owned=True, exact=exact)
    try:
        yield record
    finally:
        record.close()


class Stop(BaseException):
    """What these tests interrupt with."""


# -- trap 3: strangers on an owned descriptor ---------------------------------------------------------


def test_trap3_a_foreign_wait_takes_no_edge_from_the_owner(hub: Hub, pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        record.wait_write(LONG)
        b.send(b"1")
        assert hub.wait_foreign(a.fileno(), read=True, timeout=LONG) & READ
        a.recv(10)
        for n in range(3):
            thread = spawn(record.wait_read, LONG)
            sleep(0)
            b.send(b"x")
            assert thread.wait() & READ
            a.recv(10)
            if n == 1:
                assert hub.wait_foreign(a.fileno(), read=True, timeout=0) is EXPIRED


def test_trap3_a_foreign_wait_sees_what_the_owner_left_unread(hub: Hub, pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        b.send(b"12345")
        record.wait_read(LONG)
        a.recv(1)
        for _ in range(3):
            assert hub.wait_foreign(a.fileno(), read=True, timeout=LONG) & READ


def test_trap3_owner_and_stranger_wait_for_different_sides(hub: Hub, pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        fill(a)
        reader = spawn(record.wait_read, LONG)
        sleep(0)
        stranger = spawn(hub.wait_foreign, a.fileno(), False, True, LONG)
        sleep(0)
        drain(b)
        assert stranger.wait() & WRITE
        assert not reader.dead
        b.send(b"x")
        assert reader.wait() & READ


def test_trap3_an_owner_takes_over_the_number_a_stranger_waits_on(hub: Hub, pair: Pair) -> None:
    a, b = pair
    stranger = spawn(hub.wait_foreign, a.fileno(), True, False, LONG)
    sleep(0)
    with owned(a) as record:
        record.wait_write(LONG)
        assert not stranger.dead
        b.send(b"x")
        assert stranger.wait() & READ
        assert hub.descriptors[a.fileno()] is record


def test_trap3_half_read_foreign_descriptors_are_announced_again(hub: Hub, pair: Pair) -> None:
    a, b = pair
    b.send(b"123")
    for _ in range(3):
        assert hub.wait_foreign(a.fileno(), read=True, timeout=LONG) & READ
        a.recv(1)
    assert hub.wait_foreign(a.fileno(), read=True, timeout=0.001) is EXPIRED
    assert hub.descriptors == {}


def test_trap3_a_closed_owner_takes_the_strangers_with_it(hub: Hub, pair: Pair) -> None:
    a, _ = pair
    record = Descriptor(hub, a.fileno(), owned=True)
    stranger = spawn(hub.wait_foreign, a.fileno(), True)
    sleep(0)
    record.close()  # never waited on: the number is the stranger's, by its record
    with pytest.raises(DescriptorClosed):
        stranger.wait()
    assert hub.descriptors == {}


def test_trap3_close_with_a_dup_alive_elsewhere(hub: Hub) -> None:
    # The kernel keeps the registration as long as the file lives: DEL must come before close.
    with socket_pair() as (a, b):
        number = a.fileno()
        keeper = os.dup(number)
        record = Descriptor(hub, number, owned=True)
        record.wait_write(LONG)
        record.close()
        a.close()
        with socket_pair() as (new, new_peer):
            assert new.fileno() == number
            b.send(b"for the old one")
            with owned(new) as fresh:
                assert fresh.wait_read(0.005) is EXPIRED
                new_peer.send(b"x")
                assert fresh.wait_read(LONG) & READ
        os.close(keeper)


def test_trap3_a_number_recycled_behind_our_back_ends_the_old_waits(hub: Hub) -> None:
    old, old_peer = socket.socketpair()
    with old_peer:
        number = old.fileno()
        record = Descriptor(hub, number, owned=True)
        old_reader = spawn(record.wait_read, LONG)
        record.wait_write(LONG)
        os.close(old.detach())  # behind our back
        with socket_pair() as (new, new_peer):
            assert new.fileno() == number
            with owned(new) as fresh:
                new_reader = spawn(fresh.wait_read, LONG)
                with pytest.raises(IOClosed) as info:
                    old_reader.wait()
                assert info.value.errno == errno.ENOTCONN
                new_peer.send(b"x")
                assert new_reader.wait() & READ
                for wait in (record.wait_read, record.wait_write):
                    with pytest.raises(IOClosed):
                        wait()
                record.close()  # of the old: the new one stays registered
                assert hub.descriptors[number] is fresh
                new.recv(10)
                new_reader = spawn(fresh.wait_read, LONG)
                sleep(0)
                new_peer.send(b"x")
                assert new_reader.wait() & READ


def test_trap3_a_recycled_number_never_wakes_an_old_foreign_wait_with_its_events(
    hub: Hub,
) -> None:
    old, old_peer = socket.socketpair()
    with old_peer:
        stranger = spawn(hub.wait_foreign, old.fileno(), True, False, 0.02)
        sleep(0)
        number = old.fileno()
        os.close(old.detach())
        with socket_pair() as (new, new_peer):
            assert new.fileno() == number
            new_peer.send(b"x")
            assert stranger.wait() is EXPIRED


# -- several waits -------------------------------------------------------------------------------------


def test_a_second_reader_is_an_error_that_names_the_first(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        first = spawn(record.wait_read, LONG)
        sleep(0)
        with pytest.raises(DescriptorBusy) as info:
            record.wait_read(LONG)
        assert str(info.value).startswith(
            f"Second simultaneous read on fileno {a.fileno()} detected."
        )
        assert first.name in str(info.value)
        assert isinstance(info.value, RuntimeError)
        assert (info.value.fd, info.value.side, info.value.owner) == (
            a.fileno(),
            "read",
            first.name,
        )
        b.send(b"x")
        assert first.wait() & READ


def test_a_second_writer_is_an_error(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        fill(a)
        first = spawn(record.wait_write, LONG)
        sleep(0)
        with pytest.raises(DescriptorBusy, match="each writer its own"):
            record.wait_write(LONG)
        drain(b)
        assert first.wait() & WRITE


def test_a_stranger_behind_the_owner_is_an_error_and_the_other_way_round(
    hub: Hub, pair: Pair
) -> None:
    a, b = pair
    with owned(a) as record:
        first = spawn(record.wait_read, LONG)
        sleep(0)
        with pytest.raises(DescriptorBusy):
            hub.wait_foreign(a.fileno(), read=True)
        b.send(b"x")
        first.wait()
        a.recv(10)
        stranger = spawn(hub.wait_foreign, a.fileno(), True, False, LONG)
        sleep(0)
        with pytest.raises(DescriptorBusy):
            hub.wait_foreign(a.fileno(), read=True)
        b.send(b"x")
        assert stranger.wait() & READ


def test_shared_waits_all_wake(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        waiters = [spawn(record.wait_read, LONG, True) for _ in range(4)]
        sleep(0)
        b.send(b"x")
        assert [waiter.wait() & READ for waiter in waiters] == [READ] * 4


@pytest.fixture
def several_readers() -> Iterator[None]:
    waiter_policy.exclusive = False
    yield
    waiter_policy.exclusive = True


@pytest.mark.usefixtures("several_readers")
def test_without_exclusion_readers_queue(pair: Pair) -> None:
    a, b = pair
    order: list[int] = []
    with owned(a) as record:

        def reader(n: int) -> None:
            while True:
                assert record.wait_read(LONG) & READ
                try:
                    a.recv(1)
                except BlockingIOError:
                    continue
                order.append(n)
                return

        threads = [spawn(reader, n) for n in range(3)]
        sleep(0)
        for _ in range(3):
            b.send(b"x")
            sleep(0)
            sleep(0)
        for thread in threads:
            thread.wait()
        assert sorted(order) == [0, 1, 2]
        assert order[0] == 0


@pytest.mark.usefixtures("several_readers")
def test_without_exclusion_foreign_waits_queue_first_come_first_served(
    hub: Hub, pair: Pair
) -> None:
    a, b = pair
    order: list[int] = []

    def reader(n: int) -> None:
        assert hub.wait_foreign(a.fileno(), read=True, timeout=LONG) & READ
        a.recv(1)
        order.append(n)

    threads = [spawn(reader, n) for n in range(4)]
    sleep(0)
    b.send(b"1234")
    for thread in threads:
        thread.wait()
    assert order == [0, 1, 2, 3]
    assert hub.descriptors == {}


# -- waits for many ------------------------------------------------------------------------------------


def test_a_wait_for_many_returns_the_first_that_is_ready(hub: Hub) -> None:
    pairs = [socket.socketpair() for _ in range(30)]
    try:
        wanted = {a.fileno(): READ for a, _ in pairs}
        thread = spawn(hub.wait_foreign_many, wanted, LONG)
        sleep(0)
        pairs[17][1].send(b"x")
        assert thread.wait() == {pairs[17][0].fileno(): READ}
        assert hub.descriptors == {}
        assert hub.wait_foreign_many(dict.fromkeys(list(wanted)[:5], READ), 0.001) == {}
        assert hub.descriptors == {}
    finally:
        for a, b in pairs:
            a.close()
            b.close()


def test_a_wait_for_many_mixes_sides_and_owners(hub: Hub, pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        record.wait_write(LONG)
        assert hub.wait_foreign_many({a.fileno(): READ, b.fileno(): READ | WRITE}, LONG) == {
            b.fileno(): WRITE
        }
        assert list(hub.descriptors) == [a.fileno()]


def test_a_wait_for_many_that_is_refused_waits_for_none_of_them(hub: Hub, pair: Pair) -> None:
    a, b = pair
    other = spawn(hub.wait_foreign, b.fileno(), True, False, LONG)
    sleep(0)
    with pytest.raises(DescriptorBusy):
        hub.wait_foreign_many({a.fileno(): READ, b.fileno(): READ})
    assert list(hub.descriptors) == [b.fileno()]
    kill(other)
    assert hub.descriptors == {}


def test_trap2_a_refused_wait_wakes_no_later_park(hub: Hub, pair: Pair) -> None:
    # A regular file among them is ready at once, and had woken the ticket already.
    a, _ = pair
    with tempfile.TemporaryFile() as file:
        other = spawn(hub.wait_foreign, a.fileno(), True, False, LONG)
        sleep(0)
        with pytest.raises(DescriptorBusy):
            hub.wait_foreign_many({file.fileno(): READ, a.fileno(): READ})
        assert hub.park(hub.ticket(), 0.002) is EXPIRED
        kill(other)


@pytest.mark.usefixtures("several_readers")
def test_a_number_closed_behind_our_back_ends_the_waits_that_queue_for_it(hub: Hub) -> None:
    # The first is told of the event; when the rest are to be armed again, the number is bad.
    if not hub.poller.edge_triggered:
        pytest.skip("a level poller takes any number and tells in the next wait")
    a, b = socket.socketpair()
    first, *rest = [spawn(hub.wait_foreign, a.fileno(), True, False, LONG) for _ in range(3)]
    sleep(0)
    record = hub.descriptors[a.fileno()]
    a.close()
    b.close()

    record.announce(READ)

    assert first.wait() & READ
    for waiter in rest:
        with pytest.raises(OSError, match="Bad file descriptor") as info:
            waiter.wait()
        assert info.value.errno == errno.EBADF
    assert hub.descriptors == {}


def test_a_wait_for_a_bad_number_fails(hub: Hub) -> None:
    r, w = os.pipe()
    os.close(r)
    os.close(w)
    try:
        flags = hub.wait_foreign(r, read=True, timeout=LONG)
    except OSError as exc:
        outcome: Any = exc.errno
    else:
        outcome = flags
    assert outcome in (errno.EBADF, ERROR)  # a level poller learns it in the wait
    assert hub.descriptors == {}


# -- regular files --------------------------------------------------------------------------------------


def test_regular_files_are_always_ready(hub: Hub) -> None:
    with tempfile.TemporaryFile() as file:
        for _ in range(2):
            assert hub.wait_foreign(file.fileno(), read=True, timeout=LONG) & READ
            assert hub.wait_foreign(file.fileno(), write=True, timeout=LONG) & WRITE
        record = Descriptor(hub, file.fileno(), owned=True)
        for _ in range(2):
            assert record.wait_read(LONG) & READ
            assert record.wait_write(LONG) & WRITE
        record.close()
    assert hub.descriptors == {}
