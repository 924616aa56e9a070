"""`tools/manifest.py`: flipping marks the lines it is told to, and no others."""

from __future__ import annotations

from tools.manifest import flip

TEXT = """\
# due is no status here
due    core     eventlet.event:Event
due    compat   eventlet.event:Event.reset()
built  core     eventlet.queue:Queue
"""


def test_flip_marks_the_given_lines_as_built() -> None:
    assert flip(TEXT, {3}) == TEXT.replace("due    compat", "built  compat")


def test_flip_of_nothing_changes_nothing() -> None:
    assert flip(TEXT, set()) == TEXT
