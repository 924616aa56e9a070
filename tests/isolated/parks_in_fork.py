"""Fork while every park of the library is being waited in; the child runs none of them.

Arguments: "main" or "green", the greenlet that forks; then "all", or the name of one park.
"""

from __future__ import annotations

import os
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any

from eventlet.green import os as green_os
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn

from tests.unit.parks.attempt import Attempt, settle
from tests.unit.parks.catalogue import PARKS
from tests.unit.parks.park import Park, Wait
from tests.unit.parks.stage import Stage

REPORT = os.pipe()


class Waiting:
    """A park, waited in."""

    def __init__(self, name: str, park: Park) -> None:
        self.name = name
        self.stage = Stage()
        self.wait: Wait = park.build(self.stage)
        self.attempt = Attempt(report_end(name, self.wait.call))
        if park.ticketless:
            self.attempt.wait_until_switched()
        else:
            self.attempt.wait_until_parked()

    @property
    def skips_time(self) -> bool:
        """Whether it is completed by what would end the time of all others."""
        return self.wait.complete == self.stage.skip_time

    def finish(self) -> None:
        Attempt(self.wait.complete).end_well()
        outcome = self.attempt.end()
        assert not self.attempt.raised, f"{self.name} raised {outcome!r}"
        assert self.wait.is_right(outcome), f"{self.name} returned {outcome!r}"


def report_end(name: str, call: Callable[[], Any]) -> Callable[[], Any]:
    def reporting() -> Any:
        try:
            return call()
        finally:
            os.write(REPORT[1], f"{os.getpid()} {name}\n".encode())

    return reporting


def be_the_child(waiting: list[Waiting]) -> None:
    """See that nobody else runs, and that green threads and sockets work here."""
    warnings.simplefilter("ignore", ResourceWarning)  # what it inherited is the parent's to close
    settle(20)
    near, far = map(GreenSocket, socket.socketpair())
    reading = spawn(far.recv, 10)
    sleep(0.01)
    near.sendall(b"child")
    assert reading.wait() == b"child"
    moved = [each.name for each in waiting if each.attempt.is_over]
    assert not moved, f"ended in the child: {moved}"
    near.close()
    far.close()
    sys.exit(3)


def fork_beside(waiting: list[Waiting]) -> None:
    over = [each.name for each in waiting if each.attempt.is_over]
    assert not over, f"not waiting any more: {over}"
    pid = os.fork()
    if pid == 0:
        be_the_child(waiting)
    if waiting[0].name == "wait_for_any_child":
        assert waiting[0].attempt.end_well() == (pid, 3 << 8)
    else:
        found, status = green_os.waitpid(pid, 0)
        assert (found, os.waitstatus_to_exitcode(status)) == (pid, 3), status
        for each in sorted(waiting, key=lambda each: each.skips_time):
            each.finish()
    for each in reversed(waiting):
        each.stage.__exit__()


def check_reports(waiting: list[Waiting]) -> None:
    os.close(REPORT[1])
    with os.fdopen(REPORT[0]) as reports:
        ended = sorted(reports.read().split("\n")[:-1])
    assert ended == sorted(f"{os.getpid()} {each.name}" for each in waiting), ended


who, which = sys.argv[1:]
names = [
    name
    for name, park in PARKS.items()
    if name == which or (which == "all" and not (park.alone or park.slow or park.yields))
]
waiting = [Waiting(name, PARKS[name]) for name in names]
if who == "main":
    fork_beside(waiting)
else:
    spawn(fork_beside, waiting).wait()
check_reports(waiting)
print(len(waiting))
