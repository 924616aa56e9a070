"""`python -m eventlet serve`: what it says, how it listens, how it ends."""

from __future__ import annotations

import os
import platform
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from eventlet import websocket

from tests.unit.serve.served import (
    APP,
    PATIENCE,
    Served,
    command,
    connect,
    environment,
    fetch,
    run_serve,
    wait_until,
    write,
)

pytestmark = pytest.mark.slow  # each starts processes

MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
SLOW = """\
    import os, time
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"begun ")
        time.sleep(float(environ["PATH_INFO"][1:]))
        return [b"done"]
"""


def test_it_says_what_listens_where_with_how_many_workers(tmp_path: Path) -> None:
    with Served(tmp_path, "--bind=127.0.0.1:0", "--bind=127.0.0.1:0", "--workers=2") as served:
        first, second = (int(url.rpartition(":")[2]) for url in served.urls)
        workers = served.pids
        pids = {fetch(("127.0.0.1", port)) for port in (first, second)}
        assert served.end() == 0
        said = served.said
        assert served.printed.count("\n") == 2

    python = re.escape(platform.python_version())
    lines = rf"""{MOMENT} \[\d+\] eventlet \d\S*, Python {python}, serves site_app:app with 2 workers, patched
  listening on http://127.0.0.1:{first}
  listening on http://127.0.0.1:{second}
  access log: standard output
{MOMENT} \[\d+\] serving with 2 workers: \d+, \d+
{MOMENT} \[\d+\] SIGTERM: ending; once more ends it at once
"""
    assert re.fullmatch(lines, said)
    assert pids <= {str(pid) for pid in workers}


def test_an_ipv6_address_and_a_name(tmp_path: Path) -> None:
    with Served(tmp_path, "--bind=[::1]:0", "--bind=localhost:0") as served:
        assert re.fullmatch(r"http://\[::1\]:\d+", served.urls[0])
        assert fetch(("::1", served.port)) == str(served.pids[0])
        assert len(served.urls) == 2


def test_a_unix_socket_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))

    with Served(tmp_path, f"--bind=unix:{path}") as served:
        assert served.urls == [f"http on unix:{path}"]
        assert fetch(str(path)) == str(served.pids[0])
        again = run_serve(tmp_path, "site_app:app", f"--bind=unix:{path}")
        assert served.end() == 0

    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "Address already in use; stop what listens there" in again.stderr
    assert not path.exists()


def test_the_unix_socket_of_somebody_who_is_busy_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "busy.sock")
    with (
        socket.socket(socket.AF_UNIX) as busy,
        socket.socket(socket.AF_UNIX) as first,
        socket.socket(socket.AF_UNIX) as second,
    ):
        busy.bind(path)
        busy.listen(0)
        first.connect(path)
        second.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody else can even be made to wait
            second.connect(path)

        done = run_serve(tmp_path, "good:app", f"--bind=unix:{path}")

    assert "Address already in use; stop what listens there" in done.stderr
    assert os.path.exists(path)


def test_a_unix_socket_that_somebody_else_has_put_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with (
        Served(tmp_path, f"--bind=unix:{path}") as served,
        socket.socket(socket.AF_UNIX) as successor,
    ):
        path.unlink()
        successor.bind(str(path))
        assert served.end() == 0

    assert path.exists()


def test_the_permissions_of_a_unix_socket(tmp_path: Path) -> None:
    with Served(tmp_path, "--bind=unix:app.sock", "--socket-mode=620") as served:
        assert (tmp_path / "app.sock").stat().st_mode & 0o777 == 0o620
        assert served.end() == 0


def test_all_addresses_of_both_families_on_one_port(tmp_path: Path) -> None:
    port = find_port()
    with Served(tmp_path, f"--bind=[::]:{port}", f"--bind=0.0.0.0:{port}") as served:
        assert served.urls == [f"http://[::]:{port}", f"http://0.0.0.0:{port}"]
        assert fetch(("::1", port)) == fetch(("127.0.0.1", port))


def find_port() -> int:
    """Find a free port below those of which the kernel chooses: nobody gets it meanwhile."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(first // 2, first), 100):
        with suppress(OSError), socket.socket() as free:
            free.bind(("", port))
            return port
    raise AssertionError("a hundred ports are taken")


def test_a_descriptor_that_somebody_else_opened(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd = listener.fileno()
        with Served(tmp_path, f"--bind=fd://{fd}", pass_fds=(fd,)) as served:
            assert served.port == listener.getsockname()[1]
            assert served.fetch() == str(served.pids[0])


def test_without_standard_streams(tmp_path: Path) -> None:
    write(tmp_path, site_app=APP)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd = listener.fileno()
        shell = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
        process = subprocess.Popen(
            [*shell, *command("site_app:app", f"--bind=fd://{fd}")],
            cwd=tmp_path,
            env=environment({}),
            pass_fds=(fd,),
        )
        try:
            answers = {fetch(listener.getsockname()) for _ in range(3)}
        finally:
            process.terminate()
            status = process.wait(PATIENCE)

    assert len(answers) == 1
    assert status == 0


def test_the_sockets_that_systemd_hands_over(tmp_path: Path) -> None:
    activate = (
        "import os, sys; fds = [int(n) for n in sys.argv[1].split(',')];"
        "[os.dup2(fd, 3 + n) for n, fd in enumerate(fds)];"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)));"
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        # High numbers, so that moving them to 3 and 4 overwrites none.
        fds = [os.dup2(sock.fileno(), 100 + n) for n, sock in enumerate((one, two))]
        try:
            prefix = (sys.executable, "-c", activate, ",".join(map(str, fds)))
            with Served(tmp_path, "--bind=fd://", pass_fds=tuple(fds), prefix=prefix) as served:
                pids = {fetch(sock.getsockname()) for sock in (one, two)}
                assert pids == {str(served.pids[0])}
        finally:
            for fd in fds:
                os.close(fd)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_while_new_ones_are_refused(
    tmp_path: Path, number: signal.Signals
) -> None:
    write(
        tmp_path,
        site_app="""\
            import os, time
            def app(environ, start_response):
                start_response("200 OK", [])(b"begun ")
                while not os.path.exists("go"):
                    time.sleep(0.01)
                return [b"done"]
        """,
    )
    with Served(tmp_path) as served, connect(("127.0.0.1", served.port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        received = sock.recv(1000)
        served.send(number)
        wait_until(lambda: is_refused(served.port))
        (tmp_path / "go").touch()
        while data := sock.recv(1000):
            received += data
        sock.close()

        assert b"done" in received
        assert served.wait() == 0


def is_refused(port: int) -> bool:
    try:
        connect(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    write(tmp_path, site_app=SLOW)
    with (
        Served(tmp_path, waits_long=True) as served,
        connect(("127.0.0.1", served.port)) as sock,
    ):
        sock.sendall(b"GET /60 HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(1000)
        served.send(signal.SIGINT)
        served.wait_for("ending")

        assert served.end(signal.SIGINT) == 1
        assert b"done" not in sock.recv(1000)
        assert "in time: killed" not in served.said


def test_sigquit_ends_it_at_once(tmp_path: Path) -> None:
    write(tmp_path, site_app=SLOW)
    with Served(tmp_path, "--workers=2", waits_long=True) as served:
        with connect(("127.0.0.1", served.port)) as sock:
            sock.sendall(b"GET /60 HTTP/1.1\r\nHost: a\r\n\r\n")
            sock.recv(1000)

            assert served.end(signal.SIGQUIT) == 1
        assert "in time: killed" not in served.said


def test_a_request_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    write(tmp_path, site_app=SLOW)
    with (
        Served(tmp_path, "--grace=0.1", waits_long=True) as served,
        connect(("127.0.0.1", served.port)) as sock,
    ):
        sock.sendall(b"GET /60 HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(1000)

        assert served.end() == 0
        assert "grace is over: killed 1 connection" in served.said


def test_slow_and_greedy_clients_are_sent_away(tmp_path: Path) -> None:
    write(
        tmp_path,
        site_app="""\
            def app(environ, start_response):
                body = environ["wsgi.input"].read()
                start_response("200 OK", [])
                return [b"x" * 10_000_000 if environ["PATH_INFO"] == "/big" else body]
        """,
    )

    def answer(sent: bytes) -> bytes:
        with connect(("127.0.0.1", served.port)) as sock:
            sock.sendall(sent)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    with Served(tmp_path, "--idle-timeout=0.2") as served:
        assert answer(b"") == b""
    # Whoever begins has time to begin.
    deadlines = [f"--{which}-timeout=0.2" for which in ("head", "body", "write")]
    with Served(tmp_path, *deadlines, "--max-body=10") as served:
        assert b"200" not in answer(b"GET / HT")
        assert answer(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").split()[1] == b"408"
        assert answer(b"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n").split()[1] == b"413"
        with connect(("127.0.0.1", served.port)) as sock:
            sock.sendall(b"GET /big HTTP/1.1\r\n\r\n")
            wait_until(lambda: '"GET /big' in served.printed)  # given up, though nobody reads


def test_an_idle_websocket_does_not_hold_up_the_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        site_app="""\
            from eventlet import websocket

            @websocket.WebSocketWSGI
            def app(ws):
                for message in ws:
                    ws.send(message.upper())
        """,
    )
    with Served(tmp_path) as served:
        with websocket.connect(f"ws://127.0.0.1:{served.port}/") as ws:
            ws.send("hello")
            assert ws.wait() == "HELLO"
            served.send(signal.SIGTERM)
            assert ws.wait() is None
            assert ws.close_code == 1001
            assert served.wait() == 0
        assert "killed" not in served.said
        assert "Traceback" not in served.said


def test_a_listening_socket_that_fails_ends_the_worker(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd = listener.fileno()
        with Served(tmp_path, f"--bind=fd://{fd}", pass_fds=(fd,)) as served:
            listener.shutdown(socket.SHUT_RDWR)
            served.wait_for("ended with status 1")

            assert "error: a listening socket failed: [Errno 22]" in served.said
            assert "it does not listen any more: ending" in served.said


def test_without_patching(tmp_path: Path) -> None:
    write(
        tmp_path,
        site_app="""\
            import socket
            def app(environ, start_response):
                start_response("200 OK", [])
                return [socket.socket.__module__.encode()]
        """,
    )
    with Served(tmp_path, "--no-patch") as served:
        assert served.fetch() == "socket"
        assert "1 worker, not patched" in served.said


def test_another_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path / "inner", inside="from site_app import app")
    write(tmp_path / "inner", site_app="def app(e, s): s('200 OK', []); return [b'inner']")

    with Served(tmp_path, "--chdir=inner", "--access-log=log.txt", app="inside:app") as served:
        assert served.fetch() == "inner"
        assert served.end() == 0

    assert '"GET / HTTP/1.1" 200' in (tmp_path / "inner" / "log.txt").read_text()


def test_the_access_log(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        served.fetch("/path")
        wait_until(lambda: served.printed)
        assert re.fullmatch(r'127.0.0.1 - - \[.*\] "GET /path HTTP/1.1" 200 .*\n', served.printed)
        assert "path" not in served.said

    with Served(tmp_path, "--access-log=none") as served:
        served.fetch()
        assert served.end() == 0
        assert served.printed == ""


# --- TLS ------------------------------------------------------------------------------------


def context_for(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_tls(tmp_path: Path, authority: trustme.CA) -> None:
    with Served(tmp_path, "--tls-cert=cert.pem", "--tls-key=key.pem") as served:
        assert served.urls[0].startswith("https://127.0.0.1:")
        assert served.fetch(context=context_for(authority)) == str(served.pids[0])


def test_tls_clients_must_show_a_certificate(tmp_path: Path, authority: trustme.CA) -> None:
    write(
        tmp_path,
        site_app="""\
            def app(environ, start_response):
                start_response("200 OK", [])
                peer = environ["eventlet.input"].get_socket().getpeercert()
                return [peer["subjectAltName"][0][1].encode()]
        """,
    )
    context = context_for(authority)
    with Served(tmp_path, "--tls-cert=both.pem", "--client-ca=ca.pem") as served:
        with pytest.raises(OSError):
            served.fetch(context=context)
        authority.issue_cert("somebody@example.org").configure_cert(context)
        assert served.fetch(context=context) == "somebody@example.org"
