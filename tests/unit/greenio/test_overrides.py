"""Methods of a green socket that a program has set on the instance."""

import socket as standard_socket
from typing import Any

from eventlet.greenio import GreenSocket


def test_an_override_that_calls_the_method_it_replaced_is_called_once() -> None:
    ours, theirs = (GreenSocket(each) for each in standard_socket.socketpair())
    calls = []
    ordinary = ours.send

    def send(data: Any, *flags: Any) -> Any:
        calls.append(bytes(data))
        return ordinary(data, *flags)

    with ours, theirs:
        ours.send = send  # type: ignore[method-assign,assignment]
        ours.sendall(b"first")
        ours.sendall(b"second")
        assert calls == [b"first", b"second"]
