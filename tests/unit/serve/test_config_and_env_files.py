"""Files of options and of variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eventlet._serve.config_file import read_config
from eventlet._serve.env_file import read_env_file
from eventlet._serve.refusal import Refusal


def config(folder: Path, text: str) -> dict[str, object]:
    path = folder / "serve.toml"
    path.write_text(text)
    return read_config(str(path))


def test_a_file_sets_options(tmp_path: Path) -> None:
    read = config(
        tmp_path,
        """
        app = "site:app"
        bind = ["127.0.0.1:80", "unix:a"]
        workers = "auto"
        socket-mode = "0660"
        grace = 5
        tls-cert = "cert.pem"
        reload = true
        """,
    )

    assert read == {
        "app": "site:app",
        "bind": ("127.0.0.1:80", "unix:a"),
        "workers": len(os.sched_getaffinity(0)),
        "socket_mode": 0o660,
        "grace": 5.0,
        "tls_cert": "cert.pem",
        "reload": True,
    }


def test_one_address_needs_no_list(tmp_path: Path) -> None:
    assert config(tmp_path, 'bind = ":80"') == {"bind": (":80",)}


@pytest.mark.parametrize(
    "text, why",
    [
        ("worker = 4", "sets 'worker', which is no option; did you mean 'workers'?"),
        ("tls_cert = 'a'", "did you mean 'tls-cert'?"),
        ("zzz = 1", "there are app, bind,"),
        ("[serve]\nworkers = 1", "sets 'serve', which is no option"),
        ("workers = 0", "workers in .*: 0 is not a whole number, 1 or more"),
        ("workers = 'many'", "'many' is not a whole number, 1 or more, or auto"),
        ("socket-mode = 660", "660 is not a text of three octal digits"),
        ("workers = true", "workers in .*: True is not a whole number"),
        ("workers = 1.5", "workers in .*: 1.5 is not"),
        ("bind = [1]", "bind in .*: 1 is not a text"),
        ("reload = 'yes'", "reload in .*: 'yes' is not true or false"),
        ("log-format = '%(nobody)s'", "neither json nor a format over %\\(client_ip\\)s"),
        ("forwarded-allow-ips = '10.0.0.1/8'", "'10.0.0.1/8' is no IP address, network"),
        ("forwarded-allow-ips = ''", "'' is no IP address"),
        ("forwarded-allow-ips = 1", "1 is not a text"),
        ("workers 4", "is not TOML: .*line 1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        config(tmp_path, text)


def test_a_file_that_is_not_there() -> None:
    for read in (read_config, read_env_file):
        with pytest.raises(Refusal, match="cannot read 'none': No such file or directory; name"):
            read("none")


def variables(folder: Path, text: str) -> dict[str, str]:
    path = folder / "variables"
    path.write_text(text)
    return read_env_file(str(path))


@pytest.mark.parametrize(
    "line, value",
    [
        ("NAME=value", "value"),
        ("  export NAME = value  ", "value"),
        ("NAME=", ""),
        ("NAME=''", ""),
        ("NAME=two words", "two words"),
        ("NAME=a#b # comment", "a#b"),
        ("NAME= # comment", ""),
        ("NAME='a # \\n $X' # comment", "a # \\n $X"),
        ('NAME="a \\"b\\" \\n\\t\\\\ \\$X \\q # c"', 'a "b" \n\t\\ $X \\q # c'),
        ("NAME=a=b", "a=b"),
        ("NAME=$HOME", "$HOME"),
        ("NAME=\u00e4", "\u00e4"),
        ("NAME=value\r", "value"),
    ],
)
def test_a_variable(tmp_path: Path, line: str, value: str) -> None:
    assert variables(tmp_path, f"# first\n\n{line}\nOTHER=1\n") == {"NAME": value, "OTHER": "1"}


def test_the_last_one_wins(tmp_path: Path) -> None:
    assert variables(tmp_path, "A=1\nA=2") == {"A": "2"}


@pytest.mark.parametrize(
    "line",
    [
        "NAME",
        "=value",
        "NAME='open",
        'NAME="open',
        "NAME='a'b",
        "1A=b",
        "A B=c",
        "A='x' y",
        "A=x'y",
    ],
)
def test_what_sets_no_variable_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(Refusal, match=r"line 2 of .* sets no variable; write NAME=value"):
        variables(tmp_path, f"A=1\n{line}")


def test_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "variables"
    path.write_bytes(b"A=\xff")

    for read in (read_env_file, read_config):
        with pytest.raises(Refusal, match=r"UTF-8|utf-8"):
            read(str(path))
