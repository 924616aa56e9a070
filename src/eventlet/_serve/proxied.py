"""Connections that a proxy passes on, each after a header of the PROXY protocol."""

from __future__ import annotations

import socket
from typing import Any

from eventlet._protocols.proxy_header import (
    FIRST_BYTES,
    LONGEST_LINE,
    V2_BYTES,
    Endpoints,
    ProxyHeaderError,
    is_text,
    parse_text,
    parse_v2,
    v2_length,
)
from eventlet._serve.peers import Peers
from eventlet._serve.quiet import WorkerServer
from eventlet._server.environ import addr_to_host_port
from eventlet.timeout import Timeout

__all__ = ["ProxiedServer", "read_header"]


class ProxiedServer(WorkerServer):
    """A server whose connections come through proxies.

    The header comes before the TLS handshake, so its listener is not wrapped in TLS.

    Attributes:
        peers: the proxies; anybody else is turned away.
        tls: makes a TLS socket of a connection; None without TLS.
    """

    peers: Peers
    tls: Any

    def process_request(self, conn_state: list[Any]) -> None:
        """Serve one connection after its header."""
        peer, sock, _ = conn_state
        try:
            if addr_to_host_port(peer)[0] not in self.peers:
                raise ProxyHeaderError("the peer is not in --forwarded-allow-ips")
            with Timeout(self.limits.head_timeout, TimeoutError("it took too long")):
                endpoints = read_header(sock)
            if endpoints is not None:
                conn_state[0] = endpoints.source
            if self.tls is not None:
                conn_state[1] = self.tls.wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False
                )
        except ProxyHeaderError as exc:
            self.journal.note(f"turned away {peer!r}: {exc}")
            sock.close()
        except OSError as exc:
            self.journal.detail(f"gone before the PROXY header {peer!r}: {exc}")
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            super().process_request(conn_state)


def read_header(sock: Any) -> Endpoints | None:
    """Read exactly the header, not a byte of what follows.

    Raises:
        OSError: the connection failed, or ended before the first byte, as those of a proxy that
            only looks whether we are there.
        ProxyHeaderError: it brought something else.
    """
    first = sock.recv(FIRST_BYTES)
    if not first:
        raise ConnectionAbortedError("it ended at once")
    first += _read(sock, FIRST_BYTES - len(first))
    if is_text(first):
        return parse_text(_read_line(sock, first))
    head = first + _read(sock, V2_BYTES - FIRST_BYTES)
    return parse_v2(head, _read(sock, v2_length(head)))


def _read(sock: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ProxyHeaderError("the connection ended in it")
        data += piece
    return data


def _read_line(sock: Any, line: bytes) -> bytes:
    while not line.endswith(b"\n"):
        if len(line) >= LONGEST_LINE:
            raise ProxyHeaderError("the line is too long")
        coming = sock.recv(LONGEST_LINE - len(line), socket.MSG_PEEK)
        line += _read(sock, (coming.find(b"\n") + 1) or len(coming) or 1)
    return line
