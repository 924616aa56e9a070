"""Clients that take their time; prints a line when all are at it, and counts when all have ended.

Senders send a byte of a head now and then, and never its end. Readers ask for much, read a little
now and then, and after the deadline read what is left: it must not be all.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
from collections import Counter
from collections.abc import Callable

from eventlet._unpatched import monotonic
from eventlet.greenio import GreenSocket
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep

from tests.load.descriptors import raise_limit
from tests.load.running import PATIENCE
from tests.load.server import BIG

HEAD = b"GET /slow HTTP/1.1\r\nHost: a\r\n" + b"X-More: and more\r\n" * 1000
PAUSE = (0.03, 0.1)  # parts of the deadline, from and to
SIP_BYTES = 500
AFTER = 1.3  # deadlines, from the beginning until readers read what is left: they have been ended


class SlowOnes:
    """All of them.

    Args:
        deadline: the server's, in seconds.
    """

    def __init__(self, port: int, deadline: float) -> None:
        self.address = ("127.0.0.1", port)
        self.deadline = deadline
        self.counts: Counter[str] = Counter()
        self.longest = 0.0
        self.at_work = 0

    def pause(self) -> float:
        """Say how many seconds one waits until the next byte, or the next sip."""
        return self.deadline * random.uniform(*PAUSE)

    def send(self, sock: GreenSocket) -> None:
        """Send a head byte by byte until the server has had enough."""
        began = monotonic()
        answer = b""
        try:
            for i in range(len(HEAD)):
                sock.sendall(HEAD[i : i + 1])
                if not i:
                    self.at_work += 1
                sock.settimeout(self.pause())
                try:
                    answer = sock.recv(1000)
                    break
                except TimeoutError:
                    if monotonic() - began > self.deadline + PATIENCE:
                        self.counts["senders that were never ended"] += 1
                        return
        except OSError:
            pass  # that is how it ends
        self.longest = max(self.longest, monotonic() - began)
        self.counts["senders answered" if answer else "senders ended"] += 1

    def read(self, sock: GreenSocket) -> None:
        """Read a response a few bytes at a time, then the rest."""
        began = monotonic()
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        taken = 0
        try:
            while data := sock.recv(SIP_BYTES):
                self.at_work += not taken
                taken += len(data)
                if monotonic() - began < self.deadline * AFTER + 0.3:
                    sleep(self.pause())
                elif taken >= len(BIG):
                    break
        except OSError:
            pass
        self.counts["readers served" if taken >= len(BIG) else "readers ended"] += 1

    def run(self, senders: int, readers: int) -> None:
        pool = GreenPool(senders + readers)
        whats = [self.read] * readers + [self.send] * senders
        random.shuffle(whats)
        for number, what in enumerate(whats):
            sock = GreenSocket()
            sock.settimeout(PATIENCE)
            if what == self.read:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(self.address)
            pool.spawn(self._run, what, sock)
            if number % 100 == 0:
                sleep(0.005)
        while self.at_work < senders + readers:
            sleep(0.01)
        print("at work", flush=True)
        pool.waitall()
        print(json.dumps([self.counts, self.longest]), flush=True)

    def _run(self, what: Callable[[GreenSocket], None], sock: GreenSocket) -> None:
        with sock:
            what(sock)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.slow_ones", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("senders", type=int)
    parser.add_argument("readers", type=int)
    parser.add_argument("deadline", type=float)
    options = parser.parse_args()
    raise_limit()
    SlowOnes(options.port, options.deadline).run(options.senders, options.readers)


if __name__ == "__main__":
    main()
