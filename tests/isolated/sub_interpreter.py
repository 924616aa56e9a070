"""A hub in a sub-interpreter: a clear refusal, or greenlet itself refuses to be imported."""

import importlib
import os
import sys
import tempfile

MODULE = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
interpreters = importlib.import_module(MODULE)

PROGRAM = """
import sys
sys.path[:] = {path!r}
def tell(text):
    with open({answer!r}, "w") as file:
        file.write(text)
try:
    from eventlet._core.current import get_hub
except ImportError as exc:
    tell("no greenlet: " + str(exc))
else:
    try:
        get_hub()
    except Exception as exc:
        tell(type(exc).__name__ + ": " + str(exc))
    else:
        tell("made a hub")
"""


def create() -> object:
    """Make the kind of sub-interpreter that shares the GIL: extensions like greenlet load."""
    try:
        return interpreters.create("legacy")
    except TypeError:
        return interpreters.create(isolated=False)


with tempfile.TemporaryDirectory() as directory:
    answer = os.path.join(directory, "answer")
    ident = create()
    failure = interpreters.run_string(ident, PROGRAM.format(path=sys.path, answer=answer))
    assert not failure, failure
    interpreters.destroy(ident)
    with open(answer) as file:
        told = file.read()

print(told)
assert told.startswith(("UnsupportedRuntime: green threads cannot run in a sub-", "no greenlet:"))
