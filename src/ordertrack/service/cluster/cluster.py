"""Keep a node up to date with the changes that other nodes commit.

    own commit ──► publish news: feed and version, on the channels of the feeds' partitions
    news received ──► a poll waits for the feed? ──yes──► read it again (refresher.py) ──► answer its polls
                                                └─no───► forget what is remembered of it

A signal is a hint, and losing one costs time only:
* messages are numbered (`core/sequence.py`), so a lost one is noticed with the next one or within about two seconds;
* after an interruption, and when another node has gone, all watched feeds are compared with the store;
* while there is no signal, they are compared every second;
* at the deadline of a poll its feed is compared with the store once more.

Every node sends a beat each second on the control channel: that it lives, the numbers of its messages, its figures.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from ordertrack.core.errors import TooManyPolls
from ordertrack.core.feed import FeedKey, order_feed
from ordertrack.core.hub import TOO_MANY_RETRY_AFTER_S, Hub
from ordertrack.core.partition import PARTITIONS, feed_name, named_feed, partition_of, partition_of_name
from ordertrack.core.places import Holding, Places
from ordertrack.core.sequence import Sequences
from ordertrack.core.tracking_link import Link
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Committed
from ordertrack.ports.signal import CONTROL, Signal, SignalUnavailable
from ordertrack.service.cluster.messages import (
    Beat,
    Bye,
    HeldPolls,
    Message,
    News,
    Revoked,
    decode_message,
    encode_message,
    parts,
)
from ordertrack.service.cluster.partitions import Partitions
from ordertrack.service.cluster.refresher import Refresher
from ordertrack.service.monitoring.monitor import ClusterFigures, NodeStats
from ordertrack.service.tracking.waiter import Waiter

TICK_S = 0.1
"""Counts of held polls that fell are told this often, those that rose at once."""
BEAT_S = 1.0
GONE_AFTER_S = 3.5
RELEASE_EVERY_S = 10.0

log = structlog.get_logger("ordertrack.cluster")


class _Peer(NamedTuple):
    """Another node. `dropped` counts the messages that it could not send."""

    stats: NodeStats
    beat_s: float
    dropped: int
    reads_windows: bool


class Cluster:
    """`node` is drawn at random for each start. `make_signal` gets the epoch of the store, which keeps clusters apart.
    `stats` returns the figures of this node."""

    def __init__(
        self,
        node: str,
        make_signal: Callable[[str], Signal],
        hub: Hub[Waiter],
        partitions: Partitions,
        refresher: Refresher,
        clock: Clock,
        *,
        stats: Callable[[], NodeStats],
        forget_links: Callable[[int | None], None],
        revoked: Callable[[Link], None],
    ) -> None:
        self._make_signal = make_signal
        self._signal: Signal | None = None
        self._node = node
        self._own = f'","{node}",'
        self._hub = hub
        self._partitions = partitions
        self._refresher = refresher
        self._clock = clock
        self._stats = stats
        self._forget_links = forget_links
        self._revoked = revoked
        self._places = Places(hub.caps.per_feed, hub.capped_polls)
        hub.elsewhere = self._places.elsewhere
        hub.parked = set()
        hub.crowded = self._tell_soon
        self._sequences = Sequences()
        self._numbers: Counter[int] = Counter()
        self._peers: dict[str, _Peer] = {}
        self._dropped = 0
        """Commits that were not told to other nodes."""
        self._looked_at: set[FeedKey] = set()
        self._knows_peers_at_s = math.inf
        self._telling: asyncio.Handle | None = None
        self._has_control = False
        self._was_interrupted = False
        self._restored = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, epoch: str) -> None:
        """Raises: SignalCannotOpen."""
        signal = self._make_signal(epoch)
        await signal.open(self._received, self._interrupted, self._restored.set)
        self._signal = self._partitions.signal = signal
        self._knows_peers_at_s = self._clock.monotonic_s() + GONE_AFTER_S
        for work in (self._refresher.run, self._beat, self._cover):
            self._tasks.append(asyncio.create_task(self._supervise(work)))

    async def close(self, limit_s: float) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._publish(CONTROL, [Bye(self._node, 0)])
        if self._signal is not None:
            await self._signal.close(limit_s)

    async def _supervise(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task for ever: a fault in one turn must not end it."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("a task of the cluster failed, starting it again")
                await asyncio.sleep(BEAT_S)

    @property
    def signal_name(self) -> str:
        return "in-process" if self._signal is None else self._signal.name

    def peers(self) -> list[NodeStats]:
        """Return the figures of the other nodes."""
        return [peer.stats for peer in self._peers.values()]

    def nodes(self) -> int:
        """Return the number of nodes, this one included."""
        return 1 + len(self._peers)

    def may_move_windows(self) -> bool:
        """Tell whether every node can read an event `eta_changed`, as far as is known: some seconds after the start."""
        knows_peers = self._clock.monotonic_s() >= self._knows_peers_at_s
        return knows_peers and all(peer.reads_windows for peer in self._peers.values())

    def figures(self) -> ClusterFigures:
        return ClusterFigures(
            nodes=self.nodes(),
            signal_in_trouble=self._signal is None or self._signal.trouble is not None,
            messages_dropped=0 if self._signal is None else self._signal.lost,
            partitions=self._partitions.subscribed,
        )

    # Own changes

    def committed(self, commits: Sequence[Committed]) -> None:
        """Tell the other nodes; a commit listener, called before the polls of this node are answered."""
        news: defaultdict[int, dict[str, int]] = defaultdict(dict)
        for order, feeds, *_ in commits:
            feed = order_feed(order.id)
            name = feed_name(feed)
            number = partition_of_name(name)
            news[number][name] = order.version
            self._partitions.committed(number, feed, order.version, order)
            for party, version in feeds.items():
                name = feed_name(party)
                number = partition_of_name(name)
                entries = news[number]
                entries[name] = max(version, entries.get(name, 0))
                self._partitions.committed(number, party, version)
        if self._signal is None or not self._peers:  # a node that joins compares all, as after a dropped message
            self._dropped += 1
            return
        self._signal.publish(
            [
                (channel, encode_message(News(self._node, self._next_number(channel), list(part))))
                for channel, entries in news.items()
                for part in parts(entries.items())
            ]
        )

    def revoked(self, link: Link) -> None:
        self._publish(CONTROL, [Revoked(self._node, 0, link.order_id, link.id)])

    def doubtful(self) -> None:
        """The outcome of a commit is unknown: neither this node nor another one was told of it."""
        self._dropped += 1
        self._refresher.lose(range(PARTITIONS))

    def _publish(self, channel: int, messages: Sequence[Message]) -> None:
        numbered = [msgspec.structs.replace(message, number=self._next_number(channel)) for message in messages]
        if self._signal is not None:
            self._signal.publish([(channel, encode_message(message)) for message in numbered])

    def _next_number(self, channel: int) -> int:
        self._numbers[channel] += 1
        return self._numbers[channel]

    # Messages of other nodes

    def _received(self, channel: int, text: str) -> bool:
        if text.startswith(self._own, 6):
            return False
        try:
            message = decode_message(text)
        except ValueError as error:
            log.warning("a message of another version was ignored", error=str(error))
            return False
        if self._sequences.receive(message.node, channel, message.number):
            self._lose(channel)
        if isinstance(message, News):  # nearly all are
            return self._news(channel, message.feeds)
        match message:
            case Beat():
                self._peer_beat(message)
            case HeldPolls(node, _, feeds):
                for name, count, is_fresh in feeds:
                    if (feed := named_feed(name)) is not None:
                        self._peer_holds(node, Holding(feed, count, is_fresh))
            case Revoked(_, _, order_id, link_id):
                self._forget_links(order_id)
                self._revoked(Link(link_id, order_id, 0, ""))
            case Bye(node, _):
                if self._peers.pop(node, None) is not None:
                    self._peer_gone(node)
        return True

    def _news(self, channel: int, feeds: Iterable[tuple[str, int]]) -> bool:
        """Return True when a poll waits for one of the feeds."""
        is_watched, states = self._hub.is_watched, self._partitions.states(channel)
        is_wanted = False
        for name, version in feeds:
            feed = named_feed(name)
            if feed is None:
                continue
            if not is_watched(feed):
                states.pop(feed, None)
            elif (state := states.get(feed)) is None or state.version < version:
                self._refresher.name(feed, version)
                is_wanted = True
        return is_wanted

    def _lose(self, channel: int) -> None:
        if channel == CONTROL:
            self._forget_links(None)
        else:
            self._refresher.lose((channel,))

    def _lose_all(self) -> None:
        self._forget_links(None)
        self._refresher.lose(range(PARTITIONS))

    # Other nodes

    def _peer_beat(self, beat: Beat) -> None:
        known = self._peers.get(beat.node)
        self._peers[beat.node] = _Peer(beat.stats, self._clock.monotonic_s(), beat.dropped, beat.reads_windows)
        for channel in self._sequences.report(beat.node, beat.numbers):
            self._lose(channel)
        if known is None:
            log.info("a node joined", node=beat.stats.node)
            self._nodes_changed()
            self._places.repeat()
            self._lose_all()
        elif beat.dropped != known.dropped:
            self._lose_all()

    def _peer_holds(self, node: str, held: Holding) -> None:
        now_s = self._clock.monotonic_s()
        self._places.added(self._hub.parked or (), now_s)
        excess = self._places.receive(node, held, now_s, yields=self._node > node)
        if excess > 0:
            error = TooManyPolls(TOO_MANY_RETRY_AFTER_S, limit=self._hub.caps.per_feed, of=str(held.feed.kind))
            for poll in self._hub.take_newest(held.feed, excess):
                poll.waiter.refuse(error)
        self._tell_soon()

    def _peer_gone(self, node: str) -> None:
        """Compare all watched feeds: the last commits of the node may not have been told."""
        self._places.forget_node(node)
        self._sequences.forget_node(node)
        self._nodes_changed()
        self._lose_all()

    def _nodes_changed(self) -> None:
        if self._places.set_nodes(self.nodes()):
            self._looked_at = set(self._hub.feeds())
        self._hub.allowance = self._places.allowance

    def _interrupted(self) -> None:
        log.warning("the signal between nodes is interrupted: watched feeds are read every second")
        self._has_control = False
        self._was_interrupted = True
        self._sequences.clear()
        self._partitions.interrupt()
        self._forget_links(None)

    # Tasks

    async def _beat(self) -> None:
        """Send beats and counts of held polls, and notice nodes that are gone."""
        next_beat_s = 0.0
        next_release_s = self._clock.monotonic_s() + RELEASE_EVERY_S
        while True:
            now_s = self._clock.monotonic_s()
            if now_s >= next_beat_s:
                next_beat_s = now_s + BEAT_S
                numbers = dict(self._numbers)
                dropped = self._dropped + (0 if self._signal is None else self._signal.lost)
                self._publish(CONTROL, [Beat(self._node, 0, numbers, dropped, self._stats(), True)])
                for node, peer in list(self._peers.items()):
                    if now_s - peer.beat_s > GONE_AFTER_S:
                        log.warning("a node is gone", node=peer.stats.node)
                        del self._peers[node]
                        self._peer_gone(node)
            if now_s >= next_release_s:
                next_release_s = now_s + RELEASE_EVERY_S
                self._partitions.release_unused()
                self._sequences.keep_only(self._peers)
            self._tell_places()
            await asyncio.sleep(TICK_S)

    def _tell_soon(self) -> None:
        """Tell counts of held polls in the next turn of the event loop."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_soon(self._tell_places)

    def _tell_places(self) -> None:
        self._telling = None
        now_s = self._clock.monotonic_s()
        parked, self._hub.parked = self._hub.parked or set(), set()
        self._places.added(parked, now_s)
        looked_at, self._looked_at = self._looked_at, set()
        held = self._places.to_tell(parked | looked_at, now_s)
        entries = [(feed_name(feed), count, is_fresh) for feed, count, is_fresh in held]
        self._publish(CONTROL, [HeldPolls(self._node, 0, list(part)) for part in parts(entries)])

    async def _cover(self) -> None:
        """Subscribe what is not subscribed, and meanwhile compare its watched feeds with the store every second."""
        while True:
            try:
                async with asyncio.timeout(BEAT_S):
                    await self._restored.wait()
            except TimeoutError:
                pass
            self._restored.clear()
            if not self._has_control:
                await self._subscribe_control()
            uncovered = set(self._partitions.uncovered)
            if uncovered:
                watched = {partition_of(feed) for feed in self._partitions.watched(uncovered)}
                self._partitions.uncovered -= uncovered - watched
                await asyncio.gather(*map(self._partitions.subscribe, watched))
                self._partitions.end_cover(watched)
                self._refresher.lose(watched)

    async def _subscribe_control(self) -> None:
        try:
            if self._signal is None:
                return
            await self._signal.subscribe(CONTROL)
        except SignalUnavailable:
            return
        self._has_control = True
        self._forget_links(None)
        if self._was_interrupted:
            self._was_interrupted = False
            log.warning("the signal between nodes works again")
