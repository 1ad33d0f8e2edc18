"""The cache: bounded, short-lived, safe for threads, and it keeps nothing that was forgotten meanwhile."""

import threading

import pytest

from apps.common.caching import TimedCache
from tests import requirement


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@requirement("C10")
def test_the_cache_unwraps_once_within_the_time_allowed() -> None:
    clock, calls = Clock(), list[str]()
    cache = TimedCache[bytes](max_items=8, ttl_seconds=60, clock=clock)

    def unwrap() -> bytes:
        calls.append("call")
        return b"secret"

    for now, expected in ((0, 1), (59, 1), (60, 2), (61, 2)):
        clock.now = now
        assert cache.get("record", unwrap) == b"secret"
        assert len(calls) == expected
    cache.forget("record")
    cache.get("record", unwrap)
    assert len(calls) == 3


@requirement("C10", "I2")
def test_what_is_too_old_leaves_memory_whatever_is_asked_for() -> None:
    clock = Clock()
    cache = TimedCache[bytes](max_items=8, ttl_seconds=60, clock=clock)
    cache.get("old", lambda: b"secret")
    clock.now = 60
    cache.get("new", lambda: b"secret")
    assert len(cache) == 1


@requirement("C10")
def test_use_does_not_prolong_what_is_known() -> None:
    clock = Clock()
    cache = TimedCache[int](max_items=8, ttl_seconds=60, clock=clock)
    loads = iter(range(9))
    for now, expected in ((0, 0), (30, 0), (59, 0), (60, 1)):
        clock.now = now
        assert cache.get("client", lambda: next(loads)) == expected


@requirement("C10")
def test_what_could_not_be_loaded_is_not_kept() -> None:
    cache = TimedCache[bytes](max_items=8, ttl_seconds=60)

    def fail() -> bytes:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        cache.get("record", fail)
    assert cache.get("record", lambda: b"secret") == b"secret"


@requirement("C10")
def test_the_cache_is_bounded_and_drops_the_least_recently_used() -> None:
    cache = TimedCache[bytes](max_items=2, ttl_seconds=60)
    for record in ("a", "b", "a", "c"):
        cache.get(record, lambda: b"old")
    assert len(cache) == 2
    assert [cache.get(record, lambda: b"new") for record in ("a", "c", "b")] == [b"old", b"old", b"new"]
    cache.clear()
    assert len(cache) == 0
    assert "old" not in repr(cache)
    with pytest.raises(ValueError, match="room"):
        TimedCache[bytes](max_items=0, ttl_seconds=60)


@requirement("C6")
def test_a_secret_forgotten_while_it_is_unwrapped_is_not_kept() -> None:
    cache = TimedCache[bytes](max_items=8, ttl_seconds=60)

    def unwrap() -> bytes:
        cache.forget("record")  # the key is revoked while KMS answers
        return b"secret"

    assert cache.get("record", unwrap) == b"secret"
    assert len(cache) == 0


@requirement("C10")
def test_the_cache_holds_under_threads() -> None:
    cache = TimedCache[bytes](max_items=4, ttl_seconds=60)
    wrong = []

    def use(offset: int) -> None:
        for number in range(2000):
            record = str((number + offset) % 7)
            if cache.get(record, record.encode) != record.encode():
                wrong.append(record)
            if number % 11 == 0:
                cache.forget(record)

    threads = [threading.Thread(target=use, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(cache) <= 4
