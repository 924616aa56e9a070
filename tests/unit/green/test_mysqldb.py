"""`eventlet.green.MySQLdb` over a driver that waits in its OS thread.

The real driver and a real server are asked in `tests/libraries`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RunIsolated

DRIVER = {
    "__init__.py": '''
        import threading, time
        __all__ = ["connect", "Connect", "Connection", "Error", "connections", "cursors"]
        class Error(Exception): pass
        def Connect(*args, **kwargs):
            from MySQLdb.connections import Connection
            return Connection(*args, **kwargs)
        connect = Connection = Connect
        ''',
    "connections.py": '''
        import _thread
        from MySQLdb.cursors import Cursor, wait_for_others
        get_ident = _thread.get_ident
        class Connection:
            def __init__(self, host):
                wait_for_others()
                self.host, self.made_in = host, get_ident()
            def __enter__(self): return self
            def __exit__(self, *exc_info): self.close()
            def cursor(self): return Cursor()
            def close(self): self.host = None
        ''',
    "cursors.py": '''
        import _thread, sys, time
        sleep, get_ident = time.sleep, _thread.get_ident
        def wait_for_others():
            main = sys.modules["__main__"]
            enough = main.ticks + 5
            while main.ticks < enough:
                sleep(0.001)
        class Cursor:
            def execute(self, statement):
                wait_for_others()
                self.ran_in = get_ident()
                return statement.upper()
        ''',
    "converters.py": "conversions = {}\n",
}  # fmt: skip

START = """
    import _thread, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    import eventlet
"""


@pytest.fixture
def driver(tmp_path: Path) -> str:
    """Write a package `MySQLdb` and return the folder it is in."""
    import textwrap

    (tmp_path / "MySQLdb").mkdir()
    for name, text in DRIVER.items():
        (tmp_path / "MySQLdb" / name).write_text(textwrap.dedent(text))
    return str(tmp_path)


def test_calls_are_made_in_os_threads_and_others_run(
    run_isolated: RunIsolated, driver: str
) -> None:
    run_isolated(
        START
        + """
    from eventlet.green import MySQLdb

    ticks = 0
    def tick():
        global ticks
        while True:
            eventlet.sleep(0.005)
            ticks += 1
    eventlet.spawn(tick)
    me = _thread.get_ident()
    conn = MySQLdb.connect("here")
    assert (conn.host, conn.made_in != me) == ("here", True)
    cursor = conn.cursor()
    assert cursor.execute("select") == "SELECT"
    assert cursor.ran_in != me
    with MySQLdb.connections.Connection("there") as conn:
        assert conn.host == "there"
    assert conn.host is None
    """,
        driver,
    )


def test_names_and_errors_are_the_drivers(run_isolated: RunIsolated, driver: str) -> None:
    run_isolated(
        START
        + """
    import MySQLdb as plain
    from eventlet.green import MySQLdb
    assert MySQLdb.Error is plain.Error
    assert MySQLdb.connect is MySQLdb.Connect is MySQLdb.Connection is not plain.connect
    assert MySQLdb.cursors.Cursor is plain.cursors.Cursor
    assert MySQLdb.converters.conversions is not None
    assert MySQLdb.connections.Connection is MySQLdb.Connection
    assert plain.connections.Connection is not MySQLdb.Connection
    assert set(MySQLdb.__patched__) == {"connect", "Connect", "Connection"}
    """,
        driver,
    )
