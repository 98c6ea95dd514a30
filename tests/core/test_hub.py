"""Who waits for which feed: no wake-up is lost, nobody is told twice, nobody is left behind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ordertrack.core.deadlines import TICK_S
from ordertrack.core.errors import NodeFull, Overloaded, TooManyPolls
from ordertrack.core.feed import FeedKey, order_feed
from ordertrack.core.hub import Caps, Hub, Parking, Poll

FEED, OTHER = order_feed(1), order_feed(2)
FULL_RETRY_S = 7


def new_hub(per_feed: int = 10, total: int = 1_000, per_client: int = 1_000, reserved: int = 0) -> Hub[str]:
    return Hub(Caps(per_feed, per_client, total, reserved), full_retry_after_s=lambda: FULL_RETRY_S)


def joined(hub: Hub[str], feed: FeedKey = FEED, client_id: str | None = None) -> Poll[str]:
    poll = Poll(feed, "somebody", ends_at_s=30.0, client_id=client_id)
    hub.join(poll)
    return poll


def parked(
    hub: Hub[str], feed: FeedKey = FEED, position: int = 1, until_s: float = 30.0, client_id: str | None = None
) -> Poll[str]:
    poll = joined(hub, feed, client_id)
    assert hub.park(poll, position, until_s) is Parking.HELD
    return poll


def assert_empty(hub: Hub[str]) -> None:
    """Nobody is in it, and nothing of anybody either. Buckets are given their time to pass."""
    assert hub.joined == hub.held == hub.feeds_watched == 0
    assert hub.expire(1e9) == []
    assert (hub._by_feed, hub._by_client, hub.next_deadline_s()) == ({}, {}, None)


# News


def test_news_hands_back_those_who_are_behind_it() -> None:
    hub = new_hub()
    poll = parked(hub, position=1)
    assert hub.news(FEED, 2) == [poll]
    assert not poll.parked
    assert_empty(hub)


def test_news_concerns_only_its_feed() -> None:
    hub = new_hub()
    poll = parked(hub)
    assert hub.news(OTHER, 99) == []
    assert poll.parked


@pytest.mark.parametrize("version", [4, 5])
def test_news_that_a_poll_has_already_does_not_end_it(version: int) -> None:
    hub = new_hub()
    poll = parked(hub, position=5)
    assert hub.news(FEED, version) == []
    assert poll.parked
    assert hub.news(FEED, 6) == [poll]


def test_news_while_a_poll_reads_is_not_slept_over() -> None:
    hub = new_hub()
    poll = joined(hub)
    assert hub.news(FEED, 2) == []
    assert hub.park(poll, 1, 30.0) is Parking.NEWS
    assert hub.held == 0
    assert hub.park(poll, 2, 30.0) is Parking.HELD


def test_of_several_news_while_a_poll_reads_the_newest_counts() -> None:
    hub = new_hub()
    poll = joined(hub)
    hub.news(FEED, 3)
    hub.news(FEED, 2)
    assert poll.announced == 3
    assert hub.park(poll, 2, 30.0) is Parking.NEWS


def test_news_while_a_poll_reads_again_at_its_deadline_is_not_slept_over_either() -> None:
    hub = new_hub()
    poll = parked(hub, until_s=5.0)
    assert hub.expire(6.0) == [poll]
    hub.news(FEED, 2)
    assert hub.park(poll, 1, 30.0) is Parking.NEWS


def test_news_from_before_a_hold_does_not_count_after_it() -> None:
    hub = new_hub()
    poll = joined(hub)
    hub.news(FEED, 2)
    assert hub.park(poll, 2, 5.0) is Parking.HELD
    hub.expire(6.0)
    assert poll.announced == 0


def test_nobody_is_handed_back_twice() -> None:
    hub = new_hub()
    poll = parked(hub, until_s=5.0, client_id="me")
    assert hub.news(FEED, 2) == [poll]
    assert hub.news(FEED, 3) == []
    assert hub.expire(6.0) == []
    assert hub.close() == []
    assert hub.leave(poll) is False


# Deadlines


def test_a_deadline_is_met_within_a_tick_and_never_early() -> None:
    for n in range(1_000):
        until_s = 100.0 + n * 0.0137
        hub = new_hub()
        poll = parked(hub, until_s=until_s)
        next_s = hub.next_deadline_s()
        assert next_s is not None
        assert until_s - 1e-9 <= next_s < until_s + TICK_S + 1e-9
        assert hub.expire(until_s - 0.001) == []
        assert hub.expire(next_s) == [poll]


def test_a_poll_whose_deadline_has_come_is_still_joined_but_not_held() -> None:
    hub = new_hub()
    poll = parked(hub, until_s=5.0, client_id="me")
    hub.expire(6.0)
    assert (hub.joined, hub.held, poll.parked) == (1, 0, False)
    assert hub.leave(poll) is True
    assert_empty(hub)


def test_deadlines_of_one_tick_share_one_wake_up_and_come_in_order() -> None:
    hub = new_hub()
    late = parked(hub, until_s=9.0)
    early = {parked(hub, until_s=5.01), parked(hub, until_s=5.09)}
    assert hub.next_deadline_s() == pytest.approx(5.1)
    assert set(hub.expire(5.2)) == early
    assert hub.next_deadline_s() == pytest.approx(9.0)
    assert hub.expire(9.0) == [late]
    assert hub.next_deadline_s() is None


def test_a_node_that_slept_meets_all_its_deadlines_at_once() -> None:
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


def test_a_poll_that_left_while_it_read_is_not_held() -> None:
    hub = new_hub()
    stays, poll = parked(hub), joined(hub)
    hub.leave(poll)
    assert hub.park(poll, 1, 30.0) is Parking.GONE
    assert (hub.held, stays.parked) == (1, True)


# The same client again


def test_a_newer_poll_of_the_same_client_ends_the_older() -> None:
    hub = new_hub()
    older = parked(hub, client_id="me")
    newer = joined(hub, client_id="me")
    assert hub.supersede(newer) is older
    assert hub.park(newer, 1, 30.0) is Parking.HELD
    assert (hub.held, hub.joined, older.parked) == (1, 1, False)


def test_a_poll_supersedes_neither_itself_nor_another_client_nor_another_feed() -> None:
    hub = new_hub()
    mine = parked(hub, client_id="me")
    parked(hub, OTHER, client_id="me")
    assert hub.supersede(mine) is None
    assert hub.supersede(joined(hub, client_id="you")) is None
    assert hub.supersede(joined(hub)) is None
    assert hub.held == 2


def test_polls_without_a_client_id_leave_one_another_alone() -> None:
    hub = new_hub()
    parked(hub)
    assert hub.supersede(joined(hub)) is None


def test_an_older_poll_that_read_slowly_does_not_end_the_newer_one() -> None:
    hub = new_hub()
    older = joined(hub, client_id="me")
    newer = parked(hub, client_id="me")
    assert hub.supersede(older) is None
    assert hub.park(older, 1, 30.0) is Parking.SUPERSEDED
    assert (newer.parked, hub.held) == (True, 1)


def test_a_poll_that_has_left_ends_nobody() -> None:
    hub = new_hub()
    older = parked(hub, client_id="me")
    newer = joined(hub, client_id="me")
    hub.leave(newer)
    assert hub.supersede(newer) is None
    assert older.parked


# Caps


def test_a_feed_holds_ten_and_refuses_the_eleventh_until_one_is_gone() -> None:
    hub = new_hub(per_feed=10)
    held = [parked(hub) for _ in range(10)]
    eleventh = joined(hub)
    with pytest.raises(TooManyPolls) as refused:
        hub.park(eleventh, 1, 30.0)
    assert (refused.value.limit, refused.value.retry_after_s) == (10, 5)
    assert (hub.held, eleventh.parked) == (10, False)
    assert parked(hub, OTHER).parked
    hub.leave(held[0])
    assert hub.park(eleventh, 1, 30.0) is Parking.HELD


def test_a_full_node_says_when_to_come_again() -> None:
    hub = new_hub(total=2)
    parked(hub), parked(hub, OTHER)
    with pytest.raises(NodeFull) as refused:
        hub.park(joined(hub, order_feed(3)), 1, 30.0)
    assert (refused.value.limit, refused.value.retry_after_s) == (2, FULL_RETRY_S)


def test_the_last_places_of_a_node_are_for_those_who_come_with_a_position() -> None:
    hub = new_hub(total=3, reserved=1)
    parked(hub), parked(hub, OTHER)
    newcomer, follower = joined(hub, order_feed(3)), joined(hub, order_feed(4))
    with pytest.raises(NodeFull) as refused:
        hub.park(newcomer, 1, 30.0, resuming=False)
    assert refused.value.limit == 2
    assert hub.park(follower, 1, 30.0, resuming=True) is Parking.HELD
    with pytest.raises(NodeFull) as refused:
        hub.park(joined(hub, order_feed(5)), 1, 30.0, resuming=True)
    assert refused.value.limit == 3


def test_one_client_may_hold_only_so_many_whatever_it_asks_for() -> None:
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
    assert hub.park(third, 1, 30.0) is Parking.HELD


def test_polls_that_read_do_not_count_against_the_caps() -> None:
    hub = new_hub(per_feed=1, total=1)
    for _ in range(5):
        joined(hub)
    assert parked(hub).parked


def test_a_full_feed_still_passes_on_news_that_came_while_reading() -> None:
    hub = new_hub(per_feed=1)
    parked(hub, position=9)
    reading = joined(hub)
    hub.news(FEED, 2)
    assert hub.park(reading, 1, 30.0) is Parking.NEWS


# Drain


def test_a_drain_spreads_all_deadlines_over_its_window_and_goes_on_waking() -> None:
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
    assert hub.park(newcomer, 1, 30.0) is Parking.HELD
    assert hub.expire(20.0) == [newcomer], "nobody is held beyond the window"


def test_a_closed_hub_hands_back_all_that_is_held_and_holds_nothing_from_then_on() -> None:
    hub = new_hub()
    held = {parked(hub), parked(hub), parked(hub, OTHER)}
    reading = joined(hub)
    assert set(hub.close()) == held
    assert (hub.held, hub.joined) == (0, 1)
    assert hub.park(reading, 1, 30.0) is Parking.DRAINING
    assert hub.park(joined(hub, OTHER), 1, 30.0) is Parking.DRAINING


def test_closing_does_not_hide_news_from_a_poll_that_reads() -> None:
    hub = new_hub()
    reading = joined(hub)
    hub.news(FEED, 2)
    hub.close()
    assert hub.park(reading, 1, 30.0) is Parking.NEWS


def test_watching_is_known_by_feed() -> None:
    hub = new_hub()
    poll = joined(hub)
    assert (hub.watched(FEED), hub.watched(OTHER), hub.feeds_watched) == (True, False, 1)
    hub.leave(poll)
    assert (hub.watched(FEED), hub.feeds_watched) == (False, 0)


# Any schedule at all


@dataclass(eq=False)
class Modelled:
    """A poll as the oracle sees it: `state` is reading, parked or gone; `seen` is what its last read returned."""

    poll: Poll[str]
    number: int
    state: str = "reading"
    seen: int | None = None
    heard: int = 0
    position: int = 0
    until_s: float = 0.0


class AnySchedule(RuleBasedStateMachine):
    """Polls join, read, park, leave and end in any order while the feeds change. The oracle is a list of polls."""

    feeds = st.sampled_from([order_feed(n) for n in range(2)])
    clients = st.sampled_from([None, None, "a", "b"])
    which = st.integers(0, 99)
    per_feed, total, per_client, reserved = 2, 4, 1, 1

    @initialize()
    def start(self) -> None:
        self.hub = new_hub(self.per_feed, self.total, self.per_client, self.reserved)
        self.now_s = 50.0
        self.drained = False
        self.drain_until_s = float("inf")
        self.versions: dict[FeedKey, int] = {order_feed(n): 1 for n in range(2)}
        self.polls: list[Modelled] = []

    def those(self, state: str, feed: FeedKey | None = None) -> list[Modelled]:
        return [m for m in self.polls if m.state == state and feed in (None, m.poll.feed)]

    @rule(feed=feeds, client_id=clients)
    def join(self, feed: FeedKey, client_id: str | None) -> None:
        poll = Poll(feed, "somebody", ends_at_s=self.now_s + 30, client_id=client_id)
        self.hub.join(poll)
        self.polls.append(Modelled(poll, len(self.polls)))

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

    @rule(feed=feeds, client_id=clients, for_s=st.floats(0.01, 5.0))
    def come_and_be_held(self, feed: FeedKey, client_id: str | None, for_s: float) -> None:
        self.join(feed, client_id)
        self.polls[-1].seen = self.versions[feed]
        self.try_to_park(self.polls[-1], 0, for_s)

    def try_to_park(self, modelled: Modelled, ahead_by: int, for_s: float) -> None:
        poll = modelled.poll
        assert modelled.seen is not None
        position, resuming = modelled.seen + ahead_by, modelled.number % 2 == 0
        mine = [m for m in self.those("parked", poll.feed) if m.poll.client_id == poll.client_id is not None]
        older = self.hub.supersede(poll)
        expected_older = [m for m in mine if m.number < modelled.number]
        assert [older] == ([m.poll for m in expected_older] or [None])
        for m in expected_older:
            m.state = "gone"
            mine.remove(m)
        expected: Parking | type[Overloaded] = Parking.HELD
        if modelled.heard > position:
            expected = Parking.NEWS
        elif self.drained:
            expected = Parking.DRAINING
        elif mine:
            expected = Parking.SUPERSEDED
        elif len(self.those("parked")) >= self.total - (0 if resuming else self.reserved):
            expected = NodeFull
        elif len(self.those("parked", poll.feed)) >= self.per_feed or (
            poll.client_id is not None
            and len([m for m in self.those("parked") if m.poll.client_id == poll.client_id]) >= self.per_client
        ):
            expected = TooManyPolls
        outcome: Parking | type[Overloaded]
        try:
            outcome = self.hub.park(poll, position, self.now_s + for_s, ahead=ahead_by > 0, resuming=resuming)
        except Overloaded as full:
            outcome = type(full)
        assert outcome is expected
        if outcome is Parking.HELD:
            modelled.state, modelled.position = "parked", position
            modelled.until_s = min(self.now_s + for_s, self.drain_until_s)
        elif outcome is Parking.NEWS:
            modelled.seen = None
        else:
            assert self.hub.leave(poll) is True
            modelled.state = "gone"

    @rule(feed=feeds)
    def commit(self, feed: FeedKey) -> None:
        self.versions[feed] += 1
        self.tell(feed, self.versions[feed])

    @rule(feed=feeds, ago=st.integers(1, 3))
    def repeat_old_news(self, feed: FeedKey, ago: int) -> None:
        self.tell(feed, max(1, self.versions[feed] - ago))

    def tell(self, feed: FeedKey, version: int) -> None:
        expected = [m for m in self.those("parked", feed) if m.position < version]
        woken = self.hub.news(feed, version)
        assert len(woken) == len(expected)
        assert set(woken) == {m.poll for m in expected}
        for m in expected:
            m.state = "gone"
        for m in self.those("reading", feed):
            m.heard = max(m.heard, version)

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
                m.state, m.seen, m.heard = "reading", None, 0
        assert due == []

    @precondition(lambda self: self.polls)
    @rule(which=which)
    def leave(self, which: int) -> None:
        modelled = self.polls[which % len(self.polls)]
        assert self.hub.leave(modelled.poll) is (modelled.state != "gone")
        modelled.state = "gone"

    @precondition(lambda self: len(self.polls) > 8 and not self.hub.draining)
    @rule()
    def drain(self) -> None:
        self.drain_until_s = self.now_s + 2.0
        self.hub.drain(self.now_s, self.drain_until_s, lambda: 0.5)
        for m in self.those("parked"):
            m.until_s = min(m.poll.ends_at_s, self.now_s + 1.0)

    @precondition(lambda self: len(self.polls) > 8)
    @rule()
    def close(self) -> None:
        drained = self.hub.close()
        assert len(drained) == len(set(drained))
        assert set(drained) == {m.poll for m in self.those("parked")}
        for m in self.those("parked"):
            m.state = "gone"
        self.drained = True

    @invariant()
    def nobody_sleeps_over_news(self) -> None:
        for m in self.those("parked"):
            assert m.poll.parked
            assert m.poll.position == m.position >= self.versions[m.poll.feed]

    @invariant()
    def everybody_is_counted(self) -> None:
        assert self.hub.held == len(self.those("parked")) <= self.total
        assert self.hub.joined == len(self.those("parked")) + len(self.those("reading"))
        for feed in self.versions:
            assert len(self.those("parked", feed)) <= self.per_feed

    @invariant()
    def the_next_deadline_is_known(self) -> None:
        held = self.those("parked")
        next_s = self.hub.next_deadline_s()
        if held:
            assert next_s is not None
            assert next_s <= min(m.until_s for m in held) + TICK_S + 1e-9

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
