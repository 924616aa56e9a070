"""What `import eventlet` costs beside a bare start: `python -m benchmarks.import_time`.

CPU and wall time of fresh interpreters, the best of many starts each: nothing makes a start
faster than it is, and much makes it slower. Bytecode is compiled beforehand.
"""

import argparse
import os
import subprocess
import sys
import time
from typing import Final

STATEMENTS: Final = {
    "bare start": "pass",
    "import eventlet": "import eventlet",
    "import eventlet and patch": "import eventlet; eventlet.monkey_patch()",
    "what it needs of others": "import greenlet, selectors, socket, threading, traceback, typing",
}


def cost_of(statement: str, starts: int, python: str) -> tuple[float, float]:
    """Return CPU and wall time of an interpreter that runs a statement, in milliseconds."""
    cpu, wall = [], []
    for _ in range(starts + 1):
        begin = time.perf_counter()
        process = subprocess.Popen([python, "-c", statement])
        _, status, usage = os.wait4(process.pid, 0)
        wall.append(time.perf_counter() - begin)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{python} -c {statement!r} ended with {process.returncode}")
        cpu.append(usage.ru_utime + usage.ru_stime)
    return min(cpu[1:]) * 1000, min(wall[1:]) * 1000  # the first start may compile


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=20, help="of each statement (20)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter")
    options = parser.parse_args()
    bare = cost_of(STATEMENTS["bare start"], options.starts, options.python)
    print(f"{'':28} {'CPU ms':>8} {'wall ms':>8}   more than a bare start")
    for name, statement in STATEMENTS.items():
        cpu, wall = cost_of(statement, options.starts, options.python)
        print(f"{name:28} {cpu:8.1f} {wall:8.1f}   {cpu - bare[0]:6.1f} {wall - bare[1]:8.1f}")


if __name__ == "__main__":
    main()
