"""A hub whose descriptors the program closes, as daemons do, gets new ones."""

from __future__ import annotations

import pytest

from tests.isolated_runner import run_isolated

START = """
import os, signal, sys
import eventlet
from eventlet import hubs
from eventlet.green import socket
from eventlet.green.os import waitpid

def close_all():
    os.closerange(3, 200)

def serve(listener, answer=b"served"):
    while True:
        sock, _ = listener.accept()
        sock.sendall(answer)
        sock.close()

def ask(listener):
    with socket.create_connection(listener.getsockname()) as sock:
        return sock.recv(100)

hubs.use_hub(sys.argv[1])
eventlet.sleep(0.001)  # the hub opens its descriptors
"""

every_hub = pytest.mark.parametrize("hub", ["epolls", "poll", "selects"])


@every_hub
def test_the_hub_goes_on_after_the_program_has_closed_everything(hub: str) -> None:
    run_isolated(
        START
        + """
close_all()
eventlet.sleep(0.001)
listener = eventlet.listen(("127.0.0.1", 0))
eventlet.spawn(serve, listener)
assert ask(listener) == b"served"
""",
        hub,
        flags=(),
    )


@every_hub
def test_a_wait_for_a_descriptor_may_be_what_finds_out(hub: str) -> None:
    run_isolated(
        START
        + """
close_all()
listener = eventlet.listen(("127.0.0.1", 0))  # it has a number that was the hub's
server = eventlet.spawn(serve, listener)
assert ask(listener) == b"served"
assert ask(listener) == b"served"
""",
        hub,
        flags=(),
    )


@every_hub
def test_timers_and_those_who_wait_for_each_other_stay(hub: str) -> None:
    run_isolated(
        START
        + """
event, order = eventlet.Event(), []
eventlet.spawn(lambda: order.append(event.wait()))
eventlet.spawn_after(0.02, event.send, "sent")
eventlet.sleep(0)
close_all()
eventlet.sleep(0.001)
assert event.wait() == "sent"
eventlet.sleep(0)
assert order == ["sent"]
""",
        hub,
        flags=(),
    )


@every_hub
def test_who_waits_for_a_descriptor_that_was_closed_too_is_told(hub: str) -> None:
    run_isolated(
        START
        + """
def wait():
    try:
        one.recv(1)
    except (EOFError, OSError) as exc:
        return exc

one, other = socket.socketpair()
waiter = eventlet.spawn(wait)
eventlet.sleep(0)
close_all()
with eventlet.Timeout(60):
    eventlet.sleep(0.001)
    assert waiter.wait() is not None
os._exit(0)  # not the end of sockets whose numbers are gone
""",
        hub,
        flags=(),
    )


@every_hub
def test_a_daemon_that_closes_everything_may_fork_servers(hub: str) -> None:
    run_isolated(
        START
        + """
daemon = os.fork()
if daemon:
    sys.exit(os.waitstatus_to_exitcode(waitpid(daemon, 0)[1]))
close_all()
# These have the numbers that were the hub's: it must not close them when it forks.
listener = eventlet.listen(("127.0.0.1", 0))
log = [os.open(os.devnull, os.O_RDWR) for _ in range(5)]
worker = os.fork()
if not worker:
    for fd in log:
        os.fstat(fd)
    serve(listener, b"from the child")
assert ask(listener) == b"from the child"
os.kill(worker, signal.SIGKILL)
waitpid(worker, 0)
eventlet.sleep(0.001)
for fd in log:
    os.fstat(fd)
""",
        hub,
        flags=(),
    )


def test_a_loop_that_got_the_number_of_the_hubs_epoll_keeps_it() -> None:
    run_isolated(
        START
        + """
import asyncio
from eventlet.asyncio import run, wait_for_awaitable

async def give():
    await asyncio.sleep(0.001)
    return 4

close_all()
assert run(give()) == 4
assert wait_for_awaitable(give()) == 4
""",
        "epolls",
        flags=(),
    )


def test_only_a_file_of_the_same_kind_and_place_is_the_same() -> None:
    run_isolated(
        START
        + """
from eventlet._core.own_files import identity_of

reader, writer = os.pipe()
was = identity_of(reader)
assert was is not None and identity_of(os.dup(reader)) == was
os.close(reader)
assert identity_of(reader) is None
null = os.open(os.devnull, os.O_RDONLY)
assert null == reader
assert identity_of(null) != was
""",
        "poll",
        flags=(),
    )
