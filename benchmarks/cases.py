"""What is measured: the table of cases, and what the project promises about some of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["CASES", "TARGETS", "Case", "Family", "Target"]


class Family(StrEnum):
    """How a case is run: against a load generator, alone in a loop, or parked."""

    ECHO = "echo"
    LOOP = "loop"
    MEMORY = "memory"
    HTTP = "http"


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Args:
        name: what `--cases` calls it.
        title: what the report calls it.
        family: how it is run.
        operation: what is counted, in the singular.
        program_case: the case's name inside the measured programs.
        parameters: numbers handed to the program, by name.
    """

    name: str
    title: str
    family: Family
    operation: str
    program_case: str
    parameters: Mapping[str, int] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """The unit of a result: CPU time or memory for one operation."""
        return "KiB" if self.family is Family.MEMORY else "us"


@dataclass(frozen=True)
class Target:
    """A promise: in `case`, we need at most `limit` times what `peer` needs."""

    case: str
    peer: str
    limit: float


RECEIVE_BYTES = 65536


def _echo(size: int, label: str, connections: int) -> Case:
    plural = "" if connections == 1 else "s"
    return Case(
        name=f"echo-{size}-{connections}",
        title=f"Echo {label}, {connections} connection{plural}",
        family=Family.ECHO,
        operation="message",
        program_case="echo",
        parameters={
            "connections": connections,
            "size": size,
            "receive_bytes": RECEIVE_BYTES,
        },
    )


def _loop(name: str, title: str, operation: str, program_case: str, **parameters: int) -> Case:
    return Case(name, title, Family.LOOP, operation, program_case, parameters)


def _memory(name: str, title: str, program_case: str) -> Case:
    parameters = {"count": 10_000}
    return Case(name, title, Family.MEMORY, "green thread", program_case, parameters)


def _http(name: str, title: str) -> Case:
    parameters = {"connections": 64}
    return Case(f"http-{name}", f"HTTP: {title}", Family.HTTP, "request", name, parameters)


_TABLE = (
    *(
        _echo(size, label, connections)
        for size, label in ((64, "64 B"), (16384, "16 KiB"))
        for connections in (1, 100, 1000)
    ),
    _loop("spawn-join", "Spawn one, join it", "thread", "spawn_join", batch=100),
    _loop("spawn-join-100", "Spawn 100, join all", "thread", "spawn_many", batch=100),
    _loop("spawn-n", "Spawn 100 without a handle", "thread", "spawn_n", batch=100),
    _loop("sleep-0", "sleep(0), alone", "turn", "sleep_zero", batch=1000, threads=1),
    _loop("sleep-0-100", "sleep(0) in 100 threads", "turn", "sleep_zero", batch=200, threads=100),
    _loop("timers", "20,000 sleeping threads", "timer", "timers", count=20_000),
    _loop("queue", "Queue(10), one producer, one consumer", "item", "queue", batch=1000, size=10),
    _loop("imap", "imap, pool of 100", "item", "imap", batch=1000, size=100),
    _loop("imap-wait", "imap, each call waits a turn", "item", "imap_wait", batch=1000, size=100),
    _memory("memory-sleep", "Memory of a thread parked in sleep", "sleep"),
    _memory("memory-recv", "Memory of a socket and its thread in recv", "receive"),
    _http("hello", "hello-world"),
    _http("mix", "a browser's mix"),
    _http("json", "a browser gets 16 KiB of JSON"),
    _http("post", "a browser posts 4 KiB"),
    _http("download", "a browser gets 1 MiB"),
)

CASES: Mapping[str, Case] = {case.name: case for case in _TABLE}

TARGETS = (
    Target("echo-64-100", "gevent", 0.70),
    Target("echo-64-100", "uvloop-streams", 1.0),
    Target("imap", "gevent", 0.50),
    Target("http-hello", "eventlet-0.41", 0.25),
)
