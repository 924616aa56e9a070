"""Parks of buffered files: for the raw file, and for one's turn."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from eventlet.greenio import GreenPipe
from eventlet.greenio.buffers import (
    BufferedPair,
    BufferedReader,
    BufferedWriter,
    buffer_for,
)

from tests.unit.parks.descriptors import fill_pipe
from tests.unit.parks.park import Build, Table, Wait
from tests.unit.parks.stage import Stage

PARKS = Table()

READS: dict[str, tuple[Callable[[], tuple[Any, ...]], Any]] = {
    "read": (lambda: (4,), b"data"),
    "read1": (lambda: (10,), b"data"),
    "readinto": (lambda: (bytearray(4),), 4),
    "readinto1": (lambda: (bytearray(10),), 4),
    "readline": (lambda: (4,), b"data"),
    "peek": (lambda: (), b"data"),
}


def _reading(name: str) -> Build:
    make_args, gives = READS[name]

    def build(stage: Stage) -> Wait:
        reader, writer = stage.pipe()
        raw = stage.keep(GreenPipe(reader, "rb", 0, closefd=False))
        call = partial(getattr(BufferedReader(raw), name), *make_args())
        return Wait(call, partial(os.write, writer, b"data"), gives)

    build.__name__ = f"buffered_{name}"
    return build


for _name in READS:
    PARKS.park(getattr(BufferedReader, _name))(_reading(_name))


@PARKS.park(BufferedWriter.write, BufferedWriter.flush)
def buffered_write(stage: Stage) -> Wait:
    reader, writer = stage.pipe()
    file: Any = buffer_for(stage.keep(GreenPipe(writer, "wb", 0, closefd=False)), 16)
    fill_pipe(writer)

    def call() -> None:
        file.write(b"data")
        file.flush()

    return Wait(call, partial(os.read, reader, 1 << 20), None)


@PARKS.park(BufferedPair.read, BufferedPair.read1, BufferedPair.readinto, BufferedPair.readinto1)
def buffered_pair_read(stage: Stage) -> Wait:
    connection = stage.stream()
    file = stage.keep(connection.near.makefile("rwb"))
    return Wait(partial(file.read, 4), partial(connection.far.sendall, b"data"), b"data")


@PARKS.park(BufferedPair.readline, BufferedPair.peek)
def buffered_pair_readline(stage: Stage) -> Wait:
    connection = stage.stream()
    file = stage.keep(connection.near.makefile("rwb"))
    return Wait(file.readline, partial(connection.far.sendall, b"line\n"), b"line\n")


@PARKS.park(BufferedReader.close, BufferedReader.detach, BufferedReader.tell)
def buffered_close_waits_for_its_turn(stage: Stage) -> Wait:
    """Another green thread is in a call that waits; the file is closed after it."""
    reader, writer = stage.pipe()
    raw = stage.keep(GreenPipe(reader, "rb", 0, closefd=False))
    file = BufferedReader(raw)
    got: list[bytes] = []
    stage.thread(lambda: got.append(file.read(4)))

    def call() -> bool:
        file.close()
        return got == [b"data"]

    return Wait(call, partial(os.write, writer, b"data"), True)
