"""Which hub an OS thread gets."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from greenlet import getcurrent

from eventlet import hubs
from eventlet._core import current
from eventlet._core.hub import Hub
from eventlet._core.pollers.select import SelectPoller
from eventlet.greenthread import sleep, spawn, spawn_after
from eventlet.hubs import HubError, epolls, get_hub, poll, selects, use_hub
from eventlet.hubs import asyncio as asyncio_hub
from eventlet.hubs.hub import BaseHub

from tests.conftest import RunIsolated
from tests.unit.hubs.conftest import AVAILABLE

pytestmark = pytest.mark.usefixtures("own_choice")


class OwnHub(BaseHub):
    """A third-party hub: it brings a poller."""

    make_poller = SelectPoller


def module_with(**names: Any) -> types.ModuleType:
    module = types.ModuleType("third_party_hub")
    vars(module).update(names)
    return module


# -- get_hub -----------------------------------------------------------------------------


def test_a_hub_that_wants_to_know_is_told_once_when_it_is_the_hub() -> None:
    told: list[bool] = []

    class Curious(BaseHub):
        def _post_initialize(self) -> None:
            told.append(get_hub() is self)

    use_hub(Curious)
    get_hub()
    get_hub()

    assert told == [True]


def test_get_hub_returns_the_same_hub_again() -> None:
    assert get_hub() is get_hub()


def test_each_os_thread_has_a_hub_of_its_own() -> None:
    import threading

    found: list[BaseHub] = []

    def look() -> None:
        found.append(get_hub())
        current.drop_hub()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert found[0] is not get_hub()


def test_the_default_hub_is_the_best_available() -> None:
    use_hub()

    assert (
        hubs.get_default_hub()
        is hubs.builtin_hub_modules[hubs.builtin_hub_names.index(AVAILABLE[0])]
    )
    assert type(get_hub()) is hubs.get_default_hub().Hub


def test_there_is_no_default_hub_where_none_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in hubs.builtin_hub_modules:
        monkeypatch.setattr(module, "is_available", lambda: False)

    with pytest.raises(HubError, match="epolls, kqueue, poll, selects"):
        hubs.get_default_hub()


def test_the_parent_of_the_hubs_greenlet_is_who_made_the_hub() -> None:
    assert get_hub().greenlet.parent is getcurrent()


# -- use_hub -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "choice, kind",
    [
        (OwnHub, OwnHub),
        (selects.Hub, selects.Hub),
        (selects, selects.Hub),
        (module_with(Hub=OwnHub, is_available=lambda: True), OwnHub),
        ("selects", selects.Hub),
        (" selects ", selects.Hub),
        ("eventlet.hubs.selects", selects.Hub),
        ("eventlet.hubs.selects:Hub", selects.Hub),
        (f"{__name__}:OwnHub", OwnHub),
        (f"{__name__}:Namespace.Inner", OwnHub),
        ("asyncio", asyncio_hub.Hub),
        ("eventlet.hubs.asyncio", asyncio_hub.Hub),
        ("eventlet.hubs.asyncio:Hub", asyncio_hub.Hub),
        (asyncio_hub, asyncio_hub.Hub),
        (asyncio_hub.Hub, asyncio_hub.Hub),
    ],
)
def test_use_hub_takes_classes_modules_and_their_names(choice: Any, kind: type) -> None:
    use_hub(choice)

    assert type(get_hub()) is kind
    sleep(0.001)


class Namespace:
    Inner = OwnHub


@pytest.mark.parametrize("name", AVAILABLE)
def test_a_built_in_hub_says_its_name_by_its_module(name: str) -> None:
    use_hub(name)

    assert type(get_hub()).__module__ == f"eventlet.hubs.{name}"


def test_use_hub_is_lazy_and_drops_the_present_hub_with_its_timers() -> None:
    calls: list[int] = []
    old = get_hub()
    old.schedule_call_global(0.001, calls.append, 1)
    thread = spawn_after(0.001, calls.append, 2)

    use_hub("selects")

    assert current.existing_hub() is None
    sleep(0.005)
    assert get_hub() is not old
    assert (calls, old.closed) == ([], True)
    del thread


def test_use_hub_none_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLET_HUB", "selects")
    use_hub()

    assert type(get_hub()) is selects.Hub


@pytest.mark.parametrize(
    "value, module",
    [
        ("selects", "eventlet.hubs.selects"),
        ("asyncio", "eventlet.hubs.asyncio"),
        ("eventlet.hubs.poll:Hub", "eventlet.hubs.poll"),
    ],
)
def test_without_use_hub_the_first_hub_follows_the_environment(
    value: str, module: str, run_isolated: RunIsolated
) -> None:
    done = run_isolated(
        "from eventlet.hubs import get_hub; print(type(get_hub()).__module__)",
        env={"EVENTLET_HUB": value},
    )

    assert done.stdout == f"{module}\n"


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_environment_variable_counts_as_unset(
    blank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLET_HUB", blank)
    use_hub()

    assert type(get_hub()) is hubs.get_default_hub().Hub


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_name_is_refused(blank: str) -> None:
    with pytest.raises(RuntimeError, match="Need to specify a hub"):
        use_hub(blank)


@pytest.mark.parametrize(
    "name",
    [
        "never_built",
        "pyevent",
        "no.such.module",
        "json.tool",
        "eventlet.hubs.poll:Absent",
    ],
)
def test_a_name_without_a_hub_is_an_import_error(name: str) -> None:
    with pytest.raises(ImportError):
        use_hub(name)


def test_a_name_that_nobody_has_is_answered_with_those_there_are() -> None:
    wanted = "there is no hub 'epol'; .* asyncio, epolls, kqueue, poll, selects, or .*:Class"
    with pytest.raises(ModuleNotFoundError, match=wanted) as caught:
        use_hub("epol")
    assert caught.value.name == "eventlet.hubs.epol"


@pytest.mark.parametrize("name", ["epol", "no.such:Hub", "json.tool", "eventlet.hubs.poll:Absent"])
def test_a_bad_name_in_the_environment_is_told_with_the_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLET_HUB", name)

    with pytest.raises(ImportError, match=f"^EVENTLET_HUB={name!r}: "):
        use_hub()


def test_a_hub_module_that_lacks_what_it_imports_says_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hub_of_mine.py").write_text("import never_built")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="No module named 'never_built'"):
        use_hub("hub_of_mine:Hub")


@pytest.mark.parametrize("choice", [5, object(), b"poll"])
def test_what_is_no_class_module_or_name_is_refused(choice: Any) -> None:
    with pytest.raises(TypeError, match="a class, a module or their name"):
        use_hub(choice)


def test_a_refused_choice_leaves_the_present_hub() -> None:
    before = get_hub()

    with pytest.raises(ImportError):
        use_hub("never_built")

    assert get_hub() is before


def test_a_hub_that_is_not_available_is_refused() -> None:
    with pytest.raises(HubError, match="not available on this platform"):
        use_hub(module_with(Hub=OwnHub, is_available=lambda: False))


@pytest.mark.parametrize("name", [name for name in hubs.builtin_hub_names if name not in AVAILABLE])
def test_a_built_in_hub_of_another_platform_is_refused(name: str) -> None:
    with pytest.raises(HubError, match="not available on this platform"):
        use_hub(name)


def test_a_module_that_does_not_say_whether_it_is_available_is_warned_about() -> None:
    with pytest.warns(DeprecationWarning, match="is_available") as caught:
        use_hub(module_with(Hub=OwnHub))

    assert caught[0].filename == __file__
    assert type(get_hub()) is OwnHub


def test_a_hub_with_its_own_wait_is_refused_and_pointed_to_poller() -> None:
    class LoopOfItsOwn(BaseHub):
        def wait(self, seconds: float | None = None) -> None:
            """What the old hubs overrode."""

    with pytest.raises(HubError, match=r"wait.*Poller"):
        use_hub(LoopOfItsOwn)
    with pytest.raises(HubError, match=r"wait.*Poller"):
        LoopOfItsOwn()


@pytest.mark.parametrize("stranger", [dict, Hub])
def test_a_class_that_is_no_hub_is_refused(stranger: type) -> None:
    with pytest.raises(HubError, match=r"is no eventlet\.hubs\.hub\.BaseHub"):
        use_hub(stranger)


def test_a_green_thread_may_not_choose() -> None:
    def choose() -> str:
        with pytest.raises(RuntimeError, match="no green thread may call"):
            use_hub("selects")
        return "refused"

    before = get_hub()

    assert spawn(choose).wait() == "refused"
    assert get_hub() is before


def test_a_callback_of_the_hub_may_not_choose() -> None:
    refused: list[bool] = []

    def choose() -> None:
        with pytest.raises(RuntimeError, match="no green thread may call"):
            use_hub("selects")
        refused.append(True)

    get_hub().schedule_call_global(0, choose)
    sleep(0)

    assert refused == [True]


IN_A_CHILD = """
import os, signal, sys, time
from eventlet import hubs
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

def say(*words):
    print(*words, flush=True)

def in_a_child(body, forker):
    "Run `body` in a child that `forker` forks; return its exit status."
    def fork():
        pid = os.fork()
        if pid == 0:
            body()
            os._exit(0)
        return pid
    pid = fork() if forker == "main" else spawn(fork).wait()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

sleep(0)
"""


@pytest.mark.parametrize("forker", ["main", "green thread"])
def test_the_new_hub_of_a_child_keeps_what_a_signal_handler_has_spawned(
    run_isolated: RunIsolated, forker: str
) -> None:
    """As the workers of oslo.service do, which are told to stop before they know their hub."""
    done = run_isolated(
        IN_A_CHILD
        + f"""
def body():
    os.kill(os.getpid(), signal.SIGTERM)
    hub = hubs.get_hub()
    hubs.use_hub()
    assert hubs.get_hub() is hub
    sleep(0.001)
    spawn(say, "goes on").wait()

signal.signal(signal.SIGTERM, lambda *args: spawn(say, "told to stop"))
assert in_a_child(body, {forker!r}) == 0
"""
    )

    assert done.stdout == "told to stop\ngoes on\n"


@pytest.mark.parametrize("first", ["sleep(0)", "own = Timeout(60)", "hubs.use_hub('selects')"])
def test_a_hub_that_a_child_has_used_is_dropped(run_isolated: RunIsolated, first: str) -> None:
    done = run_isolated(
        IN_A_CHILD
        + f"""
def body():
    {first}
    hub = hubs.get_hub()
    spawn(say, "never")
    hubs.use_hub()
    assert hubs.get_hub() is not hub
    sleep(0.001)

assert in_a_child(body, "main") == 0
"""
    )

    assert done.stdout == ""


def test_a_hub_takes_a_clock() -> None:
    assert OwnHub(clock=lambda: 7.0).clock() == 7.0


# -- the modules -------------------------------------------------------------------------


def test_every_hub_module_can_be_imported_everywhere() -> None:
    assert [module.__name__.rpartition(".")[2] for module in hubs.builtin_hub_modules] == list(
        hubs.builtin_hub_names
    )
    assert all(isinstance(module.is_available(), bool) for module in hubs.builtin_hub_modules)
    assert all(issubclass(module.Hub, BaseHub) for module in hubs.builtin_hub_modules)


def test_each_module_makes_its_poller() -> None:
    assert poll.Hub.make_poller.__name__ == "PollPoller"
    assert epolls.Hub.make_poller.__name__ == "EpollPoller"


def test_importing_makes_no_hub(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        import os
        before = os.listdir("/dev/fd")
        import eventlet.hubs
        from eventlet._core.current import existing_hub
        print(existing_hub(), os.listdir("/dev/fd") == before)
        """
    )

    assert done.stdout == "None True\n"


def test_notify_functions_look_the_methods_up_when_called(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []

    def note(name: str) -> Callable[[int], None]:
        return lambda fd: calls.append((name, fd))

    monkeypatch.setattr(get_hub(), "mark_as_reopened", note("reopened"))
    monkeypatch.setattr(get_hub(), "notify_close", note("close"))
    hubs.notify_opened(3)
    hubs.notify_close(4)

    assert calls == [("reopened", 3), ("close", 4)]
