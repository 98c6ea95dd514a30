"""Polls on nodes of a cluster, and updates on another node."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from heapq import heappop, heappush
from itertools import cycle

from bench.contenders import Running
from ordertrack.load import CannotLoad, Feed, PollPool, PollReply
from ordertrack.load.polls import PollConnection

BACK_OFF_S, MAX_BACK_OFF_S = 1.0, 30.0
REFUSED = (b"HTTP/1.1 429", b"HTTP/1.1 503")
SEED = 367


class NodesPool(PollPool):
    """Polls go to `polled`, all other requests to `updated`. `after_commit_s` has, for each answer with news, the
    seconds since the acknowledgement of its update was read: 0 when the answer came first."""

    def __init__(self, polled: Running, updated: Running) -> None:
        super().__init__(polled.target, polled.protocol)
        self.after_commit_s: list[float] = []
        self._updated = updated.target

    def open_reader(self, readable: Callable[[], None]) -> int:
        polled, self.target = self.target, self._updated
        try:
            return super().open_reader(readable)
        finally:
            self.target = polled

    def _check_news(self, poll: PollConnection, feed: Feed, answer: PollReply, now_s: float) -> None:
        super()._check_news(poll, feed, answer, now_s)
        self.after_commit_s.append(now_s - feed.acknowledged_at_s if feed.acknowledged_at_s else 0.0)


class FailoverPool(NodesPool):
    """Clients that follow PROTOCOL.md when their node is gone, or refuses them: back off with full jitter, from 1 s
    doubling to 30 s, then poll the next of `others` with the cursor they have. `refused` counts answers by status."""

    def __init__(self, polled: Running, others: Iterable[Running]) -> None:
        nodes = tuple(others)
        super().__init__(polled, nodes[0])
        self.refused: Counter[str] = Counter()
        self._others: Iterator[Running] = cycle(nodes)
        self._random = random.Random(SEED)
        self._retries: list[tuple[float, int, PollConnection]] = []
        self._failures: Counter[PollConnection] = Counter()

    @property
    def backing_off(self) -> int:
        return len(self._retries)

    def run_once(self, timeout_s: float) -> int:
        now_s = time.perf_counter()
        while self._retries and self._retries[0][0] <= now_s:
            self._retry(heappop(self._retries)[2])
        due_in_s = self._retries[0][0] - now_s if self._retries else timeout_s
        return super().run_once(max(0.0, min(timeout_s, due_in_s)))

    def _retry(self, poll: PollConnection) -> None:
        self.target = next(self._others).target
        try:
            poll.fd = self.connect()
        except CannotLoad:
            self._back_off(poll)
            return
        self._by_fd[poll.fd] = poll
        self.send_poll(poll)

    def _handle_close(self, poll: PollConnection) -> None:
        del self._by_fd[poll.fd]
        self._partial.pop(poll.fd, None)
        os.close(poll.fd)
        self._back_off(poll)

    def _back_off(self, poll: PollConnection) -> None:
        limit_s = min(MAX_BACK_OFF_S, BACK_OFF_S * 2 ** self._failures[poll])
        self._failures[poll] += 1
        due_s = time.perf_counter() + self._random.uniform(0, limit_s)
        heappush(self._retries, (due_s, id(poll), poll))

    def _parse(self, poll: PollConnection, data: bytes) -> bool:
        if data.startswith(REFUSED):
            self.refused[data[9:12].decode()] += 1
            self._handle_close(poll)
            return False
        return super()._parse(poll, data)

    def _check(self, poll: PollConnection) -> None:
        try:
            super()._check(poll)
        except ConnectionError:  # the node is gone: the poll was answered and cannot be sent again
            self._handle_close(poll)


def asked_directly(node: Running) -> Running:
    """Return the node with statistics that are requested from itself, not through the pool of a measurement."""

    def held(_: PollPool) -> int:
        with node.pool() as own:
            return node.held(own)

    def lost_wakeups(_: PollPool) -> int:
        with node.pool() as own:
            return node.lost_wakeups(own)

    return replace(node, held=held, lost_wakeups=lost_wakeups)
