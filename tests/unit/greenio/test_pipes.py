"""Green pipes over real pipes, FIFOs, terminals and files."""

import errno
import fcntl
import gc
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlet._core.hub import IO_BUDGET
from eventlet.greenio import GreenFileIO, GreenPipe, set_nonblocking
from eventlet.greenthread import sleep, spawn


@pytest.fixture
def pipe() -> Iterator[Any]:
    read_fd, write_fd = os.pipe()
    reader, writer = GreenPipe(read_fd, "rb"), GreenPipe(write_fd, "wb", 0)
    yield reader, writer
    reader.close()
    writer.close()


def beat(beats: list[None]) -> None:
    """Take five turns."""
    for _ in range(5):
        beats.append(None)
        sleep(0)


def test_reader_parks_only_itself(pipe: Any) -> None:
    reader, writer = pipe
    reading = spawn(reader.read, 3)
    beats: list[None] = []
    spawn(beat, beats).wait()
    assert len(beats) == 5
    writer.write(b"abc")
    assert reading.wait() == b"abc"


def test_write_goes_on_until_all_is_written(pipe: Any) -> None:
    reader, writer = pipe
    data = os.urandom(1_000_000)
    reading = spawn(reader.read)
    assert writer.write(data) == len(data)
    writer.close()
    assert reading.wait() == data


def test_text_mode_has_encoding_errors_and_newline() -> None:
    read_fd, write_fd = os.pipe()
    with GreenPipe(read_fd, "r", encoding="latin-1", newline="") as reader:
        with GreenPipe(write_fd, "w", encoding="latin-1", newline="\r\n") as writer:
            writer.write("café\n")
        assert reader.read() == "café\r\n"


@pytest.mark.parametrize("mode", ["r", "rt", "w", "rb", "r+", "a+", "r+b"])
def test_files_tell_their_mode_as_those_of_open_do(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "file"
    path.touch()
    with GreenPipe(path, mode) as green, open(path, mode) as standard:
        assert green.mode == standard.mode


def test_closing_wakes_the_reader_with_ebadf() -> None:
    read_fd, write_fd = os.pipe()
    raw = GreenFileIO(read_fd, "r")
    reading = spawn(raw.read, 1)
    sleep(0)
    raw.close()
    with pytest.raises(OSError, match="closed") as caught:
        reading.wait()
    assert caught.value.errno == errno.EBADF
    os.close(write_fd)


def test_writing_to_a_pipe_nobody_reads_breaks(pipe: Any) -> None:
    reader, writer = pipe
    reader.close()
    with pytest.raises(BrokenPipeError):
        writer.write(b"x")


def test_use_after_close_is_a_value_error(pipe: Any) -> None:
    reader, writer = pipe
    reader.close()
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")


def test_double_close_never_hits_a_reused_number() -> None:
    read_fd, write_fd = os.pipe()
    reader = GreenPipe(read_fd, "rb", 0)
    reader.close()
    os.dup2(write_fd, read_fd)
    reader.close()
    del reader
    gc.collect()
    assert os.fstat(read_fd)
    os.close(read_fd)
    os.close(write_fd)


def test_wrong_direction_is_unsupported(pipe: Any) -> None:
    reader, writer = pipe
    with pytest.raises(io.UnsupportedOperation):
        reader.raw.write(b"x")
    with pytest.raises(io.UnsupportedOperation):
        writer.read(1)


def test_closefd_false_leaves_the_descriptor_open() -> None:
    read_fd, write_fd = os.pipe()
    GreenPipe(read_fd, "rb", 0, closefd=False).close()
    assert os.fstat(read_fd)
    os.close(read_fd)
    os.close(write_fd)


def test_file_object_is_duplicated_and_closed() -> None:
    read_fd, write_fd = os.pipe()
    original = os.fdopen(read_fd, "rb")
    with GreenPipe(original, "rb") as reader:
        assert original.closed
        os.write(write_fd, b"x")
        assert reader.read(1) == b"x"
    os.close(write_fd)


def test_regular_files_seek_tell_and_truncate(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with GreenPipe(path, "w+b") as file:
        file.write(b"0123456789")
        file.seek(2)
        assert file.read(3) == b"234"
        assert file.tell() == 5
        file.truncate(6)
    assert path.read_bytes() == b"012345"
    with GreenPipe(path, "ab") as file:
        file.write(b"!")
    with GreenPipe(str(path)) as text:
        assert list(text) == ["012345!"]


def test_opener_is_used(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"by the opener")
    calls = []

    def opener(name: Any, flags: Any) -> Any:
        calls.append(name)
        return os.open(path, flags)

    with GreenPipe("somewhere", "rb", opener=opener) as file:
        assert file.read() == b"by the opener"
    assert calls == ["somewhere"]


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({"mode": "rb", "encoding": "utf-8"}, ValueError),
        ({"mode": "r", "buffering": 0}, ValueError),
        ({"mode": "q"}, ValueError),
        ({"name": 1.5}, TypeError),
        ({"name": "/does/not/exist"}, FileNotFoundError),
    ],
)
def test_bad_arguments_are_refused(kwargs: Any, error: Any) -> None:
    with pytest.raises(error):
        GreenPipe(**{"name": os.devnull, **kwargs})


def test_fifo_can_be_opened_from_both_sides_by_green_threads(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    opening = spawn(GreenPipe, str(path), "rb")
    sleep(0)
    with GreenPipe(str(path), "wb", 0) as writer, opening.wait() as reader:
        writer.write(b"through")
        writer.close()
        assert reader.read() == b"through"


def test_inheritable_descriptors_are_never_made_nonblocking() -> None:
    read_fd, write_fd = os.pipe()
    os.set_inheritable(read_fd, True)
    os.set_inheritable(write_fd, True)
    with GreenPipe(read_fd, "rb", 0) as reader, GreenPipe(write_fd, "wb", 0) as writer:
        reading = spawn(reader.read, 5)
        sleep(0)
        writer.write(b"small")
        assert reading.wait() == b"small"
        big = spawn(reader.read)
        writer.write(b"x" * 300_000)
        writer.close()
        assert len(big.wait()) == 300_000
        assert os.get_blocking(read_fd)


def test_flags_of_the_standard_streams_stay(run_isolated: Any) -> None:
    result = run_isolated(
        """
import os, sys
from eventlet.greenio import GreenPipe
before = [os.get_blocking(fd) for fd in (0, 1, 2)]
out = GreenPipe(1, "w", closefd=False)
out.write("written\\n")
out.flush()
assert [os.get_blocking(fd) for fd in (0, 1, 2)] == before
"""
    )
    assert "written" in result.stdout


def test_terminal_is_read_by_lines_and_is_line_buffered() -> None:
    master, slave = os.openpty()
    with GreenPipe(slave, "r+", buffering=1) as terminal:
        assert terminal.isatty()
        reading = spawn(terminal.readline)
        sleep(0)
        os.write(master, b"typed\n")
        assert reading.wait() == "typed\n"
    os.close(master)


def test_set_nonblocking_takes_numbers_files_and_sockets() -> None:
    read_fd, write_fd = os.pipe()
    set_nonblocking(read_fd)
    assert fcntl.fcntl(read_fd, fcntl.F_GETFL) & os.O_NONBLOCK
    with os.fdopen(write_fd, "wb") as file:
        set_nonblocking(file)
        assert not os.get_blocking(write_fd)
    os.close(read_fd)


def test_an_os_thread_can_write_what_a_green_thread_reads() -> None:
    read_fd, write_fd = os.pipe()
    with GreenPipe(read_fd, "rb") as mine:

        def write_and_close() -> None:
            os.write(write_fd, b"x")
            os.close(write_fd)

        worker = threading.Thread(target=write_and_close)
        worker.start()
        assert mine.read() == b"x"
        worker.join()


def test_a_duplicate_of_a_standard_stream_stays_blocking(run_isolated: Any) -> None:
    run_isolated(
        """
        import os, sys
        from eventlet.greenio import GreenPipe
        duplicate = os.dup(1)
        with GreenPipe(duplicate, "w") as green:
            assert os.get_blocking(1)
            green.write("one\\n")
        shared = os.dup(1)
        os.set_inheritable(shared, True)
        with GreenPipe(sys.stdout, "w") as green:
            green.write("two\\n")
            green.flush()
            assert os.get_blocking(shared)
        os.close(shared)
        """
    )


def test_an_inherited_file_object_stays_blocking() -> None:
    read_fd, write_fd = os.pipe()
    os.set_inheritable(read_fd, True)
    witness = os.dup(read_fd)
    with GreenPipe(os.fdopen(read_fd, "rb"), "rb") as reader, os.fdopen(write_fd, "wb", 0) as end:
        assert os.get_blocking(witness)
        assert os.get_inheritable(reader.fileno())
        end.write(b"x")
        assert reader.read(1) == b"x"
    os.close(witness)


def test_a_file_object_that_cannot_be_taken_over_stays_open() -> None:
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb") as reader, os.fdopen(write_fd, "wb"):
        with pytest.raises(ValueError, match="mode"):
            GreenPipe(reader, "z")
        assert not reader.closed


def test_a_pipe_that_is_always_full_lets_others_run() -> None:
    read_fd, write_fd = os.pipe()
    reader, writer = GreenPipe(read_fd, "rb", 0), GreenPipe(write_fd, "wb", 0)
    beats: list[None] = []
    writer.write(bytes(20 * IO_BUDGET))
    beating = spawn(beat, beats)
    for _ in range(20 * IO_BUDGET):
        reader.read(1)
    assert beating.dead
    reader.close()
    writer.close()
