"""Take one measurement: one peer, one case, one fresh process."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accounting import cpu_nanoseconds, resident_bytes, tree_nanoseconds
from benchmarks.cases import Case, Family
from benchmarks.environments import Environment
from benchmarks.http_load import HttpLoad, check_answers
from benchmarks.http_requests import EXCHANGES
from benchmarks.peers import Peer
from benchmarks.process import Cores, Program

__all__ = ["Bench", "Sample"]

START_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
WARMUP_SHARE = 0.25


@dataclass(frozen=True)
class Sample:
    """What one measurement found.

    Args:
        operations: how many were done.
        seconds: how long they took, on the clock.
        cost: of one operation, in the case's unit: CPU microseconds or KiB.
    """

    operations: int
    seconds: float
    cost: float

    @property
    def rate(self) -> float:
        """Operations in a second."""
        return self.operations / self.seconds


@dataclass(frozen=True)
class Bench:
    """Everything a measurement needs beside its case and peer.

    Args:
        cores: where the measured program and the load generator run.
        seconds: how long a measurement takes, at least.
        echo_load: the compiled load generator.
        echo_server: the compiled floor.
        wrk: the load generator of the HTTP cases; `None` where there are none to measure.
    """

    cores: Cores
    seconds: float
    echo_load: Path
    echo_server: Path
    wrk: Path | None = None

    def measure(self, case: Case, peer: Peer, environment: Environment | None) -> Sample:
        """Run the peer's program for the case in a fresh process and account for it.

        Raises:
            ProgramFailed: the program or the load generator failed; no number is made up.
        """
        command = self._command(case, peer, environment)
        environ = environment.environ if environment else {}
        name = f"{peer.name} {case.name}"
        with Program(name, command, self.cores.measured, environ) as program:
            if case.family is Family.ECHO:
                return self._measure_echo(case, program)
            if case.family is Family.LOOP:
                return self._measure_loop(program)
            if case.family is Family.HTTP:
                return self._measure_http(case, program)
            return _measure_memory(program)

    def _command(self, case: Case, peer: Peer, environment: Environment | None) -> Sequence[str]:
        if environment is None:
            return [str(self.echo_server)]
        module = f"benchmarks.programs.{peer.programs[case.family]}"
        parameters = {**case.parameters, **peer.parameters}
        numbers = [f"{name}={value}" for name, value in parameters.items()]
        return [str(environment.python), "-m", module, case.program_case, *numbers]

    def _measure_echo(self, case: Case, server: Program) -> Sample:
        (port,) = server.expect("port", START_SECONDS)
        numbers = (
            port,
            case.parameters["connections"],
            case.parameters["size"],
            self.seconds * WARMUP_SHARE,
            self.seconds,
            0,
        )
        command = [str(self.echo_load), *map(str, numbers)]
        with Program(f"load generator for {server.name}", command, self.cores.load) as load:
            load.expect("ready", START_SECONDS + self.seconds)
            before = cpu_nanoseconds(server.pid)
            load.tell("go")
            done, seconds = load.expect("done", PATIENCE_SECONDS + self.seconds)
            spent = cpu_nanoseconds(server.pid) - before
        return _cpu_sample(int(done), float(seconds), spent)

    def _measure_http(self, case: Case, server: Program) -> Sample:
        assert self.wrk is not None, "the HTTP cases are left out where there is no wrk"
        port = int(server.expect("port", START_SECONDS)[0])
        exchanges = EXCHANGES[case.program_case]
        check_answers(server.name, port, exchanges)
        connections = case.parameters["connections"]
        load = HttpLoad(self.wrk, self.cores.load, port, connections, exchanges)
        load.run(server.name, self.seconds * WARMUP_SHARE)
        before = tree_nanoseconds(server.pid)
        done, seconds = load.run(server.name, self.seconds)
        spent = tree_nanoseconds(server.pid) - before
        return _cpu_sample(done, seconds, spent)

    def _measure_loop(self, program: Program) -> Sample:
        program.expect("ready", START_SECONDS)
        before = cpu_nanoseconds(program.pid)
        program.tell(str(self.seconds))
        done, seconds = program.expect("done", PATIENCE_SECONDS + self.seconds)
        spent = cpu_nanoseconds(program.pid) - before
        return _cpu_sample(int(done), float(seconds), spent)


def _measure_memory(program: Program) -> Sample:
    program.expect("ready", START_SECONDS)
    before = resident_bytes(program.pid)
    program.tell("park")
    count, seconds = program.expect("done", PATIENCE_SECONDS)
    grown = resident_bytes(program.pid) - before
    return Sample(int(count), float(seconds), grown / 1024 / int(count))


def _cpu_sample(operations: int, seconds: float, nanoseconds: int) -> Sample:
    return Sample(operations, seconds, nanoseconds / 1000 / operations)
