"""Imports while parked, with the import machinery's own locks patched (trap 19)."""

import sys
import tempfile
from pathlib import Path

from eventlet import patcher
from eventlet.greenthread import spawn

patcher.monkey_patch()

import threading

folder = Path(tempfile.mkdtemp())
sys.path.insert(0, str(folder))
(folder / "slow.py").write_text("import time\ntime.sleep(0.02)\nvalue = 1\n")
body = "import time\ntime.sleep(0.02)\nimport {}\nvalue = 1\n"
(folder / "one.py").write_text(body.format("two"))
(folder / "two.py").write_text(body.format("one"))


def use(name: str) -> int:
    value: int = __import__(name).value
    return value


# Others who import a module whose body parks wait, and get it whole.
assert [thread.wait() for thread in [spawn(use, "slow") for _ in range(5)]] == [1] * 5

# A cycle of imports over two green threads ends.
assert [thread.wait() for thread in (spawn(use, "one"), spawn(use, "two"))] == [1, 1]
assert sys.modules["one"].two is sys.modules["two"]

# An OS thread imports beside a parked green one.
(folder / "late.py").write_text("import time\ntime.sleep(0.05)\nvalue = 2\n")
(folder / "quick.py").write_text("value = 3\n")
parked = spawn(use, "late")
found: list[int] = []
os_thread = patcher.original("threading").Thread(target=lambda: found.append(use("quick")))
os_thread.start()
os_thread.join()
assert found == [3]
assert parked.wait() == 2
assert threading.enumerate() == [threading.main_thread()]
print("passed")
