"""Run one standard test module in this interpreter and report every test as a line of JSON.

Started as a script with `-P`, so that nothing of ours is on the path and nothing is imported
before the patch but what the interpreter needs itself. The only argument names a JSON file:

    module   dotted name of the test module
    path     where else modules are looked for
    patch    whether `eventlet.monkey_patch()` comes first
    events   number of the descriptor the reports go to
    only     identifiers of the tests to run, or null for all
    skip     identifiers of tests that are finished already

Reports are lists: ["plan", ids] · ["start", id] · ["result", id, status, seconds, detail] ·
["missing", why] · ["refused", why] · ["end"].
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

RANK = ("pass", "expected failure", "skip", "unexpected success", "fail", "error")
"""Statuses of one test; the later one wins when several sub-tests differ."""

DETAIL = 2000
"""Characters of a traceback that are kept."""


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    report = reporter(order["events"])
    if order["patch"]:
        import eventlet

        eventlet.monkey_patch()

    import faulthandler
    import importlib.util
    import traceback
    import unittest
    import warnings

    faulthandler.enable()
    support: Any = importlib.import_module("test.support")

    support.verbose = False
    support.use_resources = ["network", "subprocess", "walltime"]
    sys.argv[1:] = []
    name = order["module"]
    sys.path += order["path"]
    if importlib.util.find_spec(name.rpartition(".")[0]) is None or (
        importlib.util.find_spec(name) is None
    ):
        report("missing", f"this interpreter has no {name}")
        return
    try:
        module = importlib.import_module(name)
        tests = identified(flat(unittest.TestLoader().loadTestsFromModule(module)))
    except unittest.SkipTest as exc:
        report("missing", str(exc))
        return
    except BaseException:
        report("refused", traceback.format_exc()[-DETAIL:])
        return
    report("plan", list(tests))
    finished = set(order["skip"])
    wanted = set(tests if order["only"] is None else order["only"]) - finished
    names = {id(test): key for key, test in tests.items()}
    suite = unittest.TestSuite(test for key, test in tests.items() if key in wanted)
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("default")
        suite.run(result_class()(report, names))
    report("end")


def reporter(descriptor: int) -> Callable[..., None]:
    """Return the function that writes one report; a forked child writes none."""
    import fcntl

    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 200)
    os.close(descriptor)
    write, getpid, dumps = os.write, os.getpid, json.dumps
    owner = getpid()

    def report(*event: object) -> None:
        if getpid() == owner:
            data = dumps(event).encode() + b"\n"
            while data:
                data = data[write(high, data) :]

    return report


def flat(suite: Any) -> Iterator[Any]:
    """Yield the test cases of a suite, however deep."""
    for entry in suite:
        try:
            children = iter(entry)
        except TypeError:
            yield entry
        else:
            yield from flat(children)


def identified(tests: Iterator[Any]) -> dict[str, Any]:
    """Return the tests by identifier; the second of one name gets a number."""
    found: dict[str, Any] = {}
    for test in tests:
        base = name = test.id()
        copy = 1
        while name in found:
            copy += 1
            name = f"{base} ({copy})"
        found[name] = test
    return found


def result_class() -> Any:
    """Return the result class, made late because `unittest` comes after the patch."""
    import traceback
    import unittest

    class Result(unittest.TestResult):
        """Reports one status for each test, the worst of its sub-tests."""

        def __init__(self, report: Callable[..., None], names: dict[int, str]) -> None:
            super().__init__()
            self.report = report
            self.names = names
            self.current: str | None = None
            self.status: str | None = None
            self.detail = ""
            self.began = 0.0

        def startTest(self, test: Any) -> None:
            super().startTest(test)
            self.current, self.status, self.detail = self.names[id(test)], None, ""
            self.report("start", self.current)
            self.began = monotonic()

        def stopTest(self, test: Any) -> None:
            super().stopTest(test)
            if self.current is None:  # Python 3.12.1 does not start a test that it skips
                return
            if self.status is None:  # unittest lets a KeyboardInterrupt through
                self.status, self.detail = "error", f"cut short by {sys.exc_info()[1]!r}"
            seconds = round(monotonic() - self.began, 3)
            self.report("result", self.current, self.status, seconds, self.detail[-DETAIL:])
            self.current = None

        def note(self, test: Any, status: str, detail: str = "") -> None:
            owner = getattr(test, "test_case", test)
            name = self.names.get(id(owner))
            if name is None:  # set-up of a class or module: its tests stay without a result
                sys.stderr.write(f"{test}: {status}\n{detail}\n")
            elif name != self.current:  # a class that is skipped as a whole
                self.report("result", name, status, 0.0, detail[-DETAIL:])
            elif self.status is None or RANK.index(status) > RANK.index(self.status):
                self.status, self.detail = status, detail

        def addSuccess(self, test: Any) -> None:
            self.note(test, "pass")

        def addSkip(self, test: Any, reason: object) -> None:
            self.note(test, "skip", str(reason))

        def addFailure(self, test: Any, err: Any) -> None:
            self.note(test, "fail", shown(err))

        def addError(self, test: Any, err: Any) -> None:
            self.note(test, "error", shown(err))

        def addExpectedFailure(self, test: Any, err: Any) -> None:
            self.note(test, "expected failure")

        def addUnexpectedSuccess(self, test: Any) -> None:
            self.note(test, "unexpected success")

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            if err is not None:
                failed = issubclass(err[0], test.failureException)
                self.note(subtest, "fail" if failed else "error", shown(err))

    def shown(err: Any) -> str:
        try:
            return "".join(traceback.format_exception(*err))
        except BaseException as exc:
            return f"{err[0]!r}, and it cannot be shown: {exc!r}"

    return Result


if __name__ == "__main__":
    main()
