"""Standard-library objects as they are before anybody patches them.

Everything inside that must not become green (the hub's clock, its locks, the kernel
calls below our sockets) is taken from here, never from the standard module at run time:
after `monkey_patch()` the module's attribute is the green one.
"""

import _queue
import _socket
import _thread
import os
import re
import select
import signal
import socket
import threading
import time
from typing import Any

__all__ = [
    "Mutex",
    "NativeQueue",
    "close",
    "eventfd",
    "get_blocking",
    "get_ident",
    "getpid",
    "local",
    "main_thread",
    "monotonic",
    "os_open",
    "os_read",
    "os_write",
    "real_sleep",
    "real_socket",
    "start_new_thread",
]

monotonic = time.monotonic
real_sleep = time.sleep

get_ident = _thread.get_ident
start_new_thread = _thread.start_new_thread
local = _thread._local
longest_lock_timeout = _thread.TIMEOUT_MAX
main_thread = threading.main_thread

getpid = os.getpid
os_open = os.open
os_read = os.read
os_write = os.write
close = os.close
get_blocking = os.get_blocking
set_blocking = os.set_blocking
pipe = os.pipe
eventfd = getattr(os, "eventfd", None)
fork = os.fork
waitpid = os.waitpid
wait4 = os.wait4
waitid: Any = getattr(os, "waitid", None)

real_select = select.select
real_poll = getattr(select, "poll", None)
real_epoll = getattr(select, "epoll", None)
real_kqueue = getattr(select, "kqueue", None)

base_socket = _socket.socket
real_socket = socket.socket
get_default_timeout = socket.getdefaulttimeout
sendfile = getattr(os, "sendfile", None)
real_getaddrinfo = socket.getaddrinfo
real_gethostbyname = socket.gethostbyname
real_gethostbyname_ex = socket.gethostbyname_ex
real_gethostbyaddr = socket.gethostbyaddr
real_getnameinfo = socket.getnameinfo


getsignal = signal.getsignal
set_signal = signal.signal
set_signal_mask: Any = getattr(signal, "pthread_sigmask", None)
default_int_handler = signal.default_int_handler


running_os_threads = _thread._count  # less the main one
set_sentinel: Any = getattr(_thread, "_set_sentinel", None)  # up to 3.12

# The methods of the built-in locks, which patching replaces on the types themselves.
new_lock = _thread.allocate_lock
lock_type = type(new_lock())
lock_acquire = lock_type.acquire
lock_release = lock_type.release
lock_exit = lock_type.__exit__
lock_locked = lock_type.locked
lock_at_fork_reinit: Any = lock_type._at_fork_reinit  # type: ignore[attr-defined]  # not in stubs

rlock_type: Any = _thread.RLock
rlock_acquire = rlock_type.acquire
rlock_release = rlock_type.release
rlock_is_owned = rlock_type._is_owned
rlock_release_save = rlock_type._release_save
rlock_at_fork_reinit = rlock_type._at_fork_reinit
rlock_repr = rlock_type.__repr__


def _shown_recursion_count(lock: Any) -> int:
    """Return how often the calling OS thread has taken a lock, from what it says of itself.

    For the early releases of 3.11 (Debian 12 has 3.11.2), where C tells nobody. To release and
    take the lock again, as `Condition` does, would let another OS thread in.
    """
    count = re.search(" count=([0-9]+) ", rlock_repr(lock))
    return int(count[1]) if count and rlock_is_owned(lock) else 0


rlock_recursion_count = getattr(rlock_type, "_recursion_count", _shown_recursion_count)

simple_queue_type: Any = _queue.SimpleQueue
simple_queue_put = simple_queue_type.put
simple_queue_get_nowait = simple_queue_type.get_nowait
simple_queue_qsize = simple_queue_type.qsize


class Mutex(_thread.RLock):  # type: ignore[misc]  # CPython lets it be a base class
    """A re-entrant lock of the OS threads that stays one when the lock types are patched.

    The methods are kept here as they are now: patching replaces those of the built-in
    type. Never hold one while a green thread parks.
    """

    __slots__ = ()

    acquire = _thread.RLock.acquire
    release = _thread.RLock.release
    __enter__ = _thread.RLock.__enter__
    __exit__ = _thread.RLock.__exit__


class NativeQueue(_queue.SimpleQueue[Any]):
    """A queue between OS threads that stays one when `SimpleQueue` is patched.

    Its methods are kept here like those of `Mutex`.
    """

    put = _queue.SimpleQueue.put
    put_nowait = _queue.SimpleQueue.put_nowait
    get = _queue.SimpleQueue.get
    get_nowait = _queue.SimpleQueue.get_nowait
    empty = _queue.SimpleQueue.empty
    qsize = _queue.SimpleQueue.qsize
