"""Semantic 23: what `monkey_patch` turns on and leaves alone, and pristine copies.

Written as a program for the old library would be: through public names only.
"""

from __future__ import annotations

import pytest

from tests.conftest import RunIsolated

USUAL = {"os", "select", "socket", "thread", "time", "subprocess"}

CALLS: list[tuple[dict[str, bool], set[str]]] = [
    ({}, USUAL),
    ({"all": True}, USUAL),
    ({"all": True, "socket": False}, USUAL - {"socket"}),
    ({"all": False, "time": True}, {"time"}),
    ({"socket": True}, {"socket"}),
    ({"socket": False}, USUAL - {"socket"}),
    ({"socket": False, "select": True}, {"select"}),
    ({"builtins": True}, {"builtins"}),
    ({"__builtin__": True}, {"builtins"}),
    ({"all": True, "builtins": True}, USUAL | {"builtins"}),
]


@pytest.mark.parametrize(("keywords", "switches"), CALLS)
def test_semantic_23_keywords_choose_what_is_patched(
    keywords: dict[str, bool], switches: set[str], run_isolated: RunIsolated
) -> None:
    done = run_isolated(f"""
        import eventlet
        from eventlet import patcher
        eventlet.monkey_patch(**{keywords!r})
        print(sorted(set(patcher.already_patched) - {{"psycopg"}}))
    """)

    assert done.stdout == f"{sorted(switches)}\n"


def test_semantic_23_an_unknown_keyword_is_a_type_error_that_names_it(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated("""
        import eventlet
        try:
            eventlet.monkey_patch(sockets=True)
        except TypeError as exc:
            print("sockets" in str(exc), eventlet.patcher.already_patched)
    """)

    assert done.stdout == "True {}\n"


def test_semantic_23_calls_add_up_and_may_be_repeated(run_isolated: RunIsolated) -> None:
    done = run_isolated("""
        import socket, time
        import eventlet
        eventlet.monkey_patch(time=True)
        sleep = time.sleep
        eventlet.monkey_patch(socket=True)
        eventlet.monkey_patch(socket=True)
        print(sorted(eventlet.patcher.already_patched), time.sleep is sleep)
    """)

    assert done.stdout == "['socket', 'time'] True\n"


def test_semantic_23_is_monkey_patched_takes_categories_and_modules_so_named(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated("""
        import _thread, os, queue, select, socket, ssl, subprocess, threading, time
        import eventlet
        from eventlet.patcher import is_monkey_patched
        print(is_monkey_patched("socket"), is_monkey_patched(socket))
        eventlet.monkey_patch()
        names = ("os", "select", "socket", "thread", "time", "subprocess")
        print(all(is_monkey_patched(name) for name in names))
        modules = (os, select, socket, subprocess, time)
        print(all(is_monkey_patched(module) for module in modules))
        others = (threading, _thread, queue, ssl, "threading", "_thread", "queue", "ssl")
        print(any(is_monkey_patched(other) for other in others))
        print(is_monkey_patched("builtins"), is_monkey_patched("MySQLdb"))
    """)

    assert done.stdout.splitlines() == ["False False", "True", "True", "False", "False False"]


def test_semantic_23_builtins_are_patched_on_request_alone(run_isolated: RunIsolated) -> None:
    done = run_isolated("""
        import builtins
        before = builtins.open
        import eventlet
        from eventlet.green import builtin
        eventlet.monkey_patch(all=True, os=False)
        print(builtins.open is before)
        eventlet.monkey_patch(all=True)
        print(builtins.open is builtin.open, eventlet.patcher.is_monkey_patched("builtins"))
        eventlet.monkey_patch(builtins=True)
        print(builtins.open is builtin.open, open(__import__("os").devnull).close())
    """)

    assert done.stdout == "True\nFalse False\nTrue None\n"


def test_semantic_23_module_objects_are_changed_and_earlier_names_stay(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated("""
        import socket
        from socket import socket as early
        import eventlet
        eventlet.monkey_patch()
        print(socket.socket is early, socket.socket is eventlet.green.socket.socket)
    """)

    assert done.stdout == "False True\n"


@pytest.mark.parametrize(
    "wait",
    [
        "select.select([reader], [], [])",
        "poll_for(select.poll())",
        "poll_for(select.epoll())",
        *(
            f"select_with(selectors.{name}())"
            for name in ("DefaultSelector", "SelectSelector", "PollSelector", "EpollSelector")
        ),
    ],
)
def test_semantic_23_nothing_is_deleted_and_every_way_to_wait_cooperates(
    wait: str, run_isolated: RunIsolated
) -> None:
    done = run_isolated(f"""
        import eventlet
        eventlet.monkey_patch()
        import os, select, selectors

        def poll_for(poller):
            poller.register(reader, select.POLLIN)
            assert poller.poll(5)
            if hasattr(poller, "close"):
                poller.close()

        def select_with(selector):
            with selector:
                selector.register(reader, selectors.EVENT_READ)
                assert selector.select(5)

        reader, writer = os.pipe()
        order = []
        eventlet.spawn(lambda: (order.append("other"), os.write(writer, b"x")))
        {wait}
        order.append("waiter")
        print(order)
    """)

    assert done.stdout == "['other', 'waiter']\n"


@pytest.mark.parametrize("patch_first", [True, False])
def test_semantic_23_original_is_a_separate_pristine_copy(
    patch_first: bool, run_isolated: RunIsolated
) -> None:
    first, second = ("eventlet.monkey_patch()", "") if patch_first else ("", "monkey_patch()")
    done = run_isolated(f"""
        import sys
        import eventlet
        from eventlet.patcher import monkey_patch, original
        {first}
        copies = {{name: original(name) for name in ("time", "socket", "threading", "queue")}}
        {second}
        import queue, socket, threading, time
        print(type(copies["time"].sleep).__name__, type(time.sleep).__name__)
        print(any(copies[name] is sys.modules[name] for name in copies))
        print(all(copies[name] is original(name) for name in copies))
        print(all(copies[name] is sys.modules["__original_module_" + name] for name in copies))
        print(copies["socket"].socket is socket.socket)
        print(type(copies["threading"].Lock()), copies["queue"].threading is copies["threading"])
        idents = []
        thread = copies["threading"].Thread(target=lambda: idents.append(real_ident()))
        real_ident = original("_thread").get_ident
        thread.start()
        thread.join()
        print(idents != [real_ident()])
    """)

    assert done.stdout.splitlines() == [
        "builtin_function_or_method function",
        "False",
        "True",
        "True",
        "False",
        "<class '_thread.lock'> True",
        "True",
    ]


def test_semantic_23_the_hub_is_made_before_anything_is_patched(run_isolated: RunIsolated) -> None:
    done = run_isolated("""
        import eventlet
        get_hub = eventlet.hubs.get_hub
        eventlet.monkey_patch(time=True)
        hub = get_hub()
        eventlet.sleep(0)
        print(hub is get_hub(), hub.greenlet.parent is eventlet.getcurrent())
    """)

    assert done.stdout == "True True\n"


def test_semantic_23_patched_threads_are_green_threads(run_isolated: RunIsolated) -> None:
    done = run_isolated("""
        import eventlet
        eventlet.monkey_patch()
        import threading, time
        order = []

        def work(name):
            time.sleep(0.001 if name == "early" else 0.01)
            order.append((name, threading.current_thread().name))

        threads = [threading.Thread(target=work, args=(n,), name=n) for n in ("late", "early")]
        for thread in threads:
            thread.start()
        print([thread.is_alive() for thread in threads], order)
        for thread in threads:
            thread.join()
        print([thread.is_alive() for thread in threads], order)
        green = eventlet.spawn(lambda: threading.current_thread())
        seen = green.wait()
        print(type(seen).__name__, seen.name.startswith("GreenThread-"), seen.daemon)
        print(len(threading.enumerate()))
        eventlet.spawn_n(lambda: print(type(threading.current_thread()).__name__))
        eventlet.sleep(0)
    """)

    assert done.stdout.splitlines() == [
        "[True, True] []",
        "[False, False] [('early', 'early'), ('late', 'late')]",
        "_GreenThread True True",
        "1",
        "_MainThread",
    ]
