"""The hub on each poller that is here."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

import pytest

from eventlet._core.current import get_hub
from eventlet._core.descriptor import Descriptor
from eventlet._core.hub import Hub
from eventlet._core.poller import READ, WRITE
from eventlet._core.pollers import POLLERS
from eventlet._core.wait_queue import EXPIRED, wake
from eventlet._errors import DescriptorBusy
from eventlet.greenthread import sleep, spawn

from tests.unit.core.os_threads import in_os_thread, start_os_thread
from tests.unit.core.plumbing import LONG, SOON, drain, fill, socket_pair

NAMES = [name for name, (is_available, _) in POLLERS.items() if is_available()]


def on_hub(name: str, function: Callable[[], object]) -> None:
    in_os_thread(function, lambda: Hub(POLLERS[name][1]()))


@pytest.mark.parametrize("name", NAMES)
def test_hub_carries_an_echo(name: str) -> None:
    def program() -> None:
        hub = get_hub()
        with socket_pair() as (a, b):

            def echo() -> None:
                while True:
                    hub.wait_foreign(b.fileno(), read=True)
                    data = b.recv(100)
                    if not data:
                        return
                    b.send(data)

            server = spawn(echo)
            for n in range(20):
                a.send(b"%d" % n)
                hub.wait_foreign(a.fileno(), read=True)
                assert a.recv(100) == b"%d" % n
            a.shutdown(socket.SHUT_WR)
            server.wait()
        assert hub.descriptors == {}

    on_hub(name, program)


@pytest.mark.parametrize("name", NAMES)
def test_hub_carries_owned_descriptors(name: str) -> None:
    def program() -> None:
        hub = get_hub()
        with socket_pair() as (a, b):
            mine = Descriptor(hub, a.fileno(), owned=True)

            def feed() -> None:
                for n in range(20):
                    sleep(0)
                    b.send(b"%d." % n)
                b.shutdown(socket.SHUT_WR)

            spawn(feed)
            got = b""
            while True:
                try:
                    data = a.recv(100)
                except BlockingIOError:
                    assert mine.wait_read(LONG) is not EXPIRED
                    continue
                if not data:
                    break
                got += data
            assert got == b"".join(b"%d." % n for n in range(20))
            fill(a)
            spawn(drain, b)
            assert mine.wait_write(LONG) is not EXPIRED
            mine.close()

    on_hub(name, program)


@pytest.mark.parametrize("name", NAMES)
def test_hub_runs_timers(name: str) -> None:
    def program() -> None:
        done: list[float] = []
        hub = get_hub()
        began = hub.clock()
        for seconds in (0.02, 0.005, 0.01):
            hub.call_at(began + seconds, done.append, seconds)
        spawn(sleep, 0.03).wait()
        assert done == [0.005, 0.01, 0.02]
        assert hub.clock() - began >= 0.03

    on_hub(name, program)


@pytest.mark.parametrize("name", NAMES)
def test_hub_expires_a_foreign_wait(name: str) -> None:
    def program() -> None:
        r, w = os.pipe()
        try:
            assert get_hub().wait_foreign(r, read=True, timeout=SOON) is EXPIRED
            os.write(w, b"x")
            assert get_hub().wait_foreign(r, read=True, timeout=LONG) & READ
        finally:
            os.close(r)
            os.close(w)

    on_hub(name, program)


@pytest.mark.parametrize("name", NAMES)
def test_hub_lets_one_read_and_one_write_the_same_number(name: str) -> None:
    def program() -> None:
        hub = get_hub()
        with socket_pair() as (a, b):
            fill(a)
            reader = spawn(hub.wait_foreign, a.fileno(), True, False, LONG)
            writer = spawn(hub.wait_foreign, a.fileno(), False, True, LONG)
            sleep(0)
            with pytest.raises(DescriptorBusy):
                hub.wait_foreign(a.fileno(), read=True)
            b.send(b"x")
            assert reader.wait() & READ
            drain(b)
            assert writer.wait() & WRITE

    on_hub(name, program)


@pytest.mark.parametrize("name", NAMES)
def test_hub_wakes_who_waits_on_a_number_closed_behind_its_back(name: str) -> None:
    def program() -> None:
        hub = get_hub()
        with socket_pair() as (a, _):
            waiter = spawn(hub.wait_foreign, a.fileno(), True, False, 0.2)
            sleep(0)
            a.close()
            waiter.wait()  # told at once, or expired: both end
        assert hub.descriptors == {}

    on_hub(name, program)


@pytest.mark.parametrize("name", NAMES)
def test_hub_is_woken_from_another_os_thread(name: str) -> None:
    def program() -> None:
        hub = get_hub()
        ticket = hub.ticket()

        def wake_later() -> None:
            time.sleep(SOON)
            wake(ticket, "hello")

        other = start_os_thread(wake_later)
        assert hub.park(ticket, LONG) == "hello"
        other.result()

    on_hub(name, program)
