"""`python -m eventlet`: the table of commands."""

from __future__ import annotations

import importlib

import pytest

import eventlet
from eventlet._cli.commands import COMMANDS, main


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if arguments:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    else:
        assert main(arguments) == 2
    out = capsys.readouterr().out

    for name, module in COMMANDS.items():
        first_line = str(importlib.import_module(module).__doc__).partition("\n")[0]
        assert f"  {name:8} {first_line}" in out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"eventlet {eventlet.__version__}\n"


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dance"])

    assert ended.value.code == 2
    assert "no command 'dance'; there are run, serve, doctor" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])

    assert ended.value.code == 0
    assert f"usage: python -m eventlet {name}" in capsys.readouterr().out
