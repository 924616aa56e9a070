"""Changes of files are noticed: once each, and none is missed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from eventlet._serve.changes import Watch


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module that is loaded, written long ago."""
    path = tmp_path / "watched.py"
    path.write_text("x = 1")
    os.utime(path, (1000, 1000))
    module = ModuleType("watched")
    module.__file__ = str(path)
    monkeypatch.setattr(sys, "modules", {"watched": module})  # others may change as we look
    return path


def test_nothing_has_changed(file: Path) -> None:
    watch = Watch()

    assert [watch.find_change() for _ in range(3)] == [None] * 3


def test_a_change_is_told_once(file: Path) -> None:
    watch = Watch()
    watch.find_change()
    os.utime(file, (2000, 2000))

    assert [watch.find_change() for _ in range(2)] == [str(file), None]


def test_an_older_file_or_one_of_another_size_has_changed_too(file: Path) -> None:
    watch = Watch()
    watch.find_change()
    os.utime(file, (500, 500))
    assert watch.find_change() == str(file)

    file.write_text("another size")
    os.utime(file, (500, 500))
    assert watch.find_change() == str(file)


def test_what_was_written_while_it_was_loaded_has_changed(file: Path) -> None:
    watch = Watch()
    watch._began = time.time() - 10
    os.utime(file)

    assert [watch.find_change() for _ in range(2)] == [str(file), None]


def test_a_file_from_the_future_is_no_change(file: Path) -> None:
    watch = Watch()
    os.utime(file, (time.time() + 1000,) * 2)

    assert watch.find_change() is None


def test_a_file_that_is_away_for_a_moment_is_no_change(file: Path) -> None:
    watch = Watch()
    watch.find_change()
    file.unlink()
    assert watch.find_change() is None

    file.write_text("x = 2  # now")
    assert watch.find_change() == str(file)


def test_other_files_are_watched_too(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "settings"
    other.touch()
    os.utime(other, (1000, 1000))
    watch = Watch()
    watch.add([str(other)])
    watch.find_change()
    os.utime(other, (2000, 2000))

    assert watch.find_change() == str(other)
