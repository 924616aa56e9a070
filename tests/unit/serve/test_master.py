"""What a master can be asked without processes, and what it tells a service manager."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlet._serve import descriptors, link
from eventlet._serve.journal import Journal
from eventlet._serve.master import FIRST_DELAY, Master
from eventlet._serve.settings import Settings

from tests.unit.serve.served import PATIENCE, Served


@pytest.fixture
def said(tmp_path: Path) -> Iterator[tuple[Journal, Path]]:
    """A journal, and the file it is written to."""
    path = tmp_path / "said"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    yield Journal(fd), path
    os.close(fd)


@pytest.mark.parametrize("what", ["os.fork", "socket.socketpair", "mmap.mmap"])
def test_a_process_that_cannot_be_forked_is_tried_again_later(
    said: tuple[Journal, Path], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(what, fail)
    journal, path = said
    master = Master(Settings(), [], journal)
    try:
        assert master._wanting(0.0) == 0
        assert master._start(0) is None
        assert "cannot start a worker: Resource temporarily" in path.read_text()
        assert master._wanting(0.0) is None
        assert master._wanting(float("inf")) == 0
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
    finally:
        os.close(master._wake_up)
        os.close(master._wake_up_end)


def test_a_reload_is_not_delayed_by_workers_that_died_before_it(said: tuple[Journal, Path]) -> None:
    master = Master(Settings(), [], said[0])
    try:
        for _ in range(10):
            master._back_off(0.0)
        assert master._wanting(20.0) is None

        master._reload()

        assert master._wanting(0.0) == 0
        master._back_off(0.0)
        assert master._wanting(FIRST_DELAY) == 0
    finally:
        os.close(master._wake_up)
        os.close(master._wake_up_end)


def test_messages_come_whole_though_in_pieces() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = link.Inbox(ours)
        data = link.encode(link.READY) + link.encode(link.FAILED, 'a\nb "\u00e4"\\n')
        theirs.sendall(data[:3])
        assert list(inbox.messages()) == []
        theirs.sendall(data[3:])
        assert list(inbox.messages()) == [("ready", ""), ("failed", 'a\nb "\u00e4"\\n')]
        assert inbox.is_open
        theirs.close()
        assert list(inbox.messages()) == []
        assert not inbox.is_open


def test_lines_of_a_journal(said: tuple[Journal, Path]) -> None:
    journal, path = said
    journal.note("all well")
    journal.note("not well", "error")
    journal.info("as it is")
    journal.debug("nothing")
    pid = os.getpid()

    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    one, two, three = path.read_text().splitlines()
    assert re.fullmatch(rf"{moment} \[{pid}\] all well", one)
    assert re.fullmatch(rf"{moment} \[{pid}\] error: not well", two)
    assert three == "as it is"


def test_a_journal_as_json(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "said", os.O_WRONLY | os.O_CREAT)
    try:
        journal = Journal(fd, is_json=True)
        journal.note("a\nb", "error")
        journal.info("Traceback\n  ...\n")
    finally:
        os.close(fd)
    one, two = (json.loads(line) for line in (tmp_path / "said").read_text().splitlines())

    assert (one["message"], one["level"], one["pid"]) == ("a\nb", "error", os.getpid())
    assert two["message"] == "Traceback\n  ..."


def test_a_journal_that_cannot_be_written_harms_nobody() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        Journal(theirs).note("nobody hears it")
    finally:
        os.close(theirs)


@pytest.mark.parametrize(
    "soft, hard, raised_to, is_warned",
    [
        (256, 5000, 1000 + descriptors.SPARE, False),
        (4000, 5000, None, False),
        (256, resource.RLIM_INFINITY, 1000 + descriptors.SPARE, False),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, False),
        (256, 512, 512, True),
    ],
)
def test_room_for_descriptors(
    said: tuple[Journal, Path],
    monkeypatch: pytest.MonkeyPatch,
    soft: int,
    hard: int,
    raised_to: int | None,
    is_warned: bool,
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: set_to.append(limits))
    journal, path = said

    descriptors.make_room(1000, journal)

    assert set_to == ([] if raised_to is None else [(raised_to, hard)])
    assert ("warning: a process may open 512" in path.read_text()) == is_warned


@pytest.mark.slow
@pytest.mark.parametrize("name", ["path", "abstract"])
def test_a_service_manager_is_told(tmp_path: Path, name: str) -> None:
    address = str(tmp_path / "notify") if name == "path" else f"@{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        manager.settimeout(PATIENCE)
        with Served(tmp_path, NOTIFY_SOCKET=address) as served:
            assert manager.recv(1000) == b"READY=1"
            served.send(signal.SIGHUP)
            assert manager.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(1000) == b"READY=1"
            assert served.end() == 0
            assert manager.recv(1000) == b"STOPPING=1"
