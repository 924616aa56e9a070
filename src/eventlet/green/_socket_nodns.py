"""Compatibility name for `eventlet.green.socket`: what does not look names up."""

import socket as _real_module

from eventlet.green.socket import fromfd, socket, socketpair

__all__ = ["fromfd", "socket", "socketpair", "timeout"]

timeout = TimeoutError
_GLOBAL_DEFAULT_TIMEOUT: object = _real_module._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]  # not in the type stubs
