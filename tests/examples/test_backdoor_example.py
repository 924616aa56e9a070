from __future__ import annotations

import re

import pytest

from tests.examples.programs import example, read_until

pytestmark = pytest.mark.slow


def test_the_console_sees_and_changes_the_program() -> None:
    with example("backdoor", "--interval=0.01") as program:
        with program.connect() as console:
            read_until(console, b">>> ")
            console.sendall(b"program.step = 1000000\n")
            read_until(console, b">>> ")
            console.sendall(b"import eventlet\n")
            read_until(console, b">>> ")
            console.sendall(b"while program.count <= 1000000: eventlet.sleep(0.01)\n\n")
            read_until(console, b">>> ")
        assert program.stop() == 0

    stopped = re.search(r"stopped at (\d+)", program.stdout)
    assert stopped is not None
    assert int(stopped[1]) > 1_000_000
