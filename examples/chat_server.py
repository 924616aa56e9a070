"""A chat room for plain line clients (`nc`, telnet): what one says, all others read.

Each guest has two green threads: one reads what the guest types, one writes what the others
said. Between them stands a bounded queue, so nobody ever waits for a slow reader; a guest whose
queue is full is shown out. No locks: green threads change hands only where they wait.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import eventlet
from eventlet.greenio import GreenSocket, shutdown_safe
from eventlet.greenthread import GreenThread
from eventlet.queue import Full

MAX_LINE_BYTES = 1024
MAX_NAME = 20


class Guest:
    """One person in the room: a socket, a name, and the lines still to be sent."""

    def __init__(self, sock: GreenSocket, backlog: int) -> None:
        self.sock = sock
        self.lines = sock.makefile("rb")
        self.name = ""
        self.outbox = eventlet.Queue[str | None](backlog)

    def tell(self, text: str) -> None:
        """Queue one line; a guest who reads too slowly for it is shown out."""
        try:
            self.outbox.put_nowait(text)
        except Full:
            shutdown_safe(self.sock)

    def hear(self) -> str | None:
        """Return the next line the guest typed, or None when there are no more.

        Raises:
            ValueError: the line is longer than `MAX_LINE_BYTES`.
        """
        line = self.lines.readline(MAX_LINE_BYTES + 1)
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"a line is at most {MAX_LINE_BYTES} bytes")
        return line.decode("utf-8", "replace").strip() if line else None

    def send_lines(self) -> None:
        """Send what is queued, until the connection breaks or None is queued."""
        try:
            while (text := self.outbox.get()) is not None:
                self.sock.sendall(f"{text}\r\n".encode())
        except OSError:
            shutdown_safe(self.sock)


class Room:
    """Everybody who is here."""

    def __init__(self, backlog: int) -> None:
        self.backlog = backlog
        self.guests: dict[str, Guest] = {}

    def welcome(self, sock: GreenSocket) -> None:
        """Look after one guest from arrival to departure."""
        with sock:
            guest = Guest(sock, self.backlog)
            writer = eventlet.spawn(guest.send_lines)
            try:
                if self.register(guest):
                    self.listen_to(guest)
            except ValueError as exc:
                guest.tell(f"* {exc}")
            except OSError:
                pass  # the connection broke: as good as a good-bye
            finally:
                if self.guests.get(guest.name) is guest:
                    del self.guests[guest.name]
                    self.say(f"* {guest.name} has left")
                dismiss(guest, writer)

    def register(self, guest: Guest) -> bool:
        """Ask for a name until one is free; return False when the guest leaves instead."""
        guest.tell("* your name?")
        while (name := guest.hear()) is not None:
            if not name.isidentifier() or len(name) > MAX_NAME:
                guest.tell(f"* letters, digits and _ please, at most {MAX_NAME}; your name?")
            elif name in self.guests:
                guest.tell(f"* {name} is taken; your name?")
            else:
                guest.tell(f"* welcome {name}; here: {self.names()}; /who and /quit work")
                self.say(f"* {name} has joined")
                guest.name = name
                self.guests[name] = guest
                return True
        return False

    def listen_to(self, guest: Guest) -> None:
        """Pass on what the guest types, until it leaves."""
        while (line := guest.hear()) is not None and line != "/quit":
            if line == "/who":
                guest.tell(f"* here: {self.names()}")
            elif line:
                self.say(f"<{guest.name}> {line}", but=guest)

    def say(self, text: str, but: Guest | None = None) -> None:
        """Tell everybody, `but` one."""
        for guest in list(self.guests.values()):
            if guest is not but:
                guest.tell(text)

    def names(self) -> str:
        """Return who is here, in order of arrival."""
        return ", ".join(self.guests) or "nobody"


def dismiss(guest: Guest, writer: GreenThread) -> None:
    """Let the writer send what is queued, for a second at most, then end it."""
    with eventlet.Timeout(1, False):
        guest.outbox.put(None)
        writer.wait()
    writer.kill()
    guest.lines.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Keep the room open until Ctrl-C."""
    options = build_parser().parse_args(argv)
    room = Room(options.backlog)
    server = eventlet.listen((options.host, options.port))
    pool = eventlet.GreenPool(options.max_guests)
    host, port = server.getsockname()[:2]
    print(f"listening on {host}:{port}", flush=True)
    try:
        while True:
            new_sock, _address = server.accept()
            pool.spawn_n(room.welcome, new_sock)
    except KeyboardInterrupt:
        print(f"closed with {len(room.guests)} guests", flush=True)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="A chat room for plain line clients: what one says, all others read."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=6001, help="0 lets the kernel choose (default: %(default)s)"
    )
    parser.add_argument(
        "--max-guests", type=int, default=1000, help="guests at once (default: %(default)s)"
    )
    parser.add_argument(
        "--backlog",
        type=int,
        default=100,
        help="lines a slow reader may be behind (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
