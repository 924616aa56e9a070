"""What the kernel says a process has spent: CPU time and resident memory."""

from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpu_nanoseconds", "descendants", "resident_bytes", "tree_nanoseconds"]

PROC = Path("/proc")


def cpu_nanoseconds(pid: int, proc: Path = PROC) -> int:
    """Return the CPU time of all live threads of a process, in nanoseconds.

    A thread that has ended takes its time with it, so a measured program must not end
    threads between two readings. The HTTP servers that start some keep them.

    Raises:
        ProcessLookupError: there is no such process, or the kernel keeps no such books.

    Source: proc_pid_schedstat(5): time on the CPU, time on the run queue, time slices.
    """
    try:
        threads = list((proc / str(pid) / "task").iterdir())
    except FileNotFoundError as exc:
        raise ProcessLookupError(f"no process {pid}") from exc
    spent = []
    for thread in threads:
        try:
            line = (thread / "schedstat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended between the listing and the reading
        spent.append(int(line.split()[0]))
    if not spent:
        raise ProcessLookupError(f"no thread of process {pid} has a schedstat")
    return sum(spent)


def descendants(pid: int, proc: Path = PROC) -> list[int]:
    """Return the ids of the process's children, of theirs, and so on.

    Source: `children` in /proc/PID/task/TID, which is exact while nobody forks or ends.
    """
    found = []
    for child in _children(pid, proc):
        found += [child, *descendants(child, proc)]
    return found


def tree_nanoseconds(pid: int, proc: Path = PROC) -> int:
    """Return the CPU time of a process and of all its descendants, in nanoseconds.

    A descendant that has ended takes its time with it, as a thread does.
    """
    return sum(cpu_nanoseconds(member, proc) for member in [pid, *descendants(pid, proc)])


def _children(pid: int, proc: Path) -> Iterator[int]:
    for thread in (proc / str(pid) / "task").glob("*"):
        try:
            words = (thread / "children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended between the listing and the reading
        yield from map(int, words)


def resident_bytes(pid: int, proc: Path = PROC) -> int:
    """Return the resident set size of a process, in bytes.

    Source: `Rss` in /proc/PID/smaps_rollup, which is exact; statm may lag behind.
    """
    rollup = (proc / str(pid) / "smaps_rollup").read_text()
    for line in rollup.splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"smaps_rollup of process {pid} has no Rss line")
