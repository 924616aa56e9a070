"""What cannot be served is refused before anything listens, in one line that says what to do."""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from eventlet._cli import commands, serve
from eventlet._serve.refusal import Refusal

from tests.unit.serve.served import PATIENCE, run_serve, write


def refused(folder: Path, *options: str, status: int = 1, **env: str) -> str:
    """Return the one line that says why."""
    write(folder, good="def app(environ, start_response): ...\nvalue = 1", broken="import nothere")
    write(folder, leaving="import sys\nsys.exit('no database')")
    done = run_serve(folder, *options, **env)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert ("Traceback" in done.stderr) == ("see the traceback" in done.stderr)
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Hand out a function that returns why options are refused, without a process."""
    write(tmp_path, good="")
    monkeypatch.chdir(tmp_path)

    def ask(*options: str) -> str:
        parser = argparse.ArgumentParser()
        serve.add_arguments(parser)
        with pytest.raises(Refusal) as refused:
            serve.prepare(serve.choose(parser.parse_args(options)))
        return str(refused.value)

    return ask


@pytest.mark.parametrize(
    "options, why",
    [
        ([], "no application is named; write module:app"),
        (["good"], "'good' names no application; write module:name"),
        (["good:1"], "'good:1' names no application"),
        (["good:app(x)"], "'good:app(x)' names no application"),
        (["good:app", "--bind=nonsense"], "'nonsense' is no address to listen on; write host:port"),
        (["good:app", "--bind=127.0.0.1:70000"], "a port above 65535"),
        (["good:app", "--bind=192.0.2.1:0"], "192.0.2.1:0: Cannot assign requested address; name"),
        (["good:app", "--bind=:81", "--bind=:81"], "--bind :81 is given twice; give it once"),
        (["good:app", "--bind=unix:"], "'unix:' has no path"),
        (["good:app", "--bind=unix:none/app.sock"], "unix:none/app.sock: No such file"),
        (["good:app", "--bind=unix:good.py"], "'good.py' is there and is no socket"),
        (
            ["good:app", "--bind=fd://987654"],
            "descriptor 987654 is no socket (Bad file descriptor)",
        ),
        (["good:app", "--bind=fd://0"], "descriptor 0 is no socket"),
        (["good:app", "--bind=fd://x"], "'fd://x' has no number"),
        (["good:app", "--bind=fd://"], "LISTEN_FDS and LISTEN_PID name none for this process"),
        (["good:app", "--chdir=nowhere"], "cannot change to 'nowhere': No such file"),
        (["good:app", "--access-log=no/log"], "cannot write the access log 'no/log': No such"),
        (["good:app", "--config=no.toml"], "cannot read 'no.toml': No such file or directory"),
        (["good:app", "--env-file=no.env"], "cannot read 'no.env': No such file or directory"),
        (["good:app", "--proxy-protocol"], "name the proxies with --forwarded-allow-ips"),
        (["good:app", "--tls-cert=no.pem"], "cannot read 'no.pem': No such file or directory"),
        (["good:app", "--tls-cert=."], "cannot read '.': Is a directory"),
        (["good:app", "--tls-cert=good.py"], "'good.py' holds no certificate with its private key"),
        (["good:app", "--tls-key=key.pem"], "--tls-key key.pem has no certificate; name it with"),
        (["good:app", "--client-ca=ca.pem"], "--client-ca ca.pem has no certificate"),
    ],
)
def test_what_cannot_be_served_is_refused(
    refusal: Callable[..., str], options: list[str], why: str
) -> None:
    said = refusal(*options)

    assert why in said
    assert ";" in said
    assert "\n" not in said


@pytest.mark.slow
def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    done = run_serve(tmp_path, "good:app", "--bind=nonsense")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "python -m eventlet serve: error: 'nonsense' is no address to listen on; write host:port, "
        "[v6 address]:port, :port, unix:path or fd://number\n"
    )


@pytest.mark.slow
def test_a_refusal_is_an_object_where_all_is_json(tmp_path: Path) -> None:
    done = run_serve(tmp_path, "good:app", "--bind=nonsense", "--log-format=json")

    said = json.loads(done.stderr)
    assert (said["level"], done.returncode) == ("error", 2)
    assert "'nonsense' is no address to listen on" in said["message"]


@pytest.mark.parametrize(
    "options, why",
    [
        (["--workers=0"], "--workers: '0' is not a whole number, 1 or more"),
        (["--socket-mode=rw"], "--socket-mode: 'rw' is not a text of three octal digits"),
        (["--socket-mode=888"], "--socket-mode: '888' is not a text of three octal digits"),
        (["--workers=two"], "--workers: 'two' is not a whole number"),
        (["--grace=-1"], "--grace: '-1' is not a number of seconds, or 0 for at once"),
        (["--grace=nan"], "--grace: 'nan' is not a number of seconds"),
        (["--log-format=%(nobody)s"], "--log-format: '%(nobody)s' is neither json nor"),
        (["--log-format=jsn"], "--log-format: 'jsn' is neither json nor"),
        (["--forwarded-allow-ips=x"], "--forwarded-allow-ips: 'x' is no IP address"),
        (["--worker=2"], "there is no option --worker; did you mean --workers?; see --help"),
        (["--work=2"], "there is no option --work; did you mean --workers?"),
        (["--workers"], "--workers: expected one argument"),
        (["another:app"], "there is one thing too many, 'another:app'"),
        (["--worker-timeout=-1"], "'-1' is not a number of seconds, or 0 for never"),
        (["--no-such=1"], "error: there is no option --no-such"),
    ],
)
def test_a_wrong_option_is_named(
    capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main(["serve", "good:app", *options])

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("python -m eventlet serve: error: ")
    assert why in said
    assert said.count("\n") == 1


def test_keys_that_do_not_fit(
    tmp_path: Path, authority: trustme.CA, refusal: Callable[..., str]
) -> None:
    authority.issue_cert("other").private_key_pem.write_to_path(tmp_path / "other.pem")
    subprocess.run(
        ["openssl", "pkey", "-in", "key.pem", "-aes256", "-passout", "pass:x", "-out", "locked.pem"],
        cwd=tmp_path,
        check=True,
        timeout=PATIENCE,
    )  # fmt: skip

    other = refusal("good:app", "--tls-cert=cert.pem", "--tls-key=other.pem")
    locked = refusal("good:app", "--tls-cert=cert.pem", "--tls-key=locked.pem")
    no_ca = refusal("good:app", "--tls-cert=both.pem", "--client-ca=good.py")

    assert "the key in 'other.pem' does not belong to the certificate in 'cert.pem'" in other
    assert "the private key is encrypted" in locked
    assert "'good.py' holds no certificates of authorities" in no_ca


def test_a_port_in_use(refusal: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal("good:app", f"--bind=127.0.0.1:{port}")

    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; stop what" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    "app, why",
    [
        ("nothere:app", "there is no module 'nothere'; run this in the folder it is in"),
        ("good.inner:app", "there is no module 'good.inner'"),
        ("good.py:app", "there is no module 'good.py'; name it as an import does, good"),
        ("leaving:app", "importing 'leaving' failed with SystemExit: no database; see the"),
        ("good:ap", "good has no 'ap'; did you mean app?"),
        ("good:app.x.y", "app has no 'x'"),
        ("good:value", "good:value is an int, not a WSGI application"),
        ("good:value()", "good:value is an int, which cannot be called"),
    ],
)
def test_an_application_that_is_not_there(tmp_path: Path, app: str, why: str) -> None:
    line = refused(tmp_path, app, "--bind=127.0.0.1:0")

    assert re.match(r"[-0-9]+ [:0-9]+ \[\d+\] error: ", line)
    assert why in line


@pytest.mark.slow
def test_an_application_that_fails_shows_its_traceback(tmp_path: Path) -> None:
    write(tmp_path, broken="import nothere", worse="def make(): return 1 / 0")

    broken = run_serve(tmp_path, "broken:app", "--bind=127.0.0.1:0", "--workers=3")
    worse = run_serve(tmp_path, "worse:make()", "--bind=127.0.0.1:0")

    assert (broken.returncode, worse.returncode) == (1, 1)
    assert broken.stderr.count("Traceback") == 1
    assert 'File "<frozen' not in broken.stderr
    assert "importing 'broken' failed with ModuleNotFoundError: No module named" in broken.stderr
    assert "return 1 / 0" in worse.stderr
    assert "worse:make() failed with ZeroDivisionError: division by zero; see" in worse.stderr
