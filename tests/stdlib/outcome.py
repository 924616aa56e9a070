"""What became of the tests of one module, and how two runs of it compare."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Difference", "ModuleOutcome", "TestOutcome", "compare"]

PASSED = "pass"


@dataclass(frozen=True)
class TestOutcome:
    """How one test ended.

    Attributes:
        status: pass, expected failure, skip, unexpected success, fail, error, hang, crash,
            or cut: not reached, because its class or module hung too often.
        seconds: how long it took.
        detail: the traceback or reason, shortened.
        retried: whether it failed at first and passed alone in a fresh interpreter.
    """

    __test__ = False  # not for pytest

    status: str
    seconds: float = 0.0
    detail: str = ""
    retried: bool = False


@dataclass
class ModuleOutcome:
    """All tests of one module.

    Attributes:
        tests: by identifier.
        missing: why the module could not be run in any interpreter state, or "".
        refused: the traceback of an import that failed, or "".
        ends: whether the interpreter ended by itself when the tests were over.
        seconds: wall time.
    """

    tests: dict[str, TestOutcome] = field(default_factory=dict)
    missing: str = ""
    refused: str = ""
    ends: bool = True
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return plain data; `from_json` takes it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ModuleOutcome":
        """Return the outcome that `as_json` wrote down."""
        tests = {name: TestOutcome(**entry) for name, entry in data["tests"].items()}
        return cls(**{**data, "tests": tests})


@dataclass(frozen=True)
class Difference:
    """A test that passes without the patch and does not pass with it."""

    test: str
    status: str
    detail: str


def compare(
    name: str, control: ModuleOutcome, patched: ModuleOutcome
) -> tuple[int, list[Difference]]:
    """Return how many tests the control passes, and which of them the patched run does not."""
    passing = [test for test, outcome in control.tests.items() if outcome.status == PASSED]
    return len(passing), list(_differences(name, passing, control, patched))


def _differences(
    name: str, passing: list[str], control: ModuleOutcome, patched: ModuleOutcome
) -> Iterator[Difference]:
    unreached = TestOutcome("error", detail=patched.refused or patched.missing or "never reported")
    for test in passing:
        outcome = patched.tests.get(test, unreached)
        if outcome.status != PASSED:
            yield Difference(test, outcome.status, outcome.detail)
    if control.ends and not patched.ends:
        yield Difference(f"{name}: end of the interpreter", "hang", "it had to be killed")
