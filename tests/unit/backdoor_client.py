"""A client of a console: says lines and hears what comes until a prompt."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Any, Self

from eventlet.convenience import connect
from eventlet.timeout import Timeout

PROMPT, MORE, PDB = ">>> ", "... ", "(Pdb) "
PATIENCE_SECONDS = 60


class Client:
    """A connection to a console, which has shown its banner unless `greet` is off."""

    def __init__(self, address: Any, family: int = socket.AF_INET, greet: bool = True) -> None:
        self.sock = connect(address, family)
        self.banner = self.hear() if greet else ""

    def say(self, text: str | bytes) -> None:
        self.sock.sendall(text.encode() if isinstance(text, str) else text)

    def hear(self, until: str = PROMPT) -> str:
        """Receive up to and including `until`; fails when the connection ends before it."""
        heard = bytearray()
        with Timeout(PATIENCE_SECONDS, AssertionError(f"{until!r} did not come")):
            while not heard.endswith(until.encode()):
                data = self.sock.recv(65536)
                assert data, f"the connection ended after {bytes(heard)!r}"
                heard += data
        return heard.decode()

    def ask(self, line: str | bytes, until: str = PROMPT) -> str:
        """Say one line; return what comes before the next prompt."""
        self.say(line)
        self.say("\n")
        return self.hear(until).removesuffix(until)

    def rest(self) -> str:
        """Receive until the other side ends the connection."""
        heard = bytearray()
        with Timeout(PATIENCE_SECONDS, AssertionError("the connection did not end")):
            while data := self.sock.recv(65536):
                heard += data
        return heard.decode()

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """End the connection the hard way."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
