"""What the pings of a WebSocket ask of it: whether anything came, though nobody reads."""

from __future__ import annotations

import socket

from tests.unit.websocket.peer import TEXT, frame, pair


def test_what_comes_while_nobody_reads_is_taken_within_limits_and_counts_as_an_answer() -> None:
    piece = frame(TEXT, b"x" * 900)
    with pair(max_frame_length=1000) as (ws, peer):
        peer.send(piece, piece)
        assert ws.has_heard_since(ws.heard)

        peer.send(piece)
        assert ws.has_heard_since(ws.heard)
        waiting = ws.socket.recv(len(piece) + 1, socket.MSG_PEEK)

        assert waiting == piece  # the peer will be held up, not our memory filled
        assert [ws.wait() for _ in range(3)] == ["x" * 900] * 3


def test_a_silent_peer_is_not_heard() -> None:
    with pair() as (ws, _peer):
        assert not ws.has_heard_since(ws.heard)
