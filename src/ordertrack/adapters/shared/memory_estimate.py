"""An estimate of the memory that cached values take. It does not see what a store's library caches itself, such as the
page cache of a SQLite connection."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import Enum
from itertools import islice
from typing import Any

import msgspec

SAMPLED = 8
"""Values at each end of a cache whose size is measured, which takes a fraction of a millisecond."""


def estimate_bytes(cache: dict[Any, Any]) -> int:
    """Return the bytes of the cache with its keys and values.

    The mean size of its first and last SAMPLED entries, times their number. The size of an entry is that of its objects
    (`sys.getsizeof`): of an order these are its fields, its events and items, and their texts and numbers. An object
    counts once in each entry, also when entries share it; enum members and None, which all share, do not count.
    """
    sample = list(islice(cache.items(), SAMPLED))
    sample += islice(reversed(cache.items()), min(SAMPLED, len(cache) - len(sample)))
    of_sample = sum(sum(sys.getsizeof(each) for each in _objects_in(entry)) for entry in sample)
    return sys.getsizeof(cache) + (of_sample * len(cache) // len(sample) if sample else 0)


def _objects_in(values: Iterable[Any]) -> Iterable[Any]:
    """Return the objects that `values` consist of, each once."""
    found: dict[int, Any] = {}
    remaining = list(values)
    while remaining:
        value = remaining.pop()
        if value is None or isinstance(value, Enum) or id(value) in found:
            continue
        found[id(value)] = value
        if isinstance(value, msgspec.Struct):
            remaining += msgspec.structs.astuple(value)
        elif isinstance(value, tuple):
            remaining += value
    return found.values()
