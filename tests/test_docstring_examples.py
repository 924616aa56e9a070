"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib

from tests.import_graph import read_tree
from tests.test_architecture import SOURCE


def test_every_example_in_a_docstring_works() -> None:
    shown = [
        module.name
        for module in read_tree(SOURCE).values()
        if ">>> " in module.path.read_text(encoding="utf-8")
    ]

    results = {name: doctest.testmod(importlib.import_module(name)) for name in shown}

    assert {name: result.failed for name, result in results.items() if result.failed} == {}
