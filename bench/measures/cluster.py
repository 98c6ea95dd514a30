"""One node of a cluster, beside the peer: memory of held polls, wake-ups and durable updates on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from bench.contenders import Contender
from bench.measures import held as one_node
from bench.measures import holds, updates, wakes
from bench.measures.load import Figures, Size

POLLS = 15_000
ORDERS = 5_000
"""Fewer than on SQLite: the peer would take minutes."""


def size_of_cluster(size: Size) -> Size:
    return replace(size, polls=min(size.polls, POLLS), orders=min(size.orders, ORDERS))


def held(contender: Contender, size: Size) -> Figures:
    """One poll per order."""
    return one_node.one_per_order(contender, size_of_cluster(size))


def wakes_many(contender: Contender, size: Size) -> Figures:
    """Ten polls per order, single updates over 32 connections."""
    return wakes.over_connections(contender, size_of_cluster(size))


def updates_single(contender: Contender, size: Size) -> Figures:
    return updates.single(contender, size_of_cluster(size))


def timed_out(contender: Contender, size: Size) -> Figures:
    return holds.timed_out(contender, size_of_cluster(size))
