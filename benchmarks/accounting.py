"""What the kernel says a process has spent: CPU time and resident memory."""

from pathlib import Path

__all__ = ["cpu_nanoseconds", "resident_bytes"]

PROC = Path("/proc")


def cpu_nanoseconds(pid: int, proc: Path = PROC) -> int:
    """Return the CPU time of all live threads of a process, in nanoseconds.

    A thread that has ended takes its time with it, so a measured program must not end
    threads between two readings. None of ours starts any.

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


def resident_bytes(pid: int, proc: Path = PROC) -> int:
    """Return the resident set size of a process, in bytes.

    Source: `Rss` in /proc/PID/smaps_rollup, which is exact; statm may lag behind.
    """
    rollup = (proc / str(pid) / "smaps_rollup").read_text()
    for line in rollup.splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"smaps_rollup of process {pid} has no Rss line")
