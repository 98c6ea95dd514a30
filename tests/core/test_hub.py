"""The hub: no wake-up is lost, no poll is answered twice, and a removed poll leaves no state."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ordertrack.core.deadlines import MAX_STALE_NUMBERS, TICK_S
from ordertrack.core.errors import NodeFull, Overloaded, TooManyPolls
from ordertrack.core.feed import FeedKey, order_feed
from ordertrack.core.hub import Caps, Held, Hub, Parking, Poll
from ordertrack.core.principal import ANYONE, Principal, Role, anyone_at

FEED, OTHER = order_feed(1), order_feed(2)
FULL_RETRY_S = 7


def new_hub(per_feed: int = 10, total: int = 1_000, per_client: int = 1_000, reserved: int = 0) -> Hub[str]:
    return Hub(Caps(per_feed, per_client, total, reserved), full_retry_after_s=lambda: FULL_RETRY_S)


ANN = Principal(Role.CUSTOMER, "ann", customer_id="ann")
LUIGI = Principal(Role.RESTAURANT, "luigi", restaurant_id="luigi")
SHOP = Principal(Role.SERVICE, "shop", restaurants=frozenset({"luigi"}))
LINK, OTHER_LINK = (Principal(Role.LINK, name, order_id=1) for name in "12")


def joined(hub: Hub[str], feed: FeedKey = FEED, client_id: str | None = None, by: Principal = ANYONE) -> Poll[str]:
    poll = Poll(feed, "client", ends_at_s=30.0, client_id=client_id, by=by)
    hub.join(poll)
    return poll


def parked(
    hub: Hub[str],
    feed: FeedKey = FEED,
    position: int = 1,
    until_s: float = 30.0,
    client_id: str | None = None,
    by: Principal = ANYONE,
) -> Poll[str]:
    poll = joined(hub, feed, client_id, by)
    assert hub.park(poll, position, until_s) == Held()
    return poll


def entries(hub: Hub[Any]) -> int:
    """Return the number of entries in all containers of a hub, without its counts by kind."""
    containers = [*vars(hub).values(), *vars(hub._deadlines).values()]
    return sum(len(each) for each in containers if isinstance(each, dict | list | set) and each is not hub.held_by_kind)


def assert_empty(hub: Hub[Any]) -> None:
    """Assert that the hub has no poll, no state of one and no deadline."""
    assert hub.joined == hub.held == hub.feeds_watched == sum(hub.held_by_kind.values()) == 0
    assert hub.next_deadline_s() is None
    assert entries(hub) == 0


# News


def test_news_hands_back_the_polls_behind_it() -> None:
    hub = new_hub()
    poll = parked(hub, position=1)
    assert hub.news(FEED, 2) == [poll]
    assert not poll.parked
    assert_empty(hub)


def test_news_affects_only_its_feed() -> None:
    hub = new_hub()
    poll = parked(hub)
    assert hub.news(OTHER, 99) == []
    assert poll.parked


@pytest.mark.parametrize("version", [4, 5])
def test_news_at_the_position_does_not_end_a_poll(version: int) -> None:
    hub = new_hub()
    poll = parked(hub, position=5)
    assert hub.news(FEED, version) == []
    assert poll.parked
    assert hub.news(FEED, 6) == [poll]


def test_news_during_a_read_means_read_again() -> None:
    hub = new_hub()
    poll = joined(hub)
    assert hub.news(FEED, 2) == []
    assert hub.park(poll, 1, 30.0) is Parking.NEWS
    assert hub.held == 0
    assert hub.park(poll, 2, 30.0) == Held()


def test_the_newest_of_several_news_during_a_read_counts() -> None:
    hub = new_hub()
    poll = joined(hub)
    hub.news(FEED, 3)
    hub.news(FEED, 2)
    assert poll.announced == 3
    assert hub.park(poll, 2, 30.0) is Parking.NEWS


def test_news_during_the_read_at_a_deadline_means_read_again() -> None:
    hub = new_hub()
    poll = parked(hub, until_s=5.0)
    assert hub.expire(6.0) == [poll]
    hub.news(FEED, 2)
    assert hub.park(poll, 1, 30.0) is Parking.NEWS


def test_news_before_a_hold_does_not_count_after_it() -> None:
    hub = new_hub()
    poll = joined(hub)
    hub.news(FEED, 2)
    assert hub.park(poll, 2, 5.0) == Held()
    hub.expire(6.0)
    assert poll.announced == 0


def test_news_beyond_the_version_read_means_read_again() -> None:
    """The poll is ahead: its read is out of date, although the news is not beyond its position."""
    hub = new_hub()
    poll = joined(hub)
    hub.news(FEED, 2)
    assert hub.park(poll, 3, 30.0, seen=1) is Parking.NEWS
    assert hub.park(poll, 3, 30.0, seen=2) == Held()


def test_final_news_ends_polls_that_are_ahead() -> None:
    hub = new_hub()
    polls = [parked(hub, position=position) for position in (1, 2, 3)]
    assert hub.news(FEED, 2) == polls[:1]
    assert hub.news(FEED, 2, final=True) == polls[1:]
    assert_empty(hub)


def test_no_poll_is_handed_back_twice() -> None:
    hub = new_hub()
    poll = parked(hub, until_s=5.0, client_id="me")
    assert hub.news(FEED, 2) == [poll]
    assert hub.news(FEED, 3) == []
    assert hub.expire(6.0) == []
    assert hub.close() == []
    assert hub.leave(poll) is False


# Deadlines


def test_a_deadline_is_met_within_a_tick() -> None:
    for n in range(1_000):
        until_s = 100.0 + n * 0.0137
        hub = new_hub()
        poll = parked(hub, until_s=until_s)
        next_s = hub.next_deadline_s()
        assert next_s is not None
        assert until_s - 1e-9 <= next_s < until_s + TICK_S + 1e-9
        assert hub.expire(until_s - 0.001) == []
        assert hub.expire(next_s) == [poll]


@given(st.integers(1, 10**8))
def test_a_poll_held_again_keeps_its_deadline(tick: int) -> None:
    hub = new_hub()
    poll = Poll(FEED, "a", ends_at_s=tick * TICK_S)
    for _ in range(2):
        hub.join(poll)
        hub.park(poll, 1, poll.ends_at_s)
        assert hub.next_deadline_s() == poll.ends_at_s == tick * TICK_S
        hub.leave(poll)


def test_an_expired_poll_is_joined_but_not_held() -> None:
    hub = new_hub()
    poll = parked(hub, until_s=5.0, client_id="me")
    hub.expire(6.0)
    assert (hub.joined, hub.held, poll.parked) == (1, 0, False)
    assert hub.leave(poll) is True
    assert_empty(hub)


def test_deadlines_of_one_tick_share_a_wake_up() -> None:
    hub = new_hub()
    late = parked(hub, until_s=9.0)
    early = {parked(hub, until_s=5.01), parked(hub, until_s=5.09)}
    assert hub.next_deadline_s() == pytest.approx(5.1)
    assert set(hub.expire(5.2)) == early
    assert hub.next_deadline_s() == pytest.approx(9.0)
    assert hub.expire(9.0) == [late]
    assert hub.next_deadline_s() is None


def test_overdue_deadlines_expire_together() -> None:
    hub = new_hub()
    polls = {parked(hub, until_s=float(n)) for n in range(1, 6)}
    assert set(hub.expire(1_000.0)) == polls


# Leaving


def test_leaving_ends_a_poll_in_any_state_and_once() -> None:
    hub = new_hub()
    for poll in (joined(hub), parked(hub, client_id="me")):
        assert hub.leave(poll) is True
        assert hub.leave(poll) is False
    assert_empty(hub)


def test_a_poll_that_left_during_its_read_is_not_held() -> None:
    hub = new_hub()
    stays, poll = parked(hub), joined(hub)
    hub.leave(poll)
    assert hub.park(poll, 1, 30.0) is Parking.GONE
    assert (hub.held, stays.parked) == (1, True)


@pytest.mark.parametrize("spread_s", [0.0, 120.0], ids=["due together", "each at its time"])
def test_polls_that_leave_early_leave_no_deadlines(spread_s: float) -> None:
    hub = new_hub(total=5_000)
    polls = [parked(hub, order_feed(n), until_s=30 + spread_s * n / 5_000) for n in range(5_000)]
    for poll in polls[1:]:
        hub.leave(poll)
    assert entries(hub) < 50
    hub.leave(polls[0])
    assert_empty(hub)


# The same client again


def test_a_newer_poll_of_a_client_ends_the_older() -> None:
    hub = new_hub()
    older = parked(hub, client_id="me")
    newer = joined(hub, client_id="me")
    assert hub.park(newer, 1, 30.0) == Held(older)
    assert (hub.held, hub.joined, older.parked) == (1, 1, False)


def test_polls_of_other_clients_and_feeds_stay() -> None:
    hub = new_hub()
    for poll in (joined(hub, client_id="me"), joined(hub, OTHER, "me"), joined(hub, client_id="you"), joined(hub)):
        assert hub.park(poll, 1, 30.0) == Held()
    assert hub.held == 4


def test_a_client_id_is_scoped_to_its_principal() -> None:
    hub = new_hub()
    parked(hub, client_id="me", by=ANN)
    assert hub.park(joined(hub, client_id="me", by=LUIGI), 1, 30.0) == Held()


def test_an_older_poll_does_not_end_a_newer_one() -> None:
    hub = new_hub()
    older = joined(hub, client_id="me")
    newer = parked(hub, client_id="me")
    assert hub.park(older, 1, 30.0) is Parking.SUPERSEDED
    assert (newer.parked, hub.held) == (True, 1)


def test_a_poll_that_is_not_parked_ends_no_other() -> None:
    hub = new_hub()
    older = parked(hub, position=9, client_id="me")
    gone, behind = joined(hub, client_id="me"), joined(hub, client_id="me")
    hub.leave(gone)
    hub.news(FEED, 2)
    assert hub.park(gone, 1, 30.0) is Parking.GONE
    assert hub.park(behind, 1, 30.0) is Parking.NEWS
    assert older.parked


# The same principal, where no place is left


@pytest.mark.parametrize(
    ("by", "held", "client_id"),
    [
        pytest.param(ANN, 7, None, id="seven in ten"),
        pytest.param(ANN, 7, "tablet", id="seven in ten, with a client id"),
        pytest.param(LINK, 5, None, id="half of the places, for links"),
        pytest.param(anyone_at("192.0.2.1"), 10, None, id="an address behind a proxy"),
    ],
)
def test_the_oldest_poll_of_a_principal_is_replaced(by: Principal, held: int, client_id: str | None) -> None:
    hub = new_hub()
    polls = [parked(hub, by=by) for _ in range(held)]
    for n, older in enumerate(polls):
        newer = joined(hub, client_id=client_id and f"{client_id} {n}", by=by)
        assert hub.park(newer, 1, 30.0) == Held(older)
    assert hub.held == held


def test_a_renewed_token_is_the_same_principal() -> None:
    hub = new_hub(per_feed=1)
    older = parked(hub, by=ANN)
    newer = joined(hub, by=msgspec.structs.replace(ANN, expires_at_s=99))
    assert hub.park(newer, 1, 30.0) == Held(older)


@pytest.mark.parametrize(
    ("holder", "client_id", "newcomer"),
    [
        pytest.param(ANN, None, LUIGI, id="another role"),
        pytest.param(ANN, None, Principal(Role.CUSTOMER, "bob", customer_id="bob"), id="another customer"),
        pytest.param(LINK, None, OTHER_LINK, id="another link"),
        pytest.param(ANYONE, None, ANYONE, id="clients without a name"),
        pytest.param(ANYONE, None, anyone_at("192.0.2.1"), id="a client without a name, and an address"),
        pytest.param(anyone_at("192.0.2.1"), None, anyone_at("192.0.2.2"), id="another address"),
        pytest.param(anyone_at("192.0.2.1"), "me", anyone_at("192.0.2.1"), id="another client of the address"),
    ],
)
def test_no_poll_of_another_principal_is_replaced(
    holder: Principal, client_id: str | None, newcomer: Principal
) -> None:
    hub = new_hub(per_feed=1)
    held = parked(hub, by=holder, client_id=client_id)
    with pytest.raises(TooManyPolls):
        hub.park(joined(hub, by=newcomer), 1, 30.0)
    assert held.parked


def test_a_poll_older_than_all_held_ones_is_superseded() -> None:
    hub = new_hub(per_feed=1)
    slow = joined(hub, by=ANN)
    held = parked(hub, by=ANN)
    assert hub.park(slow, 1, 30.0) is Parking.SUPERSEDED
    assert held.parked


def test_no_poll_is_replaced_at_another_cap() -> None:
    hub = new_hub(per_feed=1, per_client=2, total=3)
    held = [parked(hub, by=ANN), parked(hub, OTHER, by=ANN)]
    with pytest.raises(TooManyPolls) as refused:
        hub.park(joined(hub, by=ANN), 1, 30.0)
    assert refused.value.of == "client"
    held.append(parked(hub, order_feed(3), by=SHOP))
    with pytest.raises(NodeFull):
        hub.park(joined(hub, by=ANN), 1, 30.0)
    assert all(poll.parked for poll in held)


# Caps


def test_a_full_feed_refuses_the_eleventh_poll() -> None:
    hub = new_hub(per_feed=10)
    held = [parked(hub) for _ in range(10)]
    eleventh = joined(hub)
    with pytest.raises(TooManyPolls) as refused:
        hub.park(eleventh, 1, 30.0)
    assert (refused.value.limit, refused.value.retry_after_s) == (10, 5)
    assert (hub.held, eleventh.parked) == (10, False)
    assert parked(hub, OTHER).parked
    hub.leave(held[0])
    assert hub.park(eleventh, 1, 30.0) == Held()


def test_a_full_node_gives_a_retry_time() -> None:
    hub = new_hub(total=2)
    parked(hub), parked(hub, OTHER)
    with pytest.raises(NodeFull) as refused:
        hub.park(joined(hub, order_feed(3)), 1, 30.0)
    assert (refused.value.limit, refused.value.retry_after_s) == (2, FULL_RETRY_S)


def test_the_reserved_places_are_for_polls_with_a_position() -> None:
    hub = new_hub(total=3, reserved=1)
    parked(hub), parked(hub, OTHER)
    newcomer, follower = joined(hub, order_feed(3)), joined(hub, order_feed(4))
    with pytest.raises(NodeFull) as refused:
        hub.park(newcomer, 1, 30.0, resuming=False)
    assert refused.value.limit == 2
    assert hub.park(follower, 1, 30.0, resuming=True) == Held()
    with pytest.raises(NodeFull) as refused:
        hub.park(joined(hub, order_feed(5)), 1, 30.0, resuming=True)
    assert refused.value.limit == 3


def test_a_client_has_a_cap_over_all_feeds() -> None:
    hub = new_hub(per_client=2)
    first = parked(hub, client_id="greedy")
    parked(hub, OTHER, client_id="greedy")
    third = joined(hub, order_feed(3), client_id="greedy")
    with pytest.raises(TooManyPolls) as refused:
        hub.park(third, 1, 30.0)
    assert (refused.value.limit, refused.value.of) == (2, "client")
    assert parked(hub, order_feed(3), client_id="modest").parked
    assert parked(hub, order_feed(3)).parked
    hub.leave(first)
    assert hub.park(third, 1, 30.0) == Held()


def test_reading_polls_do_not_count_against_the_caps() -> None:
    hub = new_hub(per_feed=1, total=1)
    for _ in range(5):
        joined(hub)
    assert parked(hub).parked


def test_a_full_feed_returns_news_that_came_during_a_read() -> None:
    hub = new_hub(per_feed=1)
    parked(hub, position=9)
    reading = joined(hub)
    hub.news(FEED, 2)
    assert hub.park(reading, 1, 30.0) is Parking.NEWS


# Drain


def test_a_drain_spreads_deadlines_and_still_wakes_polls() -> None:
    hub = new_hub()
    drawn = iter([0.0, 1.0, 0.5, 0.9])
    at_once, last, middle = (parked(hub, order_feed(n), until_s=30.0) for n in range(1, 4))
    ending = parked(hub, order_feed(4), until_s=30.0)
    ending.ends_at_s = 12.0
    hub.drain(10.0, 20.0, lambda: next(drawn))
    assert hub.draining
    assert hub.expire(10.0) == [at_once]
    assert hub.expire(12.0) == [ending], "its own deadline was earlier"
    assert hub.expire(15.0) == [middle]
    assert hub.news(order_feed(2), 2) == [last]
    newcomer = joined(hub)
    assert hub.park(newcomer, 1, 30.0) == Held()
    assert hub.expire(20.0) == [newcomer], "no poll is held beyond the window"


def test_a_closed_hub_hands_back_and_holds_no_poll() -> None:
    hub = new_hub()
    held = {parked(hub), parked(hub), parked(hub, OTHER)}
    reading = joined(hub)
    assert set(hub.close()) == held
    assert (hub.held, hub.joined) == (0, 1)
    assert hub.park(reading, 1, 30.0) is Parking.DRAINING
    assert hub.park(joined(hub, OTHER), 1, 30.0) is Parking.DRAINING


def test_a_reading_poll_gets_its_news_after_close() -> None:
    hub = new_hub()
    reading = joined(hub)
    hub.news(FEED, 2)
    hub.close()
    assert hub.park(reading, 1, 30.0) is Parking.NEWS


def test_a_feed_is_watched_while_it_has_polls() -> None:
    hub = new_hub()
    poll = joined(hub)
    assert (hub.is_watched(FEED), hub.is_watched(OTHER), hub.feeds_watched) == (True, False, 1)
    hub.leave(poll)
    assert (hub.is_watched(FEED), hub.feeds_watched) == (False, 0)


# Any schedule at all


class Waiter:
    """A waiter that weak references can point to."""


@dataclass(eq=False)
class Modelled:
    """A poll in the model: `state` is reading, parked or gone; `seen` is the version of its last read."""

    poll: Poll[Waiter]
    number: int
    state: str = "reading"
    seen: int | None = None
    announced: int = 0
    position: int = 0
    until_s: float = 0.0
    waiter: weakref.ref[Waiter] = field(init=False)

    def __post_init__(self) -> None:
        self.waiter = weakref.ref(self.poll.waiter)

    def is_of_client(self, other: Poll[Waiter]) -> bool:
        poll = self.poll
        return poll.client_id is not None and (poll.client_id, poll.by.actor) == (other.client_id, other.by.actor)

    def is_of_principal(self, other: Poll[Waiter]) -> bool:
        by = self.poll.by
        if by.role is Role.ANYONE:
            return by.address is not None and by == other.by and self.poll.client_id is other.client_id is None
        return by == other.by

    @property
    def counted_as(self) -> str | None:
        by = self.poll.by
        return self.poll.client_id if by.role is Role.ANYONE else None if by is SHOP else by.actor


class AnySchedule(RuleBasedStateMachine):
    """Polls join, read, park, leave and end in random order while feeds change. The model is a list of polls."""

    feeds = st.sampled_from([order_feed(n) for n in range(2)])
    clients = st.sampled_from([None, None, "a", "b"])
    principals = st.sampled_from(
        [ANYONE, ANYONE, anyone_at("192.0.2.1"), anyone_at("192.0.2.2"), ANN, LUIGI, LINK, SHOP]
    )
    which = st.integers(0, 99)
    per_feed, total, per_client, reserved = 4, 8, 5, 1
    for_links, for_one = 2, 3

    @initialize()
    def start(self) -> None:
        caps = Caps(self.per_feed, self.per_client, self.total, self.reserved)
        assert (caps.for_links, caps.for_one) == (self.for_links, self.for_one)
        self.hub: Hub[Waiter] = Hub(caps, full_retry_after_s=lambda: FULL_RETRY_S)
        self.now_s = 50.0
        self.drained = False
        self.drain_until_s = float("inf")
        self.versions: dict[FeedKey, int] = {order_feed(n): 1 for n in range(2)}
        self.polls: list[Modelled] = []
        self.gone: list[weakref.ref[Waiter]] = []

    def those(self, state: str, feed: FeedKey | None = None) -> list[Modelled]:
        return [m for m in self.polls if m.state == state and feed in (None, m.poll.feed)]

    def has_gone(self, modelled: Modelled) -> None:
        """Record that the poll is gone for good, and drop the reference to it."""
        assert not modelled.poll.parked
        assert self.hub.leave(modelled.poll) is False
        self.polls.remove(modelled)
        self.gone.append(modelled.waiter)

    @rule(feed=feeds, client_id=clients, by=principals)
    def join(self, feed: FeedKey, client_id: str | None, by: Principal) -> None:
        poll = Poll(feed, Waiter(), ends_at_s=self.now_s + 30, client_id=client_id, by=by)
        self.hub.join(poll)
        self.polls.append(Modelled(poll, self.polls[-1].number + 1 if self.polls else 0))

    @precondition(lambda self: self.those("reading"))
    @rule(which=which)
    def read(self, which: int) -> None:
        reading = self.those("reading")
        modelled = reading[which % len(reading)]
        modelled.seen = self.versions[modelled.poll.feed]

    @precondition(lambda self: any(m.seen is not None for m in self.those("reading")))
    @rule(which=which, ahead_by=st.sampled_from([0, 0, 0, 1, 2]), for_s=st.floats(0.01, 5.0))
    def park(self, which: int, ahead_by: int, for_s: float) -> None:
        ready = [m for m in self.those("reading") if m.seen is not None]
        self.try_to_park(ready[which % len(ready)], ahead_by, for_s)

    @rule(feed=feeds, client_id=clients, by=principals, for_s=st.floats(0.01, 5.0))
    def come_and_be_held(self, feed: FeedKey, client_id: str | None, by: Principal, for_s: float) -> None:
        self.join(feed, client_id, by)
        self.polls[-1].seen = self.versions[feed]
        self.try_to_park(self.polls[-1], 0, for_s)

    def expected(
        self, modelled: Modelled, position: int, resuming: bool
    ) -> Parking | Modelled | type[Overloaded] | None:
        """Return the expected result: a refusal, the superseded poll, or None for held."""
        poll = modelled.poll
        assert modelled.seen is not None
        if modelled.announced > modelled.seen:
            return Parking.NEWS
        if self.drained:
            return Parking.DRAINING
        here = self.those("parked", poll.feed)
        mine = [m for m in here if m.is_of_client(poll)]
        if not mine:
            if len(self.those("parked")) >= self.total - (0 if resuming else self.reserved):
                return NodeFull
            if poll.by is SHOP:
                return None
            if modelled.counted_as is not None and self.per_client <= sum(
                m.counted_as == modelled.counted_as for m in self.those("parked")
            ):
                return TooManyPolls
            here = [m for m in here if m.poll.by is not SHOP]
            mine = [m for m in here if m.is_of_principal(poll)]
            links = [m for m in here if m.poll.by.role is Role.LINK]
            if (
                len(here) < self.per_feed
                and (poll.by is not LINK or len(links) < self.for_links)
                and (poll.by.role is Role.ANYONE or len(mine) < self.for_one)
            ):
                return None
            if not mine:
                return TooManyPolls
        return Parking.SUPERSEDED if modelled.number < mine[0].number else mine[0]

    def try_to_park(self, modelled: Modelled, ahead_by: int, for_s: float) -> None:
        poll = modelled.poll
        assert modelled.seen is not None
        position, resuming = modelled.seen + ahead_by, modelled.number % 2 == 0
        expected = self.expected(modelled, position, resuming)
        outcome: Held[Waiter] | Parking | type[Overloaded]
        try:
            outcome = self.hub.park(poll, position, self.now_s + for_s, seen=modelled.seen, resuming=resuming)
        except Overloaded as full:
            outcome = type(full)
        if isinstance(expected, Modelled):
            assert outcome == Held(expected.poll)
            self.has_gone(expected)
        else:
            assert outcome == (Held() if expected is None else expected)
        if isinstance(outcome, Held):
            modelled.state, modelled.position = "parked", position
            modelled.until_s = min(self.now_s + for_s, self.drain_until_s)
        elif outcome is Parking.NEWS:
            modelled.seen = None
        else:
            assert self.hub.leave(poll) is True
            self.has_gone(modelled)

    @rule(feed=feeds, final=st.booleans())
    def commit(self, feed: FeedKey, final: bool) -> None:
        self.versions[feed] += 1
        self.tell(feed, self.versions[feed], final)

    @rule(feed=feeds, ago=st.integers(1, 3))
    def repeat_old_news(self, feed: FeedKey, ago: int) -> None:
        self.tell(feed, max(1, self.versions[feed] - ago))

    def tell(self, feed: FeedKey, version: int, final: bool = False) -> None:
        expected = [m for m in self.those("parked", feed) if final or m.position < version]
        woken = self.hub.news(feed, version, final=final)
        assert len(woken) == len(expected)
        assert set(woken) == {m.poll for m in expected}
        for m in expected:
            self.has_gone(m)
        for m in self.those("reading", feed):
            m.announced = max(m.announced, version)

    @rule(by_s=st.floats(0.0, 3.0))
    def time_passes(self, by_s: float) -> None:
        self.now_s += by_s
        due = self.hub.expire(self.now_s)
        assert len(due) == len(set(due))
        for m in self.those("parked"):
            if m.until_s + TICK_S <= self.now_s - 1e-9:
                assert m.poll in due
            if m.until_s > self.now_s + 1e-9:
                assert m.poll not in due
            if m.poll in due:
                due.remove(m.poll)
                m.state, m.seen, m.announced = "reading", None, 0
        assert due == []

    @precondition(lambda self: self.polls)
    @rule(which=which)
    def leave(self, which: int) -> None:
        modelled = self.polls[which % len(self.polls)]
        assert self.hub.leave(modelled.poll) is True
        self.has_gone(modelled)

    @precondition(lambda self: len(self.polls) > 4 and not self.hub.draining)
    @rule()
    def drain(self) -> None:
        self.drain_until_s = self.now_s + 2.0
        self.hub.drain(self.now_s, self.drain_until_s, lambda: 0.5)
        for m in self.those("parked"):
            m.until_s = min(m.poll.ends_at_s, self.now_s + 1.0)

    @precondition(lambda self: len(self.polls) > 4)
    @rule()
    def close(self) -> None:
        drained = self.hub.close()
        assert len(drained) == len(set(drained))
        assert set(drained) == {m.poll for m in self.those("parked")}
        for m in self.those("parked"):
            self.has_gone(m)
        self.drained = True

    @invariant()
    def parked_polls_have_no_news(self) -> None:
        for m in self.those("parked"):
            assert m.poll.parked
            assert m.poll.position == m.position >= self.versions[m.poll.feed]

    @invariant()
    def every_poll_is_counted(self) -> None:
        held = self.those("parked")
        assert self.hub.held == len(held) <= self.total
        assert self.hub.joined == len(self.polls)
        for feed in self.versions:
            assert len([m for m in held if m.poll.feed == feed and m.poll.by is not SHOP]) <= self.per_feed

    @invariant()
    def the_next_deadline_is_that_of_the_first_poll(self) -> None:
        first_s = min((m.until_s for m in self.those("parked")), default=None)
        next_s = self.hub.next_deadline_s()
        assert (first_s is None) == (next_s is None)
        if first_s is not None and next_s is not None:
            assert first_s - 1e-9 <= next_s <= first_s + TICK_S + 1e-9

    @invariant()
    def a_poll_that_has_left_leaves_nothing(self) -> None:
        assert [waiter for waiter in self.gone if waiter() is not None] == []
        self.gone.clear()
        per_parked = 5  # its client, its principal, its bucket, and the bucket's number, with as many stale ones
        assert entries(self.hub) <= len(self.versions) + per_parked * self.hub.held + MAX_STALE_NUMBERS

    def teardown(self) -> None:
        if not hasattr(self, "hub"):
            return
        for feed in self.versions:
            self.versions[feed] += 9
            self.tell(feed, self.versions[feed])
        assert self.those("parked") == []
        for m in self.those("reading"):
            assert self.hub.leave(m.poll) is True
        assert_empty(self.hub)


TestAnySchedule = AnySchedule.TestCase
TestAnySchedule.settings = settings(stateful_step_count=60)


def test_the_end_of_a_poll_in_a_drain_is_drawn_from_its_rest() -> None:
    hub = new_hub()
    hub.drain(10.0, 20.0, lambda: 0.25)
    assert (hub.drawn_end_s(12.0), hub.drawn_end_s(21.0)) == (14.0, 21.0)
