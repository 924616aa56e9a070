"""Which event loop an asyncio program runs on: asyncio's own or uvloop's."""

import asyncio

__all__ = ["runner"]


def runner(uses_uvloop: bool) -> asyncio.Runner:
    """Return a runner for asyncio's default loop, or for uvloop's."""
    if not uses_uvloop:
        return asyncio.Runner()
    import uvloop  # only in uvloop's environment

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
