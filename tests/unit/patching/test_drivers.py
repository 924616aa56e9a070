"""The switches `psycopg` and `MySQLdb` of `monkey_patch`, without a server.

With servers: `tests/unit/support/test_psycopg2_patcher.py` and `tests/libraries`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import RunIsolated

needs_psycopg2 = pytest.mark.skipif(
    find_spec("psycopg2") is None, reason="psycopg2 is not installed"
)

CHANGED = """
    import eventlet.green.select, eventlet.green.selectors
    from psycopg import waiting
    assert waiting.wait in (getattr(waiting, "wait_poll", None), waiting.wait_selector)
    assert waiting.wait is not getattr(waiting, "wait_c", None)
    assert waiting.select is eventlet.green.select
    assert waiting.DefaultSelector is eventlet.green.selectors.DefaultSelector
"""


@pytest.mark.parametrize("order", ["import psycopg\n    {}", "{}\n    import psycopg"])
def test_psycopg3_waits_in_python(run_isolated: RunIsolated, order: str) -> None:
    patch = "eventlet.monkey_patch(psycopg=True)"
    run_isolated(f"""
    import eventlet
    {order.format(patch)}
    {CHANGED}
    from eventlet import patcher
    assert patcher.already_patched == {{"psycopg": True}}
    """)


@needs_psycopg2
@pytest.mark.parametrize("order", ["import psycopg2\n    {}", "{}\n    import psycopg2"])
def test_psycopg2_calls_back(run_isolated: RunIsolated, order: str) -> None:
    run_isolated(f"""
    import eventlet
    {order.format("eventlet.monkey_patch()")}
    from eventlet.support.psycopg2_patcher import eventlet_wait_callback
    assert psycopg2.extensions.get_wait_callback() is eventlet_wait_callback
    assert psycopg2.extensions.__spec__.loader is psycopg2.extensions.__loader__
    assert type(psycopg2.extensions.__loader__).__name__ == "SourceFileLoader"
    """)


def test_patching_does_not_import_the_drivers(run_isolated: RunIsolated) -> None:
    run_isolated("""
    import sys
    import eventlet
    eventlet.monkey_patch()
    assert not {"psycopg", "psycopg2", "MySQLdb"} & set(sys.modules)
    """)


@needs_psycopg2
def test_the_changes_are_in_the_ledger_and_can_be_undone(run_isolated: RunIsolated) -> None:
    run_isolated("""
    import sys
    import psycopg, psycopg2.extensions
    import eventlet
    from eventlet import patcher
    from eventlet._patching.ledger import LEDGER
    waiting = psycopg.waiting
    before, finders = dict(vars(waiting)), list(sys.meta_path)
    eventlet.monkey_patch(psycopg=True)
    changed = {(change.module.__name__, change.name) for change in LEDGER.changes}
    assert changed >= {
        ("psycopg2.extensions", "wait_callback"),
        ("psycopg.waiting", "wait"),
        ("psycopg.waiting", "select"),
        ("psycopg.waiting", "DefaultSelector"),
    }, changed
    patcher.unpatch()
    assert psycopg2.extensions.get_wait_callback() is None
    assert dict(vars(waiting)) == before
    assert sys.meta_path == finders
    assert not patcher.is_monkey_patched("psycopg")
    """)


def test_drivers_that_are_missing_are_asked_for_again(
    run_isolated: RunIsolated, tmp_path: Path
) -> None:
    (tmp_path / "psycopg2.py").write_text("")
    (tmp_path / "MySQLdb").mkdir()
    for name, text in {
        "__init__": "__all__ = []\nconnect = Connect = Connection = None",
        "connections": "Connection = None",
        "cursors": "",
        "converters": "",
    }.items():
        (tmp_path / "MySQLdb" / f"{name}.py").write_text(text)
    run_isolated(
        f"""
    import sys
    for name in ("psycopg", "psycopg2", "MySQLdb"):
        sys.modules[name] = None
    import eventlet
    from eventlet import patcher
    eventlet.monkey_patch(psycopg=True, MySQLdb=True, time=True)
    assert patcher.already_patched == {{"time": True}}, patcher.already_patched
    del sys.modules["psycopg2"], sys.modules["MySQLdb"]
    sys.path.insert(0, {str(tmp_path)!r})
    eventlet.monkey_patch(psycopg=True, MySQLdb=True)
    assert set(patcher.already_patched) == {{"time", "psycopg", "MySQLdb"}}
    import MySQLdb
    from eventlet.green import MySQLdb as green
    assert MySQLdb.connect is MySQLdb.Connection is green.connect
    patcher.unpatch()
    assert MySQLdb.connect is None
    """
    )


def test_psycopg3_works_over_a_server_that_never_answers(run_isolated: RunIsolated) -> None:
    run_isolated("""
    import time
    import eventlet
    eventlet.monkey_patch()
    import psycopg
    silent = eventlet.listen(("127.0.0.1", 0))
    ticks = []
    def tick():
        while True:
            eventlet.sleep(0.01)
            ticks.append(time.monotonic())
    eventlet.spawn(tick)
    port = silent.getsockname()[1]
    try:
        psycopg.connect(host="127.0.0.1", port=port, user="u", connect_timeout=2)
    except psycopg.OperationalError as exc:
        assert "timeout" in str(exc), exc
    else:
        raise AssertionError("connected to nobody")
    assert len(ticks) > 2, ticks
    """)
