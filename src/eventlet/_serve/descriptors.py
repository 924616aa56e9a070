"""Have room for the descriptors of as many connections as may come."""

from __future__ import annotations

import resource

from eventlet._serve.journal import Journal

__all__ = ["SPARE", "make_room"]

SPARE = 256  # for files, logs, and the connections of the application itself


def make_room(connections: int, journal: Journal) -> None:
    """Raise the soft limit as far as it is needed and allowed; say so when that is not enough."""
    wanted = connections + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    is_enough = hard == resource.RLIM_INFINITY or hard >= wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if is_enough else hard, hard))
    if not is_enough:
        journal.note(
            f"a process may open {hard} descriptors, fewer than --max-connections {connections} "
            f"and {SPARE} more; raise the limit (ulimit -Hn, LimitNOFILE)",
            "warning",
        )
