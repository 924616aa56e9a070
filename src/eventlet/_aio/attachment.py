"""Our hub inside somebody else's event loop.

Theory of operation
-------------------
The outer loop watches the hub's descriptor and has one more appointment with the hub: a
handle for the moment of the hub's next work. Each of the two calls `_pump`, which makes one
pass, bounded to one batch, and then makes the next appointment. Work made between two passes
moves the appointment: the hub calls `_earlier`. That may happen in a signal handler while the
loop waits in the kernel, so it uses `call_soon_threadsafe`.
"""

import asyncio
import errno
import signal
from functools import partial
from typing import Any
from weakref import WeakSet

from eventlet._core.driving_loops import driving_loops
from eventlet._core.fork import call_in_child
from eventlet._core.hub import Hub
from eventlet._errors import NestedTooDeep
from eventlet._loop_mark import hide_while_parked

__all__ = ["Attachment", "attachment_of"]


class Attachment:
    """A hub that a loop drives. Made by `attach`.

    Attributes:
        hub: the hub.
        loop: the loop.

    Raises:
        NestedTooDeep: the kernel allows no more epoll descriptors inside each other.
    """

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        self.hub = hub
        self.loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False  # a call of `_pump` is on its way
        self._is_attached = True
        hide_while_parked(hub)
        try:
            loop.add_reader(hub.fileno(), self._pump)
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                raise NestedTooDeep(hub.fileno()) from exc
            raise
        driving_loops[loop] = hub.ident
        hub.outer_loop_runs = self._runs
        hub.on_earlier = self._earlier
        _attachments.add(self)
        call_in_child(_let_go_of_all)
        self._earlier()

    def detach(self) -> None:
        """Let go of the hub: from now on it runs by itself wherever green threads park."""
        if not self._is_attached:
            return
        self._is_attached = False
        driving_loops.pop(self.loop, None)
        self.hub.on_earlier = None
        if self._timer is not None:
            self._timer.cancel()
        if not self.loop.is_closed():
            self.loop.remove_reader(self.hub.fileno())

    def let_go(self) -> None:
        """Forget the loop, in a forked child: its descriptors are the parent's too."""
        self._is_attached = False
        driving_loops.pop(self.loop, None)
        if self.hub.on_earlier == self._earlier:
            self.hub.on_earlier = None

    def _runs(self) -> bool:
        return asyncio._get_running_loop() is self.loop

    def _earlier(self) -> None:
        if self.loop.is_closed():
            self.detach()
        elif self._is_attached and not self._is_due:
            self._is_due = True
            self.loop.call_soon_threadsafe(self._pump)

    def _pump(self) -> None:
        self._is_due = False
        if not self._is_attached:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self.hub.run_once(0)
        finally:
            self._make_appointment()

    def _make_appointment(self) -> None:
        if not self._is_attached:
            return
        deadline = self.hub.deadline()
        if deadline is None or self._is_due:
            return
        delay = deadline - self.hub.clock()
        if delay > 0:
            self._timer = self.loop.call_later(delay, self._pump)
        else:
            self._is_due = True
            self.loop.call_soon(self._pump)


def attachment_of(hub: Hub) -> Attachment | None:
    """Return what drives `hub` from outside; None when it runs by itself."""
    attachment = getattr(hub.on_earlier, "__self__", None)
    if not isinstance(attachment, Attachment):
        return None
    if attachment.loop.is_closed():
        attachment.detach()
        return None
    return attachment


_attachments: WeakSet[Attachment] = WeakSet()


def _let_go_of_all() -> None:
    for attachment in list(_attachments):
        attachment.let_go()
    # `asyncio.run` in the parent: its handler would cancel a task that never runs here.
    handler: Any = signal.getsignal(signal.SIGINT)
    if isinstance(handler, partial):
        runner = getattr(handler.func, "__self__", None)
        if isinstance(runner, asyncio.Runner):
            signal.signal(signal.SIGINT, signal.default_int_handler)
