"""Partitions: every feed belongs to one of a fixed number, and nodes of a cluster send each other news by partition.

A node takes part in the partitions of the feeds that its clients wait for, so it is not told about most others.
"""

from __future__ import annotations

from zlib import crc32

from ordertrack.core.feed import FeedKey

PARTITIONS = 256
"""The same on every node of a cluster."""


def partition_of(feed: FeedKey) -> int:
    return crc32(f"{feed.kind}:{feed.id}".encode()) % PARTITIONS
