from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import chart, report
from benchmarks.__main__ import main
from benchmarks.accounting import cpu_nanoseconds, resident_bytes
from benchmarks.cases import CASES, TARGETS, Case, Target
from benchmarks.measurement import Sample
from benchmarks.native import build
from benchmarks.peers import PEERS, Peer
from benchmarks.process import Program, ProgramFailed, choose_cores
from benchmarks.ratios import Spread, ratio, spread
from benchmarks.rounds import Outcome, Outcomes, run_rounds, turns
from benchmarks.summary import judge, summarise

ECHO = CASES["echo-64-100"]
US, GEVENT, FLOOR = PEERS["us"], PEERS["gevent"], PEERS["c-epoll"]
MEBIBYTE = 1 << 20


def outcome(*costs: float) -> Outcome:
    return Outcome({number: Sample(1000, 0.5, cost) for number, cost in enumerate(costs)})


@pytest.fixture
def outcomes() -> Outcomes:
    return {
        ("echo-64-100", "us"): outcome(6.0, 12.0, 7.0),
        ("echo-64-100", "gevent"): outcome(10.0, 24.0, 10.0),
        ("echo-64-100", "c-epoll"): Outcome({}, {0: "ended with status 1"}),
    }


# --- numbers ------------------------------------------------------------------------


def test_a_ratio_is_taken_within_each_round() -> None:
    # The quotient of the medians would be 2: the machine was slow in different rounds.
    found = ratio({0: 10.0, 1: 20.0, 2: 30.0}, {0: 10.0, 1: 10.0, 2: 10.0})
    assert found == Spread(2.0, 1.0, 3.0)


def test_a_ratio_leaves_out_rounds_that_only_one_of_both_has() -> None:
    assert ratio({0: 5.0, 1: 6.0}, {1: 3.0, 2: 1.0}) == Spread(2.0, 2.0, 2.0)


def test_no_common_round_gives_no_ratio() -> None:
    assert ratio({0: 5.0}, {1: 3.0}) is None


def test_a_spread_is_median_low_and_high() -> None:
    assert spread([4.0, 1.0, 9.0, 6.0]) == Spread(5.0, 1.0, 9.0)


def test_rows_come_cheapest_first_and_failed_ones_last(outcomes: Outcomes) -> None:
    (summary,) = summarise([ECHO], [FLOOR, GEVENT, US], outcomes)
    assert [row.peer for row in summary.rows] == ["us", "gevent", "c-epoll"]
    assert summary.rows[0].to_gevent == Spread(0.6, 0.5, 0.7)
    assert summary.rows[2].failures == ("ended with status 1",)


def test_a_target_is_judged_by_the_median_ratio(outcomes: Outcomes) -> None:
    targets = [Target("echo-64-100", "gevent", 0.6), Target("echo-64-100", "gevent", 0.59)]
    assert [verdict.is_met for verdict in judge(targets, outcomes)] == [True, False]


def test_a_target_of_a_peer_that_failed_is_not_met(outcomes: Outcomes) -> None:
    (verdict,) = judge([Target("echo-64-100", "c-epoll", 9.0)], outcomes)
    assert not verdict.is_met


def test_a_target_that_was_not_measured_is_not_judged(outcomes: Outcomes) -> None:
    assert judge([Target("imap", "gevent", 0.5)], outcomes) == ()


def test_targets_name_known_cases_and_peers() -> None:
    assert {target.case for target in TARGETS} <= CASES.keys()
    assert {target.peer for target in TARGETS} <= PEERS.keys()


# --- rounds -------------------------------------------------------------------------


def test_each_round_begins_with_another_peer() -> None:
    first, second = (list(turns([US, GEVENT, FLOOR], number)) for number in (0, 1))
    assert first == [US, GEVENT, FLOOR]
    assert second == [GEVENT, FLOOR, US]


def test_peers_take_turns_and_a_failure_stops_nobody() -> None:
    order = []

    def measure(case: Case, peer: Peer) -> Sample:
        order.append((case.name, peer.name))
        if peer is GEVENT:
            raise ProgramFailed("gevent", "ended with status 1", "")
        return Sample(10, 1.0, 2.0)

    found = run_rounds([ECHO, CASES["imap"]], [US, GEVENT, FLOOR], 1, measure, lambda *_: None)

    assert order == [
        ("echo-64-100", "us"),
        ("echo-64-100", "gevent"),
        ("echo-64-100", "c-epoll"),
        ("imap", "us"),
        ("imap", "gevent"),
    ]
    assert found["imap", "us"].costs() == {0: 2.0}
    assert found["imap", "gevent"].failures == {0: "gevent: ended with status 1"}


# --- reports ------------------------------------------------------------------------


def test_the_table_shows_ratios_and_failures(outcomes: Outcomes) -> None:
    text = report.table(summarise([ECHO], [US, GEVENT, FLOOR], outcomes))
    ours = next(line for line in text.splitlines() if line.startswith("us"))
    assert ours.split() == [
        *("us", "7.00", "6.00-12.00", "2,000", "1.00", "1.00-1.00", "0.60", "0.50-0.70")
    ]
    assert "c-epoll failed in 1 of the rounds: ended with status 1" in text


def test_the_matrix_has_a_column_for_each_peer_in_the_order_of_the_table(
    outcomes: Outcomes,
) -> None:
    text = report.matrix("note", summarise([ECHO], [GEVENT, US, FLOOR], outcomes))
    assert "| case | us | gevent | c-epoll |" in text
    assert "| Echo 64 B, 100 connections | 7.00 | 10.00 |  |" in text


def test_the_record_keeps_every_sample(outcomes: Outcomes) -> None:
    summaries = summarise([ECHO], [US, GEVENT], outcomes)
    verdicts = judge(TARGETS, outcomes)
    read = json.loads(report.record({"commit": "abc"}, summaries, verdicts, outcomes))
    assert read["about"] == {"commit": "abc"}
    assert read["cases"][0]["peers"][0]["samples"]["1"]["cost"] == 12.0
    assert read["targets"][0]["met"] is True


def test_the_chart_is_a_picture_with_a_bar_for_each_peer(outcomes: Outcomes) -> None:
    summaries = summarise([ECHO], [US, GEVENT, FLOOR], outcomes)
    root = ElementTree.fromstring(chart.draw("A < B", "note", summaries))
    bars = [element for element in root.iter() if "bar" in element.get("class", "")]
    words = [element.text for element in root.iter() if element.text]
    assert [float(bar.get("width", "")) > 0 for bar in bars] == [True, True]
    assert "A < B" in words
    assert "failed" in words


# --- the kernel's books -------------------------------------------------------------


def test_cpu_time_is_the_sum_over_all_threads(tmp_path: Path) -> None:
    for thread, line in (("7", "1500 20 3"), ("8", "2500 0 1")):
        folder = tmp_path / "7" / "task" / thread
        folder.mkdir(parents=True)
        (folder / "schedstat").write_text(f"{line}\n")
    assert cpu_nanoseconds(7, tmp_path) == 4000


def test_cpu_time_of_another_thread_counts() -> None:
    spin, stop = threading.Event(), threading.Event()

    def burn() -> None:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        spin.set()
        stop.wait()

    before = cpu_nanoseconds(os.getpid())
    thread = threading.Thread(target=burn)
    thread.start()
    spin.wait()
    spent = cpu_nanoseconds(os.getpid()) - before
    stop.set()
    thread.join()
    assert spent >= 0.019e9


def test_cpu_time_of_no_process_is_an_error() -> None:
    with pytest.raises(ProcessLookupError):
        cpu_nanoseconds(2**31 - 1)


def test_resident_memory_grows_by_what_is_touched() -> None:
    before = resident_bytes(os.getpid())
    kept = bytearray(os.urandom(1)) * (32 * MEBIBYTE)
    grown = resident_bytes(os.getpid()) - before
    assert 24 * MEBIBYTE <= grown <= 48 * MEBIBYTE
    assert len(kept) == 32 * MEBIBYTE


# --- programs -----------------------------------------------------------------------


def test_two_cores_are_given_one_to_each_side() -> None:
    cores = choose_cores([2, 5, 7])
    assert (cores.measured, cores.load) == (7, 2)


def test_one_core_pins_nobody() -> None:
    cores = choose_cores([3])
    assert (cores.measured, cores.load) == (None, None)


def test_a_program_is_pinned_and_we_are_not() -> None:
    ours = os.sched_getaffinity(0)
    core = max(ours)
    script = "import os; print('on', *os.sched_getaffinity(0), flush=True)"
    with Program("pinned", [sys.executable, "-S", "-c", script], core) as program:
        assert program.expect("on", 60) == [str(core)]
    assert os.sched_getaffinity(0) == ours


def test_a_program_that_fails_shows_its_last_words() -> None:
    with (
        Program("bad", [sys.executable, "-S", "-c", "raise ValueError('seven')"]) as program,
        pytest.raises(ProgramFailed, match=r"bad: ended with status 1(.|\n)*ValueError: seven"),
    ):
        program.expect("ready", 60)


def test_a_silent_program_is_given_up() -> None:
    with Program("mute", ["sleep", "60"]) as program:
        with pytest.raises(ProgramFailed, match="silent"):
            program.expect("ready", 0.01)
        pid = program.pid
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
def test_load_generator_and_floor_talk_for_two_hundred_messages(tmp_path: Path) -> None:
    load, server = build("echo_load", tmp_path), build("echo_server", tmp_path)
    with Program("floor", [str(server)]) as floor:
        (port,) = floor.expect("port", 60)
        with Program("load", [str(load), port, "7", "16384", "0", "20", "200"]) as generator:
            generator.expect("ready", 60)
            before = cpu_nanoseconds(floor.pid)
            generator.tell("go")
            messages, seconds = generator.expect("done", 60)
            spent = cpu_nanoseconds(floor.pid) - before
    assert int(messages) == 200
    assert 0 < float(seconds) < 60
    assert spent > 0


LIAR = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
while data := connection.recv(4096):
    connection.sendall(data[:-1] + bytes([data[-1] ^ 1]))
"""


@pytest.mark.slow
def test_load_generator_refuses_a_wrong_echo(tmp_path: Path) -> None:
    load = build("echo_load", tmp_path)
    with Program("liar", [sys.executable, "-c", LIAR]) as liar:
        (port,) = liar.expect("port", 60)
        with (
            Program("load", [str(load), port, "1", "64", "0", "1", "10"]) as generator,
            pytest.raises(ProgramFailed, match="the echo differs from the message"),
        ):
            generator.expect("ready", 60)


@pytest.mark.slow
def test_a_whole_run_writes_its_record_and_its_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--cases", "echo-64-1", "--peers", "c-epoll", "--rounds", "2", "--quick"]
    assert main([*arguments, "--seconds", "0.05", "--output", str(tmp_path)]) == 0
    (record,) = tmp_path.glob("*.json")
    (picture,) = tmp_path.glob("*.svg")
    (matrix,) = tmp_path.glob("*.md")
    (row,) = json.loads(record.read_text())["cases"][0]["peers"]
    assert sorted(row["samples"]) == ["0", "1"]
    assert row["cost"]["low"] > 0
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")
    assert "Echo 64 B, 1 connection" in matrix.read_text()
    assert "c-epoll" in capsys.readouterr().out


def test_an_unknown_case_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--cases", "echo-65"])
    assert "no case is called 'echo-65'" in capsys.readouterr().err
