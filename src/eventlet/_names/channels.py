"""Datagram sockets that many questions share, and questions over TCP.

Theory of operation

A *channel* is a UDP socket connected to one server, from a port that the kernel chose at random.
Connected, so that the kernel drops what comes from elsewhere, and reports a server that is not
there. The questions on a channel have different numbers; its reader, a green thread, hands
each reply to whoever asked. What fits no open question is dropped, and listening goes on: it
may be forged, or late. A channel lives while there are questions on it; the next question after
that gets a new socket and so a new port. A thousand questions at once share a few channels, so
that descriptors are bounded.

*Asked* is one batch of questions on one channel, usually A and AAAA of one name. The caller
parks until all its replies have come, the channel failed, or the deadline passed; then it takes
what is open off the channel. The last to leave closes the socket, which ends the reader.
"""

import random
from types import ModuleType
from typing import Final

from eventlet._names.queries import Query, Reply, make_query, read_reply
from eventlet._names.settings_files import Server
from eventlet._unpatched import monotonic
from eventlet.event import Event
from eventlet.greenio.sockets import GreenSocket
from eventlet.greenthread import spawn
from eventlet.semaphore import Semaphore

__all__ = ["Channels"]

MOST_CHANNELS: Final = 32
QUESTIONS_EACH: Final = 64
TCP_CONNECTIONS: Final = 32

_SOCK_STREAM, _SOCK_DGRAM = 1, 2


class Asked:
    """Questions on one channel, and the replies so far."""

    def __init__(self, queries: list[Query]) -> None:
        self.queries = queries
        self.replies: dict[Query, Reply] = {}
        self.failure: OSError | None = None
        self.done = Event()

    def answer(self, query: Query, reply: Reply) -> None:
        """Note a reply; the last one wakes the caller."""
        self.replies[query] = reply
        if len(self.replies) == len(self.queries):
            self.done.send()

    def fail(self, failure: OSError) -> None:
        """Wake the caller: no more replies will come."""
        if not self.done.ready():
            self.failure = failure
            self.done.send()


class Channel:
    """One socket; see the theory of operation."""

    def __init__(self, dns: ModuleType, server: Server) -> None:
        self._dns = dns
        self._open: dict[int, tuple[Asked, Query]] = {}
        self._sock = GreenSocket(server.family, _SOCK_DGRAM)
        try:
            self._sock.connect(server.address)
        except BaseException:
            self._sock.close()
            raise
        self.is_closed = False
        spawn(self._read)

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, queries: list[Query], deadline: float) -> Asked:
        """Send questions and wait for their replies until the deadline."""
        asked = Asked([self._renumbered(query) for query in queries])
        try:
            for query in asked.queries:
                self._open[query.number] = (asked, query)
                self._sock.send(query.wire)
            asked.done.wait(max(0.0, deadline - monotonic()))
        except OSError as exc:
            asked.failure = exc
        finally:
            self._leave(asked)
        return asked

    def _renumbered(self, query: Query) -> Query:
        """Return the question with a number that is free on this channel."""
        while query.number in self._open:
            query = make_query(query.name, query.rdtype, query.edns)
        return query

    def _leave(self, asked: Asked) -> None:
        for query in asked.queries:
            entry = self._open.get(query.number)
            if entry is not None and entry[0] is asked:
                del self._open[query.number]
        if not self._open:
            self.close()

    def close(self) -> None:
        """Give the socket back."""
        if not self.is_closed:
            self.is_closed = True
            self._sock.close()

    def _read(self) -> None:
        while True:
            try:
                wire = self._sock.recv(65535)
            except (EOFError, OSError) as exc:
                if self.is_closed:
                    return
                self._fail(exc if isinstance(exc, OSError) else OSError(str(exc)))
                return
            self._hand_out(wire)

    def _hand_out(self, wire: bytes) -> None:
        entry = self._open.get(int.from_bytes(wire[:2], "big"))
        if entry is None:
            return
        asked, query = entry
        reply = read_reply(self._dns, query, wire)
        if reply is not None:
            del self._open[query.number]
            asked.answer(query, reply)

    def _fail(self, failure: OSError) -> None:
        waiting = {id(asked): asked for asked, _query in self._open.values()}
        self._open.clear()
        self.close()
        for asked in waiting.values():
            asked.fail(failure)


class Channels:
    """The channels of one hub. Most callers ask two questions at once, so room counts pairs."""

    def __init__(self, dns: ModuleType) -> None:
        self._dns = dns
        self._by_server: dict[Server, list[Channel]] = {}
        self._room = Semaphore(MOST_CHANNELS * QUESTIONS_EACH // 2)
        self._tcp_room = Semaphore(TCP_CONNECTIONS)

    def ask(self, server: Server, queries: list[Query], seconds: float) -> dict[Query, Reply]:
        """Ask over UDP; return the replies that came, by the given query.

        Args:
            server: whom to ask.
            queries: asked together.
            seconds: until it is given up. Waiting for room does not count: the server has not
                been asked yet.

        Raises:
            OSError: the server cannot be reached.
        """
        with self._room:
            asked = self._channel(server).ask(queries, monotonic() + seconds)
        if asked.failure is not None and not asked.replies:
            raise asked.failure
        return {
            given: asked.replies[sent]
            for given, sent in zip(queries, asked.queries, strict=True)
            if sent in asked.replies
        }

    def _channel(self, server: Server) -> Channel:
        channels = self._by_server.setdefault(server, [])
        channels[:] = [channel for channel in channels if not channel.is_closed]
        roomy = [channel for channel in channels if len(channel) < QUESTIONS_EACH]
        if roomy and (len(channels) == MOST_CHANNELS or len(roomy) > 1):
            return random.choice(roomy)  # noqa: S311 - the ports are what must not be guessed
        if len(channels) == MOST_CHANNELS:
            return min(channels, key=len)
        channel = Channel(self._dns, server)
        channels.append(channel)
        return channel

    def ask_over_tcp(
        self, server: Server, queries: list[Query], seconds: float
    ) -> dict[Query, Reply]:
        """Ask over one TCP connection, as `ask` does; return the replies that came.

        Raises:
            OSError: the server cannot be reached, or broke off.
        """
        with self._tcp_room, GreenSocket(server.family, _SOCK_STREAM) as sock:
            deadline = monotonic() + seconds
            sock.settimeout(seconds)
            sock.connect(server.address)
            for query in queries:
                sock.sendall(len(query.wire).to_bytes(2, "big") + query.wire)
            replies: dict[Query, Reply] = {}
            while len(replies) < len(queries):
                wire = _read_framed(sock, deadline)
                for query in queries:
                    reply = read_reply(self._dns, query, wire, over_tcp=True)
                    if reply is not None:
                        replies[query] = reply
            return replies


def _read_framed(sock: GreenSocket, deadline: float) -> bytes:
    size = int.from_bytes(_read_exactly(sock, 2, deadline), "big")
    return _read_exactly(sock, size, deadline)


def _read_exactly(sock: GreenSocket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(left)
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionResetError("the name server closed the connection")
        data += piece
    return data
