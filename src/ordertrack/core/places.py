"""The cap of held polls of one feed, kept over all nodes of a cluster.

Each node may hold a part of the cap without a word: its allowance, such that one place is left over. A node that holds
more tells the others how many polls of this feed it holds; they then tell theirs too, until no node holds more than its
allowance. So the usual feed, with a poll or two, costs no message. With more nodes than places each node may still hold
one poll.

What a node told is repeated, and forgotten by the others when it is not: places of a node that died become free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ordertrack.core.feed import FeedKey

REPEAT_S = 4.0
FORGET_S = 12.0
FRESH_S = 0.5
"""Two nodes may give the last place away at the same time: a feed that got polls within FRESH_S to 2 * FRESH_S seconds
yields its newest ones."""


class Holding(NamedTuple):
    """A node holds `polls` polls of a feed. `is_fresh` is True when it began to hold some of them a moment ago."""

    feed: FeedKey
    polls: int
    is_fresh: bool


class _Told(NamedTuple):
    polls: int
    told_s: float


class Places:
    """Times are seconds of any monotonic clock. `own` returns the number of polls of a feed that this node holds."""

    def __init__(self, cap: int, own: Callable[[FeedKey], int]) -> None:
        self._cap = cap
        self._own = own
        self.allowance = cap
        self._fresh: tuple[set[FeedKey], set[FeedKey]] = (set(), set())
        self._fresh_since_s = -math.inf
        self._told: dict[FeedKey, _Told] = {}
        self._others: dict[FeedKey, dict[str, tuple[int, float]]] = {}

    def set_nodes(self, nodes: int) -> bool:
        """Share the cap among `nodes` nodes. Return True when the allowance fell: then look at all feeds."""
        before, self.allowance = self.allowance, max(1, (self._cap - 1) // nodes)
        return self.allowance < before

    def elsewhere(self, feed: FeedKey) -> int:
        """Return the polls of the feed that other nodes hold, as far as they told."""
        others = self._others.get(feed)
        return 0 if others is None else sum(count for count, _ in others.values())

    def receive(self, node: str, held: Holding, now_s: float, *, yields: bool) -> int:
        """Record what a node told. Return the number of own polls that have to yield, the newest ones.

        `yields` is True when this node yields to the other one, if both gave places away at the same time.
        """
        if held.polls:
            self._others.setdefault(held.feed, {})[node] = (held.polls, now_s)
        else:
            self._forget(held.feed, node)
        own = self._own(held.feed)
        excess = min(own, own + self.elsewhere(held.feed) - self._cap)
        if excess <= 0 or not self._is_fresh(held.feed) or (held.is_fresh and not yields):
            return 0
        return excess

    def added(self, feeds: Iterable[FeedKey], now_s: float) -> None:
        """Record that this node began to hold polls of these feeds."""
        if now_s - self._fresh_since_s >= FRESH_S:
            self._fresh = (set(), self._fresh[0])
            self._fresh_since_s = now_s
        self._fresh[0].update(feeds)

    def repeat(self) -> None:
        """Tell everything again: a node has joined."""
        self._told = {feed: told._replace(told_s=-math.inf) for feed, told in self._told.items()}

    def forget_node(self, node: str) -> None:
        for feed in [feed for feed, others in self._others.items() if node in others]:
            self._forget(feed, node)

    def to_tell(self, looked_at: Iterable[FeedKey], now_s: float) -> list[Holding]:
        """Return what the other nodes have to be told now. `looked_at` are feeds that may have got more polls: those of
        `added`, and all when the allowance fell."""
        for feed, others in list(self._others.items()):
            for node, (_, at_s) in list(others.items()):
                if now_s - at_s > FORGET_S:
                    self._forget(feed, node)
        news: list[Holding] = []
        for feed in {*looked_at, *self._told, *self._others}:
            count, told = self._own(feed), self._told.get(feed)
            if not self._is_shared(feed, count):
                if told is not None:
                    del self._told[feed]
                    news.append(Holding(feed, 0, is_fresh=False))
            elif told is None or told.polls != count or now_s - told.told_s >= REPEAT_S:
                self._told[feed] = _Told(count, now_s)
                news.append(Holding(feed, count, self._is_fresh(feed)))
        return news

    def _is_shared(self, feed: FeedKey, own: int) -> bool:
        """Return True while a node holds more than its allowance."""
        others = self._others.get(feed, {})
        return own > self.allowance or any(count > self.allowance for count, _ in others.values())

    def _is_fresh(self, feed: FeedKey) -> bool:
        return any(feed in fresh for fresh in self._fresh)

    def _forget(self, feed: FeedKey, node: str) -> None:
        others = self._others.get(feed)
        if others is not None:
            others.pop(node, None)
            if not others:
                del self._others[feed]
