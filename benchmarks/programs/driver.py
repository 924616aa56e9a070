"""How a measured program talks to the harness: lines over stdin and stdout.

An echo server prints `port N` and serves until it is killed. A loop program prints `ready`,
then answers each line `SECONDS` with `done OPERATIONS SECONDS`. A memory program prints
`ready`, waits for a line, parks its green threads and prints `done COUNT SECONDS`; they stay
parked until it is killed. Reading stdin blocks the whole process on purpose: between two
measurements nothing may run.
"""

import resource
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

__all__ = [
    "YEAR_SECONDS",
    "Pairs",
    "Parameters",
    "Roll",
    "announce_port",
    "arguments",
    "measure",
    "measure_async",
    "requests",
    "socket_pairs",
    "spread_delays",
    "stay_parked",
    "wait_to_park",
]

Parameters = Mapping[str, int]
Pairs = list[tuple[socket.socket, socket.socket]]
YEAR_SECONDS = 365 * 86400.0

WARMUP_SECONDS = 0.05
DESCRIPTORS_KEPT_FREE = 64


def arguments() -> tuple[str, Parameters]:
    """Return the case name and its parameters from `sys.argv`."""
    pairs = (argument.split("=", 1) for argument in sys.argv[2:])
    return sys.argv[1], {name: int(value) for name, value in pairs}


def announce_port(port: int) -> None:
    """Tell the harness that the echo server listens."""
    print(f"port {port}", flush=True)


def announce_ready() -> None:
    """Tell the harness that everything is set up and nothing runs."""
    print("ready", flush=True)


def announce_done(operations: int, seconds: float) -> None:
    """Tell the harness what a measurement did."""
    print(f"done {operations} {seconds:.9f}", flush=True)


def wait_for_line() -> str:
    """Block the process until the harness says something; end it when the harness is gone."""
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)
    return line.strip()


def requests(measurement: Callable[[float], tuple[int, float]]) -> None:
    """Warm up, then answer every request of the harness with one measurement."""
    measurement(WARMUP_SECONDS)
    announce_ready()
    while True:
        announce_done(*measurement(float(wait_for_line())))


def measure(batch: Callable[[], int], seconds: float) -> tuple[int, float]:
    """Run whole batches for at least `seconds`; return (operations, seconds taken)."""
    began = time.perf_counter()
    operations = 0
    while True:
        operations += batch()
        elapsed = time.perf_counter() - began
        if elapsed >= seconds:
            return operations, elapsed


async def measure_async(batch: Callable[[], Awaitable[int]], seconds: float) -> tuple[int, float]:
    """Do what `measure` does for a batch that is a coroutine function."""
    began = time.perf_counter()
    operations = 0
    while True:
        operations += await batch()
        elapsed = time.perf_counter() - began
        if elapsed >= seconds:
            return operations, elapsed


class Roll:
    """Counts the green threads that have come as far as their park."""

    def __init__(self) -> None:
        self.present = 0

    def answer(self) -> None:
        """Count the caller, which parks next."""
        self.present += 1


def wait_to_park() -> float:
    """Announce `ready`, wait for the harness and return the moment it asked to park."""
    announce_ready()
    wait_for_line()
    return time.perf_counter()


def stay_parked(count: int, began: float) -> None:
    """Announce that `count` green threads are parked, and stay until the harness is done."""
    announce_done(count, time.perf_counter() - began)
    wait_for_line()


def spread_delays(count: int) -> list[float]:
    """Return `count` delays in seconds, spread over 0.1 to 1.0 in no sorted order."""
    step = 7919  # a prime: consecutive timers land far from each other
    return [0.1 + 0.9 * (index * step % count) / count for index in range(count)]


def socket_pairs(count: int) -> Pairs:
    """Return up to `count` pairs of connected unix stream sockets.

    Fewer when the descriptor limit does not allow more; the program reports what it parked.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed = count if hard < 0 else (hard - DESCRIPTORS_KEPT_FREE) // 2
    return [socket.socketpair() for _ in range(min(count, allowed))]
