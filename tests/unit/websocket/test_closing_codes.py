from __future__ import annotations

from typing import Any

import pytest

from eventlet._websocket.closing_codes import pack_close_data, pack_failure
from eventlet.websocket import ProtocolError


@pytest.mark.parametrize(
    "data, payload",
    [
        (None, b""),
        ((1000, ""), b"\x03\xe8"),
        ((1000, None), b"\x03\xe8"),
        ((4000, "gr\u00fc\u00df"), b"\x0f\xa0gr\xc3\xbc\xc3\x9f"),
        ((4000, b"bytes"), b"\x0f\xa0bytes"),
        ([1001, "a list"], b"\x03\xe9a list"),
        ((1000, "x" * 123), b"\x03\xe8" + b"x" * 123),
    ],
)
def test_what_users_give(data: Any, payload: bytes) -> None:
    assert pack_close_data(data) == payload


@pytest.mark.parametrize(
    "data", [(1005, ""), (1006, ""), (1015, ""), (0, ""), (2999, ""), (1000, "\u00e4" * 62)]
)
def test_what_nobody_may_send(data: Any) -> None:
    with pytest.raises(ProtocolError):
        pack_close_data(data)


@pytest.mark.parametrize("data", [1000, (1000,), (1000, "a", "b"), "no"])
def test_what_is_no_close_data(data: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        pack_close_data(data)


def test_a_text_for_the_peer_is_cut_between_characters() -> None:
    payload = pack_failure(1002, "\u20ac" * 50)

    assert payload == b"\x03\xea" + "\u20ac".encode() * 41
    assert len(payload) == 125
