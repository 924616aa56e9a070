"""How long a green thread may take locks that are free, or ask queues, before others run.

OS threads that poll, `while True: try: queue.get(False) ...`, are changed by the interpreter.
A green thread that never waits would keep all others from running, for ever if they have to
bring what it polls for. So every so many locks it lets them run, before it takes the next.
"""

from typing import Final

from eventlet._core.current import existing_hub
from eventlet._core.scope import shielded
from eventlet._core.waiting import is_ending

__all__ = ["TURN", "end_turn"]

TURN: Final = 1000
"""How many locks the green threads take between two turns, about."""


def end_turn() -> int:
    """Let others run, where that is possible; return how many locks the next turn has.

    A cancelled scope is not noticed: a lock that is free can always be taken in clean-up.
    """
    hub = existing_hub()
    if hub is not None and not is_ending():
        with shielded():
            hub.spend()
    return TURN
