"""Each of the 25 semantics that are easily got wrong has a test named after it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

NUMBERS = range(1, 26)


def test_every_number_has_a_test() -> None:
    counts: Counter[int] = Counter()
    for path in Path(__file__).parent.glob("test_semantics_of_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                match = re.match(r"test_semantic_(\d\d)_\w+", node.name)
                assert match is not None, f"{node.name} does not say of which semantic it is"
                counts[int(match[1])] += 1

    assert sorted(counts) == list(NUMBERS)
