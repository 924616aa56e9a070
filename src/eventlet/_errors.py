"""The exception tree.

Three reasons: the caller misused us, the peer misbehaved, the environment failed. Each class
also inherits the builtin that people already catch, if there is one, keeps its facts as
attributes and writes its own message, so each message exists once.
"""

import errno
import os

__all__ = [
    "DescriptorBusy",
    "DescriptorClosed",
    "EmbeddingError",
    "EventletError",
    "HubClosed",
    "HubError",
    "IOClosed",
    "LeftBehind",
    "LockHeldHere",
    "LoopDoesNotDrive",
    "LoopWaitsForItself",
    "MainloopBlocked",
    "NestedTooDeep",
    "UnsupportedRuntime",
    "WaitsForItself",
]


class EventletError(Exception):
    """Base of every error that this library invents."""


class MainloopBlocked(EventletError, RuntimeError):
    """A blocking call was made in the hub's own greenlet, which must never park."""

    def __init__(self) -> None:
        super().__init__(
            "do not call blocking functions from the mainloop; "
            "spawn a green thread for work that waits"
        )


class LockHeldHere(MainloopBlocked):
    """The hub's own greenlet, or a loop that drives the hub, wants a lock it would wait for.

    Only the caller's OS thread could let the holder go on, and the caller must not park.

    Attributes:
        lock: the lock.
    """

    def __init__(self, lock: object) -> None:
        self.lock = lock
        EventletError.__init__(
            self,
            f"{lock!r} is held by a green thread of this OS thread, which cannot go on while "
            "the mainloop waits for it; spawn a green thread for what takes the lock",
        )


class EmbeddingError(EventletError, RuntimeError):
    """`run_once` was used in a way that would re-enter the hub."""


class LoopDoesNotDrive(EventletError, RuntimeError):
    """A coroutine awaits a green thread in a loop that never lets green threads run.

    Attributes:
        loop: the running loop.
    """

    def __init__(self, loop: object) -> None:
        self.loop = loop
        super().__init__(
            f"{loop!r} keeps green threads from running while it waits; call "
            "eventlet.asyncio.attach() in it first, or run the coroutine with "
            "eventlet.asyncio.run(main())"
        )


class LoopWaitsForItself(EventletError, RuntimeError):
    """The greenlet that runs an event loop would wait for something that loop has to do."""

    def __init__(self) -> None:
        super().__init__(
            "this greenlet runs the event loop and would wait for it for ever; use `await` here, "
            "or call the function by `await eventlet.asyncio.to_green(func, *args)`"
        )


class HubClosed(EventletError, RuntimeError):
    """The hub of this OS thread was closed; its green threads are gone."""

    def __init__(self) -> None:
        super().__init__("the hub of this OS thread is closed; nothing can park on it any more")


class LeftBehind(EventletError, RuntimeError):
    """A forked child waits for a green thread of its parent, which would last for ever.

    Attributes:
        name: of the green thread.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name} runs in the process that forked this one and never ends here; a forked "
            "child has the green thread that forked, and those that it spawns itself"
        )


class WaitsForItself(EventletError, RuntimeError):
    """A green thread waits for its own end, which would last for ever.

    Attributes:
        name: of the green thread.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name} would wait for its own end, which never comes while it waits; return from its "
            "function, or spawn a green thread for what comes afterwards"
        )


class HubError(EventletError):
    """No hub of the wanted kind can be had."""


class UnsupportedRuntime(EventletError, RuntimeError):
    """This interpreter cannot run green threads safely."""

    def __init__(self, what: str, way_out: str) -> None:
        self.what = what
        super().__init__(f"green threads cannot run {what}; {way_out}")


class DescriptorBusy(EventletError, RuntimeError):
    """Two green threads wait for the same side of one descriptor.

    Attributes:
        fd: the descriptor number.
        side: "read" or "write".
        owner: who waits already, as text.
    """

    def __init__(self, fd: int, side: str, owner: str) -> None:
        self.fd = fd
        self.side = side
        self.owner = owner
        verb, role = ("read", "reader") if side == "read" else ("written", "writer")
        super().__init__(
            f"Second simultaneous {side} on fileno {fd} detected. "
            f"descriptor {fd} is already being {verb} by {owner}; give each {role} its own "
            "socket or share it through a Queue, or allow it with "
            "eventlet.debug.hub_prevent_multiple_readers(False)"
        )


class DescriptorClosed(EventletError, OSError):
    """The descriptor was closed while a green thread waited on it (EBADF)."""

    def __init__(self, fd: int) -> None:
        OSError.__init__(
            self, errno.EBADF, f"{os.strerror(errno.EBADF)} (descriptor {fd} closed while waiting)"
        )
        self.fd = fd


class NestedTooDeep(EventletError, OSError):
    """A selector that waits for selectors that wait for selectors ...: too many (ELOOP).

    Attributes:
        fd: the descriptor number of the outermost that could be made.

    Source: epoll_ctl(2), ELOOP.
    """

    def __init__(self, fd: int) -> None:
        OSError.__init__(
            self,
            errno.ELOOP,
            f"the kernel nests epoll descriptors five deep at most, and descriptor {fd} holds as "
            "many already; run the innermost loop in an OS thread of its own",
        )
        self.fd = fd


class IOClosed(EventletError, OSError):
    """The descriptor number was recycled: the file it named is gone (ENOTCONN)."""

    def __init__(
        self, errno_: int = errno.ENOTCONN, message: str = "Operation on closed file"
    ) -> None:
        OSError.__init__(self, errno_, message)
