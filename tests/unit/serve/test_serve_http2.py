"""`serve --http2`."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from tests.unit.http2.peer import Peer
from tests.unit.serve.served import PATIENCE, Served, command, connect, environment, write

pytestmark = pytest.mark.slow  # each starts processes

WHO = """\
    import json
    def app(environ, start_response):
        start_response("200 OK", [])
        names = ("SERVER_PROTOCOL", "REMOTE_ADDR", "wsgi.url_scheme")
        return [json.dumps([environ[name] for name in names]).encode()]
"""
PROXY = b"PROXY TCP4 192.0.2.1 127.0.0.1 4000 80\r\n"


def test_it_is_spoken_beside_http_1(tmp_path: Path) -> None:
    write(tmp_path, site_app=WHO)
    with Served(tmp_path, "--http2") as served:
        with Peer(connect(("127.0.0.1", served.port))) as peer:
            for stream_id in (1, 3):
                peer.get(stream_id)
                assert json.loads(peer.answer(stream_id).body)[0] == "HTTP/2"
        assert json.loads(served.fetch())[0] == "HTTP/1.1"
        assert served.end() == 0
        assert served.printed.count('"GET / HTTP/2" 200') == 2


def test_without_the_option_it_is_not(tmp_path: Path) -> None:
    with Served(tmp_path) as served, connect(("127.0.0.1", served.port)) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert b"".join(iter(lambda: sock.recv(100), b"")).startswith(b"HTTP/1.0 505")


@pytest.mark.parametrize("is_behind_proxy", [False, True])
def test_over_tls(tmp_path: Path, authority: trustme.CA, is_behind_proxy: bool) -> None:
    write(tmp_path, site_app=WHO)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    options = ["--http2", "--tls-cert=both.pem"]
    if is_behind_proxy:
        options += ["--proxy-protocol", "--forwarded-allow-ips=127.0.0.1"]
    with Served(tmp_path, *options) as served:
        plain = connect(("127.0.0.1", served.port))
        if is_behind_proxy:
            plain.sendall(PROXY)
        with Peer(context.wrap_socket(plain, server_hostname="localhost")) as peer:
            peer.get(1)
            client = "192.0.2.1" if is_behind_proxy else "127.0.0.1"
            assert json.loads(peer.answer(1).body) == ["HTTP/2", client, "https"]


def test_what_runs_finishes_when_it_is_told_to_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        site_app="""\
            import os, time
            def app(environ, start_response):
                start_response("200 OK", [])(b"begun ")
                while not os.path.exists("go"):
                    time.sleep(0.01)
                return [b"and done"]
        """,
    )
    with Served(tmp_path, "--http2") as served:
        with Peer(connect(("127.0.0.1", served.port))) as peer:
            peer.get(1)
            peer.ping()
            served.process.terminate()
            served.wait_for("ending")
            (tmp_path / "go").touch()
            assert peer.answer(1).body == b"begun and done"
            assert peer.ending() == 0
        assert served.wait() == 0


def test_without_the_library_it_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "h2.py").write_text("raise ModuleNotFoundError('no h2 here', name='h2')\n")
    env = environment({})
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
    done = subprocess.run(
        command("site_app:app", "--http2", "--bind=127.0.0.1:0"),
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0
    assert "pip install 'h2>=4.4'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_library_nothing_else_changes(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["h2"] = None
from eventlet import listen, wsgi
sock = listen(("127.0.0.1", 0))
wsgi.Server(sock, None, None)
try:
    wsgi.Server(sock, None, None, http2=True)
except ImportError as exc:
    print(exc)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "pip install 'h2" in done.stdout
