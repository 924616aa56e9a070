"""Green os: calls that wait park; flags of shared files are left alone."""

from __future__ import annotations

import _thread as real_thread
import errno
import os as real_os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import eventlet.hubs as hubs
from eventlet.green import _children, os
from eventlet.greenio.pipes import PIPE_BUF
from eventlet.greenthread import GreenThread, kill, sleep, spawn
from eventlet.timeout import Timeout

from tests.isolated_runner import run_isolated
from tests.unit.conftest import Pipe


def start_child(code: str) -> int:
    """Start a process that nobody else waits for; return its number."""
    arguments = [sys.executable, "-S", "-c", code]
    return real_os.posix_spawn(sys.executable, arguments, real_os.environ)


EXIT_3 = "import time; time.sleep(0.05); raise SystemExit(3)"


def start_gated(gate: Pipe) -> int:
    """Start a process that exits with 3 once something is written to the pipe."""
    real_os.set_inheritable(gate.reader, True)
    return start_child(f"import os; os.read({gate.reader}, 1); raise SystemExit(3)")


def test_read_parks_until_there_is_something(pipe: Pipe) -> None:
    reader = spawn(os.read, pipe.reader, 10)
    sleep(0)
    pipe.write(b"abc")

    assert reader.wait() == b"abc"


def test_read_returns_the_end(pipe: Pipe) -> None:
    reader = spawn(os.read, pipe.reader, 10)
    sleep(0)
    pipe.close(pipe.writer)

    assert reader.wait() == b""


def test_reading_nothing_does_not_wait(pipe: Pipe) -> None:
    assert os.read(pipe.reader, 0) == b""


def test_read_waits_on_a_descriptor_in_non_blocking_mode(pipe: Pipe) -> None:
    real_os.set_blocking(pipe.reader, False)
    reader = spawn(os.read, pipe.reader, 10)
    sleep(0)
    pipe.write(b"abc")

    assert reader.wait() == b"abc"


def test_read_and_write_leave_the_mode_of_the_file_alone(pipe: Pipe) -> None:
    os.write(pipe.writer, b"abc")
    os.read(pipe.reader, 3)

    assert real_os.get_blocking(pipe.reader)
    assert real_os.get_blocking(pipe.writer)


def test_read_returns_the_end_when_the_number_names_another_file(pipe: Pipe) -> None:
    reader = spawn(os.read, pipe.reader, 10)
    sleep(0)
    hubs.notify_opened(pipe.reader)

    assert reader.wait() == b""


def test_read_reports_errors_like_the_plain_call(pipe: Pipe) -> None:
    pipe.close(pipe.reader)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(pipe.reader, 1)


def test_write_of_much_on_a_blocking_pipe_parks_and_writes_all(pipe: Pipe) -> None:
    data = bytes(range(256)) * 2000
    writer = spawn(os.write, pipe.writer, data)
    received = b""
    while len(received) < len(data):
        received += os.read(pipe.reader, 65536)

    assert writer.wait() == len(data)
    assert received == data


def test_write_on_a_non_blocking_pipe_writes_what_fits(pipe: Pipe) -> None:
    real_os.set_blocking(pipe.writer, False)

    written = os.write(pipe.writer, bytes(1_000_000))

    assert PIPE_BUF <= written < 1_000_000


def test_write_on_a_full_non_blocking_pipe_parks(pipe: Pipe) -> None:
    pipe.fill()
    writer = spawn(os.write, pipe.writer, b"abc")
    sleep(0)
    assert not writer.dead
    pipe.read()

    assert writer.wait() == 3


def test_write_without_a_reader_raises(pipe: Pipe) -> None:
    pipe.close(pipe.reader)

    with pytest.raises(BrokenPipeError):
        os.write(pipe.writer, b"abc")


def test_write_that_breaks_in_the_middle_tells_how_much_went(pipe: Pipe) -> None:
    writer = spawn(os.write, pipe.writer, bytes(1_000_000))
    sleep(0.01)
    pipe.close(pipe.reader)

    assert 0 < writer.wait() < 1_000_000
    with pytest.raises(BrokenPipeError):
        os.write(pipe.writer, b"x")


def test_write_stops_when_the_number_names_another_file(pipe: Pipe) -> None:
    pipe.fill()
    writer = spawn(os.write, pipe.writer, b"abc")
    sleep(0)
    hubs.notify_opened(pipe.writer)

    assert writer.wait() == 0


def test_the_wrong_side_of_a_pipe_is_an_error_at_once(pipe: Pipe) -> None:
    for wrong in (lambda: os.read(pipe.writer, 1), lambda: os.write(pipe.reader, b"x")):
        with pytest.raises(OSError) as caught:
            wrong()
        assert caught.value.errno == errno.EBADF


def test_patched_calls_do_not_wait_for_what_the_program_made_non_blocking() -> None:
    code = """
import eventlet; eventlet.monkey_patch()
import os, socket
def refused(call, *args):
    try:
        call(*args)
    except BlockingIOError:
        return True
reader, writer = os.pipe()
for fd in (reader, writer):
    os.set_blocking(fd, False)
print(refused(os.read, reader, 1))
while not refused(os.write, writer, bytes(65536)):
    pass
print(len(os.read(reader, 100)))
one, two = socket.socketpair()
fd = one.detach()
os.set_blocking(fd, False)
print(refused(os.read, fd, 1))
os.close(fd)
"""
    assert run_isolated(code).stdout.split() == ["True", "100", "True"]


def test_patched_calls_wait_for_green_files_and_sockets() -> None:
    code = """
import eventlet; eventlet.monkey_patch()
import os, socket
reader, writer = os.pipe()
with os.fdopen(reader, "rb") as file:
    eventlet.spawn_after(0.01, os.write, writer, b"x")
    print(os.read(reader, 10))
    print(os.get_blocking(reader))
one, two = socket.socketpair()
two.sendall(b"y")
print(one.recv(10))
eventlet.spawn_after(0.01, two.sendall, b"z")
print(os.read(one.fileno(), 10))
one.close(), two.close(), os.close(writer)
"""
    assert run_isolated(code).stdout.split() == ["b'x'", "False", "b'y'", "b'z'"]


def test_regular_files_are_read_and_written_at_once(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    written = os.write(fd, bytes(100_000))
    real_os.lseek(fd, 0, os.SEEK_SET)
    data = os.read(fd, 200_000)
    real_os.close(fd)

    assert written == len(data) == 100_000


def test_a_loop_of_reads_that_never_wait_lets_others_run(pipe: Pipe) -> None:
    ran: list[bool] = []
    spawn(ran.append, True)
    pipe.write(bytes(1000))

    for _ in range(1000):
        os.read(pipe.reader, 1)

    assert ran == [True]


def test_open_tells_the_hub_of_the_new_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(hubs, "notify_opened", told.append)

    fd = os.open(tmp_path / "new", os.O_CREAT | os.O_WRONLY, 0o600)
    real_os.close(fd)

    assert told == [fd]
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_open_of_a_fifo_parks_until_the_other_side_comes(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    real_os.mkfifo(path)
    folder = real_os.open(tmp_path, os.O_RDONLY)

    def read() -> bytes:
        fd = os.open("fifo", os.O_RDONLY, dir_fd=folder)
        try:
            return os.read(fd, 10)
        finally:
            real_os.close(fd)

    reader = spawn(read)
    sleep(0.01)
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, b"abc")
    real_os.close(writer)
    real_os.close(folder)

    assert reader.wait() == b"abc"


def test_fdopen_makes_a_green_file(pipe: Pipe) -> None:
    with os.fdopen(pipe.reader, "r", closefd=False) as file:
        reader = spawn(file.readline)
        sleep(0)
        pipe.write(b"line\n")

        assert reader.wait() == "line\n"


@pytest.mark.parametrize("fd", ["1", None, 1.5])
def test_fdopen_refuses_what_is_no_number(fd: Any) -> None:
    with pytest.raises(TypeError, match="invalid fd type"):
        os.fdopen(fd)


def test_waitpid_parks_until_the_child_exits(pipe: Pipe) -> None:
    child = start_gated(pipe)
    waiter = spawn(os.waitpid, child, 0)
    for _ in range(3):
        sleep(0.005)
    assert not waiter.dead
    pipe.write(b"x")

    assert waiter.wait() == (child, 3 << 8)


def test_waitpid_of_a_child_that_has_exited_does_not_park() -> None:
    child = start_child("raise SystemExit(3)")
    real_os.waitid(real_os.P_PID, child, real_os.WEXITED | real_os.WNOWAIT)

    assert os.waitpid(child, 0) == (child, 3 << 8)


def test_waitpid_without_waiting_is_the_plain_call(pipe: Pipe) -> None:
    child = start_gated(pipe)

    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    pipe.write(b"x")
    assert os.waitpid(child, 0) == (child, 3 << 8)


def test_waitpid_of_no_child_says_so() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(real_os.getppid(), 0)
    with pytest.raises(ChildProcessError):
        os.wait()


def test_a_killed_waitpid_leaves_the_status_to_the_next(pipe: Pipe) -> None:
    child = start_gated(pipe)
    with pytest.raises(Timeout), Timeout(0.01):
        os.waitpid(child, 0)
    pipe.write(b"x")

    assert os.waitpid(child, 0) == (child, 3 << 8)


def test_waitpid_works_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(real_os, "pidfd_open", raising=False)
    child = start_child(EXIT_3)

    assert os.waitpid(child, 0) == (child, 3 << 8)


def test_waitpid_works_when_pidfd_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(real_os, "pidfd_open", refuse, raising=False)
    child = start_child(EXIT_3)

    assert os.waitpid(child, 0) == (child, 3 << 8)


def test_a_child_reaped_by_another_thread_is_gone_for_the_first() -> None:
    child = start_child(EXIT_3)
    waiters = [spawn(outcome, os.waitpid, child, 0) for _ in range(2)]

    results = [waiter.wait() for waiter in waiters]

    assert sorted(map(str, results)) == [f"({child}, 768)", "<class 'ChildProcessError'>"]


def outcome(call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    except OSError as exc:
        return type(exc)


def test_waitpid_sees_a_child_stop() -> None:
    child = start_child("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")

    stopped, status = os.waitpid(child, os.WUNTRACED)
    real_os.kill(child, 18)

    assert stopped == child
    assert real_os.WIFSTOPPED(status)
    assert os.waitpid(child, 0) == (child, 0)


def test_wait_takes_whichever_child_exits_first(pipe: Pipe) -> None:
    slow = start_gated(pipe)
    fast = start_child("raise SystemExit(4)")

    assert os.wait() == (fast, 4 << 8)
    pipe.write(b"x")
    assert os.waitpid(0, 0) == (slow, 3 << 8)


def test_many_who_wait_for_any_child_share_one_thread(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe
) -> None:
    started: list[object] = []
    ordinary = real_thread.start_new_thread

    def start(function: Any, arguments: Any) -> int:
        started.append(function)
        return ordinary(function, arguments)

    monkeypatch.setattr(_children, "start_new_thread", start)
    child = start_gated(pipe)
    waiters: list[GreenThread] = [spawn(outcome, os.wait) for _ in range(3)]
    sleep(0.03)
    started_while_waiting = len(started)
    kill(waiters.pop())
    pipe.write(b"x")
    results = [waiter.wait() for waiter in waiters]

    assert started_while_waiting == 1
    assert sorted(map(str, results)) == [f"({child}, 768)", "<class 'ChildProcessError'>"]


def test_a_forked_child_watches_its_own_children() -> None:
    script = """
        import os as real_os, time
        from eventlet.green import os
        from eventlet.greenthread import spawn, sleep
        grand = real_os.fork()
        if not grand:
            time.sleep(60)
            real_os._exit(9)
        waiter = spawn(os.wait)
        sleep(0.01)
        child = real_os.fork()
        if not child:
            if not real_os.fork():
                real_os._exit(4)
            real_os._exit(os.wait()[1] >> 8)
        assert waiter.wait() == (child, 4 << 8)
        real_os.kill(grand, 9)
        assert os.wait() == (grand, 9)
        print('ok')
    """
    assert run_isolated(script).stdout == "ok\n"


def test_flags_of_standard_streams_are_unchanged_after_exit() -> None:
    """Trap 7: the open file description of 0 to 2 is shared with the shell."""
    script = "from eventlet.green import os\nos.write(1, b'x' * 100_000)\nos.read(0, 1)\n"
    near_in, far_in = real_os.pipe()
    near_out, far_out = real_os.pipe()
    environ = {**real_os.environ, "PYTHONPATH": "src"}
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=near_in, stdout=far_out, env=environ
    )
    real_os.write(far_in, b"go")
    received = 0
    while received < 100_000:
        received += len(real_os.read(near_out, 65536))
    status = process.wait()
    modes = [real_os.get_blocking(fd) for fd in (near_in, far_out)]
    for fd in (near_in, far_in, near_out, far_out):
        real_os.close(fd)

    assert status == 0
    assert modes == [True, True]


def test_waiting_does_not_slow_the_clock_of_others() -> None:
    child = start_child("import time; time.sleep(60)")
    waiter = spawn(os.waitpid, child, 0)
    begin = time.monotonic()
    sleep(0.01)
    late = time.monotonic() - begin
    real_os.kill(child, 9)

    assert waiter.wait() == (child, 9)
    assert late < 20


@pytest.mark.parametrize("name", ["wait3", "wait4", "waitid", "waitid of a pidfd"])
def test_the_other_calls_that_wait_for_children_park_too(name: str, pipe: Pipe) -> None:
    child = start_gated(pipe)
    pidfd = real_os.pidfd_open(child)
    call = {
        "wait3": lambda: os.wait3(0),
        "wait4": lambda: os.wait4(child, 0),
        "waitid": lambda: os.waitid(os.P_PID, child, os.WEXITED),
        "waitid of a pidfd": lambda: os.waitid(os.P_PIDFD, pidfd, os.WEXITED),
    }[name]
    waiter: GreenThread = spawn(call)
    for _ in range(3):
        sleep(0.005)
    assert not waiter.dead
    pipe.write(b"x")
    found = waiter.wait()
    real_os.close(pidfd)

    if name.startswith("waitid"):
        assert (found.si_pid, found.si_status, found.si_code) == (child, 3, os.CLD_EXITED)
    else:
        assert found[:2] == (child, 3 << 8)
        assert found[2].ru_maxrss > 0
    with pytest.raises(ChildProcessError):
        os.wait4(child, 0)
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED)


def test_waitid_leaves_the_status_and_does_not_wait_when_told_so(pipe: Pipe) -> None:
    child = start_gated(pipe)

    assert os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG) is None
    assert os.wait4(child, os.WNOHANG)[:2] == (0, 0)
    pipe.write(b"x")
    found = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert found is not None
    assert found.si_status == 3
    assert os.waitpid(child, 0) == (child, 3 << 8)
