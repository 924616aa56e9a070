"""Who is asked: the green resolver, or the system's in OS threads; and when dnspython is loaded."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlet import _resolver
from eventlet._names.default import DEFAULT, load_default
from eventlet.convenience import connect, listen
from eventlet.green import socket as green_socket
from eventlet.greenio import GreenSocket

from tests.conftest import RunIsolated
from tests.unit.names.dns_server import DnsServer, Zone, make_names, running_server

RECORDS = {
    ("here.test", "A"): ["127.0.0.1"],
    ("1.0.0.127.in-addr.arpa", "PTR"): ["here.test."],
}
LOADED = "any(name.startswith('__patched_module_dns') for name in sys.modules)"


def test_what_is_no_name_for_a_server_loads_no_dnspython(run_isolated: RunIsolated) -> None:
    run_isolated(f"""
        import sys
        import eventlet
        from eventlet.green import socket
        assert "eventlet.support.greendns" not in sys.modules
        assert "eventlet._names.standard" not in sys.modules
        for host in ("127.0.0.1", "::1", "127.1", "0x7f.1", None):
            socket.getaddrinfo(host, 80)
        assert "eventlet._names.standard" in sys.modules
        assert not {LOADED}
        assert "dns" not in sys.modules
    """)


ASK = """
    import sys
    import eventlet
    import eventlet._resolver as resolver
    from eventlet.green import socket
    eventlet.sleep(0)
    asked = []
    def answer(*args):
        asked.append(args[0])
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]
    resolver.real_getaddrinfo = answer
    found = socket.getaddrinfo("name.invalid", 80)
    assert asked == ["name.invalid"], asked
    assert found[0][4] == ("192.0.2.1", 80)
"""


@pytest.mark.parametrize("value", ["yes", "YES", "1", "true"])
def test_the_system_is_asked_when_the_user_says_so(value: str, run_isolated: RunIsolated) -> None:
    run_isolated(ASK, env={"EVENTLET_NO_GREENDNS": value})


@pytest.mark.parametrize(
    ("code", "is_logged"),
    [
        ("raise ModuleNotFoundError('no dns', name='dns')", False),
        ("raise RuntimeError('a stranger')", True),
        ("this is no Python", True),
        ("", False),
    ],
    ids=["missing", "raises", "broken", "something else"],
)
def test_the_system_is_asked_without_a_dnspython(
    code: str, is_logged: bool, tmp_path: Path, run_isolated: RunIsolated
) -> None:
    (tmp_path / "dns.py").write_text(code)
    script = tmp_path / "script.py"
    lines = [line.removeprefix("    ") for line in ASK.splitlines()]
    script.write_text("\n".join(lines))  # its folder comes first on the path

    logged = run_isolated(script).stderr

    assert ("dnspython cannot be used" in logged) is is_logged


def test_greendns_itself_imports_without_a_dnspython(
    tmp_path: Path, run_isolated: RunIsolated
) -> None:
    (tmp_path / "dns.py").write_text("raise ModuleNotFoundError('no dns', name='dns')")
    script = tmp_path / "script.py"
    script.write_text(
        "from eventlet.support import greendns\n"
        "assert greendns.gethostbyname('127.0.0.1') == '127.0.0.1'\n"
        "assert not hasattr(greendns, 'dns')\n"
    )

    run_isolated(script)


def test_an_os_thread_without_green_threads_asks_the_system_itself(
    run_isolated: RunIsolated,
) -> None:
    run_isolated("""
        import threading
        import eventlet
        import eventlet._resolver as resolver
        from eventlet._core.current import existing_hub
        from eventlet.green import socket
        hubs = []
        def ask():
            socket.getaddrinfo("localhost", 80)
            hubs.append(existing_hub())
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert hubs == [None], hubs
        assert resolver._pool.threads == 0
    """)


def test_trap20_names_have_os_threads_of_their_own(run_isolated: RunIsolated) -> None:
    run_isolated(
        """
        import threading
        import eventlet
        import eventlet._resolver as resolver
        from eventlet import tpool
        from eventlet.green import socket
        gate = threading.Event()
        asked = []
        def answer(*args):
            asked.append(args[0])
            gate.wait(10)
            return [(2, 1, 6, "", ("192.0.2.1", 80))]
        resolver.real_getaddrinfo = answer
        pool = eventlet.GreenPool()
        waiting = [pool.spawn(socket.getaddrinfo, f"n{number}.invalid", 80) for number in range(40)]
        eventlet.sleep(0.1)
        assert len(asked) == resolver.RESOLVER_THREADS, asked
        assert tpool.execute(lambda: 7) == 7
        gate.set()
        assert len({thread.wait()[0][4] for thread in waiting}) == 1
        assert len(asked) == 40
        """,
        env={"EVENTLET_NO_GREENDNS": "yes"},
    )


# -- who uses it -----------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DnsServer]:
    """Have a server of ours asked for every name in this process."""
    monkeypatch.delenv("EVENTLET_NO_GREENDNS", raising=False)
    with running_server(Zone(RECORDS)) as running:
        monkeypatch.setattr(DEFAULT, "names", make_names(tmp_path, running.port))
        before = _resolver.plug_in(load_default)
        yield running
        _resolver.plug_in(before)


def test_the_green_socket_module_asks_the_server(server: DnsServer) -> None:
    host: tuple[str, list[str], list[str]] = ("here.test", [], ["127.0.0.1"])
    found = green_socket.getaddrinfo("here.test", 80, 0, socket.SOCK_STREAM)

    assert found == [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    assert green_socket.gethostbyname("here.test") == "127.0.0.1"
    assert green_socket.gethostbyname_ex("here.test") == host
    assert green_socket.gethostbyaddr("127.0.0.1") == host
    assert green_socket.getfqdn("127.0.0.1") == "here.test"
    assert green_socket.getnameinfo(("127.0.0.1", 9), socket.NI_NUMERICSERV) == ("here.test", "9")


def test_green_sockets_ask_the_server(server: DnsServer) -> None:
    with listen(("here.test", 0)) as listener:
        port = listener.getsockname()[1]
        for make in (connect, green_socket.create_connection):
            with make(("here.test", port)) as client:
                assert client.getpeername() == ("127.0.0.1", port)
    with GreenSocket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("here.test", 0))
        sock.sendto(b"data", ("here.test", sock.getsockname()[1]))
        assert sock.recv(10) == b"data"
    assert set(server.asked) == {("A", "here.test"), ("AAAA", "here.test")}
