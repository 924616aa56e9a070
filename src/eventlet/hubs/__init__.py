"""The hub of this OS thread, the choice of its kind, and waiting for any descriptor."""

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, cast

from greenlet import getcurrent

from eventlet._core import current
from eventlet._core.fork import is_new_in_child
from eventlet._core.kept_forks import FORK_SWITCH
from eventlet._core.wait_queue import EXPIRED
from eventlet._errors import HubError, IOClosed
from eventlet._settings import HUB
from eventlet.hubs import epolls, kqueue, poll, selects
from eventlet.hubs.hub import BaseHub, refuse_own_loop
from eventlet.timeout import Timeout

__all__ = [
    "HubError",
    "IOClosed",
    "builtin_hub_modules",
    "builtin_hub_names",
    "get_default_hub",
    "get_hub",
    "keep_green_threads_on_fork",
    "notify_close",
    "notify_opened",
    "trampoline",
    "use_hub",
]

builtin_hub_modules: Final = (epolls, kqueue, poll, selects)
"""The modules to choose a default from, best first."""
builtin_hub_names: Final = ("epolls", "kqueue", "poll", "selects")
"""Their names, as `use_hub` takes them."""

_OWN_NAMES: Final = ("asyncio", *builtin_hub_names)

get_hub = cast("Callable[[], BaseHub]", current.get_hub)


def use_hub(mod: Any = None) -> None:
    """Choose the hub of this OS thread; the present one is dropped with all it waits for.

    The new one is made when it is first needed. In a forked child, which has a new one, that is
    kept as long as it has only new green threads, such as a signal handler spawns.

    Args:
        mod: a class derived from `BaseHub`; a module with one, as `Hub`; their names as
            "package.module:Class" or "package.module"; the name of a built-in hub such as
            "poll"; None for what EVENTLET_HUB says, else the best of this platform.

    Raises:
        RuntimeError: `mod` is blank, or the caller is a green thread of the present hub.
        ImportError: there is no such module, or it has no such class.
        HubError: this hub cannot run here.
    """
    make_hub = _choose(mod)
    hub = current.existing_hub()
    if hub is not None and (getcurrent() is hub.greenlet or getcurrent() in hub.threads):
        raise RuntimeError(
            "use_hub ends the present hub and its green threads, so no green thread may call "
            "it; call it at the start of the program"
        )
    if hub is None or type(hub) is not make_hub or not is_new_in_child(hub):
        current.drop_hub()
    current.set_hub_factory(make_hub)


def get_default_hub() -> ModuleType:
    """Return the module of the best hub of this platform.

    Raises:
        HubError: none of the built-in hubs can run here.
    """
    for module in builtin_hub_modules:
        if module.is_available():
            return module
    raise HubError(f"none of {', '.join(builtin_hub_names)} is available on this platform")


def trampoline(
    fd: Any,
    read: bool | None = None,
    write: bool | None = None,
    timeout: float | None = None,
    timeout_exc: Any = Timeout,
    mark_as_closed: Callable[[], object] | None = None,
) -> int:
    """Park the calling green thread until a descriptor is ready.

    Args:
        fd: descriptor number, or an object with `fileno()`.
        read: wait until it can be read.
        write: wait until it can be written; exactly one of the two.
        timeout: seconds; None waits for ever.
        timeout_exc: exception class or instance to raise when the time is up first.
        mark_as_closed: called when the number is found to name another file.

    Returns:
        The descriptor number.

    Raises:
        RuntimeError: both `read` and `write`, or called in the hub's own greenlet.
        ValueError: neither `read` nor `write`.
        DescriptorBusy: another green thread waits for this side already.
        IOClosed: the number names another file now.
    """
    if read and write:
        raise RuntimeError("not allowed to trampoline for reading and writing")
    if not read and not write:
        raise ValueError("trampoline waits for read=True or for write=True, but got neither")
    fileno: int = fd if isinstance(fd, int) else fd.fileno()
    try:
        ready = get_hub().wait_foreign(fileno, bool(read), bool(write), timeout)
    except IOClosed:
        if mark_as_closed is not None:
            mark_as_closed()
        raise
    if ready is EXPIRED:
        raise timeout_exc
    return fileno


def notify_close(fd: int) -> None:
    """Prepare for descriptor `fd` being closed: who waits for it gets EBADF."""
    get_hub().notify_close(fd)


def notify_opened(fd: int) -> None:
    """Note that `fd` names a new file: who waited for the old one gets `IOClosed`."""
    get_hub().mark_as_reopened(fd)


def keep_green_threads_on_fork(keep: bool | None = True) -> None:
    """Choose what a forked child runs: all green threads, or only the one that forked.

    All of them means that each goes on in both processes: timers come twice, `finally` blocks
    run twice, and connections have a reader in each process. Those of other OS threads stay
    behind all the same. While another loop drives the hub, only the one that forked goes on.

    Args:
        keep: True for all, False for the one, which is the default; None for what
            EVENTLET_FORK_KEEPS_GREEN_THREADS says.
    """
    FORK_SWITCH.choice = keep


# -- the choice ----------------------------------------------------------------------------


def _choose(mod: Any) -> Callable[[], BaseHub]:
    """Return what makes the hub that `mod` says. See `use_hub`."""
    origin = ""
    if mod is None and (mod := HUB.read()) is not None:
        origin = f"{HUB.name}={mod!r}: "
    if mod is None:
        mod = get_default_hub()
    if isinstance(mod, str):
        mod = _find(mod.strip(), origin)
    if not isinstance(mod, (type, ModuleType)):
        raise TypeError(f"a hub is chosen by a class, a module or their name, not {mod!r}")
    hub_class = mod if isinstance(mod, type) else getattr(mod, "Hub", None)
    if not isinstance(hub_class, type):
        raise ImportError(f"{origin}{mod!r} has no class Hub")
    refuse_own_loop(hub_class)
    is_available = getattr(mod, "is_available", None)
    if is_available is None:
        warnings.warn(
            f"{mod!r} has no is_available(): it must tell whether its hub can run on this platform",
            DeprecationWarning,
            stacklevel=3,
        )
    elif not is_available():
        raise HubError(f"{origin}the hub of {mod!r} is not available on this platform")
    return cast("Callable[[], BaseHub]", hub_class)


def _find(name: str, origin: str) -> Any:
    """Return the class or module called "package.module:Class", "package.module" or "poll".

    Args:
        name: what was chosen.
        origin: said before what is wrong with it.
    """
    if not name:
        raise RuntimeError("Need to specify a hub")
    module_name, _, class_name = name.partition(":")
    if not class_name and "." not in module_name:
        module_name = f"{__name__}.{module_name}"
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{module_name}.".startswith(f"{exc.name}."):
            raise  # the module is there; what is missing is something that it imports
        raise ModuleNotFoundError(
            f"{origin}there is no hub {name!r}; choose one of {', '.join(_OWN_NAMES)}, or "
            "name another as package.module:Class",
            name=exc.name,
        ) from exc
    for part in class_name.split(".") if class_name else ():
        found = getattr(found, part, None)
        if found is None:
            raise ImportError(f"{origin}module {module_name} has no {class_name}")
    return found


def _make_default() -> BaseHub:
    return _choose(None)()


current.set_hub_factory(_make_default, everywhere=True)
