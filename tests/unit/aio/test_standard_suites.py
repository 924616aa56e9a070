"""The standard library's own tests of asyncio pass with the green selector underneath."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("test") is None
        or importlib.util.find_spec("test.test_asyncio") is None,
        reason="this Python comes without its own tests",
    ),
]

RUN = """
    import selectors
    import sys
    import unittest
    from eventlet.green import selectors as green

    for name in green.__patched__:
        setattr(selectors, name, getattr(green, name))

    asked = []
    select = green.DefaultSelector.select
    green.DefaultSelector.select = lambda self, timeout=None: (
        asked.append(1), select(self, timeout))[1]

    suite = unittest.defaultTestLoader.loadTestsFromName("test.test_asyncio." + sys.argv[1])
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    print(result.testsRun, len(asked))
    sys.exit(not result.wasSuccessful())
"""


@pytest.mark.time_limit(200)
@pytest.mark.parametrize(
    ("suite", "at_least"),
    [
        ("test_events", 200),
        ("test_sock_lowlevel", 30),
        ("test_sslproto", 20),
        ("test_streams", 50),
        ("test_subprocess", 50),
        ("test_tasks", 500),
        ("test_unix_events", 50),
    ],
)
def test_standard_suite(suite: str, at_least: int, run_isolated: Any) -> None:
    finished = run_isolated(RUN, suite, timeout=180, flags=())

    tests, selects = map(int, finished.stdout.split()[-2:])
    assert tests >= at_least
    assert selects > 0
