"""Standard-library objects as they are before anybody patches them.

Everything inside that must not become green (the hub's clock, its locks, the kernel
calls below our sockets) is taken from here, never from the standard module at run time:
after `monkey_patch()` the module's attribute is the green one.
"""

import _queue
import _socket
import _thread
import os
import select
import signal
import socket
import ssl
import threading
import time

__all__ = [
    "Mutex",
    "allocate_lock",
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
allocate_lock = _thread.allocate_lock
start_new_thread = _thread.start_new_thread
local = _thread._local
longest_lock_timeout = _thread.TIMEOUT_MAX
simple_queue = _queue.SimpleQueue
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

real_ssl_socket = ssl.SSLSocket
real_ssl_context = ssl.SSLContext

getsignal = signal.getsignal
set_signal = signal.signal
default_int_handler = signal.default_int_handler


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
