"""How many descriptors this process may have."""

from __future__ import annotations

import resource

SPARE = 100  # for all that is no connection


def raise_limit() -> int:
    """Allow as many as may be allowed; return how many connections that is enough for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted - SPARE
