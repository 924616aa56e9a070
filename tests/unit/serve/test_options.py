"""The table of options, and what the help and the documentation say about it."""

from __future__ import annotations

import argparse

import pytest

from eventlet._serve.option_values import grace
from eventlet._serve.settings import Settings, add_arguments, options

from tests.isolated_runner import ROOT


def parse(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return vars(parser.parse_args(arguments))


def test_only_what_was_given_is_there() -> None:
    assert parse() == {}
    assert parse("a:b", "--workers=2", "--no-patch", "--bind=:1", "--bind=:2") == {
        "app": "a:b",
        "workers": 2,
        "patch": False,
        "bind": [":1", ":2"],
    }


def test_every_option_has_a_default_of_its_kind() -> None:
    settings = Settings()

    for option in options():
        default = getattr(settings, option.name.replace("-", "_"))
        if default is not None and default != "":
            values = default if option.is_many else [default]
            assert [option.read(value) for value in values] == list(values), option.name


def test_every_option_is_in_the_help_and_in_the_documentation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    shown = capsys.readouterr().out
    page = (ROOT / "docs" / "serve.md").read_text()

    for option in options():
        if option.name != "app":
            assert f"--{option.name}" in shown
            assert f"--{option.name}" in page


def test_there_may_be_no_grace_at_all() -> None:
    assert grace("0") == 0.0
    assert grace(2) == 2.0


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "none", "", True, None])
def test_a_grace_is_a_number_of_seconds(value: object) -> None:
    with pytest.raises(ValueError, match="or 0 for at once"):
        grace(value)
