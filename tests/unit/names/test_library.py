"""The private dnspython: one copy, whoever asks for it first."""

from __future__ import annotations

from tests.conftest import RunIsolated


def test_os_threads_that_load_at_the_same_time_share_one_copy(run_isolated: RunIsolated) -> None:
    run_isolated("""
        import sys
        import threading
        import eventlet
        from eventlet._names.library import LIBRARY
        sys.setswitchinterval(1e-4)
        together = threading.Barrier(8)
        found = []
        def load():
            eventlet.sleep(0)  # makes a hub: others ask the system
            together.wait()
            found.append(LIBRARY.load_whole())
        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert LIBRARY.failure is None, LIBRARY.failure
        assert len(found) == 8
        assert len(set(map(id, found))) == 1
        assert found[0].name.from_text("a.test").to_text() == "a.test."
    """)
