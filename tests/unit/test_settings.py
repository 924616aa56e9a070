"""The table of environment variables."""

from __future__ import annotations

import pytest

from eventlet._settings import HUB, SETTINGS, Setting

NUMBER = Setting("EVENTLET_TEST_NUMBER", int, 20, "A number for this test.")


def test_a_setting_that_is_unset_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NUMBER.name, raising=False)

    assert NUMBER.read() == 20


@pytest.mark.parametrize("text", ["", "  "])
def test_a_blank_setting_counts_as_unset(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NUMBER.name, text)

    assert NUMBER.read() == 20


def test_a_setting_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NUMBER.name, "7")
    first = NUMBER.read()
    monkeypatch.setenv(NUMBER.name, " 8 ")

    assert (first, NUMBER.read()) == (7, 8)


def test_a_setting_that_cannot_be_parsed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NUMBER.name, "many")

    with pytest.raises(ValueError, match="EVENTLET_TEST_NUMBER='many' cannot be used"):
        NUMBER.read()


def test_every_setting_is_named_once_and_says_what_it_means() -> None:
    names = [setting.name for setting in SETTINGS]

    assert HUB in SETTINGS
    assert len(names) == len(set(names))
    assert all(name.startswith("EVENTLET_") for name in names)
    assert all(setting.meaning.endswith(".") for setting in SETTINGS)
