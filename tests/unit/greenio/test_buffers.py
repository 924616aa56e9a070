"""Buffered files that several green threads use at once."""

import contextlib
import io
import os
import select
import socket as standard_socket
from inspect import signature
from threading import Thread as OSThread
from typing import Any

import pytest

from eventlet.greenio import GreenPipe, GreenSocket
from eventlet.greenio.buffers import BufferedPair, BufferedRandom, BufferedReader, BufferedWriter
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

from tests.conftest import RunIsolated

LONG = b"x" * 30_000


def socketpair() -> tuple[GreenSocket, GreenSocket]:
    one, other = standard_socket.socketpair()
    return GreenSocket(one), GreenSocket(other)


def pipe(mode: str = "b") -> tuple[Any, Any]:
    read_end, write_end = os.pipe()
    return GreenPipe(read_end, "r" + mode), GreenPipe(write_end, "w" + mode)


def fill_pipe(fd: int) -> int:
    size = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            size += os.write(fd, bytes(select.PIPE_BUF))
    return size


def read_what_is_there(fd: int) -> bytes:
    received = b""
    with contextlib.suppress(BlockingIOError):
        while data := os.read(fd, 1 << 20):
            received += data
    return received


def write_often(file: Any) -> None:
    for _ in range(10):
        file.write(LONG)
        file.flush()


def test_two_threads_write_to_one_pipe() -> None:
    reader, writer = pipe()
    threads = [spawn(write_often, writer) for _ in range(3)]
    sleep(0)
    assert len(reader.read(900_000)) == 900_000
    for thread in threads:
        thread.wait()
    writer.close()
    assert reader.read() == b""
    reader.close()


def test_two_threads_write_text_to_one_pipe() -> None:
    reader, writer = pipe("")

    def write_lines(number: int) -> None:
        for _ in range(1000):
            writer.write(f"{number} {'y' * 60}\n")
        writer.flush()

    threads = [spawn(write_lines, number) for number in range(4)]
    lines = [reader.readline() for _ in range(4000)]
    for thread in threads:
        thread.wait()
    assert sorted(lines) == sorted(f"{n} {'y' * 60}\n" for n in range(4) for _ in range(1000))
    writer.close()
    reader.close()


def test_two_threads_write_to_one_file_of_a_socket() -> None:
    ours, theirs = socketpair()
    with ours, theirs, ours.makefile("wb") as writer, theirs.makefile("rb") as reader:
        threads = [spawn(write_often, writer) for _ in range(3)]
        sleep(0)
        assert len(reader.read(900_000)) == 900_000
        for thread in threads:
            thread.wait()


def test_readers_take_turns_in_their_order() -> None:
    reader, writer = pipe()
    threads = [spawn(reader.readline) for _ in range(3)]
    sleep(0)
    for line in (b"first\n", b"second\n", b"third\n"):
        writer.write(line)
        writer.flush()
        sleep(0)
    assert [thread.wait() for thread in threads] == [b"first\n", b"second\n", b"third\n"]
    reader.close()
    writer.close()


def test_close_waits_for_a_reader_as_it_does_for_an_os_thread() -> None:
    reader, writer = pipe()
    reading = spawn(reader.read, 1)
    sleep(0)
    closing = spawn(reader.close)
    sleep(0)
    assert not reader.closed
    writer.write(b"x")
    writer.flush()
    assert reading.wait() == b"x"
    closing.wait()
    assert reader.closed
    writer.close()


@pytest.mark.parametrize("how", ["kill", "Timeout"])
def test_an_interrupted_reader_gives_its_turn_away(how: str) -> None:
    reader, writer = pipe()

    def read_impatiently() -> None:
        with Timeout(0.01, False):
            reader.read(1)

    interrupted = spawn(reader.read, 1) if how == "kill" else spawn(read_impatiently)
    sleep(0)
    following = spawn(reader.read, 1)
    sleep(0)
    if how == "kill":
        interrupted.kill()
    else:
        interrupted.wait()
    writer.write(b"x")
    writer.flush()
    assert following.wait() == b"x"
    reader.close()
    writer.close()


def test_one_reads_while_another_writes() -> None:
    ours, theirs = socketpair()
    with ours, theirs, ours.makefile("rwb") as both:
        assert isinstance(both, BufferedPair)
        reading = spawn(both.readline)
        sleep(0)
        both.write(b"question\n")
        both.flush()
        assert theirs.recv(100) == b"question\n"
        theirs.sendall(b"answer\n")
        assert reading.wait() == b"answer\n"


def test_a_call_out_of_a_call_of_the_same_thread_goes_through() -> None:
    class Nested(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            file.read(1)
            return 0

    file = BufferedReader(Nested())
    with Timeout(30), pytest.raises(RuntimeError, match="reentrant"):
        file.read(1)
    file.close()


FORKED = """
    import errno, os
    from eventlet.greenio import GreenPipe
    from eventlet.greenthread import sleep, spawn
    reader, writer = os.pipe()
    file = GreenPipe(reader, "rb")
    got = []
    for _ in range(COUNT):
        spawn(lambda: got.append(file.read(1)))
    sleep(0)
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    else:
        os.write(writer, b"abc")
        try:
            file.tell()
        except OSError as exc:
            print(got, errno.errorcode[exc.errno])
"""


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_turn_of_who_was_left_behind_by_a_fork_is_not_waited_for(
    run_isolated: RunIsolated, count: int
) -> None:
    done = run_isolated(FORKED.replace("COUNT", str(count)), timeout=60)

    assert done.stdout == "[] ESPIPE\n"


def test_who_goes_on_in_a_forked_child_keeps_turn_and_place(run_isolated: RunIsolated) -> None:
    keep = "import errno, os\n    os.environ['EVENTLET_FORK_KEEPS_GREEN_THREADS'] = 'yes'"
    code = FORKED.replace("COUNT", "3").replace("import errno, os", keep, 1)

    done = run_isolated(code, timeout=60)

    assert done.stdout == "[b'a', b'b', b'c'] ESPIPE\n"


@pytest.mark.parametrize("more", [b"", b"more"])
def test_what_an_interrupted_flush_wrote_is_not_written_again(more: bytes) -> None:
    read_end, write_end = os.pipe()
    file = GreenPipe(write_end, "wb")
    os.set_blocking(read_end, False)
    filled = fill_pipe(write_end)
    data = bytes(range(251)) * 32
    file.write(data)
    filled -= len(os.read(read_end, select.PIPE_BUF))  # there is room for a part
    with Timeout(0.01, False):
        file.flush()
    received = read_what_is_there(read_end)
    assert filled < len(received) < filled + len(data)
    file.write(more)
    file.close()
    received += read_what_is_there(read_end)
    assert received[filled:] == data + more
    os.close(read_end)


def test_another_write_after_an_interrupted_one_is_written_whole() -> None:
    read_end, write_end = os.pipe()
    file = GreenPipe(write_end, "wb")
    os.set_blocking(read_end, False)
    with Timeout(0.01, False):
        file.write(b"x" * 1_000_000)
    size = len(read_what_is_there(read_end))
    assert 0 < size < 1_000_000
    file.write(b"another")
    file.close()
    assert read_what_is_there(read_end) == b"another"
    os.close(read_end)


def test_the_turn_is_free_again_when_nobody_waits_any_more() -> None:
    reader, writer = pipe()
    threads = [spawn(reader.read, 1) for _ in range(3)]
    sleep(0)
    threads[1].kill()
    writer.write(b"ab")
    writer.flush()
    assert (threads[0].wait(), threads[2].wait()) == (b"a", b"b")
    assert (reader._turn.holder, reader._turn.lock) == (None, None)
    reader.close()
    writer.close()


def test_the_last_who_waits_gives_up() -> None:
    reader, writer = pipe()
    reading = spawn(reader.read, 1)
    sleep(0)
    waiting = spawn(reader.read, 1)
    sleep(0)
    waiting.kill()
    writer.write(b"ab")
    writer.flush()
    assert reading.wait() == b"a"
    assert reader.read(1) == b"b"
    assert reader._turn.lock is None
    reader.close()
    writer.close()


def test_green_threads_of_two_os_threads_take_turns() -> None:
    reader, writer = pipe()
    got: list[bytes] = []

    def read_some() -> None:
        for _ in range(500):
            got.append(reader.readline())
            sleep(0)

    def in_another_os_thread() -> None:
        for thread in [spawn(read_some) for _ in range(3)]:
            thread.wait()

    other = OSThread(target=in_another_os_thread)
    other.start()
    threads = [spawn(read_some) for _ in range(3)]
    for number in range(3000):
        writer.write(b"%d\n" % number)
        if number % 7 == 0:
            writer.flush()
            sleep(0)
    writer.flush()
    for thread in threads:
        thread.wait()
    other.join()
    assert sorted(map(int, got)) == list(range(3000))
    reader.close()
    writer.close()


@pytest.mark.parametrize("kind", [BufferedReader, BufferedWriter, BufferedRandom])
def test_calls_leave_out_what_the_standard_ones_leave_out(kind: Any) -> None:
    for name, method in vars(kind).items():
        if name in {"seek", "tell", "close", "detach", "flush"} or name.startswith("_"):
            continue
        (_, argument) = signature(method).parameters.values()
        (_, standard) = signature(getattr(kind.__mro__[2], name)).parameters.values()
        assert argument.default == standard.default, name
        assert argument.kind == standard.kind


def test_a_pair_writes_what_it_has_when_it_is_closed_though_somebody_reads() -> None:
    ours, theirs = socketpair()
    with theirs:
        with ours:
            both = ours.makefile("rwb")
            reading = spawn(both.readline)
            sleep(0)
            both.write(b"quit\n")
            both.close()
            assert theirs.recv(100) == b"quit\n"
            theirs.sendall(b"bye\n")
            assert reading.wait() == b"bye\n"
        assert both.closed
        assert theirs.recv(100) == b""


def test_a_pair_that_has_the_socket_ends_its_read_when_it_is_closed() -> None:
    ours, theirs = socketpair()
    with theirs:
        with ours:
            both = ours.makefile("rwb")
        reading = spawn(both.readline)
        sleep(0)
        both.close()
        with pytest.raises(OSError, match="closed while waiting"):
            reading.wait()


def test_a_pair_reads_and_writes_like_the_standard_one() -> None:
    ours, theirs = socketpair()
    with ours, theirs, ours.makefile("rwb") as both:
        theirs.sendall(b"one\ntwo\nthree\n0123456789")
        theirs.shutdown(standard_socket.SHUT_WR)
        buffer = bytearray(4)
        assert both.peek()[:4] == b"one\n"
        assert both.readinto(buffer) == 4
        assert next(both) == b"two\n"
        assert both.readlines(1) == [b"three\n"]
        assert both.read1(2) == b"01"
        assert both.readinto1(buffer) == 4
        assert both.read() == b"6789"
        both.writelines([b"a", b"b"])
        both.flush()
        assert theirs.recv(2) == b"ab"
        assert (both.readable(), both.writable(), both.seekable()) == (True, True, False)
        assert not both.isatty()
        with pytest.raises(io.UnsupportedOperation):
            both.detach()


def test_flushing_what_is_read_does_not_wait_for_the_reader() -> None:
    reader, writer = pipe()
    reading = spawn(reader.read, 1)
    sleep(0)
    with Timeout(30):
        reader.flush()
    writer.write(b"x")
    writer.close()
    assert reading.wait() == b"x"
    reader.close()


@pytest.mark.parametrize("mode", ["r", "w", "rw", "rb", "wb", "rwb", "b", "", "br"])
@pytest.mark.parametrize("buffering", [None, -1, 1, 500])
def test_makefile_is_like_the_standard_one(mode: str, buffering: int | None) -> None:
    ours, theirs = socketpair()
    standard, other = standard_socket.socketpair()
    with ours, theirs, standard, other:
        made: Any = ours.makefile(mode, buffering)
        like: Any = standard.makefile(mode, buffering)  # type: ignore[call-overload]
        with made, like:
            assert isinstance(made, type(like))
            assert made.mode == like.mode if hasattr(like, "mode") else not hasattr(made, "mode")
            assert (made.readable(), made.writable()) == (like.readable(), like.writable())
            assert getattr(made, "encoding", None) == getattr(like, "encoding", None)


def test_makefile_refuses_what_the_standard_one_refuses() -> None:
    ours, theirs = socketpair()
    with ours, theirs:
        with pytest.raises(ValueError, match="invalid mode 'x'"):
            ours.makefile("x")
        with pytest.raises(ValueError, match="unbuffered streams must be binary"):
            ours.makefile("r", 0)
        with ours.makefile("rb", 0) as raw:
            assert type(raw) is standard_socket.SocketIO
        ours.close()
        assert ours.fileno() == -1


@pytest.mark.parametrize("mode", ["rb", "wb"])
def test_they_look_like_the_standard_ones(mode: str) -> None:
    one, other = socketpair()
    with one, other, other.makefile(mode) as file:
        kind = "Reader" if mode == "rb" else "Writer"
        assert repr(file) == f"<_io.Buffered{kind} name={other.fileno()}>"


def test_what_is_open_at_the_end_of_the_program_is_written_without_a_word(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated("""
        import os, socket
        from eventlet.green import subprocess
        from eventlet.greenio import GreenPipe, GreenSocket
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        child.stdin.write(b"to the end")
        one, other = socket.socketpair()
        other.close()
        with GreenSocket(one) as sock:
            files = [sock.makefile(mode) for mode in ("rb", "rwb", "r")]
        reader = GreenPipe(os.dup(0), "rb")
        child.returncode = 0  # nobody waits for it, and nobody complains
    """)

    assert (done.stdout, done.stderr) == ("to the end", "")
