"""Numbers that a green socket has given away: whose non-blocking mode they carry."""

from __future__ import annotations

from tests.isolated_runner import run_isolated

BEGIN = """
import eventlet
eventlet.monkey_patch()
import os, socket
near, far = socket.socketpair()
reader = eventlet.spawn(near.recv, 10)  # puts it into non-blocking mode
eventlet.sleep(0)
far.send(b"one")
assert reader.wait() == b"one"
"""


def test_a_number_given_away_is_waited_for_like_the_socket_was() -> None:
    run_isolated(
        BEGIN
        + """
fd = near.detach()
reader = eventlet.spawn(os.read, fd, 10)
eventlet.sleep(0)
far.send(b"two")
assert reader.wait() == b"two"
"""
    )


def test_a_number_given_away_by_a_socket_that_never_waits_is_not_waited_for() -> None:
    done = run_isolated(
        BEGIN
        + """
near.setblocking(False)
try:
    os.read(near.detach(), 10)
except BlockingIOError:
    print("at once")
"""
    )
    assert done.stdout == "at once\n"


def test_the_next_file_of_that_number_is_judged_by_itself() -> None:
    done = run_isolated(
        BEGIN
        + """
fd = near.detach()
os.close(fd)
reading, writing = os.pipe()
assert reading == fd
os.set_blocking(reading, False)
try:
    os.read(reading, 10)
except BlockingIOError:
    print("at once")
"""
    )
    assert done.stdout == "at once\n"
