"""WebSockets at whose ends many do things at once; each game is played from its number.

Whatever they do: the other end never sees a frame that is wrong nor a message that was not sent,
everything ends in time, nothing but the announced errors is raised, and the socket is closed.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet.greenthread import GreenThread, kill, sleep, spawn
from eventlet.timeout import Timeout
from eventlet.websocket import RFC6455WebSocket

from tests.unit.websocket.peer import sockets, tls_sockets

pytestmark = pytest.mark.slow

GAMES = range(25)
CLOSE_SECONDS = 0.15
ALL_SECONDS = 20.0
SIZES = (0, 1000, 20_000, 300_000)
WRONG = {1002, 1007, 1009}


class Game:
    """Two ends of a connection and what is done there.

    Args:
        number: decides all.
        both: a pair of sockets, the first of the server.
    """

    def __init__(self, number: int, both: tuple[Any, Any]) -> None:
        self.random = random.Random(number)
        near, far = both
        for sock in both:  # so that most are interrupted in the middle
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        extensions = self.choose({"permessage-deflate": {}}, None)
        client = self.choose(True, False)
        if client:
            near, far = far, near
        queue = self.choose(0, 0, 1, 3)
        self.ws = RFC6455WebSocket(near, {}, client=client, extensions=extensions, max_queue=queue)
        self.other = RFC6455WebSocket(far, {}, client=not client, extensions=extensions)
        self.ws.close_timeout = self.other.close_timeout = CLOSE_SECONDS
        self.ws.fragment_length = self.choose(None, 1, 100, 5000)
        self.ws.keep_alive(self.choose(None, None, 0.01), 0.05)
        self.heard: list[str | bytes] = []

    def choose(self, *options: Any) -> Any:
        return self.random.choice(options)

    def wait_a_moment(self, seconds: float = 0.04) -> None:
        sleep(self.random.random() * seconds)

    def play(self) -> None:
        other = spawn(self.tolerate, self.choose(*self.at_the_other_end()))
        players = [spawn(self.tolerate, self.send) for _ in range(self.choose(0, 1, 2, 3))]
        players.append(spawn(self.tolerate, self.choose(self.read, self.read_with_interrupts)))
        killed = self.choose(None, *players)
        players += [spawn(self.close) for _ in range(self.choose(1, 2))]
        self.wait_a_moment()
        if killed is not None:
            kill(killed)
        with Timeout(ALL_SECONDS):
            for each in players:
                join(each)
            self.ws.close()
            join(other)
        self.other.abandon()

    def tolerate(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError:
            pass  # that of a connection that ends

    # --- at this end ----------------------------------------------------------------------

    def send(self) -> None:
        for _ in range(self.choose(1, 3, 7)):
            text = "x" * self.choose(*SIZES)
            with Timeout(self.choose(None, None, 0.005), False):
                self.ws.send(self.choose(text, text.encode()))
            self.wait_a_moment(0.005)

    def read(self) -> None:
        for _ in self.ws:
            pass

    def read_with_interrupts(self) -> None:
        message: Any = ""
        while message is not None:
            with Timeout(self.random.random() * 0.01, False):
                message = self.ws.wait()

    def close(self) -> None:
        self.wait_a_moment()
        self.choose(self.ws.close, self.ws.go_away)()

    # --- at the other end -----------------------------------------------------------------

    def at_the_other_end(self) -> list[Callable[[], None]]:
        return [self.listen, self.listen, self.echo, self.listen_slowly, self.say_nothing,
                self.close_there, self.leave]  # fmt: skip

    def listen(self) -> None:
        for message in self.other:
            self.heard.append(message)

    def listen_slowly(self) -> None:
        for message in self.other:
            self.heard.append(message)
            sleep(0.005)

    def echo(self) -> None:
        for message in self.other:
            self.heard.append(message)
            self.tolerate(lambda message=message: self.other.send(message))  # type: ignore[misc]

    def say_nothing(self) -> None:
        sleep(2 * CLOSE_SECONDS)

    def close_there(self) -> None:
        self.wait_a_moment()
        self.other.close((4001, "enough"))

    def leave(self) -> None:
        self.wait_a_moment()
        self.other.abandon()


def join(thread: GreenThread) -> None:
    """Wait for the end of a green thread that may have been killed."""
    with suppress(GreenletExit):
        thread.wait()


@pytest.mark.parametrize("make", [sockets, tls_sockets])
@pytest.mark.parametrize("number", GAMES)
def test_a_game(number: int, make: Callable[[], tuple[Any, Any]]) -> None:
    game = Game(number, make())

    game.play()

    assert game.other.close_code not in WRONG
    assert all(set(message) <= {"x", ord("x")} for message in game.heard)
    assert game.ws.close_code is not None
    assert game.ws.socket.fileno() == -1
