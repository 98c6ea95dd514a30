"""Partitions: every feed belongs to one of a fixed number, and nodes of a cluster send each other news by partition.

A node takes part in the partitions of the feeds that its clients wait for, so it is not told about most others.
"""

from __future__ import annotations

from zlib import crc32

from ordertrack.core.feed import FeedKey, FeedKind

PARTITIONS = 256
"""The same on every node of a cluster."""
_KINDS = {kind.value[:2]: kind for kind in FeedKind}
_LETTERS = {kind: letters for letters, kind in _KINDS.items()}


def feed_name(feed: FeedKey) -> str:
    """Return the name of a feed in messages between nodes: two letters of its kind, and its id."""
    return _LETTERS[feed.kind] + feed.id


def named_feed(name: str) -> FeedKey | None:
    """Return the feed; None for a kind that only nodes of another version know."""
    kind = _KINDS.get(name[:2])
    return None if kind is None else FeedKey(kind, name[2:])


def partition_of_name(name: str) -> int:
    return crc32(name.encode()) % PARTITIONS


def partition_of(feed: FeedKey) -> int:
    return partition_of_name(feed_name(feed))
