"""0MQ sockets over green threads, on real TCP and inproc endpoints."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventlet.green import zmq
from eventlet.greenpool import GreenPool
from eventlet.greenthread import kill, sleep, spawn
from eventlet.timeout import Timeout

plain = pytest.importorskip("zmq", reason="pyzmq is not installed")

Pair = Callable[..., tuple[Any, Any]]
MakeSocket = Callable[[int], Any]


@pytest.fixture
def context() -> Iterator[Any]:
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def make_socket(context: Any) -> Iterator[MakeSocket]:
    """Make sockets that live until the end of the test."""
    made: list[Any] = []

    def make(kind: int) -> Any:
        made.append(context.socket(kind))
        return made[-1]

    yield make
    for each in made:
        each.close(linger=0)


@pytest.fixture
def pair(make_socket: MakeSocket) -> Pair:
    """Connect two sockets over TCP."""

    def make(first: int, second: int, **options: int) -> tuple[Any, Any]:
        sockets = make_socket(first), make_socket(second)
        for each in sockets:
            for name, value in options.items():
                each.setsockopt(getattr(zmq, name), value)
        port = sockets[0].bind_to_random_port("tcp://127.0.0.1")
        sockets[1].connect(f"tcp://127.0.0.1:{port}")
        return sockets

    return make


# -- names --------------------------------------------------------------------------------


def test_every_name_of_zmq_is_there() -> None:
    missing = [name for name in plain.__all__ if not hasattr(zmq, name)]

    assert missing == []
    assert (zmq.XREQ, zmq.XREP) == (zmq.DEALER, zmq.ROUTER)
    assert zmq.ZMQError is plain.ZMQError


def test_a_context_makes_green_sockets(context: Any) -> None:
    with context.socket(zmq.PUSH) as sock:
        assert isinstance(sock, zmq.Socket)
        assert isinstance(sock, plain.Socket)


def test_a_closed_context_makes_none() -> None:
    context = zmq.Context()
    context.term()
    with pytest.raises(zmq.ZMQError) as caught:
        context.socket(zmq.PUSH)

    assert caught.value.errno == errno.ENOTSUP


def test_the_shared_context_is_green_also_after_the_plain_one() -> None:
    ordinary = plain.Context.instance()
    shared = zmq.Context.instance()

    assert isinstance(shared, zmq.Context)
    assert zmq.Context.instance() is shared
    shared.term()
    ordinary.term()


# -- waiting ------------------------------------------------------------------------------


def test_a_receiver_waits_and_others_run(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    receiver = spawn(pull.recv)
    sleep(0.01)
    push.send(b"one")

    assert receiver.wait() == b"one"


def test_a_sender_waits_for_room(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL, SNDHWM=2, RCVHWM=2)
    sent: list[int] = []

    def send() -> None:
        for number in range(200):
            push.send(number.to_bytes(4, "big") + bytes(50_000))
            sent.append(number)

    sender = spawn(send)
    sleep(0.05)
    stopped_at = len(sent)
    received = [int.from_bytes(pull.recv()[:4], "big") for _ in range(200)]
    sender.wait()

    assert stopped_at < 200
    assert received == list(range(200))


def test_requests_and_replies(pair: Pair) -> None:
    reply, request = pair(zmq.REP, zmq.REQ)

    def serve() -> None:
        for _ in range(50):
            reply.send(reply.recv() * 2)

    server = spawn(serve)
    answers = []
    for number in range(50):
        request.send(b"%d" % number)
        answers.append(request.recv())
    server.wait()

    assert answers == [b"%d%d" % (number, number) for number in range(50)]


@pytest.mark.slow
def test_both_directions_at_once_lose_no_wake(pair: Pair) -> None:
    """A sender's calls take the notes that the receiver of the same socket waits for."""
    left, right = pair(zmq.PAIR, zmq.PAIR, SNDHWM=5, RCVHWM=5)
    count = 2000

    def send(sock: Any) -> None:
        for number in range(count):
            sock.send(number.to_bytes(4, "big") + bytes(number % 3000))

    def receive(sock: Any) -> list[int]:
        return [int.from_bytes(sock.recv()[:4], "big") for _ in range(count)]

    with Timeout(60):
        senders = [spawn(send, left), spawn(send, right)]
        receivers = [spawn(receive, left), spawn(receive, right)]
        assert [thread.wait() for thread in receivers] == [list(range(count))] * 2
        for thread in senders:
            thread.wait()


def test_asking_for_events_wakes_who_waits_for_them(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    receiver = spawn(pull.recv)
    sleep(0.01)
    push.send(b"news")
    give_up = time.monotonic() + 60
    while not pull.getsockopt(zmq.EVENTS) & zmq.POLLIN and time.monotonic() < give_up:
        pass  # takes the notes before the hub can hear of them

    assert receiver.wait() == b"news"


def test_the_forms_of_a_message(pair: Pair) -> None:
    left, right = pair(zmq.PAIR, zmq.PAIR)
    left.send_string("größe")
    left.send_json({"a": [1, 2]})
    left.send_pyobj({3, 4})
    left.send_multipart([b"a", b"b"])
    left.send(b"frame", copy=False)
    left.send_serialized([5], lambda numbers: [bytes(numbers)])

    assert right.recv_string() == "größe"
    assert right.recv_json() == {"a": [1, 2]}
    assert right.recv_pyobj() == {3, 4}
    assert right.recv_multipart() == [b"a", b"b"]
    assert bytes(right.recv(copy=False)) == b"frame"
    assert right.recv_serialized(lambda parts: list(parts[0])) == [5]


def test_a_message_into_a_buffer(pair: Pair) -> None:
    left, right = pair(zmq.PAIR, zmq.PAIR)
    if not hasattr(plain.Socket, "recv_into"):
        pytest.skip("recv_into is new in pyzmq 27")
    buffer = bytearray(10)
    receiver = spawn(right.recv_into, buffer)
    sleep(0)
    left.send(b"12345")

    assert receiver.wait() == 5
    assert buffer == b"12345\0\0\0\0\0"


@pytest.mark.slow
def test_a_green_and_a_plain_socket_in_another_os_thread(make_socket: MakeSocket) -> None:
    server = make_socket(zmq.REP)
    port = server.bind_to_random_port("tcp://127.0.0.1")
    answers: list[bytes] = []

    def ask() -> None:
        with plain.Context() as own, own.socket(plain.REQ) as request:
            request.connect(f"tcp://127.0.0.1:{port}")
            for _ in range(100):
                request.send(b"ping")
                answers.append(request.recv())

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(100):
        assert server.recv() == b"ping"
        server.send(b"pong")
    thread.join()

    assert answers == [b"pong"] * 100


def test_waiting_costs_no_cpu(pair: Pair) -> None:
    left, right = pair(zmq.PAIR, zmq.PAIR)
    waiting = [spawn(left.recv), spawn(right.poll), spawn(right.recv)]
    left.send(b"taken")
    left.send(b"left lying")  # nobody will ask for this one: its note must not keep us busy
    sleep(0.05)
    before = time.process_time()
    sleep(0.3)
    used = time.process_time() - before
    for thread in waiting:
        thread.kill()

    assert used < 0.1


def test_busy_sockets_let_others_run(make_socket: MakeSocket) -> None:
    left, right = make_socket(zmq.PAIR), make_socket(zmq.PAIR)
    left.bind("inproc://busy")
    right.connect("inproc://busy")
    other = spawn(sleep, 0)
    for _ in range(200):
        left.send(b"x")
        right.recv()

    assert other.dead


# -- whole messages ---------------------------------------------------------------------------


@pytest.mark.slow
def test_parts_of_messages_stay_together(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL, SNDHWM=3, RCVHWM=3)
    received: list[list[bytes]] = []

    def send(sender: int) -> None:
        for number in range(40):
            push.send_multipart([b"%d" % sender, b"%d" % number, bytes(2000)])

    def receive() -> None:
        received.extend(pull.recv_multipart() for _ in range(100))

    pool = GreenPool()
    for sender in range(10):
        pool.spawn(send, sender)
    for _ in range(4):
        pool.spawn(receive)
    with Timeout(60):
        pool.waitall()

    assert all(len(parts) == 3 for parts in received)
    whole = sorted((int(parts[0]), int(parts[1])) for parts in received)
    assert whole == [(sender, number) for sender in range(10) for number in range(40)]


def test_receivers_are_served_in_the_order_of_arrival(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    order: list[tuple[int, bytes]] = []
    receivers = [spawn(lambda n=n: order.append((n, pull.recv()))) for n in range(5)]
    sleep(0.01)
    for number in range(5):
        push.send(b"%d" % number)
    for thread in receivers:
        thread.wait()

    assert order == [(n, b"%d" % n) for n in range(5)]


def test_a_killed_receiver_loses_no_message(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    first, second = spawn(pull.recv), spawn(pull.recv)
    sleep(0.01)
    kill(first)
    push.send(b"for the second")

    assert second.wait() == b"for the second"


# -- not waiting, and not for ever ----------------------------------------------------------


def test_noblock_never_waits(pair: Pair) -> None:
    _, pull = pair(zmq.PUSH, zmq.PULL)
    holder = spawn(pull.recv)
    sleep(0)
    with pytest.raises(zmq.Again) as caught:
        pull.recv(zmq.NOBLOCK)
    holder.kill()

    assert not hasattr(caught.value, "is_timeout")


@pytest.mark.parametrize("limit_ms", [0, 30])
def test_a_receive_time_limit(pair: Pair, limit_ms: int) -> None:
    _, pull = pair(zmq.PUSH, zmq.PULL, RCVTIMEO=limit_ms)
    began = time.monotonic()
    with pytest.raises(zmq.Again) as caught:
        pull.recv()
    took = time.monotonic() - began

    assert caught.value.errno == errno.EAGAIN
    assert caught.value.is_timeout is True
    assert limit_ms / 1000 <= took < 20


@pytest.mark.parametrize("limit_ms", [0, 30])
def test_a_send_time_limit(make_socket: MakeSocket, limit_ms: int) -> None:
    sock = make_socket(zmq.PUSH)  # with nobody to send to
    sock.SNDTIMEO = limit_ms
    with pytest.raises(zmq.Again) as caught:
        sock.send_multipart([b"a", b"b"])

    assert caught.value.is_timeout is True


def test_the_time_limit_counts_the_wait_for_ones_turn(pair: Pair) -> None:
    _, pull = pair(zmq.PUSH, zmq.PULL)
    holder = spawn(pull.recv)
    sleep(0)
    pull.RCVTIMEO = 30
    with pytest.raises(zmq.Again) as caught:
        pull.recv()
    holder.kill()

    assert caught.value.is_timeout is True


@pytest.mark.slow
def test_a_router_that_must_deliver_waits_for_its_peer(pair: Pair) -> None:
    """EVENTS says that a ROUTER can be written to, whatever becomes of the message."""
    options = {"SNDHWM": 1, "RCVHWM": 1, "SNDBUF": 8192, "RCVBUF": 8192}
    router, dealer = pair(zmq.ROUTER, zmq.DEALER, **options)
    router.ROUTER_MANDATORY = 1
    dealer.send(b"hello")
    name = router.recv_multipart()[0]
    sent: list[int] = []

    def send() -> None:
        for number in range(100):
            router.send_multipart([name, b"%d" % number + bytes(100_000)])
            sent.append(number)

    sender = spawn(send)
    sleep(0.1)
    stopped_at = len(sent)
    before = time.process_time()
    sleep(0.3)
    used = time.process_time() - before
    with Timeout(60):
        got = [int(dealer.recv().rstrip(b"\0")) for _ in range(100)]
        sender.wait()

    assert stopped_at < 100
    assert used < 0.15
    assert got == list(range(100))


# -- the end ---------------------------------------------------------------------------------


def test_close_wakes_every_waiter_with_an_error(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    outcomes: list[int | None] = []

    def wait(call: Callable[[], Any]) -> None:
        try:
            call()
        except zmq.ZMQError as exc:
            outcomes.append(exc.errno)

    threads = [spawn(wait, call) for call in (pull.recv, pull.recv_multipart, pull.poll)]
    sleep(0.01)
    pull.close()
    for thread in threads:
        thread.wait()
    push.close()

    assert outcomes == [zmq.ENOTSOCK] * 3


def test_ending_a_context_wakes_who_waits_on_its_sockets() -> None:
    context = zmq.Context()
    sock = context.socket(zmq.PULL)
    ended: list[str] = []

    def receive() -> None:
        try:
            sock.recv()
        except zmq.ContextTerminated:
            ended.append("receiver")
            sock.close()

    receiver = spawn(receive)
    sleep(0.01)
    context.term()
    ended.append("context")
    receiver.wait()

    assert ended == ["receiver", "context"]
    assert context.closed


# -- pollers ----------------------------------------------------------------------------------


def test_a_poller_over_sockets_and_descriptors(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    reader, writer = os.pipe()
    poller = zmq.Poller()
    poller.register(pull, zmq.POLLIN)
    poller.register(reader, zmq.POLLIN)
    first = spawn(poller.poll)
    sleep(0.01)
    push.send(b"x")
    seen = [first.wait()]
    pull.recv()
    second = spawn(poller.poll)
    sleep(0.01)
    os.write(writer, b"x")
    seen.append(second.wait())
    os.close(reader)
    os.close(writer)

    assert seen == [[(pull, zmq.POLLIN)], [(reader, zmq.POLLIN)]]


def test_a_poller_has_a_time_limit(pair: Pair) -> None:
    _, pull = pair(zmq.PUSH, zmq.PULL)
    poller = zmq.Poller()
    poller.register(pull, zmq.POLLIN)
    began = time.monotonic()

    assert poller.poll(30) == []
    assert poller.poll(0) == []
    assert pull.poll(timeout=0) == 0
    assert time.monotonic() - began < 20


def test_several_poll_one_socket(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    pollers = [spawn(pull.poll) for _ in range(3)]
    sleep(0.01)
    push.send(b"x")

    assert [thread.wait() for thread in pollers] == [zmq.POLLIN] * 3


def test_a_poller_wakes_a_receiver_whose_notes_it_took(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    receiver = spawn(pull.recv)
    sleep(0.01)
    push.send(b"x")
    give_up = time.monotonic() + 60
    while not pull.poll(0) and time.monotonic() < give_up:
        pass

    assert receiver.wait() == b"x"


def test_select_over_sockets(pair: Pair) -> None:
    push, pull = pair(zmq.PUSH, zmq.PULL)
    while not zmq.select([], [push], [], 1)[1]:
        pass
    waiter = spawn(zmq.select, [pull], [], [pull], 60)
    sleep(0.01)
    push.send(b"x")

    assert waiter.wait() == ([pull], [], [])


# -- the lock ---------------------------------------------------------------------------------


def test_the_lock_is_reentrant_and_first_come_first_served() -> None:
    lock = zmq._QueueLock()
    order: list[int] = []

    def take(number: int) -> None:
        with lock:
            order.append(number)

    with lock, lock:
        assert lock
        threads = [spawn(take, number) for number in range(3)]
        sleep(0)
        assert order == []
    for thread in threads:
        thread.wait()

    assert order == [0, 1, 2]
    assert not lock


def test_releasing_a_free_lock_is_an_error() -> None:
    with pytest.raises(zmq.LockReleaseError):
        zmq._QueueLock().release()
