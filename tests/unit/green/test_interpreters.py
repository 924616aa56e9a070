"""Sub-interpreters under patching: they run beside the green threads."""

from __future__ import annotations

import sys

import pytest

from tests.isolated_runner import run_isolated

BEGIN = """
import eventlet
eventlet.monkey_patch()
import os, time
reading, writing = os.pipe()
code = f"import os; assert os.read({reading}, 3) == b'abc'"  # it waits for a green thread
def feed():
    time.sleep(0.02)
    os.write(writing, b"abc")
eventlet.spawn(feed)
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="there is no _interpreters module")
def test_what_runs_a_sub_interpreter_parks() -> None:
    run_isolated(
        BEGIN
        + """
import _interpreters
ident = _interpreters.create()
assert _interpreters.exec(ident, code) is None
_interpreters.destroy(ident)
eventlet.patcher.unpatch()
assert type(_interpreters.exec) is type(len)
"""
    )


@pytest.mark.skipif(sys.version_info < (3, 14), reason="there is no InterpreterPoolExecutor")
def test_pool_of_interpreters_leaves_the_green_threads_running() -> None:
    done = run_isolated(
        BEGIN
        + """
from concurrent.futures import InterpreterPoolExecutor
with InterpreterPoolExecutor(2) as pool:
    first, second = pool.submit(exec, code), pool.submit(pow, 3, 4)
    assert (second.result(), first.result()) == (81, None)
    try:
        pool.submit(int, "no number").result()
    except ValueError:
        print("raised")
"""
    )
    assert done.stdout == "raised\n"
