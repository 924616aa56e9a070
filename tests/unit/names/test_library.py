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


def test_want_of_descriptors_is_no_reason_to_do_without_for_ever(run_isolated: RunIsolated) -> None:
    run_isolated("""
        import resource
        import eventlet
        from eventlet._names.library import LIBRARY
        from eventlet._resolver import NoGreenNames
        eventlet.sleep(0)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            LIBRARY.load()
        except NoGreenNames as exc:
            assert isinstance(exc.__cause__, OSError), exc.__cause__
        else:
            raise AssertionError("it was loaded without a descriptor")
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert LIBRARY.load().name.root.to_text() == "."
    """)
