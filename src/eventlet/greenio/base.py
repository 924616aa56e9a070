"""Compatibility name for `eventlet.greenio`: sockets and their constants."""

from eventlet.greenio import (
    CONNECT_ERR,
    CONNECT_SUCCESS,
    SOCKET_BLOCKING,
    SOCKET_CLOSED,
    GreenSocket,
    set_nonblocking,
    shutdown_safe,
    socket_timeout,
)
from eventlet.greenio.single_steps import socket_accept, socket_checkerr, socket_connect

__all__ = [
    "CONNECT_ERR",
    "CONNECT_SUCCESS",
    "SOCKET_BLOCKING",
    "SOCKET_CLOSED",
    "GreenSocket",
    "set_nonblocking",
    "shutdown_safe",
    "socket_accept",
    "socket_checkerr",
    "socket_connect",
    "socket_timeout",
]
