"""The tests that `docs/traps.md` names exist, and each rule names one."""

from __future__ import annotations

import re

import pytest

from tests.isolated_runner import ROOT

PAGE = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
RULES = dict(re.findall(r"^### (\d+\..*)\n((?:(?!^#).*\n)*)", PAGE, re.MULTILINE))
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_the_tests_that_hold_it(rule: str) -> None:
    assert REFERENCE.search(RULES[rule]), "a rule without a test is a wish"


@pytest.mark.parametrize(("file", "test"), REFERENCE.findall(PAGE))
def test_a_named_test_exists(file: str, test: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")

    assert re.search(rf"^ *def {test}\(", source, re.MULTILINE)
