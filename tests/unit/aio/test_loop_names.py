"""Loops look names up by the operating system, whatever green threads do."""

from __future__ import annotations

import asyncio

import pytest

from eventlet import _resolver
from eventlet.asyncio import spawn_for_awaitable


def test_a_loop_asks_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_resolver, "real_getaddrinfo", lambda *args: [args])
    monkeypatch.setattr(_resolver, "real_getnameinfo", lambda *args: args)
    monkeypatch.setattr(_resolver._plugged, "load", lambda: pytest.fail("greendns was asked"))

    async def ask() -> tuple[object, object]:
        loop = asyncio.get_running_loop()
        target = ("127.0.0.1", 80)
        return await loop.getaddrinfo("here.test", 80), await loop.getnameinfo(target, 1)

    found = spawn_for_awaitable(ask()).wait()

    assert found == ([("here.test", 80, 0, 0, 0, 0)], (("127.0.0.1", 80), 1))


def test_a_failure_reaches_who_awaits(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> object:
        raise OSError("no such name")

    monkeypatch.setattr(_resolver, "real_getaddrinfo", fail)

    async def ask() -> None:
        await asyncio.get_running_loop().getaddrinfo("here.test", 80)

    with pytest.raises(OSError, match="no such name"):
        spawn_for_awaitable(ask()).wait()
