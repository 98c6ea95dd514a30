"""The cache of stores: what it keeps and what it evicts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordertrack.adapters.shared.commit_cache import CommitCache

LIMIT = 4
KEYS = st.integers(0, 12)


def cached(watched: set[int]) -> CommitCache[int, str]:
    cache: CommitCache[int, str] = CommitCache(LIMIT)
    cache.is_watched = watched.__contains__
    return cache


def kept(cache: CommitCache[int, str]) -> set[int]:
    return {key for key in range(20) if cache._cache.get(key) is not None}


@given(st.lists(KEYS), st.sets(KEYS))
def test_a_watched_value_is_never_evicted(keys: list[int], watched: set[int]) -> None:
    cache = cached(watched)
    for key in keys:
        cache.commit({key: "order"})
    assert watched & set(keys) <= kept(cache)
    assert len(kept(cache) - watched) <= LIMIT


def test_the_least_recently_used_value_is_evicted() -> None:
    cache = cached(set())
    for key in range(LIMIT):
        cache.commit({key: "order"})
    assert cache.get(0) == "order"
    cache.commit({LIMIT: "order"})
    assert kept(cache) == {0, 2, 3, 4}


def test_the_cache_shrinks_when_fewer_are_watched() -> None:
    watched = set(range(10))
    cache = cached(watched)
    for key in range(10):
        cache.commit({key: "order"})
    watched.clear()
    for _ in range(10):
        cache.commit({15: "order"})
    assert len(kept(cache)) == LIMIT
