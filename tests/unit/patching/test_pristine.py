"""Copies by `import __original_module_<modname>`, which programs do that were made for 0.41.

Those that `patcher.original` returns: `tests/unit/test_patcher.py`.
"""

from __future__ import annotations

import pytest

from tests.conftest import RunIsolated


def test_a_copy_of_threading_can_be_imported_after_patching(run_isolated: RunIsolated) -> None:
    """The lines by which OpenStack's programs have both tell of the same threads."""
    run_isolated("""
    import eventlet
    eventlet.monkey_patch()
    import __original_module_threading as orig_threading
    import threading
    assert orig_threading is eventlet.patcher.original("threading") is not threading
    orig_threading.current_thread.__globals__["_active"] = threading._active
    assert orig_threading._active is threading._active
    assert orig_threading.current_thread() is threading.main_thread()
    """)


@pytest.mark.parametrize("name", ["select", "_thread", "os", "json"])
def test_an_imported_copy_is_the_one_that_original_returns(
    run_isolated: RunIsolated, name: str
) -> None:
    run_isolated(f"""
    import importlib, {name}
    import eventlet
    eventlet.monkey_patch(time=True)
    copy = importlib.import_module("__original_module_{name}")
    assert copy is eventlet.patcher.original("{name}") is not {name}
    assert copy.__name__ == "__original_module_{name}"
    assert copy.__spec__.name == "{name}"
    """)


@pytest.mark.parametrize("name", ["no_such_module", "", "os.path", "no_such_package.module"])
def test_there_is_no_copy_of_what_is_no_module(run_isolated: RunIsolated, name: str) -> None:
    run_isolated(f"""
    import importlib
    import eventlet
    eventlet.monkey_patch()
    try:
        importlib.import_module("__original_module_{name}")
    except ModuleNotFoundError as exc:
        assert "__original_module_{name}".startswith(exc.name), exc.name
    else:
        raise AssertionError("it was found")
    """)


def test_unpatching_ends_it(run_isolated: RunIsolated) -> None:
    run_isolated("""
    import sys
    import eventlet
    def finders():
        return [each for each in sys.meta_path if type(each).__module__.endswith(".pristine")]
    assert finders() == []
    eventlet.monkey_patch()
    eventlet.monkey_patch()
    assert len(finders()) == 1
    eventlet.patcher.unpatch()
    assert finders() == []
    try:
        import __original_module_select
    except ModuleNotFoundError:
        pass
    else:
        raise AssertionError("it was found")
    """)
