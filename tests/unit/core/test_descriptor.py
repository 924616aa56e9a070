"""Descriptors: edges and beliefs, several waits, closing.

Traps 1 (short reads) and 2 (a wake-up needs an address). Trap 3 is in `test_foreign_waits.py`.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import permutations
from typing import Any

import greenlet
import pytest

from eventlet._core.current import get_hub
from eventlet._core.descriptor import Descriptor
from eventlet._core.hub import Hub
from eventlet._core.poller import (
    ERROR,
    HANGUP,
    PRIORITY,
    READ,
    READ_HANGUP,
    READ_SIDE,
    WRITE,
)
from eventlet._core.pollers.epoll import EpollPoller, is_available
from eventlet._core.wait_queue import EXPIRED, interrupt, live_ticket, wake
from eventlet._errors import DescriptorClosed
from eventlet.greenthread import getcurrent, kill, sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.core.os_threads import in_os_thread
from tests.unit.core.plumbing import LONG, Pair, drain, fill, socket_pair, tcp_pair


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


# -- owned: registered once, edges renew the beliefs ---------------------------------------------


class CountingPoller(EpollPoller):
    """Counts the system calls that cost."""

    def __init__(self) -> None:
        super().__init__()
        self.registered: list[int] = []
        self.rearmed: list[int] = []

    def register(self, fd: int) -> bool:
        self.registered.append(fd)
        return super().register(fd)

    def rearm(self, fd: int, read: bool, write: bool) -> None:
        self.rearmed.append(fd)
        super().rearm(fd, read, write)


@pytest.mark.skipif(not is_available(), reason="counts epoll's calls")
def test_an_owned_descriptor_is_registered_once_at_its_first_park() -> None:
    def program() -> None:
        hub = get_hub()
        poller = hub.poller
        assert isinstance(poller, CountingPoller)
        with socket_pair() as (a, b), owned(a) as record:
            assert hub.descriptors == {}
            for _ in range(10):
                spawn(b.send, b"x")
                record.wait_read(LONG)
                a.recv(10)
            fill(a)
            spawn(drain, b)
            record.wait_write(LONG)
            assert poller.registered == [a.fileno()]
            assert a.fileno() not in poller.rearmed
        assert hub.descriptors == {}

    in_os_thread(program, lambda: Hub(CountingPoller()))


def test_an_edge_renews_the_belief_while_nobody_waits(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        record.wait_write(LONG)
        record.can_read = record.can_write = False
        b.send(b"x")
        sleep(0)
        sleep(0)
        assert record.can_read


def test_a_wait_returns_the_flags(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        b.send(b"x")
        assert record.wait_read() & READ
        assert record.wait_write(0.002) is EXPIRED  # its edge came before, with the first


def test_a_reader_and_a_writer_wait_side_by_side(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        fill(a)
        reader = spawn(record.wait_read, LONG)
        writer = spawn(record.wait_write, LONG)
        sleep(0)
        drain(b)
        assert writer.wait() & WRITE
        assert not reader.dead
        b.send(b"x")
        assert reader.wait() & READ


def test_a_time_out_leaves_the_descriptor_ready_for_the_next_wait(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        assert record.wait_read(0.001) is EXPIRED
        assert record.wait_read(0) is EXPIRED
        b.send(b"x")
        assert record.wait_read(LONG) & READ


def test_an_interrupted_wait_leaves_the_descriptor_ready_for_the_next_wait(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        for wait in (record.wait_read, record.wait_read):
            thread = spawn(wait)
            sleep(0)
            kill(thread)
            assert thread.dead
        b.send(b"x")
        assert record.wait_read(LONG) & READ


def test_a_hang_up_ends_reading_and_writing(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        fill(a)
        writer = spawn(record.wait_write, LONG)
        reader = spawn(record.wait_read, LONG)
        sleep(0)
        b.close()
        assert reader.wait() & READ_SIDE
        assert writer.wait() & (HANGUP | ERROR)


def test_a_wait_on_a_bad_number_fails_and_leaves_no_record(hub: Hub) -> None:
    r, w = os.pipe()
    os.close(w)
    os.close(r)
    record = Descriptor(hub, r, owned=True)
    for wait in (record.wait_read, record.wait_write):
        with pytest.raises(OSError, match="Bad file descriptor") as info:
            wait(LONG)
        assert info.value.errno == errno.EBADF
    assert hub.descriptors == {}
    assert (record.reader, record.writer) == (None, None)


# -- trap 1: when a short read means EMPTY -------------------------------------------------------


@pytest.mark.parametrize("flag", [READ_HANGUP, HANGUP, ERROR, PRIORITY])
def test_trap1_sticky_flags_end_exactness_for_good(pair: Pair, flag: int) -> None:
    with owned(pair[0], exact=True) as record:
        record.announce(READ | flag)
        assert not record.exact
        assert record.can_read
        record.announce(READ)
        assert not record.exact


@pytest.mark.parametrize("flags", [READ, WRITE, READ | WRITE])
def test_trap1_plain_readiness_keeps_exactness(pair: Pair, flags: int) -> None:
    with owned(pair[0], exact=True) as record:
        record.announce(flags)
        assert record.exact


def test_trap1_data_and_fin_in_one_edge() -> None:
    with tcp_pair() as (server, client), owned(server, exact=True) as record:
        spawn(_send_and_shut, client, b"last words")
        record.wait_read(LONG)
        while record.exact:
            sleep(0.001)  # the FIN may come by itself
        assert server.recv(100) == b"last words"
        assert record.can_read
        assert server.recv(100) == b""


def _send_and_shut(sock: socket.socket, data: bytes) -> None:
    sock.send(data)
    sock.shutdown(socket.SHUT_WR)


def test_trap1_urgent_data_in_the_stream() -> None:
    with tcp_pair() as (server, client), owned(server, exact=True) as record:
        record.wait_write(LONG)
        client.send(b"before")
        client.send(b"!", socket.MSG_OOB)
        client.send(b"after")
        with Timeout(LONG):
            while record.exact:
                sleep(0.001)
            got = b""
            while len(got) < 11:  # each read stops at the mark
                with suppress(BlockingIOError):
                    got += server.recv(100)
                sleep(0.001)
        assert got == b"beforeafter"


def test_trap1_a_reset_is_announced() -> None:
    with tcp_pair() as (server, client), owned(server, exact=True) as record:
        reader = spawn(record.wait_read, LONG)
        sleep(0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        assert reader.wait() & (ERROR | HANGUP)
        assert not record.exact


# -- closing --------------------------------------------------------------------------------------------


def test_close_wakes_every_waiter_with_ebadf(hub: Hub, pair: Pair) -> None:
    a, _ = pair
    record = Descriptor(hub, a.fileno(), owned=True)
    fill(a)
    threads = [
        spawn(record.wait_read),
        spawn(record.wait_read, None, True),
        spawn(record.wait_write),
        spawn(record.wait_write, 5.0, True),
    ]
    sleep(0)
    record.close()
    errors = []
    for thread in threads:
        with pytest.raises(DescriptorClosed, match="Bad file descriptor") as info:
            thread.wait()
        errors.append(info.value)
    assert [exc.errno for exc in errors] == [errno.EBADF] * 4
    assert len({id(exc) for exc in errors}) == 4  # each its own: tracebacks do not mix
    assert hub.descriptors == {}
    record.close()
    with pytest.raises(DescriptorClosed):
        record.wait_read()
    with pytest.raises(DescriptorClosed):
        record.wait_write(0)


def test_close_from_another_os_thread_wakes_the_waiter(hub: Hub, pair: Pair) -> None:
    a, _ = pair
    record = Descriptor(hub, a.fileno(), owned=True)
    thread = spawn(record.wait_read)
    sleep(0)
    in_os_thread(record.close)
    with pytest.raises(DescriptorClosed):
        thread.wait()
    assert hub.descriptors == {}


def test_close_before_the_first_wait_is_remembered(hub: Hub, pair: Pair) -> None:
    record = Descriptor(hub, pair[0].fileno(), owned=True)
    record.close()
    with pytest.raises(DescriptorClosed):
        record.wait_read(LONG)


# -- trap 2: all orders on one descriptor ---------------------------------------------------------------

EVENTS = ("edge", "edge again", "kill", "time-out", "close", "run")


@pytest.mark.parametrize("leader", EVENTS)
def test_trap2_readiness_kill_time_out_and_close_in_every_order(leader: str, pair: Pair) -> None:
    for count in range(1, len(EVENTS) + 1):
        for order in permutations(EVENTS, count):
            if order[0] == leader:
                check_order(order, pair[0])


def check_order(order: tuple[str, ...], sock: socket.socket) -> None:
    hub = get_hub()
    record = Descriptor(hub, sock.fileno(), owned=True)
    outcomes: list[Any] = []

    def reader() -> None:
        try:
            outcomes.append(record.wait_read(3600))
        except (Stop, DescriptorClosed) as exc:
            outcomes.append(type(exc))
        outcomes.append(hub.park(hub.ticket(), 0))

    thread = spawn(reader)
    sleep(0)
    ticket = live_ticket(thread)
    assert ticket is not None
    expected: Any = None
    finished = False
    for event in order:
        finished, expected = _step(event, thread, record, finished, expected)
    if expected is None:
        record.close()
        expected = DescriptorClosed
    thread.wait()
    record.close()
    assert outcomes == [expected, EXPIRED], order
    assert wake(ticket) is False
    assert (record.reader, record.more_readers) == (None, [])
    assert sock.fileno() not in hub.descriptors


def _step(
    event: str, thread: Any, record: Descriptor, finished: bool, expected: Any
) -> tuple[bool, Any]:
    """Make one event happen; return whether the wait is over and what it must give."""
    interrupted = expected in (Stop, DescriptorClosed)
    if event.startswith("edge"):
        record.announce(READ)
        return finished, READ if expected is None else expected
    if event == "kill":
        ticket = live_ticket(thread)
        if not finished and ticket is not None:
            interrupt(ticket, Stop())
            return finished, expected if interrupted else Stop
        return finished, expected
    if event == "time-out":
        hub = record.hub
        if not finished:
            hub.timers.expire(hub.clock() + 7200, hub.ready)
        return finished, EXPIRED if expected is None else expected
    if event == "close":
        waiting = record.reader is not None and not finished
        record.close()
        if waiting and not interrupted:
            return finished, DescriptorClosed
        return finished, expected
    sleep(0)
    return finished or expected is not None, expected


# -- the reader's ticket is used again ---------------------------------------------------------------------


def test_trap2_a_ticket_used_again_is_not_the_former_readers(hub: Hub, pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        main = getcurrent()
        b.send(b"x")
        record.wait_read()  # by main; its ticket is kept for the next reader
        a.recv(10)
        reader = spawn(record.wait_read)
        sleep(0)
        assert live_ticket(reader) is not None
        # main is no longer parked on it, though it was its last one.
        offered: list[bool] = []
        nested = greenlet.greenlet(lambda: offered.append(hub.offer_main(Stop())))
        nested.switch()
        assert offered == [False]
        assert live_ticket(main) is None
        b.send(b"x")
        assert reader.wait() & READ


def test_a_ticket_used_again_after_a_time_limit_or_interrupt_is_a_new_one(pair: Pair) -> None:
    a, b = pair
    with owned(a) as record:
        tickets = []
        for arrange in (None, "kill"):
            thread = spawn(record.wait_read, None if arrange else 50.0)
            sleep(0)
            tickets.append(live_ticket(thread))
            if arrange:
                kill(thread)
            else:
                b.send(b"x")
                thread.wait()
                a.recv(1)
            assert record.spare_reader is None
        assert tickets[0] is not tickets[1]


# -- a signal handler that raises in the hub -----------------------------------------------------------------


def test_trap4_events_lost_to_a_handler_that_raises_are_announced_again(
    hub: Hub, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An edge is reported once: when the handler's exception takes the place of the report,
    # the kernel has to be asked again.
    a, b = pair
    with owned(a) as record, socket_pair() as (c, d):
        thread = spawn(record.wait_read, LONG)
        stranger = spawn(hub.wait_foreign, c.fileno(), True, False, LONG)
        sleep(0)
        sleep(0)
        real_poll = hub.poller.poll
        failed: list[object] = []

        def poll_and_raise(timeout: float | None) -> list[tuple[int, int]]:
            events = real_poll(timeout)
            if events and not failed:
                failed.append(events)
                raise InterruptedError("by a signal handler")
            return events

        monkeypatch.setattr(hub.poller, "poll", poll_and_raise)
        b.send(b"x")
        d.send(b"x")
        with pytest.raises(InterruptedError, match="handler"):
            thread.wait()  # in the main green thread, as without a hub
        assert thread.wait() & READ
        assert stranger.wait() & READ
        assert failed
        # Nor does a wake-up from another OS thread get lost.
        failed.clear()
        ticket = hub.ticket()
        in_os_thread(lambda: wake(ticket, 1))
        assert hub.park(ticket, LONG) == 1
        ran: list[int] = []
        in_os_thread(lambda: hub.call_from_thread(ran.append, 1))
        sleep(0)
        sleep(0)
        assert ran == [1]


def test_flags_are_those_of_poll() -> None:
    assert (READ, WRITE, ERROR, HANGUP) == (
        select.POLLIN,
        select.POLLOUT,
        select.POLLERR,
        select.POLLHUP,
    )


def test_a_record_describes_itself(hub: Hub, pair: Pair) -> None:
    a, _ = pair
    with owned(a) as record:
        assert repr(record) == f"<Descriptor {a.fileno()} owned waited on for nothing>"
        thread = spawn(record.wait_read)
        sleep(0)
        assert repr(record) == f"<Descriptor {a.fileno()} owned waited on for read>"
        thread.kill()
    callable_: Callable[[Any], str] = hub.describe
    assert callable_(thread) == thread.name
