"""An interactive console into the running program, for telnet, netcat and the like.

Whoever can connect can run anything in this process: there is no password. Listen on
127.0.0.1 or on a UNIX socket in a directory of your own, nowhere else.

Theory of operation
-------------------
A console is a green thread, `SocketConsole`, that runs the standard interactive console over
a `ClientFile`. A second green thread receives all the time, also while the console's code
waits: so the client can interrupt it, and a connection that breaks ends it. What was received
and not read yet waits in the `ClientFile`, up to a number of lines; then TCP holds the client
back. A client that does not read parks its own console, nobody else.

`sys.stdout`, `_` and the like are the console's only while its green thread runs; see
`_console_globals`.
"""

import code
import errno
import io
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from greenlet import GreenletExit, greenlet

from eventlet._console_globals import ConsoleGlobals, stream_here
from eventlet._core.current import get_hub
from eventlet._core.scope import Cancelled
from eventlet._core.thread import SpawnedGreenlet, throw_into
from eventlet._core.wait_queue import WaitQueue
from eventlet._protocols.telnet import Signal, TelnetDecoder
from eventlet._unpatched import get_ident
from eventlet.greenio.adoption import make_green
from eventlet.greenthread import spawn_n
from eventlet.semaphore import Semaphore

__all__ = ["backdoor", "backdoor_server"]

_CHUNK_BYTES: Final = 8192
_LINES_AHEAD: Final = 1000
"""Lines that are received before anybody reads them; then the client is held back."""
_CLIENT_GAVE_UP: Final = frozenset({errno.EPIPE, errno.ECONNABORTED})
"""What `accept` says when a client was gone before it could be accepted."""


def backdoor_server(sock: Any, locals: dict[str, Any] | None = None) -> None:
    """Accept clients and give each a console, until something stops it.

    The listener is closed at the end, whatever the end is. Consoles that are open go on.

    Args:
        sock: listening socket, of IPv4, IPv6 or UNIX.
        locals: namespace of the consoles, one for all of them; None gives each its own.

    Raises:
        OSError: accept failed.
        TypeError: a TLS socket of the standard library, which does not park.
    """
    listener = make_green(sock)
    try:
        _announce(f"backdoor server listening on {_describe(listener.getsockname())}")
        while True:
            try:
                backdoor(listener.accept(), locals)
            except OSError as exc:
                if exc.errno not in _CLIENT_GAVE_UP:
                    raise
    finally:
        listener.close()


def backdoor(conn_info: tuple[Any, Any], locals: dict[str, Any] | None = None) -> None:
    """Start one console in a green thread and return at once.

    Args:
        conn_info: pair (connected socket, address of the client), as `accept` returns it;
            the console closes the socket.
        locals: namespace of the console; None gives it one of its own.
    """
    connection, address = conn_info
    file = ClientFile(make_green(connection))
    console = SocketConsole(file, address, locals)
    _announce(f"backdoor to {_describe(address)}" if _has_name(address) else "backdoor opened")
    get_hub().start(console)
    file.receive_for(console)


class SocketConsole(SpawnedGreenlet):
    """A green thread that runs one console. Private.

    Args:
        desc: text file of the client; it is closed at the end.
        hostport: address of the client.
        locals: namespace of the console; None gives it one of its own.
    """

    def __init__(self, desc: Any, hostport: Any, locals: dict[str, Any] | None) -> None:
        super().__init__(get_hub(), self._converse)
        self.desc = desc
        self.hostport = hostport
        self.locals = locals

    def _converse(self) -> None:
        files = [FileProxy(self.desc) for _ in range(3)]
        for file, name in zip(files, ("stdin", "stdout", "stderr"), strict=True):
            file.elsewhere = name
        try:
            with ConsoleGlobals(*files):
                console = InteractiveConsole(self.locals)
                # From 3.13 on it would also say good-bye while it is killed, and wait with that.
                console.interact(exitmsg="")
                console.write(f"now exiting {type(console).__name__}...\n")
        except (SystemExit, KeyboardInterrupt):
            pass  # they end this console, not the program
        except OSError:
            pass  # the client is gone; what the console's own code raises never comes here
        finally:
            self._hang_up()

    def abandon(self, exc: BaseException) -> None:
        """End this console before it starts."""
        super().abandon(exc)
        self._hang_up()

    def _hang_up(self) -> None:
        name = self.hostport
        with suppress(OSError):  # a client that is gone must not hide why this console ends
            self.desc.close()
        _announce(f"backdoor closed to {_describe(name)}" if _has_name(name) else "backdoor closed")


class InteractiveConsole(code.InteractiveConsole):
    """The standard console, which a kill or a cancelled scope ends like any green thread."""

    def runcode(self, code: Any) -> None:
        """Run a statement; its exception is shown, unless it is to end the console."""
        try:
            exec(code, self.locals)  # noqa: S102  # what a console is for
        except (SystemExit, GreenletExit, Cancelled):
            raise
        except BaseException:
            self.showtraceback()


class FileProxy(io.TextIOBase):
    """A standard stream of a console: a text file as its own OS thread sees it. Private.

    Closing it does nothing. It is never a terminal, so that no pager or line editor is started
    on the terminal of the program.

    Args:
        f: text file of the client.

    Attributes:
        elsewhere: which standard stream it is; other OS threads get theirs instead. Empty: it
            is the same file for all.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, f: Any) -> None:
        self.f = f
        self.elsewhere = ""
        self._ident = get_ident()

    def _file(self) -> Any:
        if self._ident == get_ident() or not self.elsewhere:
            return self.f
        file = stream_here(self.elsewhere)
        return self.f if file is None or file is self else file

    def isatty(self) -> bool:
        return False

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        number: int = self._file().fileno()
        return number

    def flush(self) -> None:
        self._file().flush()

    def close(self) -> None:
        """Do nothing: `exit()` closes `sys.stdin`, which is the whole connection here."""

    def write(self, data: str) -> int:
        file = self._file()
        file.write(data)
        file.flush()
        return len(data)

    def read(self, size: int | None = -1) -> str:
        """Read `size` characters; all until Ctrl-D or the end of the connection if negative."""
        return _read_lines(self.readline, -1 if size is None else size)

    def readline(self, size: int = -1) -> str:  # type: ignore[override]  # the stubs' is positional
        line: str = self._file().readline(size)
        return line.replace("\r\n", "\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["f"], name)


class ClientFile:
    """A client's connection as a text file; reading it speaks enough telnet.

    Args:
        connection: green socket; it is this file's from now on.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._decoder = TelnetDecoder()
        self._lines: deque[str] = deque()
        self._arrived = WaitQueue()
        self._has_room = WaitQueue()
        self._ended = False
        self._closed = False
        self._sending = Semaphore(1)
        self._receiver: greenlet | None = None
        _make_lively(connection)

    def fileno(self) -> int:
        number: int = self._connection.fileno()
        return number

    # -- receiving ---------------------------------------------------------------------------

    def receive_for(self, console: greenlet) -> None:
        """Start to receive; interrupts go to `console`, and a broken connection ends it."""
        if not self._closed:
            self._receiver = spawn_n(self._receive, console)

    def _receive(self, console: greenlet) -> None:
        try:
            while data := self._connection.recv(_CHUNK_BYTES):
                for item in self._decoder.feed(data):
                    self._take(item, console)
                self._reply()
                while len(self._lines) >= _LINES_AHEAD:
                    _wait_in(self._has_room)
        except (OSError, EOFError) as exc:
            if not self._closed:
                throw_into(console, GreenletExit(f"the client is gone: {exc}"))
        finally:
            self._ended = True
            self._arrived.wake_all()

    def _take(self, item: str | Signal, console: greenlet) -> None:
        if item is Signal.INTERRUPT:
            self._lines.clear()  # what was typed before it is not to be run after it
            throw_into(console, KeyboardInterrupt())
            return
        self._lines.append("" if isinstance(item, Signal) else item)
        self._arrived.wake_first()

    def readline(self, size: int = -1) -> str:
        """Wait for a line, with its newline; empty at Ctrl-D and at the end of the connection.

        A line that the client did not end is not a line: half a statement is never run.
        """
        while not self._lines:
            if self._ended:
                return ""
            _wait_in(self._arrived)
        line = self._lines.popleft()
        if 0 <= size < len(line):
            self._lines.appendleft(line[size:])
            return line[:size]
        self._has_room.wake_first()
        return line

    # -- sending -------------------------------------------------------------------------------

    def write(self, text: str) -> int:
        """Send `text`; park while the client does not read.

        Raises:
            TypeError: `text` is no str.
            OSError: the client is gone.
        """
        if not isinstance(text, str):
            raise TypeError(f"a console prints str, not {type(text).__name__}")
        lines = text.replace("\n", "\r\n") if self._decoder.speaks_telnet else text
        with self._sending:
            self._connection.sendall(lines.encode("utf-8", "backslashreplace"))
        self._reply()
        return len(text)

    def flush(self) -> None:
        """Do nothing: all has been sent."""

    def _reply(self) -> None:
        """Send what the protocol wants said, unless somebody is sending, who will do it then."""
        if self._decoder.replies and self._sending.acquire(blocking=False):
            replies = bytes(self._decoder.replies)
            self._decoder.replies.clear()
            try:
                self._connection.sendall(replies)
            finally:
                self._sending.release()

    def close(self) -> None:
        """Close the connection; reading from it ends."""
        self._closed = self._ended = True
        if self._receiver is not None:
            throw_into(self._receiver, GreenletExit())
        self._connection.close()


def _wait_in(queue: WaitQueue) -> None:
    """Park until it is worth looking again; a wake that an interrupt overtook is passed on."""
    hub = get_hub()
    ticket = hub.ticket()
    queue.append(ticket)
    try:
        hub.park(ticket)
    except BaseException:
        if ticket.was_woken:
            queue.wake_first()
        else:
            queue.discard(ticket)
        raise


def _read_lines(readline: Callable[[int], str], size: int) -> str:
    pieces: list[str] = []
    while size and (piece := readline(size)):
        pieces.append(piece)
        if size > 0:
            size -= len(piece)
    return "".join(pieces)


def _make_lively(connection: Any) -> None:
    """Set the options of a connection that somebody types into."""
    connection.settimeout(None)  # nobody has to type within a time
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with suppress(OSError):  # the client is gone already, as reading will say
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # Telnet's interrupt comes with urgent data; out of line, its second byte would be lost.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def _has_name(address: Any) -> bool:
    """Whether a client's address tells it from others; a UNIX client has none."""
    return isinstance(address, tuple)


def _describe(address: Any) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)


def _announce(text: str) -> None:
    """Print a line for the operator of the program."""
    with suppress(BrokenPipeError):  # nobody listens to the program's output any more
        print(text)  # noqa: T201  # it is for the operator, and was always printed
