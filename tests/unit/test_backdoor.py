"""Consoles over real sockets: what clients see, and what the program must not notice."""

from __future__ import annotations

import builtins
import errno
import io
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet import backdoor as backdoor_module
from eventlet._console_globals import _put_away
from eventlet._core.current import get_hub
from eventlet.backdoor import FileProxy, SocketConsole, backdoor, backdoor_server
from eventlet.convenience import listen
from eventlet.event import Event
from eventlet.greenthread import GreenThread, kill, sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.backdoor_client import MORE, PROMPT, Client

LOCAL = ("127.0.0.1", 0)
HAS_IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")
IAC = b"\xff"
IP = b"\xff\xf4"
Start = Callable[..., Any]
Names = dict[str, Any]


def consoles() -> list[SocketConsole]:
    threads = list(get_hub().threads)
    return [each for each in threads if isinstance(each, SocketConsole) and not each.dead]


def wait_until(holds: Callable[[], object]) -> None:
    with Timeout(60, AssertionError("it never came true")):
        while not holds():
            sleep(0.001)


def process_names() -> list[object]:
    names = ("stdin", "stdout", "stderr", "displayhook", "excepthook", "ps1", "ps2")
    return [*(getattr(sys, name, None) for name in names), getattr(builtins, "_", None)]


@pytest.fixture(autouse=True)
def clean_process() -> Iterator[None]:
    before = process_names()
    yield
    wait_until(lambda: not consoles())
    assert process_names() == before
    assert _put_away not in get_hub().around_parks


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a server: `start(locals, sock)` returns the address it listens on."""
    servers: list[GreenThread] = []

    def run(locals: Names | None = None, sock: Any = None) -> Any:
        sock = listen(LOCAL) if sock is None else sock
        address = sock.getsockname()
        servers.append(spawn(backdoor_server, sock, locals))
        return address

    yield run
    for server in servers:
        server.kill()


@pytest.fixture
def client(start: Start) -> Iterator[Client]:
    with Client(start()) as connected:
        yield connected


# -- what a console does ------------------------------------------------------------------


def test_the_banner_is_the_standard_one(client: Client) -> None:
    assert client.banner.startswith(f"Python {sys.version} on {sys.platform}\n")
    assert client.banner.endswith(f"\n(InteractiveConsole)\n{PROMPT}")


@pytest.mark.parametrize(
    "line, answer",
    [
        ("1 + 1", "2\n"),
        ("print('a', 'b')", "a b\n"),
        ("None", ""),
        ("'é'", "'é'\n"),
        ("print('\\ud800')", "\\ud800\n"),
        ("__name__", "'__console__'\n"),
        ("import sys; print('no', file=sys.stderr)", "no\n"),
        ("5\r", "5\n"),
        (b"'\xe9'", "'\ufffd'\n"),
    ],
)
def test_a_line_is_run_and_answered(client: Client, line: str | bytes, answer: str) -> None:
    assert client.ask(line) == answer


def test_the_last_value_has_its_name(client: Client) -> None:
    client.ask("40 + 2")

    assert client.ask("_") == "42\n"


def test_a_statement_of_several_lines(client: Client) -> None:
    assert client.ask("for n in range(3):", MORE) == ""
    assert client.ask("    print(n)", MORE) == ""
    assert client.ask("") == "0\n1\n2\n"


def test_errors_are_shown_to_the_client_only(
    client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: hooked.append(args))
    last = getattr(sys, "last_value", None)

    shown = client.ask("1 / 0")
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith("\nZeroDivisionError: division by zero\n")
    assert "SyntaxError" in client.ask("1 +* 1")
    client.ask("import sys")
    assert client.ask("type(sys.last_value)") == "<class 'SyntaxError'>\n"

    assert getattr(sys, "last_value", None) is last
    assert capsys.readouterr().err == ""
    assert hooked == []


@pytest.mark.parametrize("exception", ["KeyboardInterrupt", "TimeoutError", "BaseException"])
def test_an_exception_leaves_the_console_open(client: Client, exception: str) -> None:
    assert client.ask(f"raise {exception}").endswith(f"{exception}\n")
    assert client.ask("1") == "1\n"


@pytest.mark.parametrize(
    "last", ["exit()\n", "quit()\n", "raise SystemExit\n", "import sys; sys.exit(3)\n", "\x04"]
)
def test_leaving_ends_this_console_only(start: Start, last: str) -> None:
    address = start()
    with Client(address) as one, Client(address) as other:
        one.say(last)

        one.rest()
        assert other.ask("1") == "1\n"


def test_code_reads_from_the_client(client: Client) -> None:
    assert client.ask("input('name? ')", "name? ") == ""
    assert client.ask("Zoë") == "'Zoë'\n"
    assert client.ask("import sys; sys.stdin.readline(2), sys.stdin.readline()\nabc") == (
        "('ab', 'c\\n')\n"
    )
    client.say("sys.stdin.read(), sys.stdin.read(5)\none\ntwo\n\x04three\n")
    assert client.hear(PROMPT * 2) == f"('one\\ntwo\\n', 'three')\n{PROMPT * 2}"


def test_the_end_of_input_reaches_code_that_reads(client: Client) -> None:
    client.say("input()\n\x04")

    assert client.hear().endswith("EOFError: EOF when reading a line\n" + PROMPT)


def test_help_is_for_the_client(client: Client) -> None:
    assert client.ask("help(len)").startswith("Help on built-in function len")
    assert "Welcome to Python" in client.ask("help()", "help> ")
    assert client.ask("quit").startswith("\nYou are now leaving help")


@pytest.mark.parametrize("stop", ["import pdb; pdb.set_trace()", "breakpoint()"])
def test_code_is_debugged_by_the_client(run_isolated: Any, stop: str) -> None:
    run_isolated(f"""
        import sys
        import eventlet
        from eventlet.backdoor import backdoor_server
        from tests.unit.backdoor_client import MORE, PDB, Client

        listener = eventlet.listen(("127.0.0.1", 0))
        address = listener.getsockname()
        server = eventlet.spawn(backdoor_server, listener)
        seen = []

        def look():
            while True:
                seen.append(sys.gettrace())
                eventlet.sleep(0.001)

        looker = eventlet.spawn(look)
        with Client(address) as client:
            for line in ("def f():", " a = 1", " {stop}", " import eventlet as e"):
                client.ask(line, MORE)
            for line in (" e.sleep(0.005)", " b = a + 1", " return b"):
                client.ask(line, MORE)
            client.ask("")
            client.ask("f()", PDB)
            client.ask("n", PDB)
            client.ask("n", PDB)
            client.ask("n", PDB)
            client.ask("n", PDB)
            assert client.ask("p a + b", PDB) == "3\\n"
            assert client.ask("c") == "2\\n"
            assert client.ask("1") == "1\\n"
        looker.kill()
        server.kill()
        assert len(seen) > 3
        assert set(seen) == {{None}}, seen
        assert sys.gettrace() is None
    """)


# -- several at once ----------------------------------------------------------------------


def test_ten_clients_at_once_have_namespaces_of_their_own(start: Start) -> None:
    address = start()

    def work(n: int) -> list[str]:
        with Client(address) as client:
            client.ask(f"import eventlet.greenthread as g; mine = {n}")
            said = [client.ask(f"g.sleep(0.002); print(mine, {k})") for k in range(5)]
            return [*said, client.ask("mine * 2"), client.ask("_")]

    workers = [spawn(work, n) for n in range(10)]

    for n, worker in enumerate(workers):
        printed = [f"{n} {k}\n" for k in range(5)]
        assert worker.wait() == [*printed, f"{n * 2}\n", f"{n * 2}\n"]


def test_a_given_namespace_is_shared_and_live(start: Start) -> None:
    names: Names = {"limit": 1}
    address = start(names)
    with Client(address) as one, Client(address) as other:
        assert one.ask("limit") == "1\n"
        one.ask("limit = 5")
        assert other.ask("limit") == "5\n"

    assert names["limit"] == 5


def test_a_console_looks_into_the_live_program(start: Start) -> None:
    stop = Event()
    worker = spawn(stop.wait)
    sleep(0)
    with Client(start({"worker": worker, "stop": stop})) as client:
        client.ask("from eventlet.hubs import get_hub")
        assert client.ask("worker in get_hub().threads") == "True\n"
        client.ask("stop.send('from the console')")

    assert worker.wait() == "from the console"


def test_the_streams_are_the_consoles_only_while_it_runs(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    names: Names = {"sleep": sleep, "spawn": spawn}
    address = start(names)
    outside = process_names()
    seen: list[list[object]] = []

    def look() -> None:
        while True:
            print("program")
            seen.append(process_names())
            sleep(0.001)

    def chat(n: int) -> str:
        with Client(address) as client:
            client.say(f"for n in range(5): print({n}); sleep(0.003)\n\n")
            return client.hear().replace(MORE, "")

    looker = spawn(look)
    chats = [spawn(chat, n) for n in range(3)]
    heard = [chat.wait() for chat in chats]
    looker.kill()

    assert heard == [f"{n}\n" * 5 + PROMPT for n in range(3)]
    assert len(seen) > 5
    assert all(names == outside for names in seen)
    said = [line for line in capsys.readouterr().out.splitlines() if "backdoor" not in line]
    assert said == ["program"] * len(seen)


def test_what_a_console_starts_prints_where_the_program_prints(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    client.ask("from eventlet.greenthread import spawn, sleep; import sys; out = sys.stdout")
    assert client.ask("t = spawn(print, 'program'); t.wait()") == ""
    assert client.ask("t = spawn(print, 'client', file=out); t.wait()") == "client\n"

    assert "program\n" in capsys.readouterr().out


def test_assignments_to_the_names_of_a_console_stay_in_it(start: Start) -> None:
    address = start()
    with Client(address) as one, Client(address) as other:
        one.say("import sys; sys.ps1 = 'one> '; sys.displayhook = lambda v: print('<', v, '>')\n")
        one.hear("one> ")
        assert one.ask("1", "one> ") == "< 1 >\n"
        assert other.ask("1") == "1\n"
        assert one.ask("del sys.ps2", "one> ") == ""
        assert one.ask("sys.ps1", "one> ") == "< one>  >\n"


# -- clients that go, stay silent or interrupt -------------------------------------------


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize(
    "doing", ["nothing", "half a line", "half a statement", "big output", "sleeping"]
)
def test_a_client_that_goes_leaves_the_others(start: Start, end: str, doing: str) -> None:
    said = {
        "nothing": "",
        "half a line": "harm = ",
        "half a statement": "def f():\n",
        "big output": "print('x' * 20_000_000)\n",
        "sleeping": "import eventlet.greenthread as g; g.sleep(0.02)\n",
    }
    names: Names = {}
    address = start(names)
    with Client(address) as other:
        leaver = Client(address)
        leaver.say(said[doing])
        sleep(0.005)
        getattr(leaver, end)()

        wait_until(lambda: len(consoles()) == 1)
        assert other.ask("1") == "1\n"
        with Client(address) as newcomer:
            assert newcomer.ask("'harm' in globals()") == "False\n"


@pytest.mark.parametrize("end", ["close", "reset"])
def test_clients_that_go_at_once(start: Start, end: str) -> None:
    address = start()
    for _ in range(5):
        getattr(Client(address, greet=False), end)()

    with Client(address) as client:
        assert client.ask("1") == "1\n"


def test_a_broken_connection_ends_code_that_waits(start: Start) -> None:
    names: Names = {"sleep": sleep, "begun": Event(), "ended": Event()}
    client = Client(start(names))
    client.say("try: begun.send(); sleep(600)\nfinally: ended.send('cleaned up')\n\n")
    names["begun"].wait()

    client.reset()

    with Timeout(60):
        assert names["ended"].wait() == "cleaned up"


def test_half_a_connection_still_gets_its_answers(start: Start) -> None:
    with Client(start(), greet=False) as client:
        client.say("from eventlet.greenthread import sleep\nsleep(0.005); print('done')\n1")
        client.sock.shutdown(socket.SHUT_WR)

        assert client.rest().endswith(
            f"{PROMPT}{PROMPT}done\n{PROMPT}\nnow exiting InteractiveConsole...\n"
        )


def test_a_client_that_does_not_read_parks_its_console_only(start: Start) -> None:
    names: Names = {"state": []}
    address = start(names)
    with Client(address) as silent, Client(address) as other:
        silent.say("state.append('begun'); print('x' * 20_000_000); state.append('done')\n")
        wait_until(lambda: names["state"] == ["begun"])
        for n in range(5):
            assert other.ask(str(n)) == f"{n}\n"
        assert names["state"] == ["begun"]

        assert silent.hear() == "x" * 20_000_000 + "\n" + PROMPT
        assert names["state"] == ["begun", "done"]


@pytest.mark.parametrize("interrupt", [IP, b"\x03", b"\xff\xf3"])
def test_an_interrupt_stops_code_that_waits(client: Client, interrupt: bytes) -> None:
    client.ask("from eventlet.greenthread import sleep")
    client.say("sleep(60)\n")
    sleep(0.005)

    client.say(interrupt)

    assert client.hear().splitlines()[-2:] == ["KeyboardInterrupt", PROMPT]


def test_an_interrupt_drops_what_was_typed(client: Client) -> None:
    client.ask("def f():", MORE)
    client.say(b"print('never')\n" + IP + b"")

    assert client.hear().splitlines()[-2:] == ["KeyboardInterrupt", PROMPT]
    assert client.ask("1").splitlines()[-1] == "1"


def test_an_interrupt_with_urgent_data_as_telnet_sends_it(client: Client) -> None:
    client.say("from eventlet.greenthread import sleep; sleep(60)\n")
    sleep(0.005)

    client.say(IP)
    client.sock.send(b"\xff\xf2", socket.MSG_OOB)  # data mark
    client.say(b"\xff\xfd\x06")  # do timing mark

    heard = bytearray()
    with Timeout(60):
        while b"\xff\xfb\x06" not in heard or PROMPT.encode() not in heard:
            heard += client.sock.recv(1000)
    assert heard.count(b"\r\nKeyboardInterrupt\r\n") == 1
    assert client.ask("1") == "1\r\n"


def test_negotiation_is_answered_and_is_no_input(client: Client) -> None:
    client.say(b"1 \xff\xfb\x1f+ \xff\xfd\x01\xff\xfa\x18\x00vt100\xff\xf01\r\n")
    heard = bytearray()
    with Timeout(60):
        while not heard.endswith(PROMPT.encode()):
            heard += client.sock.recv(100)

    assert heard == b"\xff\xfe\x1f\xff\xfc\x012\r\n>>> "


def test_typing_ahead_is_bounded_and_nothing_is_lost(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backdoor_module, "_LINES_AHEAD", 3)
    client.say("".join(f"print({n})\n" for n in range(1000)))

    expected = "".join(f"{n}\n{PROMPT}" for n in range(1000))
    assert client.hear(f"999\n{PROMPT}") == expected


# -- being killed ---------------------------------------------------------------------------


@pytest.mark.parametrize("doing", ["", "sleep(60)\n", "print('x' * 20_000_000)\n", "input()\n"])
def test_a_killed_console_hangs_up(start: Start, doing: str) -> None:
    with Client(start({"sleep": sleep})) as client:
        client.say(doing)
        sleep(0.01)

        kill(consoles()[0])

        assert consoles() == []
        assert process_names()[1] is sys.stdout
        client.rest()


def test_a_console_killed_before_it_begins_hangs_up(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    with listen(LOCAL) as listener, Client(listener.getsockname(), greet=False) as client:
        backdoor(listener.accept())
        kill(consoles()[0])

        assert client.rest() == ""
    assert "backdoor closed" in capsys.readouterr().out


def test_a_timeout_thrown_in_is_shown(start: Start) -> None:
    with Client(start({"sleep": sleep})) as client:
        client.say("print('begun'); sleep(600)\n")
        client.hear("begun\n")
        kill(consoles()[0], ValueError("from outside"))

        assert client.hear().endswith("ValueError: from outside\n" + PROMPT)


# -- the server -------------------------------------------------------------------------------


def test_lines_for_the_operator(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    host, port = start()
    with Client((host, port)) as client:
        mine = client.sock.getsockname()[1]
    wait_until(lambda: not consoles())

    assert capsys.readouterr().out.splitlines() == [
        f"backdoor server listening on {host}:{port}",
        f"backdoor to {host}:{mine}",
        f"backdoor closed to {host}:{mine}",
    ]


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_over_ipv6(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    address = start(sock=listen(("::1", 0), socket.AF_INET6))
    with Client(address, socket.AF_INET6) as client:
        assert client.ask("1") == "1\n"

    assert f"listening on ::1:{address[1]}\n" in capsys.readouterr().out


def test_over_a_unix_socket(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "console")
    start(sock=listen(path, socket.AF_UNIX))
    with Client(path, socket.AF_UNIX) as client:
        assert client.ask("1") == "1\n"
    wait_until(lambda: not consoles())

    assert capsys.readouterr().out.splitlines() == [
        f"backdoor server listening on {path}",
        "backdoor opened",
        "backdoor closed",
    ]


def test_an_ordinary_listener_will_do(start: Start) -> None:
    plain = socket.create_server(LOCAL)
    with Client(start(sock=plain)) as client:
        assert client.ask("1") == "1\n"


def test_the_default_timeout_of_sockets_is_not_for_typing(start: Start) -> None:
    address = start()
    socket.setdefaulttimeout(0.005)
    try:
        client = Client(address, greet=False)
    finally:
        socket.setdefaulttimeout(None)
    with client:
        client.sock.settimeout(None)
        client.hear()
        sleep(0.02)
        assert client.ask("1") == "1\n"


def test_a_killed_server_closes_its_listener_and_no_console() -> None:
    listener = listen(LOCAL)
    server = spawn(backdoor_server, listener)
    with Client(listener.getsockname()) as client:
        server.kill()

        assert listener.fileno() == -1
        with pytest.raises(GreenletExit):
            server.wait()
        assert client.ask("1") == "1\n"


class FailingListener:
    """A listener whose `accept` fails in the ways it is told."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.closed = False

    def getsockname(self) -> tuple[str, int]:
        return ("192.0.2.1", 23)

    def accept(self) -> Any:
        raise self.errors.pop(0)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ECONNABORTED])
def test_a_client_gone_before_it_was_accepted_is_no_error(number: int) -> None:
    listener = FailingListener(OSError(number, "gone"), OSError(errno.EMFILE, "full"))

    with pytest.raises(OSError, match="full"):
        backdoor_server(listener)
    assert listener.errors == []
    assert listener.closed


def test_an_operator_that_does_not_listen_is_no_error(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "nobody reads")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Deaf())
        with Client(start()) as client:
            assert client.ask("print(1)") == "1\n"
        wait_until(lambda: not consoles())


def test_backdoor_serves_one_connection_and_does_not_wait(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with listen(LOCAL) as listener, Client(listener.getsockname(), greet=False) as client:
        backdoor(listener.accept(), {"answer": 42})
        client.hear()

        assert client.ask("answer") == "42\n"


# -- the private parts that old programs know -------------------------------------------------


class Script:
    """A text file that is read from one list and written to another."""

    def __init__(self, *lines: str) -> None:
        self.lines = [*lines, ""]
        self.written = ""
        self.closed = False

    def readline(self, size: int = -1) -> str:
        sleep(0)
        return self.lines.pop(0)

    def write(self, text: str) -> None:
        self.written += text

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_a_console_over_any_text_file_runs_when_it_is_switched_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = Script("1 + 1\r\n", "mine\n")
    console = SocketConsole(script, ("somewhere", 7), {"mine": "yours"})

    get_hub().call_soon(console.switch)
    wait_until(lambda: console.dead)

    assert script.written.endswith(">>> 2\n>>> 'yours'\n>>> \nnow exiting InteractiveConsole...\n")
    assert script.closed
    assert capsys.readouterr().out == "backdoor closed to somewhere:7\n"


def test_a_file_proxy_reads_lines_and_writes_at_once() -> None:
    file = io.StringIO("a\r\nb\n")
    proxy = FileProxy(file)

    assert [proxy.readline(), proxy.read()] == ["a\n", "b\n"]
    assert proxy.write("text") == 4
    proxy.close()
    assert file.getvalue().endswith("text")
    assert not proxy.isatty()
    assert proxy.getvalue() == file.getvalue()
    assert (proxy.readable(), proxy.writable(), proxy.encoding) == (True, True, "utf-8")


def test_only_text_can_be_printed(client: Client) -> None:
    client.ask("import sys")

    assert client.ask("sys.stdout.write(b'x')").endswith(
        "TypeError: a console prints str, not bytes\n"
    )
    assert client.ask("sys.stdout.fileno() > 2") == "True\n"


def test_several_green_threads_read_one_console(client: Client) -> None:
    client.ask(
        "import sys; from eventlet.greenthread import spawn, sleep; read = sys.stdin.readline"
    )
    client.ask("a, b = spawn(read), spawn(read); sleep(0); a.kill()")
    client.say("for b\n")

    assert client.ask("b.wait()") == "'for b\\n'\n"


def test_an_asyncio_loop_in_a_console_keeps_its_marks_and_hides_its_streams(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[object] = []
    with Client(start({"look": lambda: seen.append(sys.stdout)})) as client:
        client.ask("import asyncio; from eventlet.asyncio import run")
        client.ask("from eventlet.greenthread import sleep, spawn")
        client.ask("async def main():", MORE)
        client.ask("    spawn(look); sleep(0.001); await asyncio.sleep(0.001)", MORE)
        client.ask("    print('loop'); return asyncio.current_task() is not None", MORE)
        client.ask("")

        assert client.ask("run(main())") == "loop\nTrue\n"

    assert seen == [sys.stdout]
    assert "loop" not in capsys.readouterr().out
