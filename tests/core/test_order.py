"""The rules of an order: PROTOCOL.md section 1."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ordertrack.core.errors import (
    IllegalTransition,
    OrderConflict,
    OrderEnded,
    OrderLogFull,
    PreconditionFailed,
    ReasonRequired,
    UndoWindowPassed,
    VersionConflict,
)
from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.order import Cancellation, NewOrder, Order, as_created, create, evolve
from ordertrack.core.order_rules import MAX_EVENTS, AssignCourier, Change, ChangeStatus, advance

START_MS = 1_795_342_530_000
PROGRESSION = ["confirmed", "preparing", "ready", "picked_up", "delivered"]

# Written from the contract and not from core/transitions.py. `undo` and `restore` need {"undo": true}.
TABLE = {
    # from \ to     confirmed  preparing  ready      picked_up  delivered  cancelled
    "confirmed": "  same       yes        skip       skip       skip       yes      ",
    "preparing": "  undo       same       yes        skip       skip       yes      ",
    "ready":     "  undo       undo       same       yes        skip       yes      ",
    "picked_up": "  undo       undo       undo       same       yes        reason   ",
    "delivered": "  undo       undo       undo       undo       same       no       ",
    "cancelled": "  restore    restore    restore    restore    no         same     ",
}  # fmt: skip
STATUSES = [*PROGRESSION, "cancelled"]
CELLS = [(start, to, cell) for start, row in TABLE.items() for to, cell in zip(STATUSES, row.split(), strict=True)]
SKIPPED = {
    ("confirmed", "ready"): ("preparing",),
    ("confirmed", "picked_up"): ("preparing", "ready"),
    ("confirmed", "delivered"): ("preparing", "ready", "picked_up"),
    ("preparing", "picked_up"): ("ready",),
    ("preparing", "delivered"): ("ready", "picked_up"),
    ("ready", "delivered"): ("picked_up",),
}


def new_order() -> Order:
    return create(7, NewOrder(customer_id="c1", restaurant_id="r1"), START_MS)


def change(to: str, **fields: object) -> ChangeStatus:
    return ChangeStatus(7, Status(to), "test", **fields)


def undo(to: str, **fields: object) -> ChangeStatus:
    return change(to, undo=True, **fields)


def assign(courier_id: str, **fields: object) -> AssignCourier:
    return AssignCourier(7, courier_id, "test", **fields)


def after(order: Order, *changes: Change | str, now_ms: int | None = None) -> Order:
    """Return the order after all of these, one second apart without `now_ms`."""
    for one in changes:
        at_ms = order.updated_at_ms + 1_000 if now_ms is None else now_ms
        event = advance(order, change(one) if isinstance(one, str) else one, at_ms)
        assert event is not None
        order = evolve(order, event)
    return order


def at(status: str) -> Order:
    """Return an order that took every step to `status`; a cancelled one was cancelled while ready."""
    if status == "cancelled":
        return after(at("ready"), change("cancelled", reason="sold out"))
    return after(new_order(), *PROGRESSION[1 : PROGRESSION.index(status) + 1])


def decided(order: Order, requested: Change, now_ms: int | None = None) -> Event | None:
    return advance(order, requested, order.updated_at_ms + 1_000 if now_ms is None else now_ms)


# The table


def test_the_expected_table_has_all_36_cells() -> None:
    assert len(CELLS) == 36
    assert {(start, to) for start, to, _ in CELLS} == {(a.value, b.value) for a in Status for b in Status}


@pytest.mark.parametrize(("start", "to", "cell"), CELLS)
def test_a_plain_update_follows_the_table(start: str, to: str, cell: str) -> None:
    order = at(start)
    match cell:
        case "same":
            assert decided(order, change(to)) is None
        case "yes" | "skip":
            event = decided(order, change(to))
            assert event is not None
            assert (event.type, event.status, event.version) == ("status_changed", to, order.version + 1)
            assert event.skipped == SKIPPED.get((start, to), ())
            assert event.undoes is None
        case "reason":
            with pytest.raises(ReasonRequired) as refused:
                decided(order, change(to))
            assert refused.value.order is order
            event = decided(order, change(to, reason="driver's flat tyre"))
            assert event is not None
            assert (event.status, event.reason) == (to, "driver's flat tyre")
        case _:
            with pytest.raises(IllegalTransition) as illegal:
                decided(order, change(to, reason="because"))
            assert (illegal.value.order, illegal.value.requested, illegal.value.undo) == (order, to, False)


@pytest.mark.parametrize(("start", "to", "cell"), CELLS)
def test_an_undo_follows_the_table(start: str, to: str, cell: str) -> None:
    order = at(start)
    match cell:
        case "same":
            assert decided(order, undo(to)) is None
        case "undo":
            event = decided(order, undo(to))
            assert event is not None
            assert (event.type, event.status, event.version) == ("reverted", to, order.version + 1)
            assert event.skipped == ()
        case "restore":
            came_from = after(at(to), change("cancelled", reason="sold out"))
            event = decided(came_from, undo(to))
            assert event is not None
            assert (event.type, event.status, event.undoes) == ("reverted", to, came_from.version)
        case _:
            with pytest.raises(IllegalTransition) as illegal:
                decided(order, undo(to, reason="because"))
            assert (illegal.value.order, illegal.value.requested, illegal.value.undo) == (order, to, True)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("confirmed", "preparing ready picked_up delivered cancelled"),
        ("preparing", "ready picked_up delivered cancelled"),
        ("ready", "picked_up delivered cancelled"),
        ("picked_up", "delivered cancelled"),
        ("delivered", ""),
        ("cancelled", ""),
    ],
)
def test_legal_next_has_the_statuses_of_a_plain_update(status: str, expected: str) -> None:
    assert at(status).legal_next() == tuple(expected.split())


@pytest.mark.parametrize("status", STATUSES)
def test_only_delivered_and_cancelled_are_final(status: str) -> None:
    assert Status(status).ended is (status in ("delivered", "cancelled"))


@pytest.mark.parametrize("reason", [None, ""])
def test_cancelling_after_pick_up_needs_a_reason(reason: str | None) -> None:
    with pytest.raises(ReasonRequired):
        decided(at("picked_up"), change("cancelled", reason=reason))


@pytest.mark.parametrize("status", ["confirmed", "preparing", "ready"])
def test_cancelling_before_pick_up_needs_no_reason(status: str) -> None:
    order = after(at(status), "cancelled")
    assert order.cancellation == Cancellation(by="test", reason=None)


def test_a_cancellation_has_its_actor_and_reason() -> None:
    assert at("cancelled").cancellation == Cancellation(by="test", reason="sold out")


def test_a_second_cancellation_replaces_the_first() -> None:
    restored = after(at("cancelled"), undo("ready"))
    assert restored.cancellation is None
    again = after(restored, change("cancelled", reason="really sold out"))
    assert again.cancellation == Cancellation(by="test", reason="really sold out")


# Undo


def test_the_undo_window_includes_its_last_millisecond() -> None:
    order = at("preparing")
    end_ms = order.updated_at_ms + 120_000
    assert decided(order, undo("confirmed", undo_window_ms=120_000), end_ms) is not None
    with pytest.raises(UndoWindowPassed) as passed:
        decided(order, undo("confirmed", undo_window_ms=120_000), end_ms + 1)
    assert (passed.value.requested, passed.value.undo_window_ms, passed.value.undone_version) == (
        "confirmed",
        120_000,
        2,
    )


def test_a_refused_step_back_tells_if_an_undo_is_possible() -> None:
    order = after(new_order(), "preparing", "ready")
    end_ms = order.updated_at_ms + 120_000
    for to, window_ms, now_ms, possible in [
        ("preparing", 120_000, end_ms, True),
        ("preparing", 120_000, end_ms + 1, False),
        ("preparing", None, end_ms + 1, True),
    ]:
        with pytest.raises(IllegalTransition) as illegal:
            decided(order, change(to, undo_window_ms=window_ms), now_ms)
        assert illegal.value.undo_possible is possible
    for to, possible in [("ready", True), ("preparing", False), ("delivered", False)]:
        with pytest.raises(IllegalTransition) as illegal:
            decided(at("cancelled"), change(to))
        assert illegal.value.undo_possible is possible


def test_without_a_window_an_undo_is_always_allowed() -> None:
    order = at("delivered")
    assert decided(order, undo("picked_up"), order.updated_at_ms + 365 * 86_400_000) is not None


def test_the_undo_window_starts_when_the_event_was_recorded() -> None:
    order = after(new_order(), change("preparing", occurred_at_ms=START_MS - 3_600_000))
    assert decided(order, undo("confirmed", undo_window_ms=1_000), order.updated_at_ms + 1_000) is not None


def test_restoring_has_the_undo_window() -> None:
    order = at("cancelled")
    assert decided(order, undo("ready", undo_window_ms=5), order.updated_at_ms + 5) is not None
    with pytest.raises(UndoWindowPassed):
        decided(order, undo("ready", undo_window_ms=5), order.updated_at_ms + 6)


@pytest.mark.parametrize(
    ("way", "back_to", "undone"),
    [
        pytest.param(["preparing"], "confirmed", 2, id="the last step"),
        pytest.param(["preparing", "ready", "picked_up"], "ready", 4, id="only the last of several"),
        pytest.param(["preparing", "ready", "picked_up"], "preparing", 3, id="the earliest of two undone"),
        pytest.param(["preparing", "ready", "picked_up"], "confirmed", 2, id="the earliest of all"),
        pytest.param(["ready"], "preparing", 2, id="to a status that was skipped"),
        pytest.param(["ready", "picked_up"], "preparing", 2, id="to a skipped status from further on"),
        pytest.param(["preparing", assign("d1")], "confirmed", 2, id="a courier is not undone"),
        pytest.param(["preparing", assign("d1"), "ready", assign("d2")], "preparing", 4, id="nor are two"),
        pytest.param(
            ["preparing", "ready", undo("preparing"), "ready"], "preparing", 5, id="the newer of two passages"
        ),
        pytest.param(
            ["preparing", "ready", undo("preparing")], "confirmed", 2, id="what an earlier undo had gone back to"
        ),
        pytest.param(["preparing", "cancelled", undo("preparing")], "confirmed", 2, id="from before a cancellation"),
        pytest.param(["preparing", "cancelled"], "preparing", 3, id="a cancellation"),
    ],
)
def test_an_undo_names_the_event_it_undoes(way: list[Change | str], back_to: str, undone: int) -> None:
    event = decided(after(new_order(), *way), undo(back_to))
    assert event is not None
    assert event.undoes == undone


def test_the_window_of_several_steps_is_the_earliest_ones() -> None:
    early = after(new_order(), "preparing")
    order = after(early, "ready", now_ms=early.updated_at_ms + 60_000)
    now_ms = order.updated_at_ms + 61_000
    assert decided(order, undo("preparing", undo_window_ms=120_000), now_ms) is not None
    with pytest.raises(UndoWindowPassed) as passed:
        decided(order, undo("confirmed", undo_window_ms=120_000), now_ms)
    assert passed.value.undone_version == 2


@pytest.mark.parametrize("had", ["confirmed", "preparing", "ready", "picked_up"])
def test_a_cancelled_order_returns_only_to_its_last_status(had: str) -> None:
    order = after(at(had), change("cancelled", reason="mistake"))
    for to in PROGRESSION:
        if to == had:
            assert after(order, undo(to)).status == had
        else:
            with pytest.raises(IllegalTransition):
                decided(order, undo(to))


def test_restoring_after_an_undo_returns_to_the_undone_status() -> None:
    order = after(new_order(), "preparing", "ready", undo("preparing"), "cancelled")
    with pytest.raises(IllegalTransition):
        decided(order, undo("ready"))
    assert after(order, undo("preparing")).status == "preparing"


def test_an_assignment_does_not_change_the_restored_status() -> None:
    order = after(at("ready"), assign("d1"), "cancelled")
    assert after(order, undo("ready")).status == "ready"


# Times


def test_a_past_event_keeps_both_times() -> None:
    event = decided(new_order(), change("preparing", occurred_at_ms=START_MS - 60_000), START_MS + 5_000)
    assert event is not None
    assert (event.at_ms, event.recorded_at_ms) == (START_MS - 60_000, START_MS + 5_000)


@pytest.mark.parametrize("ahead_ms", [0, 1, 10**15])
def test_a_future_event_gets_the_current_time(ahead_ms: int) -> None:
    now_ms = START_MS + 5_000
    event = decided(new_order(), change("preparing", occurred_at_ms=now_ms + ahead_ms), now_ms)
    assert event is not None
    assert event.at_ms == event.recorded_at_ms == now_ms


@pytest.mark.parametrize("back_ms", [0, 1, 86_400_000])
def test_updated_at_increases_without_the_clock(back_ms: int) -> None:
    order = new_order()
    for version, step in enumerate(["preparing", assign("d1"), "ready", undo("preparing"), "cancelled"], start=2):
        order = after(order, step, now_ms=START_MS - back_ms)
        assert (order.version, order.updated_at_ms) == (version, START_MS + version - 1)
        assert order.timeline[-1].recorded_at_ms == order.updated_at_ms


# Conditions


@pytest.mark.parametrize("version", [0, 1, 3, 4])
@pytest.mark.parametrize("make", [lambda **fields: change("ready", **fields), lambda **fields: assign("d1", **fields)])
def test_a_change_on_another_version_is_refused(make: type[ChangeStatus], version: int) -> None:
    order = at("preparing")
    with pytest.raises(VersionConflict) as lost:
        decided(order, make(expected_version=version))
    assert (lost.value.order, lost.value.expected_version) == (order, version)
    with pytest.raises(PreconditionFailed) as failed:
        decided(order, make(if_match=frozenset({version})))
    assert failed.value.order is order


@pytest.mark.parametrize(
    "requested", [change("ready", expected_version=2), change("ready", if_match=frozenset({1, 2, 9}))]
)
def test_a_change_on_the_current_version_is_made(requested: ChangeStatus) -> None:
    assert decided(at("preparing"), requested) is not None


def test_an_if_match_without_versions_matches_nothing() -> None:
    with pytest.raises(PreconditionFailed):
        decided(at("preparing"), change("ready", if_match=frozenset()))


@pytest.mark.parametrize("condition", [{"expected_version": 1}, {"if_match": frozenset({1})}])
def test_a_repeated_conditional_change_is_no_conflict(condition: dict[str, object]) -> None:
    """RFC 9110, 13.1.1: the retry of a change whose answer was lost."""
    assert decided(at("preparing"), change("preparing", **condition)) is None
    assert decided(after(new_order(), assign("d1")), assign("d1", **condition)) is None


@pytest.mark.parametrize("condition", [{"expected_version": 1}, {"if_match": frozenset({1})}])
def test_a_retry_after_another_change_is_a_conflict(condition: dict[str, object]) -> None:
    with pytest.raises((VersionConflict, PreconditionFailed)):
        decided(after(at("preparing"), assign("d1")), change("preparing", **condition))


@pytest.mark.parametrize("condition", [{"expected_version": 9}, {"if_match": frozenset({9})}])
def test_a_failed_condition_precedes_an_illegal_transition(condition: dict[str, object]) -> None:
    with pytest.raises((VersionConflict, PreconditionFailed)):
        decided(at("delivered"), change("preparing", **condition))


# Limits


def full_order() -> Order:
    """Return an order with changes to and fro until its log is full."""
    order = after(new_order(), "preparing")
    while order.version < MAX_EVENTS:
        order = after(order, "ready" if order.status == "preparing" else undo("preparing"))
    return order


def test_a_full_log_accepts_only_the_end_of_the_order() -> None:
    order = full_order()
    assert order.version == len(order.timeline) == MAX_EVENTS
    other = "ready" if order.status == "preparing" else "picked_up"
    for requested in (change(other), undo("confirmed"), assign("d1")):
        with pytest.raises(OrderLogFull) as full:
            decided(order, requested)
        assert full.value.max_events == MAX_EVENTS
    assert decided(order, change(order.status.value)) is None
    assert after(order, "delivered").version == MAX_EVENTS + 1
    cancelled = after(order, "cancelled")
    with pytest.raises(OrderLogFull):
        decided(cancelled, undo(order.status.value))


# Couriers


@pytest.mark.parametrize("status", ["confirmed", "preparing", "ready", "picked_up"])
def test_an_assignment_keeps_the_status(status: str) -> None:
    order = after(at(status), assign("d1"), assign("d2"))
    assert (order.courier_id, order.status) == ("d2", status)
    assert [(e.type, e.courier_id, e.status) for e in order.timeline[-2:]] == [
        ("courier_assigned", "d1", status),
        ("courier_assigned", "d2", status),
    ]


def test_the_same_courier_again_is_no_change() -> None:
    order = after(new_order(), assign("d1"))
    assert decided(order, assign("d1")) is None
    assert decided(after(order, "delivered"), assign("d1")) is None


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_a_final_order_gets_no_courier(status: str) -> None:
    with pytest.raises(OrderEnded):
        decided(at(status), assign("d1"))


def test_the_first_event_has_the_courier_of_a_new_order() -> None:
    order = create(7, NewOrder(customer_id="c1", restaurant_id="r1", courier_id="d1"), START_MS)
    assert (order.courier_id, order.timeline[0].courier_id) == ("d1", "d1")
    assert as_created(after(order, assign("d2"), "preparing")) == order


# Snapshots


def test_events_after_any_version_are_a_slice() -> None:
    order = at("ready")
    assert [event.version for event in order.events_after(1)] == [2, 3]
    assert order.events_after(3) == order.events_after(99) == ()
    assert order.events_after(0) == order.events_after(-5) == order.timeline


def test_only_the_next_version_is_applied() -> None:
    order = at("ready")
    for event in (order.timeline[-1], at("delivered").timeline[-1]):
        with pytest.raises(ValueError, match="does not follow"):
            evolve(order, event)


class OrderLife(RuleBasedStateMachine):
    """Random changes with a clock that jumps. A refused change has no effect."""

    statuses = st.sampled_from(Status)
    moments = st.integers(-10_000, 200_000)

    @initialize(courier_id=st.none() | st.just("d0"))
    def place(self, courier_id: str | None) -> None:
        self.first = self.order = create(
            7, NewOrder(customer_id="c1", restaurant_id="r1", courier_id=courier_id), START_MS
        )
        self.history = [self.order]
        self.now_ms = START_MS

    @rule(by_ms=moments)
    def time_goes_on_or_back(self, by_ms: int) -> None:
        self.now_ms += by_ms

    @rule(
        to=statuses,
        undo=st.booleans(),
        reason=st.none() | st.just("why"),
        occurred_in_ms=st.none() | moments,
        expected=st.none() | st.integers(-1, 1),
        window_ms=st.none() | st.just(120_000),
    )
    def change_status(
        self,
        to: Status,
        undo: bool,
        reason: str | None,
        occurred_in_ms: int | None,
        expected: int | None,
        window_ms: int | None,
    ) -> None:
        self.request(
            ChangeStatus(
                7,
                to,
                "anyone",
                reason=reason,
                occurred_at_ms=None if occurred_in_ms is None else self.now_ms + occurred_in_ms,
                expected_version=None if expected is None else self.order.version + expected,
                undo=undo,
                undo_window_ms=window_ms,
            )
        )

    @rule(courier_id=st.sampled_from(["d1", "d2"]))
    def assign_courier(self, courier_id: str) -> None:
        self.request(AssignCourier(7, courier_id, "anyone"))

    @precondition(lambda self: not self.order.status.ended)
    @rule()
    def take_the_next_step(self) -> None:
        self.request(ChangeStatus(7, self.order.legal_next()[0], "anyone"))
        assert self.order is self.history[-1]

    def request(self, requested: Change) -> None:
        before = self.order
        refusal: OrderConflict | None = None
        try:
            event = advance(before, requested, self.now_ms)
        except OrderConflict as error:
            refusal = error
        if refusal is not None:
            assert refusal.order is before
            return
        if isinstance(requested, ChangeStatus):
            assert (event is None) == (before.status is requested.to)
        else:
            assert (event is None) == (before.courier_id == requested.courier_id)
        if event is None:
            return
        assert event.at_ms <= event.recorded_at_ms
        if event.type is EventType.REVERTED:
            undone = next(e for e in before.timeline if e.version == event.undoes)
            assert undone.type is not EventType.COURIER_ASSIGNED
        self.order = evolve(before, event)
        self.history.append(self.order)

    @invariant()
    def versions_have_no_holes(self) -> None:
        order = self.order
        assert [event.version for event in order.timeline] == list(range(1, order.version + 1))

    @invariant()
    def updated_at_strictly_increases(self) -> None:
        recorded = [event.recorded_at_ms for event in self.order.timeline]
        assert all(a < b for a, b in pairwise(recorded))
        assert self.order.updated_at_ms == recorded[-1]

    @invariant()
    def the_last_event_says_where_the_order_stands(self) -> None:
        assert self.order.timeline[-1].status is self.order.status
        assert (self.order.cancellation is not None) == (self.order.status is Status.CANCELLED)

    @invariant()
    def any_old_snapshot_and_the_events_after_it_make_the_fresh_one(self) -> None:
        for old in (self.history[0], self.history[len(self.history) // 2], self.history[-1]):
            assert reduce(evolve, self.order.events_after(old.version), old) == self.order

    @invariant()
    def it_can_be_told_how_it_was_created(self) -> None:
        assert as_created(self.order) == self.first


TestOrderLife = OrderLife.TestCase
TestOrderLife.settings = settings(stateful_step_count=40)
