"""Who waits for which feed. Pure: it hands back the polls to answer and writes to no socket.

A poll is in one of two states, and `bucket` tells them apart:

    join ──► READING ──park──► PARKED ──news, close, supersede──► handed back, gone from the hub
               │  ▲              │
               │  └───expire─────┘   (deadline: still joined, the store is read once more)
               └──leave──► gone

It joins *before* the store is read and parks after. News that comes in between is remembered on the poll, and `park`
then says "read again" instead of sleeping over it. Only parked polls count against the caps.

A drain moves all deadlines into its window, at random; until that ends polls are held, and woken, as ever.

Times are seconds of any monotonic clock. Deadlines share buckets (`core.deadlines`): a parked poll needs no timer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

import msgspec

from ordertrack.core.deadlines import Deadlines
from ordertrack.core.errors import NodeFull, TooManyPolls
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.principal import ANYONE, Principal, Role

TOO_MANY_RETRY_AFTER_S = 5
FULL_RETRY_AFTER_S = (5, 10)
"""A poll refused by a full node comes again after a random time in these bounds, so that not all do at once."""

W = TypeVar("W")


class Poll(msgspec.Struct, Generic[W], gc=False, eq=False):
    """One poll of `feed`, the newest of `client_id` when that is given.

    `waiter` is whoever holds its connection; the hub never looks at it. `position` is the version the client has,
    `ends_at_s` when its hold ends, `ahead` whether it is held for the store to catch up, `conditional` whether
    "nothing new" may be a 304. `announced` is the newest version the feed was told of while the poll was reading. `by`
    is who asks: client ids are each principal's own, so that nobody ends a poll of somebody else.

    The garbage collector does not look at polls, because there are many of them, for long: whoever has a reference to
    one lets go of it when the poll is handed back.
    """

    feed: FeedKey
    waiter: W
    ends_at_s: float
    conditional: bool = False
    client_id: str | None = None
    position: int = 0
    ahead: bool = False
    announced: int = 0
    bucket: set[Poll[W]] | None = None
    by: Principal = ANYONE

    @property
    def parked(self) -> bool:
        return self.bucket is not None


class Parking(Enum):
    """What came of `park`."""

    HELD = auto()
    NEWS = auto()
    """News came while the store was read: read again."""
    DRAINING = auto()
    """The node is going away: answer now."""
    SUPERSEDED = auto()
    """A newer poll of the same client is held already: answer this one now."""
    GONE = auto()
    """The poll has left meanwhile: nobody is there to be answered."""


_TRUSTED = (Role.SERVICE, Role.ADMIN)
_CAPPED = (Role.CUSTOMER, Role.RESTAURANT, Role.COURIER, Role.LINK)


class Caps(NamedTuple):
    """Polls parked at once: of one feed, of one client (a principal; without access control a `client_id`), in all.

    The last `reserved` places are for those that come back with a position: when a node is full, who follows an order
    already keeps on following it. Of an order's places holders of links get at most half, and any one principal at
    most seven in ten, so that nobody pushes out the others whose order it is. Services and administrators need none.
    """

    per_feed: int
    per_client: int
    total: int
    reserved: int = 0

    @property
    def for_links(self) -> int:
        return self.per_feed - self.per_feed // 2

    @property
    def for_one(self) -> int:
        return self.per_feed - self.per_feed * 3 // 10


class Hub(Generic[W]):
    """`full_retry_after_s` draws the seconds after which a poll refused by a full node may come again."""

    def __init__(self, caps: Caps, *, full_retry_after_s: Callable[[], int]) -> None:
        self.caps = caps
        self.draining = False
        self.held = 0
        """Parked polls now."""
        self.held_by_kind = dict.fromkeys(FeedKind, 0)
        self._full_retry_after_s = full_retry_after_s
        self._closed = False
        self._drained_at_s = math.inf
        self._held_by_client: Counter[str] = Counter()
        self._by_feed: dict[FeedKey, list[Poll[W]]] = {}
        self._by_client: dict[tuple[FeedKey, str, str], Poll[W]] = {}
        self._deadlines: Deadlines[Poll[W]] = Deadlines()

    @property
    def closed(self) -> bool:
        """True once nothing is held any more."""
        return self._closed

    @property
    def joined(self) -> int:
        """Polls reading or parked now."""
        return sum(map(len, self._by_feed.values()))

    def has(self, poll: Poll[W]) -> bool:
        """True from `join` until the poll leaves or is handed back."""
        return poll in self._by_feed.get(poll.feed, ())

    def watched(self, feed: FeedKey) -> bool:
        return feed in self._by_feed

    @property
    def feeds_watched(self) -> int:
        return len(self._by_feed)

    def join(self, poll: Poll[W]) -> None:
        """From here on no news of the feed is missed. The caller ends it with `park` or `leave`."""
        polls = self._by_feed.get(poll.feed)
        if polls is None:
            self._by_feed[poll.feed] = [poll]
        else:
            poll.feed = polls[0].feed  # one key for all of them: ten thousand equal ones would be a megabyte
            polls.append(poll)

    def leave(self, poll: Poll[W]) -> bool:
        """Forget the poll, in whatever state. False when it had already been handed back."""
        polls = self._by_feed.get(poll.feed)
        if polls is None or poll not in polls:
            return False
        self._unpark(poll)
        polls.remove(poll)
        if not polls:
            del self._by_feed[poll.feed]
        return True

    def polls(self, feed: FeedKey) -> list[Poll[W]]:
        """Parked or reading."""
        return list(self._by_feed.get(feed, ()))

    def supersede(self, poll: Poll[W]) -> Poll[W] | None:
        """Hand back the parked poll of the same client on the same feed, if there is one that joined before this."""
        older = self._parked_of_client(poll)
        if older is None or not self._joined_before(older, poll):
            return None
        self.leave(older)
        return older

    def park(
        self, poll: Poll[W], position: int, until_s: float, *, ahead: bool = False, resuming: bool = True
    ) -> Parking:
        """Hold a joined poll for a version beyond `position`, until `until_s`. `resuming`: it came with a position.

        Raises TooManyPolls or NodeFull; the poll is then still joined, and the caller leaves.
        """
        if not self.has(poll):
            return Parking.GONE
        if poll.announced > position:
            return Parking.NEWS
        if self._closed:
            return Parking.DRAINING
        newer = self._parked_of_client(poll)
        if newer is not None and self._joined_before(poll, newer):
            return Parking.SUPERSEDED
        self._check_caps(poll, resuming=resuming)
        poll.position = position
        poll.ahead = ahead
        poll.bucket = self._deadlines.add(poll, min(until_s, self._drained_at_s))
        if poll.client_id is not None:
            self._by_client[poll.feed, poll.by.actor, poll.client_id] = poll
        if (client := _client(poll)) is not None:
            self._held_by_client[client] += 1
        self.held += 1
        self.held_by_kind[poll.feed.kind] += 1
        return Parking.HELD

    def news(self, feed: FeedKey, version: int) -> list[Poll[W]]:
        """The feed is at `version`: hand back the parked polls that are behind it, and tell those still reading."""
        polls = self._by_feed.get(feed)
        if polls is None:
            return []
        woken = []
        for poll in polls:
            if poll.bucket is None:
                poll.announced = max(poll.announced, version)
            elif poll.position < version:
                woken.append(poll)
        self._hand_back(feed, polls, woken)
        return woken

    def expire(self, now_s: float) -> list[Poll[W]]:
        """Polls whose time is up. They are reading again: still joined, so that news is not missed meanwhile."""
        due = self._deadlines.due(now_s)
        for poll in due:
            self._unpark(poll)
            poll.announced = 0
        return due

    def next_deadline_s(self) -> float | None:
        """When `expire` has work next; None when nothing is parked."""
        return self._deadlines.next_s()

    def drain(self, now_s: float, until_s: float, draw: Callable[[], float]) -> None:
        """Spread the deadlines of all parked polls over the time until `until_s`; `draw` gives numbers from 0 to 1."""
        self.draining = True
        self._drained_at_s = until_s
        for polls in self._by_feed.values():
            for poll in polls:
                if poll.bucket is not None:
                    poll.bucket.discard(poll)
                    poll.bucket = self._deadlines.add(poll, min(poll.ends_at_s, now_s + draw() * (until_s - now_s)))

    def close(self) -> list[Poll[W]]:
        """Hold nothing from now on, and hand back all that was parked."""
        self.draining = self._closed = True
        handed_back: list[Poll[W]] = []
        for feed, polls in list(self._by_feed.items()):
            parked = [poll for poll in polls if poll.parked]
            self._hand_back(feed, polls, parked)
            handed_back.extend(parked)
        return handed_back

    def _check_caps(self, poll: Poll[W], *, resuming: bool) -> None:
        caps = self.caps
        limit = caps.total if resuming else caps.total - caps.reserved
        if self.held >= limit:
            raise NodeFull(retry_after_s=self._full_retry_after_s(), limit=limit)
        if poll.by.role in _TRUSTED:
            return
        polls = self._by_feed[poll.feed]
        if len(polls) > caps.for_links:
            self._check_shares(poll, [other for other in polls if other.parked and other.by.role not in _TRUSTED])
        client = _client(poll)
        if client is not None and self._held_by_client[client] >= caps.per_client:
            raise TooManyPolls(retry_after_s=TOO_MANY_RETRY_AFTER_S, limit=caps.per_client, of="client")

    def _check_shares(self, poll: Poll[W], held: list[Poll[W]]) -> None:
        caps, limit, of = self.caps, None, ""
        if len(held) >= caps.per_feed:
            limit, of = caps.per_feed, str(poll.feed.kind)
        elif poll.by.role is Role.LINK and sum(other.by.role is Role.LINK for other in held) >= caps.for_links:
            limit, of = caps.for_links, "link"
        elif poll.by is not ANYONE and sum(other.by.actor == poll.by.actor for other in held) >= caps.for_one:
            limit, of = caps.for_one, "client"
        if limit is not None:
            raise TooManyPolls(retry_after_s=TOO_MANY_RETRY_AFTER_S, limit=limit, of=of)

    def _parked_of_client(self, poll: Poll[W]) -> Poll[W] | None:
        return None if poll.client_id is None else self._by_client.get((poll.feed, poll.by.actor, poll.client_id))

    def _joined_before(self, poll: Poll[W], other: Poll[W]) -> bool:
        """A slow read must not let a poll end one that came after it. False when either has left."""
        both = [joined for joined in self._by_feed.get(poll.feed, ()) if joined is poll or joined is other]
        return both == [poll, other]

    def _hand_back(self, feed: FeedKey, polls: list[Poll[W]], leaving: list[Poll[W]]) -> None:
        for poll in leaving:
            self._unpark(poll)
        if len(leaving) == len(polls):
            del self._by_feed[feed]
        elif leaving:
            gone = set(leaving)
            polls[:] = [poll for poll in polls if poll not in gone]

    def _unpark(self, poll: Poll[W]) -> None:
        if poll.bucket is None:
            return
        self.held -= 1
        self.held_by_kind[poll.feed.kind] -= 1
        poll.bucket.discard(poll)
        poll.bucket = None
        if (client := _client(poll)) is not None:
            self._held_by_client[client] -= 1
            if not self._held_by_client[client]:
                del self._held_by_client[client]
        if poll.client_id is not None and self._parked_of_client(poll) is poll:
            del self._by_client[poll.feed, poll.by.actor, poll.client_id]


def _client(poll: Poll[W]) -> str | None:
    """Whose polls count together; None: nobody's. A shop's back end may hold as many as it has orders."""
    if poll.by.role is Role.ANYONE:
        return poll.client_id
    return poll.by.actor if poll.by.role in _CAPPED else None
