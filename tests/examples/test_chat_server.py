from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

import pytest

from tests.examples.programs import Running, example

pytestmark = pytest.mark.slow


class Visitor:
    """A guest as the test plays it: says lines and reads lines."""

    def __init__(self, room: Running) -> None:
        self.sock: socket.socket = room.connect()
        self.lines = self.sock.makefile("r", encoding="utf-8", newline="\r\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.lines.close()
        self.sock.close()

    def say(self, text: str) -> None:
        self.sock.sendall(f"{text}\n".encode())

    def hear(self) -> str:
        """Return the next line, or an empty text after the last."""
        return self.lines.readline().rstrip("\r\n")


def enter(room: Running, name: str) -> Visitor:
    visitor = Visitor(room)
    assert visitor.hear() == "* your name?"
    visitor.say(name)
    assert visitor.hear().startswith(f"* welcome {name}; here: ")
    return visitor


def test_what_one_says_the_others_hear() -> None:
    with example("chat_server") as room, enter(room, "ann") as ann, enter(room, "ben") as ben:
        assert ann.hear() == "* ben has joined"
        ben.say("Grüße vom café")
        assert ann.hear() == "<ben> Grüße vom café"
        ann.say("hello ben")

        # Ben does not hear himself.
        assert ben.hear() == "<ann> hello ben"
        assert room.stop() == 0
        assert "closed with 2 guests" in room.stdout


def test_names_are_checked() -> None:
    with example("chat_server") as room, enter(room, "ann"), Visitor(room) as other:
        assert other.hear() == "* your name?"
        other.say("ann")
        assert other.hear() == "* ann is taken; your name?"
        other.say("not a name")
        assert other.hear().endswith("at most 20; your name?")
        other.say("ben")
        assert other.hear().startswith("* welcome ben; here: ann;")


def test_quit_and_hanging_up_are_told_to_the_others() -> None:
    with example("chat_server") as room, enter(room, "ann") as ann:
        with enter(room, "ben") as ben:
            assert ann.hear() == "* ben has joined"
            ben.say("/quit")
            assert ben.hear() == ""
        assert ann.hear() == "* ben has left"
        with enter(room, "cid"):
            assert ann.hear() == "* cid has joined"
        assert ann.hear() == "* cid has left"
        ann.say("/who")
        assert ann.hear() == "* here: ann"


def test_line_that_is_too_long_shows_the_guest_out() -> None:
    with example("chat_server") as room, enter(room, "ann") as ann, enter(room, "ben") as ben:
        assert ann.hear() == "* ben has joined"
        ben.sock.sendall(b"x" * 1025)

        assert ben.hear() == "* a line is at most 1024 bytes"
        assert ben.hear() == ""
        assert ann.hear() == "* ben has left"


def test_guest_who_does_not_read_keeps_nobody_waiting() -> None:
    with (
        example("chat_server", "--backlog=50") as room,
        enter(room, "ann") as ann,
        enter(room, "ben") as ben,
        enter(room, "dozy"),
    ):
        assert ben.hear() == "* dozy has joined"
        heard = ""
        for _ in range(8000):
            ann.say("y" * 1000)
            # Ben reads along, line by line: he is never held up by dozy.
            heard = ben.hear()
            if heard == "* dozy has left":
                break

        assert heard == "* dozy has left"
        ann.say("good")
        while heard != "<ann> good":
            heard = ben.hear()
            assert heard
