"""What is green: the stand-in of each standard module, and what `monkey_patch` replaces.

Only data. `GREEN` is the import map of every derived module; `PATCHES` says which names of
which real module one switch of `monkey_patch` sets. A name that this Python or platform lacks
is passed over. Nothing is removed from a real module unless somebody asks for it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from eventlet._derive import ImportMap

__all__ = [
    "DRIVERS",
    "GREEN",
    "NEVER_WAITS",
    "ON_REQUEST",
    "OPTIONAL",
    "PATCHES",
    "SWITCHES",
    "UNPATCHABLE",
    "WAITING",
    "Patch",
    "patched",
]

GREEN = ImportMap(
    {
        "_thread": "eventlet.green.thread",
        "asynchat": "eventlet.green.asynchat",
        "asyncore": "eventlet.green.asyncore",
        "concurrent": "eventlet.green.concurrent",
        "concurrent.futures": "eventlet.green.concurrent.futures",
        "concurrent.futures._base": "eventlet.green.concurrent.futures._base",
        "concurrent.futures.thread": "eventlet.green.concurrent.futures.thread",
        "fcntl": "eventlet.green.fcntl",
        "ftplib": "eventlet.green.ftplib",
        "http": "eventlet.green.http",
        "http.client": "eventlet.green.http.client",
        "http.cookiejar": "eventlet.green.http.cookiejar",
        "http.cookies": "eventlet.green.http.cookies",
        "http.server": "eventlet.green.http.server",
        "imaplib": "eventlet.green.imaplib",
        "nntplib": "eventlet.green.nntplib",
        "os": "eventlet.green.os",
        "poplib": "eventlet.green.poplib",
        "queue": "eventlet.green.queue",
        "select": "eventlet.green.select",
        "selectors": "eventlet.green.selectors",
        "smtpd": "eventlet.green.smtpd",
        "smtplib": "eventlet.green.smtplib",
        "socket": "eventlet.green.socket",
        "socketserver": "eventlet.green.socketserver",
        "ssl": "eventlet.green.ssl",
        "subprocess": "eventlet.green.subprocess",
        "telnetlib": "eventlet.green.telnetlib",
        "threading": "eventlet.green.threading",
        "time": "eventlet.green.time",
        "urllib": "eventlet.green.urllib",
        "urllib.error": "eventlet.green.urllib.error",
        "urllib.parse": "eventlet.green.urllib.parse",
        "urllib.request": "eventlet.green.urllib.request",
        "urllib.response": "eventlet.green.urllib.response",
        "urllib.robotparser": "eventlet.green.urllib.robotparser",
        "xmlrpc": "eventlet.green.xmlrpc",
        "xmlrpc.client": "eventlet.green.xmlrpc.client",
        "xmlrpc.server": "eventlet.green.xmlrpc.server",
    }
)

NEVER_WAITS = frozenset(
    {
        *("os", "http", "http.cookies", "xmlrpc", "concurrent"),
        *("urllib", "urllib.error", "urllib.parse", "urllib.response"),
    }
)
WAITING = frozenset(GREEN) - NEVER_WAITS
"""Modules whose use makes other code block, so that it must be copied to be green."""

WRITTEN = frozenset(
    {
        *("_thread", "fcntl", "os", "queue", "select", "selectors", "socket", "ssl", "subprocess"),
        *("threading", "time"),
    }
)
"""Modules whose green form is more than their own code over green imports."""


class Patch(NamedTuple):
    """Names of one real module that one switch of `monkey_patch` sets."""

    switch: str
    module: str
    green: str
    names: tuple[str, ...]


PATCHES = (
    Patch(
        "os",
        "os",
        "eventlet.green.os",
        (
            *("fdopen", "open", "read", "wait", "wait3", "wait4", "waitid", "waitpid"),
            "write",
        ),
    ),
    Patch("os", "builtins", "eventlet.green._fifos", ("open",)),
    Patch("os", "io", "eventlet.green._fifos", ("open",)),
    Patch("os", "fcntl", "eventlet.green.fcntl", ("flock", "lockf")),
    Patch("select", "select", "eventlet.green.select", ("epoll", "poll", "select")),
    Patch(
        "select",
        "selectors",
        "eventlet.green.selectors",
        ("DefaultSelector", "EpollSelector", "PollSelector", "SelectSelector"),
    ),
    Patch(
        "socket",
        "socket",
        "eventlet.green.socket",
        (
            *("create_connection", "create_server", "fromfd", "socket", "socketpair", "timeout"),
            *("getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex"),
            "getnameinfo",
        ),
    ),
    Patch(
        "socket",
        "ssl",
        "eventlet.green.ssl",
        (
            *("SSLSocket", "wrap_socket", "create_default_context"),
            *("_create_default_https_context", "_create_stdlib_context"),
            *("_create_unverified_context", "get_server_certificate"),
        ),
    ),
    Patch(
        "thread",
        "_thread",
        "eventlet.green.thread",
        (
            *("_ThreadHandle", "_count", "_get_main_thread_ident", "_local"),
            *("_make_thread_handle", "_set_sentinel", "_shutdown"),
            *("exit", "exit_thread", "get_ident", "interrupt_main", "stack_size"),
            *("start_joinable_thread", "start_new", "start_new_thread"),
        ),
    ),
    Patch(
        "thread",
        "threading",
        "eventlet.green.threading",
        (
            *("_ThreadHandle", "_get_main_thread_ident"),
            *("_make_thread_handle", "_set_sentinel", "_start_joinable_thread"),
            *("_start_new_thread", "_thread_shutdown", "currentThread", "current_thread"),
            *("get_ident", "local", "stack_size"),
        ),
    ),
    Patch(
        "thread",
        "queue",
        "eventlet.green.queue",
        ("LifoQueue", "PriorityQueue", "Queue"),
    ),
    Patch("thread", "_multiprocessing", "eventlet.green._processes", ("SemLock",)),
    Patch("thread", "signal", "eventlet.green.thread", ("pthread_kill",)),
    Patch("thread", "signal", "eventlet.green._signal_handlers", ("getsignal", "signal")),
    Patch("select", "signal", "eventlet.green._signal", ("set_wakeup_fd",)),
    Patch("thread", "signal", "eventlet.green._signal", ("raise_signal",)),
    Patch("thread", "time", "eventlet.green.thread", ("pthread_getcpuclockid",)),
    Patch("time", "time", "eventlet.green.time", ("sleep",)),
    Patch(
        "subprocess",
        "subprocess",
        "eventlet.green.subprocess",
        ("Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput", "run"),
    ),
    Patch("builtins", "builtins", "eventlet.green.builtin", ("open",)),
)

DRIVERS = (
    Patch("MySQLdb", "MySQLdb", "eventlet.green.MySQLdb", ("Connect", "Connection", "connect")),
)
"""The same for modules that are not of the standard library, and may be missing."""

UNPATCHABLE = {
    "select": ("devpoll", "epoll", "kevent", "kqueue", "poll"),
    "selectors": ("DevpollSelector", "EpollSelector", "KqueueSelector", "PollSelector"),
}
"""What Eventlet 0.41 deleted from real modules: removed on request only."""

SWITCHES = (*dict.fromkeys(patch.switch for patch in (*PATCHES, *DRIVERS)), "psycopg")
"""Every switch of `monkey_patch`, in the order in which they are applied."""

ON_REQUEST = frozenset({"builtins", "MySQLdb"})
"""Switches that are off unless named, also with `all=True`."""

OPTIONAL = frozenset({"MySQLdb", "psycopg"})
"""Switches of what may be missing: then they stay off, and the next call tries again."""


def patched(namespace: Mapping[str, Any]) -> tuple[str, ...]:
    """List the names that `monkey_patch` sets from a green module: its `__patched__`.

    Args:
        namespace: the `globals()` of that module, when all its names are there.
    """
    return tuple(
        name
        for patch in (*PATCHES, *DRIVERS)
        if patch.green == namespace["__name__"]
        for name in patch.names
        if name in namespace
    )
