"""What green threads need of a `threading` module beyond its own code over green imports.

It serves two: the green `threading`, and the real one once it is patched. From then on there
is one set of threads: `unite` makes the green module show the classes and tables of the real
one, which run over green names by then.

Condition.wait, our own: taking the lock again at the end is shielded, so that `with condition`
never releases a lock somebody else owns; what interrupted the waiter meanwhile is raised
afterwards. A waiter that was notified and then interrupted passes the notification on.
"""

from collections.abc import Callable
from typing import Any
from weakref import ref

from greenlet import GreenletExit, getcurrent

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.scope import shielded
from eventlet._core.thread import GreenThread
from eventlet._core.wait_queue import wake
from eventlet._core.waiting import give_up_ticket, ticket_here, wait_here
from eventlet._errors import MainloopBlocked
from eventlet._patching.plain_locks import check_timeout
from eventlet._unpatched import get_ident as native_ident
from eventlet.corolocal import local
from eventlet.event import Event
from eventlet.green._thread import Sentinel, StartedThread, get_ident
from eventlet.green._thread import _make_thread_handle as make_thread_handle
from eventlet.green._thread import _ThreadHandle as ThreadHandle

__all__ = ["condition_wait", "current_thread_for", "green_thread_class"]
__all__ += ["join_os_thread_too", "quiet_hook", "unite", "wait_for_sentinel"]


def condition_wait(self: Any, timeout: float | None = None) -> bool:
    """Park until notified or until `timeout` seconds have passed.

    The lock is released meanwhile and always owned again at the end.

    Returns:
        Whether it was notified.

    Raises:
        RuntimeError: the caller does not own the lock.
        ValueError: `timeout` is not a number.
        OverflowError: `timeout` is longer than `threading.TIMEOUT_MAX`.
    """
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    if timeout is not None and not timeout <= 0:
        check_timeout(True, timeout)
    turn = _Turn()
    self._waiters.append(turn)
    saved = self._release_save()
    interrupted: BaseException | None = None
    try:
        if timeout is None or timeout > 0:
            wait_here(turn.ticket, timeout)
    except BaseException as exc:
        interrupted = exc
    give_up_ticket(turn.ticket)
    notified = turn.ticket.was_woken
    while True:
        try:
            with shielded():
                self._acquire_restore(saved)
        except MainloopBlocked:
            raise  # it can never succeed here
        except BaseException as exc:
            interrupted = interrupted or exc
        else:
            break
    if not notified:
        try:
            self._waiters.remove(turn)
        except ValueError:
            pass  # who wanted to notify us has found us gone, and gone on to the next
    if interrupted is None:
        return notified
    try:
        if notified:
            self.notify()
        raise interrupted
    finally:
        interrupted = None  # it refers to this frame


class _Turn:
    """What stands for a waiter in a condition; `notify` releases it like a lock."""

    __slots__ = ("ticket",)

    def __init__(self) -> None:
        self.ticket = ticket_here()

    def release(self) -> None:
        """Wake the waiter.

        Raises:
            RuntimeError: it is gone or was notified before; the next one is to be notified.
        """
        if not wake(self.ticket, True):
            raise RuntimeError("the waiter has been notified already, or waits no longer")


def wait_for_sentinel(ordinary: Callable[..., None]) -> Callable[..., None]:
    """Make `Thread._wait_for_tstate_lock` of Python up to 3.12 park and safe to interrupt.

    The standard one takes a lock that is held after an interrupt for one it has acquired
    itself, releases it, and the thread counts as ended while it runs.
    """

    def _wait_for_tstate_lock(self: Any, block: bool = True, timeout: float = -1) -> None:
        sentinel = self._tstate_lock
        if sentinel is None:
            return
        if isinstance(sentinel, Sentinel):
            if sentinel.wait(block, None if timeout < 0 else timeout):
                self._stop()
            return
        if block and existing_hub() is not None:
            _wait_for_os_thread(lambda: not sentinel.locked(), None if timeout < 0 else timeout)
            block, timeout = False, -1
        ordinary(self, block, timeout)

    return _wait_for_tstate_lock


def join_os_thread_too(ordinary: Callable[..., None]) -> Callable[..., None]:
    """Make `Thread.join` of Python 3.13 and later park also for an OS thread."""

    def join(self: Any, timeout: float | None = None) -> None:
        handle: Any = getattr(self, _name_of_handle(self), None)
        is_os_thread = handle is not None and not isinstance(handle, ThreadHandle)
        if is_os_thread and self.ident not in (None, get_ident()) and existing_hub() is not None:
            _wait_for_os_thread(handle.is_done, timeout)
            timeout = 0
        ordinary(self, timeout)

    return join


def _name_of_handle(thread: Any) -> str:
    """Tell where `threading` keeps the handle of a thread: Python 3.14 gave it another name."""
    return "_os_thread_handle" if hasattr(thread, "_os_thread_handle") else "_handle"


def with_fresh_handle(ordinary: Callable[..., None]) -> Callable[..., None]:
    """Make `Thread._after_fork` of Python 3.13 and later work in any green thread.

    The ordinary one insists on a handle with the ident of the thread that forked. Those that
    stand for plain green threads, or for several of them, have none.
    """

    def _after_fork(self: Any, new_ident: int | None = None) -> None:
        name = _name_of_handle(self)
        if new_ident is not None and isinstance(getattr(self, name), ThreadHandle):
            setattr(self, name, make_thread_handle(new_ident))
        ordinary(self, new_ident)

    return _after_fork


def _wait_for_os_thread(has_ended: Callable[[], bool], timeout: float | None) -> None:
    """Look, at least every 10 ms, for the end of an OS thread, which cannot wake us."""
    hub = get_hub()
    deadline = None if timeout is None else hub.clock() + timeout
    pause = 0.0005
    while not has_ended():
        left = pause if deadline is None else deadline - hub.clock()
        if left <= 0:
            return
        hub.park(hub.ticket(), min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)


_LONGEST_PAUSE = 0.01


def quiet_hook(ordinary: Callable[[Any], object]) -> Callable[[Any], None]:
    """Make a `threading.excepthook` that is silent about a green thread that was killed."""

    def excepthook(args: Any, /) -> None:
        if args.exc_type is not GreenletExit:
            ordinary(args)

    excepthook.__module__ = ordinary.__module__
    return excepthook


def green_thread_class(dummy_class: Any) -> Any:
    """Make the class of the `Thread` objects that stand for plain green threads.

    Args:
        dummy_class: the class `threading` has for threads that it did not start.
    """
    thread_class = dummy_class.__base__

    class _GreenThread(dummy_class):  # type: ignore[misc]  # a base known at run time
        """A green thread that was spawned, seen as a thread."""

        def __init__(self, thread: GreenThread, active: dict[int, Any]) -> None:
            thread_class.__init__(self, name=thread.name, daemon=True)
            self._ident = ident = get_ident(thread)
            self._active = active
            self._green = ref(thread, lambda _: active.pop(ident, None))
            self._set_native_id()
            self._started.set()
            active[ident] = self
            thread.link(self._forget)

        def _forget(self, _thread: GreenThread) -> None:
            self._active.pop(self._ident, None)

        @property
        def _g(self) -> GreenThread | None:
            """The green thread; `None` when it is gone."""
            return self._green()

        def is_alive(self) -> bool:
            """Whether the green thread is running."""
            return self._active.get(self._ident) is self

        isAlive = is_alive  # noqa: N815 - old name

        def join(self, timeout: float | None = None) -> None:
            """Park until the green thread has ended or `timeout` seconds have passed."""
            thread = self._green()
            if thread is None or thread.dead:
                return
            if thread is getcurrent():
                raise RuntimeError("cannot join current thread")
            ended = Event()
            tell = ended.send
            thread.link(_tell, tell)
            try:
                ended.wait(timeout if timeout is None else max(timeout, 0))
            finally:
                thread.unlink(_tell, tell)

        def is_daemon(self) -> bool:
            """Whether the program ends without it: always."""
            return True

        isDaemon = is_daemon  # noqa: N815 - old name

        def getName(self) -> str:  # noqa: N802 - old name
            """Return the name."""
            return str(self.name)

        def setName(self, name: str) -> None:  # noqa: N802 - old name
            """Set the name."""
            self.name = name

    class _Started(_GreenThread):
        """A green thread that `_thread` has started: a dummy, by its standard name."""

    _Started.__name__ = _Started.__qualname__ = dummy_class.__name__
    _GreenThread._class_of_started = _Started
    return _GreenThread


def _tell(_thread: GreenThread, tell: Callable[[], object]) -> None:
    tell()


def current_thread_for(namespace: dict[str, Any]) -> Callable[[], Any]:
    """Make the `current_thread` of a `threading` namespace."""

    def current_thread() -> Any:
        """Return the `Thread` object of the calling green thread.

        One that was spawned has one of its own, as long as it runs; in a plain greenlet it
        is that of the OS thread.
        """
        active = namespace["_active"]
        known = active.get(get_ident())
        if known is not None:
            return known
        thread = getcurrent()
        if isinstance(thread, GreenThread):
            kind = namespace["_GreenThread"]
            if isinstance(thread, StartedThread):
                kind = kind._class_of_started
            return kind(thread, active)
        known = active.get(native_ident())
        if known is not None:
            return known
        stranger = namespace["_DummyThread"]()
        # In a plain greenlet it was made with that one's ident; it stands for the OS thread.
        active.pop(stranger._ident, None)
        stranger._ident = native_ident()
        active[stranger._ident] = stranger
        return stranger

    return current_thread


def unite(set_attribute: Callable[[Any, str, Any], None], real: Any, green: Any) -> None:
    """Make a patched `threading` whole, and the green module another name of it.

    Args:
        set_attribute: like `setattr`; remembers the change.
        real: the standard module, whose patched names are set beside this.
        green: `eventlet.green.threading`.
    """
    set_attribute(real.Condition, "wait", condition_wait)
    set_attribute(local, "__module__", real.__name__)
    main_thread = real.main_thread()
    if hasattr(real.Thread, "_wait_for_tstate_lock"):
        ordinary = real.Thread._wait_for_tstate_lock
        set_attribute(real.Thread, "_wait_for_tstate_lock", wait_for_sentinel(ordinary))
        _give_green_sentinel(set_attribute, real, main_thread)
    else:
        set_attribute(real.Thread, "join", join_os_thread_too(real.Thread.join))
        set_attribute(real.Thread, "_after_fork", with_fresh_handle(real.Thread._after_fork))
        handle = green._make_thread_handle(main_thread.ident)
        set_attribute(main_thread, _name_of_handle(main_thread), handle)
    if real.excepthook is real.__excepthook__:
        set_attribute(real, "excepthook", quiet_hook(real.excepthook))
    for ident, thread in green._active.items():
        real._active.setdefault(ident, thread)
    for name, value in tuple(vars(real).items()):
        if not name.startswith("__") and name not in green.__patched__:
            set_attribute(green, name, value)
    set_attribute(green, "_GreenThread", green_thread_class(real._DummyThread))


def _give_green_sentinel(
    set_attribute: Callable[[Any, str, Any], None], real: Any, main_thread: Any
) -> None:
    """Let joining the main thread park; at its end `threading` releases what is found here."""
    ordinary = main_thread._tstate_lock
    sentinel = Sentinel()
    sentinel.acquire()
    set_attribute(main_thread, "_tstate_lock", sentinel)
    if ordinary in real._shutdown_locks:
        set_attribute(real, "_shutdown_locks", real._shutdown_locks - {ordinary} | {sentinel})
