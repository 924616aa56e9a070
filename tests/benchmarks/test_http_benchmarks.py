from __future__ import annotations

import os
import re
import select
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as harness
from benchmarks import workers
from benchmarks.accounting import cpu_nanoseconds, descendants, tree_nanoseconds
from benchmarks.cases import CASES, Family
from benchmarks.environments import Environment, EnvironmentFailed
from benchmarks.http_load import HttpLoad, check_answers, find_wrk
from benchmarks.http_requests import EXCHANGES, Exchange
from benchmarks.peers import PEERS, EnvironmentSpec
from benchmarks.process import Program, ProgramFailed
from benchmarks.programs import http_content

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "print('up', flush=True); input()"],
                         stdin=subprocess.PIPE)
child.wait()
"""

SERVER = """
import http.server
from benchmarks.programs import http_content

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response({status})
        self.send_header("Content-Length", str(len(http_content.HELLO)))
        self.end_headers()
        self.wfile.write(http_content.HELLO)
    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, flush=True)
server.serve_forever()
"""


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


# --- what is asked ------------------------------------------------------------------


def test_every_http_case_has_its_requests() -> None:
    cases = {case.program_case for case in CASES.values() if case.family is Family.HTTP}
    assert cases == EXCHANGES.keys()


def test_a_request_is_rendered_whole() -> None:
    exchange = Exchange("POST", "/basket", b"", {"Accept": "*/*"}, b"abc")
    assert exchange.rendered(8080) == (
        b"POST /basket HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n"
        b"Content-Length: 3\r\n\r\nabc"
    )


def test_contents_have_the_sizes_that_the_cases_promise() -> None:
    assert len(http_content.JSON) == 16384
    assert len(http_content.DOWNLOAD) == 1 << 20
    assert {len(exchange.body) for exchange in EXCHANGES["post"]} == {4096}


def test_the_mix_is_twenty_requests_with_one_download() -> None:
    paths = [exchange.path for exchange in EXCHANGES["mix"]]
    counts = {path: paths.count(path) for path in paths}
    assert counts == {"/catalogue": 13, "/basket": 6, "/download": 1}


# --- processes ----------------------------------------------------------------------


def test_the_children_of_a_program_are_counted_and_ended_with_it() -> None:
    with Program("parent", python(PARENT)) as program:
        program.expect("up", 60)
        (child,) = descendants(program.pid)
        both = cpu_nanoseconds(program.pid) + cpu_nanoseconds(child)
        assert tree_nanoseconds(program.pid) >= both
        handle = os.pidfd_open(child)
    try:
        assert select.select([handle], [], [], 60)[0] == [handle]
    finally:
        os.close(handle)


def test_lines_before_the_awaited_word_are_skipped() -> None:
    script = "print('noise'); print(); print('done 7', flush=True); input()"
    with Program("noisy", python(script)) as program:
        assert program.skip_to("done", 60) == ["7"]


# --- answers ------------------------------------------------------------------------


def test_right_answers_pass() -> None:
    with Program("server", python(SERVER.format(status=200))) as server:
        (port,) = server.expect("port", 60)
        check_answers("server", int(port), EXCHANGES["hello"])


def test_a_wrong_status_is_refused() -> None:
    with Program("server", python(SERVER.format(status=404))) as server:
        (port,) = server.expect("port", 60)
        with pytest.raises(ProgramFailed, match="with status 404"):
            check_answers("server", int(port), EXCHANGES["hello"])


def test_a_wrong_body_is_refused() -> None:
    with Program("server", python(SERVER.format(status=200))) as server:
        (port,) = server.expect("port", 60)
        with pytest.raises(ProgramFailed, match="14 bytes"):
            check_answers("server", int(port), EXCHANGES["json"])


def test_wrk_counts_what_is_answered() -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    with Program("server", python(SERVER.format(status=200))) as server:
        (port,) = server.expect("port", 60)
        load = HttpLoad(find_wrk(), None, int(port), 2, EXCHANGES["hello"])
        requests, seconds = load.run("server", 0.2)
    assert requests > 0
    assert 0.1 < seconds < 60


def test_wrk_fails_where_the_status_is_no_success() -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    with Program("server", python(SERVER.format(status=404))) as server:
        (port,) = server.expect("port", 60)
        load = HttpLoad(find_wrk(), None, int(port), 2, EXCHANGES["hello"])
        with pytest.raises(ProgramFailed, match=r"status=[1-9]"):
            load.run("server", 0.2)


# --- what may be missing ------------------------------------------------------------


def test_without_wrk_the_http_cases_are_left_out_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert harness.main(["--cases", "http-*", "--peers", "us"]) == 2
    assert "the HTTP cases are left out: wrk is not installed" in capsys.readouterr().err


def test_a_peer_that_may_fail_is_left_out_and_the_reason_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(spec: EnvironmentSpec, python: str) -> Environment:
        raise EnvironmentFailed(spec.name, "ev.h: no such file")

    monkeypatch.setattr(harness, "prepare", refuse)
    assert harness._prepare_all([PEERS["bjoern"]], sys.executable) == {}
    assert "bjoern is left out" in capsys.readouterr().err
    with pytest.raises(EnvironmentFailed):
        harness._prepare_all([PEERS["waitress"]], sys.executable)


# --- workers ------------------------------------------------------------------------


@pytest.mark.slow
def test_one_and_two_workers_are_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    monkeypatch.setattr(sys, "argv", ["workers", "--rounds=1", "--seconds=0.2"])
    workers.main()
    header, served, bare = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["one", "two"]
    for line in (served, bare):
        assert re.fullmatch(r"\D+\d+ +\d+ +\d\.\d\d \(\d\.\d\d to \d\.\d\d\)", line)
