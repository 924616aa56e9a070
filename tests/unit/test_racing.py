"""Connecting to names with several addresses: a race that leaves nothing behind."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventlet import _racing, convenience
from eventlet._racing import AllFailed, interleave, race
from eventlet.convenience import connect
from eventlet.green import socket as green_socket
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

DELAY = 0.05


class Course:
    """What attempts do: by target, seconds to wait and how it ends."""

    def __init__(self, **ends: tuple[float, str | BaseException]) -> None:
        self.ends = ends
        self.started: list[str] = []
        self.interrupted: list[str] = []
        self.closed: list[str] = []

    def connect(self, target: str) -> str:
        self.started.append(target)
        seconds, end = self.ends[target]
        try:
            sleep(seconds)
        except BaseException:
            self.interrupted.append(target)
            raise
        if isinstance(end, BaseException):
            raise end
        return end

    def run(self, delay: float = DELAY) -> str:
        return race(list(self.ends), self.connect, self.closed.append, delay)


def test_families_take_turns_from_the_first_one_on() -> None:
    targets = ["6a", "6b", "6c", "4a", "4b"]

    assert interleave(targets, lambda each: int(each[0])) == ["6a", "4a", "6b", "4b", "6c"]


def test_the_first_address_wins_when_it_answers_in_time() -> None:
    course = Course(a=(0.0, "A"), b=(0.0, "B"))

    assert course.run(delay=100.0) == "A"
    assert course.started == ["a"]


def test_the_next_attempt_begins_at_once_after_a_failure() -> None:
    course = Course(a=(0.0, OSError("a")), b=(0.0, "B"))

    assert course.run(delay=100.0) == "B"


def test_the_next_attempt_begins_beside_a_slow_one_which_is_ended() -> None:
    course = Course(a=(100.0, "A"), b=(0.0, "B"))

    assert course.run() == "B"
    sleep(0)
    assert course.interrupted == ["a"]


def test_a_slow_attempt_still_wins_if_it_is_first() -> None:
    course = Course(a=(DELAY * 2, "A"), b=(100.0, "B"), c=(100.0, "C"))

    assert course.run() == "A"
    sleep(0)
    assert course.interrupted == course.started[1:]


def test_a_connection_that_comes_too_late_is_closed() -> None:
    course = Course(a=(DELAY, "A"), b=(0.0, "B"))

    assert course.run() in "AB"
    sleep(DELAY)
    assert len(course.closed) + len(course.interrupted) == len(course.started) - 1


def test_failures_are_told_in_the_order_of_the_attempts() -> None:
    course = Course(a=(DELAY * 2, OSError("a")), b=(0.0, OSError("b")))

    with pytest.raises(AllFailed) as caught:
        course.run()
    assert [str(failure) for failure in caught.value.failures] == ["a", "b"]


def test_what_is_no_failure_to_connect_ends_the_race() -> None:
    course = Course(a=(0.0, ValueError("wrong")), b=(0.0, "B"))

    with pytest.raises(ValueError, match="wrong"):
        course.run(delay=100.0)
    assert course.started == ["a"]


def test_a_time_out_inside_an_attempt_ends_the_race() -> None:
    def connect(target: str) -> str:
        with Timeout(0.01):
            sleep(10)
        return target

    with Timeout(5), pytest.raises(Timeout) as caught:
        race(["a"], connect, print)
    assert caught.value.seconds == 0.01


def test_an_interrupted_race_ends_its_attempts() -> None:
    course = Course(a=(100.0, "A"), b=(100.0, "B"))

    racer = spawn(course.run)
    while len(course.started) < 2:
        sleep(0.001)

    racer.kill()
    sleep(0)
    assert sorted(course.interrupted) == ["a", "b"]


# -- over sockets ----------------------------------------------------------------------------------


class Hosts:
    """Listeners on one port of several loopback addresses, some of which never answer."""

    def __init__(self) -> None:
        self.port = 0
        self._open: list[Any] = []

    def listen(self, host: str) -> None:
        self._listen(host, 50)

    def be_silent(self, host: str) -> None:
        """Have a listener whose backlog is full: it answers nobody."""
        self._open.append(connect((host, self.port), self._listen(host, 0)))

    def _listen(self, host: str, backlog: int) -> int:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = GreenSocket(family)
        self._open.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, self.port))
        sock.listen(backlog)
        self.port = sock.getsockname()[1]
        return family

    def close(self) -> None:
        for sock in reversed(self._open):
            sock.close()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts()
    yield made
    made.close()


Named = Callable[..., None]


@pytest.fixture
def named(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Named:
    """Give a name to addresses: `named("127.0.0.2", "::1")`; every name has them."""

    def name(*addresses: str) -> None:
        def getaddrinfo(_host: Any, port: Any, *_args: Any) -> list[tuple[Any, ...]]:
            found = []
            for each in addresses:
                v6 = ":" in each
                family = socket.AF_INET6 if v6 else socket.AF_INET
                target = (each, port, 0, 0) if v6 else (each, port)
                found.append((family, socket.SOCK_STREAM, 6, "", target))
            return found

        def resolve_all(family: int, _kind: int, _proto: int, address: Any) -> list[Any]:
            assert family == socket.AF_INET
            return [(each, *address[1:]) for each in addresses]

        monkeypatch.setattr(green_socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(convenience, "resolve_all", resolve_all)

    return name


def create_connection(hosts: Hosts, **options: Any) -> str:
    with green_socket.create_connection(("name.test", hosts.port), **options) as sock:
        return str(sock.getpeername()[0])


def eventlet_connect(hosts: Hosts) -> str:
    with connect(("name.test", hosts.port)) as sock:
        return str(sock.getpeername()[0])


@pytest.mark.slow
@pytest.mark.parametrize("make", [create_connection, eventlet_connect])
def test_a_silent_address_costs_a_quarter_of_a_second(
    make: Callable[[Hosts], str], hosts: Hosts, named: Named
) -> None:
    hosts.listen("127.0.0.3")
    hosts.be_silent("127.0.0.2")
    named("127.0.0.2", "127.0.0.3")
    began = time.monotonic()

    assert make(hosts) == "127.0.0.3"
    assert 0.2 < time.monotonic() - began < 20  # the kernel would try for two minutes


@pytest.mark.slow
def test_the_other_family_comes_second(hosts: Hosts, named: Named) -> None:
    hosts.listen("127.0.0.1")
    try:
        hosts.be_silent("::1")
    except OSError as exc:
        pytest.skip(f"nobody can listen at ::1 here: {exc}")
    named("::1", "127.0.0.2", "127.0.0.1")  # nobody listens at .2

    assert create_connection(hosts) == "127.0.0.1"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["keyword", "environment"])
def test_without_a_race_each_address_has_its_time(
    how: str, hosts: Hosts, named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.listen("127.0.0.3")
    hosts.be_silent("127.0.0.2")
    named("127.0.0.2", "127.0.0.3")
    options: dict[str, Any] = {"timeout": 0.6}
    if how == "keyword":
        options["happy_eyeballs"] = False
    else:
        monkeypatch.setenv("EVENTLET_HAPPY_EYEBALLS", "no")
    began = time.monotonic()

    assert create_connection(hosts, **options) == "127.0.0.3"
    assert time.monotonic() - began >= 0.6


def test_connect_without_a_race_tries_all(
    hosts: Hosts, named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLET_HAPPY_EYEBALLS", "no")
    hosts.listen("127.0.0.3")
    named("127.0.0.2", "127.0.0.3")

    assert eventlet_connect(hosts) == "127.0.0.3"


@pytest.fixture
def refusing(hosts: Hosts) -> Iterator[Hosts]:
    """Have a port that is taken, so that nobody else gets it, and at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        hosts.port = int(sock.getsockname()[1])
        yield hosts


def test_the_last_failure_is_raised_when_all_fail(refusing: Hosts, named: Named) -> None:
    named("127.0.0.2", "127.0.0.3")

    with pytest.raises(ConnectionRefusedError):
        create_connection(refusing)
    with pytest.raises(ConnectionRefusedError):
        eventlet_connect(refusing)


def test_all_failures_are_raised_on_request(refusing: Hosts, named: Named) -> None:
    named("127.0.0.2", "127.0.0.3")

    with pytest.raises(ExceptionGroup) as caught:
        create_connection(refusing, all_errors=True)
    assert [type(exc) for exc in caught.value.exceptions] == [ConnectionRefusedError] * 2


def test_timeout_and_source_are_those_asked_for(hosts: Hosts, named: Named) -> None:
    hosts.listen("127.0.0.3")
    named("127.0.0.3")
    options: dict[str, Any] = {"timeout": 7.0, "source_address": ("127.0.0.9", 0)}
    with green_socket.create_connection(("name.test", hosts.port), **options) as sock:
        assert (sock.gettimeout(), sock.getsockname()[0]) == (7.0, "127.0.0.9")


def test_a_killed_caller_leaves_no_socket(hosts: Hosts, named: Named) -> None:
    hosts.listen("127.0.0.3")
    hosts.be_silent("127.0.0.2")
    named("127.0.0.2", "127.0.0.3")
    thread = spawn(create_connection, hosts)
    sleep(0.02)
    thread.kill()

    assert thread.dead  # the leak check looks for the rest


def test_the_delay_is_that_of_the_rfc() -> None:
    assert _racing.ATTEMPT_DELAY == 0.25
