"""One suite for every poller.

Trap 3: one descriptor number, several users.
"""

from __future__ import annotations

import os
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import IO

import pytest

from eventlet._core.poller import ERROR, HANGUP, READ, READ_HANGUP, READ_SIDE, WRITE, Poller
from eventlet._core.pollers import POLLERS, default_poller

from tests.unit.core.plumbing import LONG, SOON, Pair, alarms, drain, fill, socket_pair, tcp_pair

NAMES = [name for name, (is_available, _) in POLLERS.items() if is_available()]
EDGE_TRIGGERED = [name for name in NAMES if name in ("epoll", "kqueue")]


def make_poller(name: str) -> Poller:
    return POLLERS[name][1]()


@pytest.mark.parametrize("name", POLLERS)
def test_this_poller_passes_the_suite_here(name: str) -> None:
    if name not in NAMES:
        pytest.skip(f"this platform has no {name}; the suite ran on {', '.join(NAMES)}")
    made = make_poller(name)
    assert made.edge_triggered is (name in EDGE_TRIGGERED)
    made.close()


@pytest.fixture(params=NAMES)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    made = make_poller(request.param)
    yield made
    made.close()


@pytest.fixture(params=EDGE_TRIGGERED)
def edge_poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    made = make_poller(request.param)
    yield made
    made.close()


@pytest.fixture
def clean() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket_pair() as pair:
        yield pair


@pytest.fixture
def file(clean: ExitStack) -> IO[bytes]:
    return clean.enter_context(tempfile.TemporaryFile())


def flags_of(poller: Poller, fd: int, timeout: float = 0) -> int:
    events = poller.poll(timeout)
    assert {number for number, _ in events} <= {fd}
    assert len(events) <= 1
    return events[0][1] if events else 0


# -- rearm: once, also if it was ready before --------------------------------------------


def test_rearm_announces_what_becomes_ready(poller: Poller, pair: Pair) -> None:
    a, b = pair
    poller.rearm(a.fileno(), True, False)
    assert poller.poll(0) == []

    b.send(b"x")

    assert flags_of(poller, a.fileno(), LONG) & READ_SIDE == READ


def test_rearm_announces_what_is_ready_already(poller: Poller, pair: Pair) -> None:
    a, b = pair
    b.send(b"x")

    poller.rearm(a.fileno(), True, False)

    assert flags_of(poller, a.fileno(), LONG) & READ


def test_rearm_is_one_shot(poller: Poller, pair: Pair) -> None:
    a, b = pair
    poller.rearm(a.fileno(), True, False)
    b.send(b"x")
    assert flags_of(poller, a.fileno(), LONG)

    b.send(b"more")

    assert poller.poll(SOON) == []


def test_rearm_again_announces_what_was_left_unread(poller: Poller, pair: Pair) -> None:
    a, b = pair
    b.send(b"12")
    poller.rearm(a.fileno(), True, False)
    assert flags_of(poller, a.fileno(), LONG)
    a.recv(1)

    poller.rearm(a.fileno(), True, False)

    assert flags_of(poller, a.fileno(), LONG) & READ


def test_rearm_announces_only_the_wanted_side(poller: Poller, pair: Pair) -> None:
    a, b = pair
    b.send(b"x")

    poller.rearm(a.fileno(), False, True)

    assert flags_of(poller, a.fileno(), LONG) == WRITE


def test_rearm_announces_both_sides_together(poller: Poller, pair: Pair) -> None:
    a, b = pair
    b.send(b"x")

    poller.rearm(a.fileno(), True, True)

    flags = flags_of(poller, a.fileno(), LONG)
    assert flags & READ
    assert flags & WRITE or poller.edge_triggered


def test_rearm_changes_the_wanted_side(poller: Poller, pair: Pair) -> None:
    a, _ = pair
    poller.rearm(a.fileno(), True, False)

    poller.rearm(a.fileno(), False, True)

    assert flags_of(poller, a.fileno(), LONG) == WRITE


def test_rearm_with_neither_side_takes_the_interest_back(poller: Poller, pair: Pair) -> None:
    a, b = pair
    poller.rearm(a.fileno(), True, False)

    poller.rearm(a.fileno(), False, False)

    b.send(b"x")
    assert poller.poll(SOON) == []


def test_a_closed_peer_is_announced_to_the_reader(poller: Poller, pair: Pair) -> None:
    a, b = pair
    poller.rearm(a.fileno(), True, False)

    b.close()

    assert flags_of(poller, a.fileno(), LONG) & READ_SIDE


def test_a_broken_pipe_is_announced_to_the_writer(poller: Poller, clean: ExitStack) -> None:
    r, w = os.pipe()
    clean.callback(os.close, w)
    os.set_blocking(w, False)
    with suppress(BlockingIOError):
        while True:
            os.write(w, b"x" * 65536)
    poller.rearm(w, False, True)
    assert poller.poll(0) == []

    os.close(r)

    assert flags_of(poller, w, LONG) & (WRITE | ERROR | HANGUP)


# -- register: every change from now on -----------------------------------------------------


def test_register_announces_the_present_state_once(edge_poller: Poller, pair: Pair) -> None:
    a, b = pair
    b.send(b"x")

    edge_poller.register(a.fileno())

    assert flags_of(edge_poller, a.fileno(), LONG) & (READ | WRITE)
    assert edge_poller.poll(SOON) == []


def test_register_announces_each_arrival(edge_poller: Poller, pair: Pair) -> None:
    a, b = pair
    edge_poller.register(a.fileno())
    edge_poller.poll(0)

    for _ in range(3):
        b.send(b"x")
        assert flags_of(edge_poller, a.fileno(), LONG) & READ
        assert edge_poller.poll(0) == []


def test_register_again_announces_what_is_still_ready(edge_poller: Poller, pair: Pair) -> None:
    a, b = pair
    edge_poller.register(a.fileno())
    b.send(b"x")
    edge_poller.poll(0)
    assert edge_poller.poll(0) == []

    edge_poller.register(a.fileno())

    assert flags_of(edge_poller, a.fileno(), LONG) & READ
    assert edge_poller.poll(0) == []


def test_register_announces_both_sides(edge_poller: Poller, pair: Pair) -> None:
    a, _ = pair
    fill(a)
    edge_poller.register(a.fileno())
    assert edge_poller.poll(0) == []

    drain(pair[1])

    assert flags_of(edge_poller, a.fileno(), LONG) & WRITE


def test_register_announces_the_end_of_the_peers_data(edge_poller: Poller, pair: Pair) -> None:
    a, b = pair
    edge_poller.register(a.fileno())
    edge_poller.poll(0)

    b.shutdown(socket.SHUT_WR)

    assert flags_of(edge_poller, a.fileno(), LONG) & READ_HANGUP


def test_register_announces_urgent_data(edge_poller: Poller, clean: ExitStack) -> None:
    server, client = clean.enter_context(tcp_pair())
    edge_poller.register(server.fileno())
    edge_poller.poll(0)

    client.send(b"!", socket.MSG_OOB)

    assert flags_of(edge_poller, server.fileno(), LONG) & select.POLLPRI


def test_rearm_after_register_turns_it_into_one_shot_and_back(
    edge_poller: Poller, pair: Pair
) -> None:
    a, b = pair
    edge_poller.rearm(a.fileno(), True, False)
    edge_poller.register(a.fileno())
    edge_poller.poll(0)

    b.send(b"x")
    assert flags_of(edge_poller, a.fileno(), LONG) & READ
    b.send(b"y")
    assert flags_of(edge_poller, a.fileno(), LONG) & READ


# -- forget, and numbers that change hands behind our back (trap 3) --------------------------


def test_forget_ends_the_announcements(poller: Poller, pair: Pair) -> None:
    a, b = pair
    poller.register(a.fileno())
    poller.rearm(a.fileno(), True, False)

    poller.forget(a.fileno())

    b.send(b"x")
    assert poller.poll(SOON) == []


def test_forget_is_harmless_for_unknown_and_closed_numbers(poller: Poller, pair: Pair) -> None:
    a, _ = pair
    number = a.fileno()
    poller.forget(number)
    poller.rearm(number, True, False)
    a.close()

    poller.forget(number)
    poller.forget(number)

    assert poller.poll(0) == []


@pytest.mark.parametrize("arm", ["register", "rearm"])
def test_trap3_a_number_closed_behind_our_back_and_used_again(
    poller: Poller, clean: ExitStack, arm: str
) -> None:
    old, old_peer = socket.socketpair()
    clean.callback(old_peer.close)
    number = old.fileno()
    _arm(poller, arm, number)
    poller.poll(0)
    old.close()
    new, new_peer = socket.socketpair()
    clean.callback(new.close)
    clean.callback(new_peer.close)
    assert new.fileno() == number

    _arm(poller, arm, number)
    poller.poll(0)
    _arm(poller, arm, number)
    new_peer.send(b"x")

    assert flags_of(poller, number, LONG) & READ


@pytest.mark.parametrize("arm", ["register", "rearm"])
def test_trap3_a_dup_keeps_the_old_file_alive_under_a_number_used_again(
    poller: Poller, clean: ExitStack, arm: str
) -> None:
    old, old_peer = socket.socketpair()
    number = old.fileno()
    other = os.dup(number)
    clean.callback(os.close, other)
    clean.callback(old_peer.close)
    _arm(poller, arm, number)
    poller.poll(0)
    old.close()
    new, new_peer = socket.socketpair()
    clean.callback(new_peer.close)
    new_number = new.fileno()
    assert new_number == number
    _arm(poller, arm, number)  # ENOENT for MOD: the new file is not known
    os.close(new.detach())
    os.dup2(other, number)  # the old file is back under its number
    clean.callback(os.close, number)
    poller.poll(0)

    poller.forget(number)
    _arm(poller, arm, number)
    poller.poll(0)
    _arm(poller, arm, number)
    old_peer.send(b"x")

    assert flags_of(poller, number, LONG) & READ


@pytest.mark.skipif("epoll" not in NAMES, reason="about the kernel's state of epoll")
def test_trap3_an_entry_left_by_a_dup_is_replaced(clean: ExitStack) -> None:
    # EEXIST: the kernel still has (file, number), we do not.
    poller = make_poller("epoll")
    clean.callback(poller.close)
    a, b = socket.socketpair()
    clean.callback(b.close)
    number = a.fileno()
    keeper = os.dup(number)
    clean.callback(os.close, keeper)
    poller.register(number)
    a.close()
    poller.forget(number)  # EBADF: the entry stays, for the dup
    os.dup2(keeper, number)
    clean.callback(os.close, number)

    poller.register(number)

    b.send(b"x")
    assert flags_of(poller, number, LONG) & READ


def test_trap3_forget_before_close_is_sound_with_a_dup_elsewhere(
    poller: Poller, clean: ExitStack
) -> None:
    a, b = socket.socketpair()
    clean.callback(b.close)
    keeper = os.dup(a.fileno())
    clean.callback(os.close, keeper)
    poller.register(a.fileno())
    poller.rearm(a.fileno(), True, False)
    poller.forget(a.fileno())
    a.close()

    b.send(b"x")

    assert poller.poll(SOON) == []


def test_a_closed_number_is_an_error_or_announced_as_one(poller: Poller, pair: Pair) -> None:
    a, _ = pair
    number = a.fileno()
    a.close()
    if poller.edge_triggered:
        with pytest.raises(OSError, match="Bad file descriptor"):
            poller.rearm(number, True, False)
        return
    poller.rearm(number, True, False)
    assert flags_of(poller, number, LONG) == ERROR
    assert poller.poll(0) == []


def test_a_regular_file_is_refused_or_ready(poller: Poller, file: IO[bytes]) -> None:
    try:
        poller.rearm(file.fileno(), True, True)
    except PermissionError:
        return
    assert flags_of(poller, file.fileno(), LONG) == READ | WRITE


def test_a_regular_file_cannot_be_registered(edge_poller: Poller, file: IO[bytes]) -> None:
    with pytest.raises(PermissionError):
        edge_poller.register(file.fileno())


def test_many_descriptors_are_announced_together(poller: Poller, clean: ExitStack) -> None:
    pairs = [socket.socketpair() for _ in range(50)]
    for a, b in pairs:
        clean.callback(a.close)
        clean.callback(b.close)
        poller.rearm(a.fileno(), True, False)
        b.send(b"x")

    events = poller.poll(LONG)

    assert sorted(fd for fd, _ in events) == sorted(a.fileno() for a, _ in pairs)


def test_select_refuses_a_number_beyond_its_limit_at_once() -> None:
    poller = make_poller("select")
    poller.rearm(1023, True, False)
    poller.forget(1023)

    with pytest.raises(ValueError, match="out of range"):
        poller.rearm(70_000, True, False)

    assert poller.poll(0) == []


# -- poll: time and signals ------------------------------------------------------------------


def test_poll_without_descriptors_waits_its_time(poller: Poller) -> None:
    began = time.monotonic()
    assert poller.poll(SOON) == []
    assert time.monotonic() - began >= SOON * 0.9


def test_poll_waits_its_time(poller: Poller, pair: Pair) -> None:
    poller.rearm(pair[0].fileno(), True, False)
    began = time.monotonic()

    assert poller.poll(SOON) == []

    assert SOON * 0.9 <= time.monotonic() - began < LONG


def test_poll_of_zero_does_not_wait(poller: Poller, pair: Pair) -> None:
    poller.rearm(pair[0].fileno(), True, False)
    began = time.monotonic()
    for _ in range(100):
        assert poller.poll(0) == []
    assert time.monotonic() - began < LONG / 2


def test_poll_never_returns_before_a_fraction_of_a_millisecond_is_up(
    poller: Poller, pair: Pair
) -> None:
    # Rounded down to whole milliseconds it would spin until the deadline.
    poller.rearm(pair[0].fileno(), True, False)
    began = time.monotonic()
    assert poller.poll(0.0004) == []
    assert time.monotonic() - began >= 0.0003


def test_poll_without_a_limit_waits_for_an_event(poller: Poller, pair: Pair) -> None:
    a, b = pair
    poller.rearm(a.fileno(), True, False)
    b.send(b"x")
    assert poller.poll(None)[0][0] == a.fileno()


def test_poll_goes_on_after_a_signal(poller: Poller, pair: Pair) -> None:
    a, b = pair
    poller.rearm(a.fileno(), True, False)
    heard = []

    def handler(*_: object) -> None:
        heard.append(1)
        if len(heard) == 3:
            b.send(b"x")

    with alarms(handler, 0.005):
        events = poller.poll(LONG)

    assert len(heard) >= 3
    assert [fd for fd, _ in events] == [a.fileno()]


def test_poll_passes_on_what_a_signal_handler_raises(poller: Poller, pair: Pair) -> None:
    poller.rearm(pair[0].fileno(), True, False)
    is_polling: list[bool] = []

    def handler(*_: object) -> None:
        if is_polling:
            is_polling.clear()
            raise InterruptedError("by the handler")

    def poll() -> None:
        is_polling.append(True)
        poller.poll(LONG)

    with alarms(handler, 0.01), pytest.raises(InterruptedError, match="by the handler"):
        poll()


def test_fileno_is_readable_when_poll_has_something(poller: Poller, pair: Pair) -> None:
    if poller.fileno() == -1:
        assert not poller.edge_triggered
        return
    a, b = pair
    poller.rearm(a.fileno(), True, False)
    assert select.select([poller.fileno()], [], [], 0)[0] == []

    b.send(b"x")

    assert select.select([poller.fileno()], [], [], LONG)[0] == [poller.fileno()]
    poller.poll(0)
    assert select.select([poller.fileno()], [], [], 0)[0] == []


def test_the_default_is_the_best_that_is_here() -> None:
    best = default_poller()
    assert type(best) is POLLERS[NAMES[0]][1]
    best.close()


def _arm(poller: Poller, how: str, fd: int) -> None:
    if how == "register" and poller.edge_triggered:
        poller.register(fd)
    else:
        poller.rearm(fd, True, False)
