"""Green select, poll and epoll: what they report, and that only their caller waits."""

from __future__ import annotations

import importlib
import os
import select as real_select
import socket as real_socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet._core.scope import CancelScope
from eventlet._errors import IOClosed
from eventlet.green import _ready, _select
from eventlet.greenthread import GreenThread, sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.conftest import Pipe

select: Any = importlib.import_module("eventlet.green.select")

Poll = Callable[[int, int, float | None], list[tuple[int, int]]]

IN, OUT, PRI, HUP, NVAL = (
    getattr(real_select, f"POLL{name}") for name in ("IN", "OUT", "PRI", "HUP", "NVAL")
)


@pytest.fixture
def pair() -> Iterator[tuple[real_socket.socket, real_socket.socket]]:
    """Two ends of a real TCP connection, which carries urgent data too."""
    with real_socket.create_server(("127.0.0.1", 0)) as listener:
        near = real_socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield near, far


def soon(call: Callable[..., object], *args: object) -> GreenThread:
    """Make a call once everybody else waits."""

    def later() -> None:
        sleep(0.01)
        call(*args)

    return spawn(later)


def count_looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count in the list how often the kernel is asked what is ready."""
    looks: list[int] = []
    ordinary = _ready.poll_now

    def look(masks: dict[int, int]) -> dict[int, int]:
        looks.append(1)
        return ordinary(masks)

    monkeypatch.setattr(_ready, "poll_now", look)
    return looks


def test_select_returns_all_that_is_ready_as_the_objects_given(pipe: Pipe) -> None:
    pipe.write(b"x")

    class File:
        def fileno(self) -> int:
            return pipe.reader

    file = File()
    readable, writable, others = select.select(
        [pipe.reader, file, pipe.reader], [pipe.writer], [pipe.reader], 0
    )

    assert readable == [pipe.reader, file, pipe.reader]
    assert (writable, others) == ([pipe.writer], [])


def test_select_parks_until_something_is_ready(pipe: Pipe) -> None:
    soon(pipe.write, b"x")

    assert select.select([pipe.reader], [], []) == ([pipe.reader], [], [])


def test_select_ends_with_its_timeout(pipe: Pipe) -> None:
    begin = time.monotonic()

    assert select.select([pipe.reader], [], [], 0.02) == ([], [], [])
    assert 0.02 <= time.monotonic() - begin < 20


def test_select_of_nothing_sleeps() -> None:
    begin = time.monotonic()

    assert select.select([], [], [], 0.01) == ([], [], [])
    assert time.monotonic() - begin >= 0.01


def test_select_lets_others_run_meanwhile(pipe: Pipe) -> None:
    seen: list[int] = []

    def worker() -> None:
        for number in range(3):
            seen.append(number)
            sleep(0)
        pipe.write(b"x")

    spawn(worker)
    select.select([pipe.reader], [], [])

    assert seen == [0, 1, 2]


def test_a_loop_of_selects_that_find_something_lets_others_run(pipe: Pipe) -> None:
    ran: list[bool] = []
    spawn(ran.append, True)

    for _ in range(1000):
        select.select([], [pipe.writer], [])

    assert ran == [True]


def test_select_tells_urgent_data_in_its_error_list(
    pair: tuple[real_socket.socket, real_socket.socket],
) -> None:
    near, far = pair
    soon(far.send, b"!", real_socket.MSG_OOB)

    assert select.select([], [], [near], 30) == ([], [], [near])


def test_select_for_urgent_data_does_not_spin_on_plain_data(
    pair: tuple[real_socket.socket, real_socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = pair
    far.send(b"plain")
    looks = count_looks(monkeypatch)

    assert select.select([], [], [near], 0.05) == ([], [], [])
    assert len(looks) < 5


def test_select_for_reading_does_not_spin_on_urgent_data(
    pair: tuple[real_socket.socket, real_socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = pair
    far.send(b"!", real_socket.MSG_OOB)
    looks = count_looks(monkeypatch)

    assert select.select([near], [], [], 0.05) == ([], [], [])
    assert len(looks) < 5


def test_select_takes_regular_files_for_ready(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b") as file:
        assert select.select([file], [file], []) == ([file], [file], [])


@pytest.mark.parametrize(
    "arguments, kind",
    [
        (([], [], [], -1), ValueError),
        (([], [], [], float("nan")), ValueError),
        (([], [], [], "1"), TypeError),
        (([-1], [], []), ValueError),
        ((["x"], [], []), TypeError),
        ((1, [], []), TypeError),
    ],
)
def test_select_refuses_what_makes_no_sense(arguments: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        select.select(*arguments)


def test_get_fileno_names_the_wrong_type() -> None:
    class Odd:
        def fileno(self) -> str:
            return "1"

    with pytest.raises(TypeError, match="Expected int or long, got <class 'str'>"):
        select.get_fileno("a")
    with pytest.raises(TypeError, match="Expected int or long, got <class 'str'>"):
        select.get_fileno(Odd())


def test_select_of_a_closed_number_is_ebadf(pipe: Pipe) -> None:
    pipe.close(pipe.reader)

    with pytest.raises(OSError, match="Bad file descriptor"):
        select.select([pipe.reader], [], [])


def test_select_learns_that_the_number_names_another_file(pipe: Pipe) -> None:
    import eventlet.hubs as hubs

    soon(hubs.notify_opened, pipe.reader)

    with pytest.raises(IOClosed):
        select.select([pipe.reader], [], [])


def test_select_can_be_timed_out_and_waits_no_longer(pipe: Pipe) -> None:
    with pytest.raises(Timeout), Timeout(0.01):
        select.select([pipe.reader], [pipe.reader], [pipe.reader])

    assert pipe.reader not in get_hub().descriptors


def test_select_in_the_hub_is_an_error() -> None:
    caught: list[BaseException] = []

    def call() -> None:
        try:
            select.select([], [], [], 0)
        except RuntimeError as exc:
            caught.append(exc)

    get_hub().call_soon(call)
    sleep(0.001)

    assert "do not call blocking functions from the mainloop" in str(caught[0])


def test_the_module_has_the_constants_and_error_of_the_standard_one() -> None:
    names = [name for name in dir(real_select) if not name.startswith("__")]

    assert [name for name in names if not hasattr(select, name)] == []
    assert select.error is OSError
    assert select.PIPE_BUF == real_select.PIPE_BUF


@pytest.mark.parametrize("has_epoll", [True, False])
@pytest.mark.parametrize("has_poll", [True, False])
def test_select_works_with_what_the_kernel_has(
    has_epoll: bool, has_poll: bool, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_epoll:
        monkeypatch.setattr(_ready, "real_epoll", None)
    if not has_poll:
        monkeypatch.setattr(_ready, "real_poll", None)
    soon(pipe.write, b"x")

    assert select.select([pipe.reader], [], [pipe.reader], 30) == ([pipe.reader], [], [])
    assert select.select([], [], [pipe.reader], 0.02) == ([], [], [])


def poll_once(fd: int, mask: int, timeout: float | None) -> list[tuple[int, int]]:
    poller = select.poll()
    poller.register(fd, mask)
    found: list[tuple[int, int]] = poller.poll(None if timeout is None else timeout * 1000)
    return found


def epoll_once(fd: int, mask: int, timeout: float | None) -> list[tuple[int, int]]:
    with select.epoll() as poller:
        poller.register(fd, mask)
        found: list[tuple[int, int]] = poller.poll(timeout)
    return found


both = pytest.mark.parametrize("poll", [poll_once, epoll_once])


@both
def test_a_poll_tells_what_is_ready_now(poll: Poll, pipe: Pipe) -> None:
    pipe.write(b"x")

    assert poll(pipe.reader, IN, 0) == [(pipe.reader, IN)]


@both
def test_a_poll_parks_until_something_is_ready(poll: Poll, pipe: Pipe) -> None:
    soon(pipe.write, b"x")

    assert poll(pipe.reader, IN, None) == [(pipe.reader, IN)]


@both
def test_a_poll_ends_with_its_timeout(poll: Poll, pipe: Pipe) -> None:
    begin = time.monotonic()

    assert poll(pipe.reader, IN, 0.02) == []
    assert 0.02 <= time.monotonic() - begin < 20


@both
def test_a_poll_tells_a_hang_up_that_nobody_asked_for(poll: Poll, pipe: Pipe) -> None:
    soon(pipe.close, pipe.writer)

    assert poll(pipe.reader, 0, 30) == [(pipe.reader, HUP)]


@both
def test_a_poll_waits_for_exactly_the_events_asked_for(
    poll: Poll, pair: tuple[real_socket.socket, real_socket.socket]
) -> None:
    near, far = pair
    far.send(b"plain")

    assert poll(near.fileno(), PRI, 0.02) == []


@both
def test_a_poll_can_be_timed_out_from_outside(poll: Poll, pipe: Pipe) -> None:
    with pytest.raises(Timeout), Timeout(0.01):
        poll(pipe.reader, IN, None)


def test_poll_keeps_and_changes_its_registrations(pipe: Pipe) -> None:
    poller = select.poll()
    poller.register(pipe.reader)
    poller.register(pipe.writer, IN)
    poller.modify(pipe.writer, OUT)

    assert poller.poll(-1) == [(pipe.writer, OUT)]
    poller.unregister(pipe.writer)
    assert poller.poll(0) == []
    with pytest.raises(KeyError):
        poller.unregister(pipe.writer)
    with pytest.raises(FileNotFoundError):
        poller.modify(pipe.writer, OUT)
    with pytest.raises(OverflowError):
        poller.register(pipe.reader, 1 << 16)
    with pytest.raises(ValueError):
        poller.register(pipe.reader, -1)


def test_poll_is_for_one_at_a_time(pipe: Pipe) -> None:
    poller = select.poll()
    poller.register(pipe.reader, IN)
    other = spawn(poller.poll)
    sleep(0)

    with pytest.raises(RuntimeError, match="concurrent"):
        poller.poll()
    pipe.write(b"x")
    assert other.wait() == poller.poll() == [(pipe.reader, IN)]
    with pytest.raises(OverflowError, match="too large"):
        poller.poll(2**31)


def test_poll_tells_a_closed_number(pipe: Pipe) -> None:
    pipe.close(pipe.reader)

    assert poll_once(pipe.reader, IN, 30) == [(pipe.reader, NVAL)]


def test_poll_waits_beside_a_regular_file(pipe: Pipe, tmp_path: Path) -> None:
    poller = select.poll()
    soon(pipe.write, b"x")
    with open(tmp_path / "file", "wb") as file:
        poller.register(file, 0)
        poller.register(pipe.reader, IN)

        assert poller.poll(30_000) == [(pipe.reader, IN)]


def test_epoll_is_a_real_one_below(pipe: Pipe) -> None:
    poller = select.epoll(sizehint=10)
    poller.register(pipe.reader, IN | real_select.EPOLLET)
    same = select.epoll.fromfd(os.dup(poller.fileno()))
    pipe.write(b"x")

    assert poller.poll(maxevents=1) == [(pipe.reader, IN)]
    assert poller.poll(0) == []
    poller.modify(pipe.reader, IN)
    assert same.poll(30) == [(pipe.reader, IN)]
    poller.unregister(pipe.reader)
    assert poller.poll(0) == []
    same.close()
    poller.close()
    poller.close()
    assert poller.closed
    with pytest.raises(ValueError, match="closed"):
        poller.poll(0)


def test_an_edge_is_not_lost_when_the_budget_is_up_in_a_cancelled_scope(pipe: Pipe) -> None:
    poller = select.epoll()
    poller.register(pipe.reader, IN | real_select.EPOLLET)
    pipe.write(b"x")
    with CancelScope() as scope:
        scope.cancel()
        get_hub().budget = 0
        poller.poll()

    assert scope.cancelled_caught
    assert poller.poll(0) == [(pipe.reader, IN)]
    poller.close()


def test_closing_an_epoll_wakes_who_waits_for_it(pipe: Pipe) -> None:
    poller = select.epoll()
    poller.register(pipe.reader, IN)
    soon(poller.close)

    with pytest.raises(OSError, match="descriptor"):
        poller.poll()


def test_without_epoll_in_the_kernel_there_is_a_clear_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_select, "real_epoll", None)

    with pytest.raises(NotImplementedError):
        _select.epoll()
    with pytest.raises(NotImplementedError):
        _select.epoll.fromfd(0)
