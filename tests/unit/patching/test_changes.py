"""What `monkey_patch` changes, and that all of it can be undone."""

from __future__ import annotations

import pytest

from tests.conftest import RunIsolated

FOLLOWED = {
    "socketserver": """
        import socketserver, threading
        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
        import eventlet; eventlet.monkey_patch()
        import socket, time
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(self.rfile.readline())
        with Server(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(5,))
            thread.start()
            with socket.create_connection(server.server_address) as sock:
                sock.sendall(b"answer\\n")
                print(sock.makefile().readline().strip())
            server.shutdown()
            thread.join()
    """,
    "sched": """
        import sched
        import eventlet; eventlet.monkey_patch()
        import time
        done = []
        plan = sched.scheduler()
        plan.enter(0.05, 1, done.append, ("later",))
        eventlet.spawn(done.append, "meanwhile")
        plan.run()
        assert done == ["meanwhile", "later"], done
        print("answer")
    """,
    "multiprocessing.managers": """
        import multiprocessing.managers
        import eventlet; eventlet.monkey_patch()
        import threading
        with multiprocessing.Manager() as manager:
            shared = manager.dict()
            def work(number):
                for turn in range(20):
                    shared[number] = turn
                    assert shared[number] == turn
            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert dict(shared) == dict.fromkeys(range(8), 19)
        print("answer")
    """,
}


def test_each_switch_undone_leaves_everything_as_it_was(run_isolated: RunIsolated) -> None:
    assert run_isolated("patched_cycle.py").stdout == "passed\n"


@pytest.mark.parametrize("module", FOLLOWED)
def test_modules_loaded_before_follow(module: str, run_isolated: RunIsolated) -> None:
    assert run_isolated(FOLLOWED[module], flags=()).stdout == "answer\n"


def test_what_the_old_library_deleted_is_removed_on_request_only(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        import select, selectors
        from eventlet import patcher
        names = {"poll", "epoll", "PollSelector", "EpollSelector"}
        def there():
            return sorted(names & {*dir(select), *dir(selectors)})
        patcher.monkey_patch(time=True, remove_unpatchable=True)
        assert len(there()) == 4, "select is not patched"
        patcher.monkey_patch()
        assert len(there()) == 4
        patcher.monkey_patch(remove_unpatchable=True)
        assert there() == []
        import asyncio, socket, subprocess, threading, time
        assert subprocess.run(["echo", "x"], capture_output=True, timeout=50).stdout == b"x\\n"
        a, b = socket.socketpair()
        a.send(b"x")
        with selectors.DefaultSelector() as selector:
            selector.register(b, selectors.EVENT_READ)
            assert len(selector.select(1)) == 1
        assert select.select([b], [], [], 1)[0] == [b]
        asyncio.run(asyncio.sleep(0.001))
        patcher.unpatch()
        assert len(there()) == 4
        print("passed")
        """
    )

    assert done.stdout == "passed\n"
