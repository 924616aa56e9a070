"""Green pipes and sockets that a child process gets: for the child they block."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from eventlet.convenience import connect, listen
from eventlet.green import os as green_os
from eventlet.green import subprocess as green_subprocess
from eventlet.greenthread import GreenThread, sleep, spawn

subprocess: Any = green_subprocess
PIPE = subprocess.PIPE
SLOW = ["sh", "-c", "sleep 0.1; echo late"]


@pytest.fixture
def ticker() -> Iterator[list[int]]:
    """Counts while nobody blocks."""
    ticks: list[int] = []

    def tick() -> None:
        while True:
            ticks.append(1)
            sleep(0.005)

    thread = spawn(tick)
    yield ticks
    thread.kill()


def test_children_in_a_pipeline_wait_for_each_other() -> None:
    with subprocess.Popen(SLOW, stdout=PIPE) as first:
        command = ["tr", "a-z", "A-Z"]
        with subprocess.Popen(command, stdin=first.stdout, stdout=PIPE) as second:
            assert second.communicate() == (b"LATE\n", None)
            assert second.returncode == 0


@pytest.mark.parametrize("how", ["file", "number", "duplicate"])
def test_we_may_read_before_and_after_the_child_did(how: str, ticker: list[int]) -> None:
    script = "echo ours; sleep 0.1; echo theirs; read word; echo ours again"
    with subprocess.Popen(["sh", "-c", script], stdin=PIPE, stdout=PIPE, bufsize=0) as first:
        out: Any = first.stdout
        duplicate = os.dup(out.fileno())
        assert out.read(5) == b"ours\n"
        given = {"file": out, "number": out.fileno(), "duplicate": duplicate}[how]
        if how == "duplicate":  # known to nobody, so still as it was
            given = green_os.fdopen(duplicate, "rb", 0, closefd=False)
        with subprocess.Popen(["head", "-n", "1"], stdin=given, stdout=PIPE) as second:
            assert second.communicate() == (b"theirs\n", None)
        before = len(ticker)

        def let_it_go_on() -> None:
            while len(ticker) < before + 5:
                sleep(0.001)
            first.stdin.write(b"\n")

        spawn(let_it_go_on)
        assert out.read(100) == b"ours again\n"
        os.close(duplicate)


def test_a_reader_that_waits_already_goes_on(ticker: list[int]) -> None:
    with subprocess.Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0) as first:
        out, into = first.stdout, first.stdin
        reader = spawn(out.read, 10)
        sleep(0.01)
        with subprocess.Popen(["true"], stdin=out):
            pass
        before = len(ticker)
        sleep(0.05)
        into.write(b"for us")
        assert reader.wait() == b"for us"
        into.close()
        assert out.read(10) == b""
        assert len(ticker) > before


def test_a_writer_of_much_lets_others_run(ticker: list[int]) -> None:
    reader, writer = os.pipe()
    with green_os.fdopen(reader, "rb") as near, green_os.fdopen(writer, "wb", 0) as far:
        with subprocess.Popen(["echo", "first"], stdout=far):
            pass
        thread: GreenThread = spawn(far.write, bytes(1 << 20))
        while len(ticker) < 3:
            sleep(0.005)
        assert not thread.dead
        assert near.read(6 + (1 << 20)) == b"first\n" + bytes(1 << 20)
        assert thread.wait() == 1 << 20


def test_a_child_answers_a_client_on_its_socket(ticker: list[int]) -> None:
    with listen(("127.0.0.1", 0)) as listener, connect(listener.getsockname()) as client:
        server, _ = listener.accept()
        client.sendall(b"hello\n")
        assert server.recv(6) == b"hello\n"  # from here on it is in our mode
        with subprocess.Popen(["head", "-n", "1"], stdin=server, stdout=server):
            sleep(0.05)
            client.sendall(b"for the child\n")
            assert client.recv(100) == b"for the child\n"
        before = len(ticker)
        reader = spawn(server.recv, 10)
        while len(ticker) < before + 4:
            sleep(0.005)
        client.sendall(b"for us")
        assert reader.wait() == b"for us"
        server.close()


def test_a_number_that_is_passed_on_blocks_there() -> None:
    near, far = socket.socketpair()
    reader, writer = os.pipe()
    script = "import os, sys; os.write(1, os.read(int(sys.argv[1]), 9))"
    with closing(near), closing(far), green_os.fdopen(reader, "rb", 0) as file:
        command = [sys.executable, "-I", "-S", "-c", script, str(reader)]
        with subprocess.Popen(command, pass_fds=[reader], stdout=PIPE) as child:
            sleep(0.1)
            os.write(writer, b"some data")
            assert child.communicate() == (b"some data", None)
        os.close(writer)
        assert file.read(1) == b""


@pytest.mark.parametrize("wrong", [object(), "text", 10_000])
def test_what_is_no_file_is_refused_as_ever(wrong: Any) -> None:
    with pytest.raises((AttributeError, OSError)):
        subprocess.Popen(["true"], stdin=wrong)
