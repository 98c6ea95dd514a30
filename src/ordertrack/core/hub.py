"""The hub: the open polls of each feed. Pure: it returns the polls to answer and writes to no socket.

A poll is in one of two states; it is parked while it has a deadline:

    join ──► READING ──park──► PARKED ──news, close, a newer poll──► handed back, removed from the hub
               │  ▲              │
               │  └───expire─────┘   (deadline: still joined, the store is read once more)
               └──leave──► removed

A poll joins *before* the store is read and parks after. News between the two is recorded on the poll, and `park` then
returns NEWS: read again. Only parked polls count against the caps.

Two kinds of parked polls are superseded by a newer one that parks: the older poll of the same `client_id`, and, at a
cap of the feed, the oldest poll of the same principal. Such polls remain when a proxy does not pass on a client's
abort.

A drain moves all deadlines into its window, at random; until it ends, polls are held and woken as usual.

Times are seconds of any monotonic clock. Deadlines share buckets (`core.deadlines`): a parked poll needs no timer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from typing import Any, Generic, NamedTuple, TypeVar

from ordertrack.core.deadlines import Deadlines, Due
from ordertrack.core.enum_members import plain_members
from ordertrack.core.errors import NodeFull, TooManyPolls
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.principal import ANYONE, Principal, Role

TOO_MANY_RETRY_AFTER_S = 5
FULL_RETRY_AFTER_S = (5, 10)
"""Bounds of the random retry time of a poll that a full node refused, so that retries spread out."""

W = TypeVar("W")


class Poll(Due, Generic[W], gc=False, eq=False):
    """One poll of `feed`, the newest of its `client_id` if there is one.

    `waiter` is the transport's and opaque to the hub. `position` is the version that the client has, `ends_at_s` the
    end of the hold; `conditional` allows a 304 without news. `announced` is the newest version that was announced while
    the poll was reading. `by` is the client's principal: a client id is scoped to it, so that no principal supersedes
    a poll of another.

    Polls are not tracked by the garbage collector, since many live long: drop every reference to a poll that was handed
    back.
    """

    feed: FeedKey
    waiter: W
    ends_at_s: float
    conditional: bool = False
    client_id: str | None = None
    position: int = 0
    announced: int = 0
    by: Principal = ANYONE
    joined: bool = False
    """True from `join` until the poll leaves or is handed back."""

    @property
    def parked(self) -> bool:
        return self.later is not None


class _Several(dict[Poll[W], None]):
    """Two polls of a feed or more, in the order in which they joined. `feed` is the key that they share, since ten
    thousand equal keys take a megabyte."""

    __slots__ = ("feed",)

    def __init__(self, feed: FeedKey, polls: Iterable[Poll[W]]) -> None:
        super().__init__(dict.fromkeys(polls))
        self.feed = feed


@plain_members
class Parking(Enum):
    """The reason why `park` did not hold a poll."""

    NEWS = auto()
    """News was announced while the store was read: read again."""
    DRAINING = auto()
    """The hub is closed: answer now."""
    SUPERSEDED = auto()
    """Newer polls of the same client or principal are held already: answer this one now."""
    GONE = auto()
    """The poll has left: there is no client to answer."""


class Held(NamedTuple, Generic[W]):
    """The poll is parked. `superseded` is the poll that it replaced, handed back to be answered."""

    superseded: Poll[W] | None = None


_HELD: Held[Any] = Held()
_TRUSTED = (Role.SERVICE, Role.ADMIN)
_CAPPED = (Role.CUSTOMER, Role.RESTAURANT, Role.COURIER, Role.LINK)


class Caps(NamedTuple):
    """Parked polls at once: of one feed, of one client (a principal; without access control a `client_id`), in total.

    The last `reserved` places are for polls with a position, so that on a full node clients that follow an order
    already can go on. Tracking links get at most half of a feed's places and one principal at most seven in ten, so
    that no principal takes all places. Services and administrators count only against the total.
    """

    per_feed: int
    per_client: int
    total: int
    reserved: int = 0

    def of(self, role: Role) -> int:
        """Return the share of a feed's places that polls of one role or principal may have."""
        if role is Role.ANYONE:
            return self.per_feed
        return self.for_links if role is Role.LINK else self.for_one

    @property
    def for_links(self) -> int:
        return self.per_feed - self.per_feed // 2

    @property
    def for_one(self) -> int:
        return self.per_feed - self.per_feed * 3 // 10


class Hub(Generic[W]):
    """`full_retry_after_s` draws the retry time of a poll that a full node refuses, in seconds."""

    def __init__(self, caps: Caps, *, full_retry_after_s: Callable[[], int]) -> None:
        self.caps = caps
        self.draining = False
        self.closed = False
        self.held = 0
        """Number of parked polls."""
        self.held_by_kind = dict.fromkeys(FeedKind, 0)
        self._full_retry_after_s = full_retry_after_s
        self._drained_at_s = math.inf
        self._draw: Callable[[], float] = float
        self._held_by_client: dict[str, int] = {}
        self.joined = 0
        """Number of polls that are reading or parked."""
        self._by_feed: dict[FeedKey, Poll[W] | _Several[W]] = {}
        self.is_watched: Callable[[FeedKey], bool] = self._by_feed.__contains__
        """True for a feed that polls have joined."""
        self.elsewhere: Callable[[FeedKey], int] = _none_elsewhere
        """Returns the polls of a feed that other nodes of the cluster hold: they count against its cap."""
        self.parked: set[FeedKey] | None = None
        """In a cluster: feeds of which polls were parked since the set was replaced."""
        self.allowance = caps.per_feed
        self.crowded: Callable[[], None] = _ignore
        """In a cluster: called when a feed has more polls than `allowance`, or polls on other nodes as well."""
        self._by_client: dict[tuple[FeedKey, str, str], Poll[W]] = {}
        self._deadlines: Deadlines[Poll[W]] = Deadlines()

    @property
    def feeds_watched(self) -> int:
        return len(self._by_feed)

    def feeds(self) -> Iterable[FeedKey]:
        """Return the feeds that polls have joined."""
        return self._by_feed.keys()

    def is_behind(self, feed: FeedKey, version: int) -> bool:
        """Return True when a poll of the feed waits for a version up to `version` that was not announced to it."""
        return any(max(poll.position, poll.announced) < version for poll in self.polls(feed))

    def capped_polls(self, feed: FeedKey) -> int:
        """Return the number of parked polls that count against the cap of the feed."""
        return sum(poll.parked and poll.by.role not in _TRUSTED for poll in self.polls(feed))

    def take_newest(self, feed: FeedKey, number: int) -> list[Poll[W]]:
        """Hand back the newest parked polls that count against the cap of the feed."""
        capped = [poll for poll in self.polls(feed) if poll.parked and poll.by.role not in _TRUSTED]
        newest = capped[len(capped) - number :]
        for poll in newest:
            self.leave(poll)
        return newest

    def join(self, poll: Poll[W]) -> None:
        """Add a poll: no news of the feed is missed from now on. The caller continues with `park` or `leave`."""
        others = self._by_feed.get(poll.feed)
        if others is None:
            self._by_feed[poll.feed] = poll
        elif isinstance(others, _Several):
            poll.feed = others.feed
            others[poll] = None
        else:
            poll.feed = others.feed
            self._by_feed[poll.feed] = _Several(poll.feed, (others, poll))
        poll.joined = True
        self.joined += 1

    def leave(self, poll: Poll[W]) -> bool:
        """Remove the poll in any state. Return False when it was handed back before."""
        if not poll.joined:
            return False
        if poll.parked:
            self._unpark(poll)
        self._forget(poll.feed, (poll,))
        return True

    def polls(self, feed: FeedKey) -> list[Poll[W]]:
        """Return the polls of a feed, parked or reading, in the order in which they joined."""
        polls = self._by_feed.get(feed, ())
        return list(polls) if isinstance(polls, _Several | tuple) else [polls]

    def park(
        self, poll: Poll[W], position: int, until_s: float, *, seen: int | None = None, resuming: bool = True
    ) -> Held[W] | Parking:
        """Hold a joined poll for a version beyond `position`, until `until_s`. `seen` is the version that was read for
        this decision (None: `position`); `resuming` is True when the client sent a position.

        Raises: TooManyPolls, NodeFull. The poll is then still joined, and the caller calls `leave`.
        """
        if not poll.joined:
            return Parking.GONE
        if poll.announced > (position if seen is None else seen):
            return Parking.NEWS
        if self.closed:
            return Parking.DRAINING
        client = poll.client_id if poll.by is ANYONE else _client(poll)
        older = None if poll.client_id is None else self._parked_of_client(poll)
        if older is None:
            older = self._check_caps(poll, client, resuming=resuming)
        if older is not None:
            if self._joined_before(poll, older):
                return Parking.SUPERSEDED
            self.leave(older)
        poll.position = position
        due_s = self._deadlines.add(poll, min(until_s, self._drained_at_s))
        if due_s >= poll.ends_at_s:
            poll.ends_at_s = due_s  # shared, since each float takes 24 bytes
        if poll.client_id is not None:
            self._by_client[poll.feed, poll.by.actor, poll.client_id] = poll
        if client is not None:
            self._held_by_client[client] = self._held_by_client.get(client, 0) + 1
        self.held += 1
        self.held_by_kind[poll.feed.kind] += 1
        return _HELD if older is None else Held(older)

    def news(self, feed: FeedKey, version: int, *, final: bool = False) -> list[Poll[W]]:
        """Announce `version` of a feed: hand back the parked polls behind it, and record it on the reading ones.

        `final` is True for the last version: no poll of the feed stays parked, not even one that is ahead.
        """
        polls = self._by_feed.get(feed)
        if polls is None:
            return []
        woken = []
        for poll in polls if isinstance(polls, _Several) else (polls,):
            if poll.later is None:  # not parked; inline for speed
                poll.announced = max(poll.announced, version)
            elif final or poll.position < version:
                self._deadlines.remove(poll)
                self._uncount(poll)
                woken.append(poll)
        self._forget(feed, woken)
        return woken

    def expire(self, now_s: float) -> list[Poll[W]]:
        """Return the polls at their deadline. They are reading again, still joined, so that no news is missed."""
        due = self._deadlines.pop_due(now_s)
        for poll in due:
            self._uncount(poll)
            poll.announced = 0
        return due

    def next_deadline_s(self) -> float | None:
        """Return the time of the next `expire`; None without parked polls."""
        return self._deadlines.next_s()

    def drain(self, now_s: float, until_s: float, draw: Callable[[], float]) -> None:
        """Spread the deadlines of parked polls over the time until `until_s`. `draw` returns numbers from 0 to 1."""
        self.draining = True
        self._drained_at_s = until_s
        self._draw = draw
        for feed in self._by_feed:
            for poll in self.polls(feed):
                if poll.parked:
                    self._deadlines.remove(poll)
                    self._deadlines.add(poll, min(poll.ends_at_s, now_s + draw() * (until_s - now_s)))

    def drawn_end_s(self, now_s: float) -> float:
        """Return a random time in the rest of the drain, for a poll that comes during it."""
        return now_s + self._draw() * max(0.0, self._drained_at_s - now_s)

    def close(self) -> list[Poll[W]]:
        """Hand back all parked polls and hold none from now on."""
        self.draining = self.closed = True
        handed_back: list[Poll[W]] = []
        for feed in list(self._by_feed):
            parked = [poll for poll in self.polls(feed) if poll.parked]
            for poll in parked:
                self._unpark(poll)
            self._forget(feed, parked)
            handed_back.extend(parked)
        return handed_back

    def _check_caps(self, poll: Poll[W], client: str | None, *, resuming: bool) -> Poll[W] | None:
        """Return the parked poll that this one has to replace; None when there is a free place.

        Raises: TooManyPolls, NodeFull.
        """
        caps = self.caps
        limit = caps.total if resuming else caps.total - caps.reserved
        if self.held >= limit:
            raise NodeFull(retry_after_s=self._full_retry_after_s(), limit=limit)
        if poll.by.role in _TRUSTED:
            return None
        if client is not None and self._held_by_client.get(client, 0) >= caps.per_client:
            raise TooManyPolls(retry_after_s=TOO_MANY_RETRY_AFTER_S, limit=caps.per_client, of="client")
        polls = self._by_feed[poll.feed]
        elsewhere = 0
        if self.parked is not None:
            self.parked.add(poll.feed)
            elsewhere = self.elsewhere(poll.feed)
            if elsewhere or (isinstance(polls, _Several) and len(polls) > self.allowance):
                self.crowded()
        if not elsewhere and (not isinstance(polls, _Several) or len(polls) <= caps.of(poll.by.role)):
            return None
        held = [other for other in self.polls(poll.feed) if other.parked and other.by.role not in _TRUSTED]
        return self._check_shares(poll, held, elsewhere)

    def _check_shares(self, poll: Poll[W], held: list[Poll[W]], elsewhere: int) -> Poll[W] | None:
        """Do the same for the caps of a feed. `held` is in the order in which the polls joined."""
        caps = self.caps
        own = _of_same_principal(poll, held)
        if len(held) + elsewhere >= caps.per_feed:
            limit, of = caps.per_feed, str(poll.feed.kind)
        elif poll.by.role is Role.LINK and sum(other.by.role is Role.LINK for other in held) >= caps.for_links:
            limit, of = caps.for_links, "link"
        elif poll.by.role is not Role.ANYONE and len(own) >= caps.for_one:
            limit, of = caps.for_one, "client"
        else:
            return None
        if own:
            return own[0]
        raise TooManyPolls(retry_after_s=TOO_MANY_RETRY_AFTER_S, limit=limit, of=of)

    def _parked_of_client(self, poll: Poll[W]) -> Poll[W] | None:
        return None if poll.client_id is None else self._by_client.get((poll.feed, poll.by.actor, poll.client_id))

    def _joined_before(self, poll: Poll[W], other: Poll[W]) -> bool:
        """Return True when `poll` is the older one: a slow read must not replace a newer poll."""
        both = [joined for joined in self.polls(poll.feed) if joined is poll or joined is other]
        return both == [poll, other]

    def _forget(self, feed: FeedKey, leaving: Sequence[Poll[W]]) -> None:
        """Remove joined polls of a feed that are not parked."""
        if not leaving:
            return
        polls = self._by_feed[feed]
        for poll in leaving:
            poll.joined = False
        self.joined -= len(leaving)
        if not isinstance(polls, _Several) or len(polls) == len(leaving):
            del self._by_feed[feed]
            return
        for poll in leaving:
            del polls[poll]
        if len(polls) == 1:
            (self._by_feed[feed],) = polls

    def _unpark(self, poll: Poll[W]) -> None:
        self._deadlines.remove(poll)
        self._uncount(poll)

    def _uncount(self, poll: Poll[W]) -> None:
        """Undo the counts of a poll that was parked and has no deadline now."""
        self.held -= 1
        self.held_by_kind[poll.feed.kind] -= 1
        client = poll.client_id if poll.by is ANYONE else _client(poll)
        if client is not None:
            left = self._held_by_client[client] - 1
            if left:
                self._held_by_client[client] = left
            else:
                del self._held_by_client[client]
        if poll.client_id is not None and self._parked_of_client(poll) is poll:
            del self._by_client[poll.feed, poll.by.actor, poll.client_id]


def _ignore() -> None: ...


def _none_elsewhere(feed: FeedKey) -> int:
    return 0


def _client(poll: Poll[W]) -> str | None:
    """Return the name that polls are counted by; None for a service or administrator, which may poll every order."""
    if poll.by.role is Role.ANYONE:
        return poll.client_id
    return poll.by.actor if poll.by.role in _CAPPED else None


def _of_same_principal(poll: Poll[W], held: list[Poll[W]]) -> list[Poll[W]]:
    """Return the polls of the same role and name: a renewed token is the same principal.

    Without access control, polls from one address behind a trusted proxy count as one client's if they have no
    `client_id`. Directly connected clients are not compared: the server notices their aborts, so all polls are live.
    """
    by = poll.by
    if by.role is not Role.ANYONE:
        return [other for other in held if other.by.role is by.role and other.by.name == by.name]
    if by.address is None or poll.client_id is not None:
        return []
    return [other for other in held if other.by.address == by.address and other.client_id is None]
