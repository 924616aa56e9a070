"""Answers that are kept: for a time, and not without bounds."""

from __future__ import annotations

from eventlet._names.cache import Cache


def test_what_is_kept_ends_with_its_time() -> None:
    now = 0.0
    cache: Cache[str] = Cache(clock=lambda: now)
    cache.put("key", "value", 5)
    assert cache.get("key") == "value"

    now = 5.0
    assert cache.get("key") is None
    assert len(cache) == 0


def test_nothing_is_kept_longer_than_the_bound() -> None:
    now = 0.0
    cache: Cache[str] = Cache(longest=10, clock=lambda: now)
    cache.put("key", "value", 1_000_000)
    now = 10.0

    assert cache.get("key") is None


def test_nothing_is_kept_for_no_time() -> None:
    cache: Cache[str] = Cache()
    cache.put("key", "value", 0)

    assert cache.get("key") is None


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache: Cache[int] = Cache(limit=3)
    for number in range(3):
        cache.put(number, number, 60)
    cache.get(0)
    cache.put(3, 3, 60)

    assert [cache.get(number) for number in range(4)] == [0, None, 2, 3]


def test_all_can_be_forgotten() -> None:
    cache: Cache[str] = Cache()
    cache.put("key", "value", 60)
    cache.clear()

    assert cache.get("key") is None
