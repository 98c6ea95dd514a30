"""Expected arrivals: which window each event carries, and when a window is given up (PROTOCOL.md 1.14 to 1.18)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ordertrack.core.errors import OrderConflict, OrdertrackError
from ordertrack.core.eta.estimator import ArrivalEstimator
from ordertrack.core.eta.rules import ACTOR, LATE_SHARE, MAX_VERSION, NO_ETA, EtaRules
from ordertrack.core.event import PROGRESSION, STATUS_EVENTS, EventType, Status
from ordertrack.core.order import NewOrder, Order, create, evolve
from ordertrack.core.order_rules import MAX_EVENTS, AssignCourier, Change, ChangeStatus, MoveEta, advance
from ordertrack.core.simulation import TIMINGS_S
from ordertrack.core.window import Window
from support.stage_times import StageTimes

START_MS = 1_795_342_530_000
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
RULES = EtaRules(StageTimes())
LEARNING = EtaRules(ArrivalEstimator())

changes = st.one_of(
    st.builds(
        ChangeStatus,
        st.just(7),
        st.sampled_from(Status),
        st.just("test"),
        reason=st.just("why"),
        occurred_at_ms=st.none() | st.integers(START_MS - DAY_MS, START_MS),
        undo=st.booleans(),
    ),
    st.just(AssignCourier(7, "k1", "test")),
    st.just(MoveEta(7)),
)
steps = st.lists(st.tuples(changes, st.integers(0, 40 * MINUTE_MS)), max_size=20)


def new_order(rules: EtaRules = RULES) -> Order:
    return create(7, NewOrder("c1", "r1"), START_MS, rules.promise("r1", START_MS))


def after(order: Order, change: Change, now_ms: int, rules: EtaRules = RULES) -> Order:
    event = advance(order, change, now_ms, rules)
    return order if event is None else evolve(order, event)


def at(status: Status, rules: EtaRules = RULES) -> Order:
    """Return an order that took the usual time to its status."""
    order, now_ms = new_order(rules), START_MS
    for before, to in pairwise(PROGRESSION[: PROGRESSION.index(status) + 1]):
        now_ms += round(TIMINGS_S[before] * 1000)
        order = after(order, ChangeStatus(7, to, "test"), now_ms, rules)
    return order


@given(steps=steps)
def test_every_event_carries_the_window_after_it(steps: list[tuple[Change, int]]) -> None:
    order, now_ms = new_order(), START_MS
    promised = order.promised
    assert promised is not None
    for change, later_ms in steps:
        before, now_ms = order, now_ms + later_ms
        try:
            order = after(order, change, now_ms)
        except OrdertrackError:
            continue
        event = order.timeline[-1]
        assert order.promised == promised
        assert order.eta == event.eta
        if order.status is Status.CANCELLED:
            assert order.eta is None
            continue
        assert order.eta is not None
        assert order.eta.late is (order.eta.window.to_ms > promised.to_ms + RULES.threshold_ms)
        if order is before or event.type is EventType.COURIER_ASSIGNED:
            assert order.eta == before.eta
        elif order.status is Status.DELIVERED:
            assert order.eta.window == Window(event.at_ms, event.at_ms)
        else:
            assert event.recorded_at_ms <= order.eta.window.from_ms <= order.eta.window.to_ms


@given(steps=steps)
def test_a_window_moves_later_once_per_threshold(steps: list[tuple[Change, int]]) -> None:
    order, now_ms = new_order(), START_MS
    for change, later_ms in steps:
        before, now_ms = order, now_ms + later_ms
        try:
            order = after(order, change, now_ms)
        except OrdertrackError:
            continue
        moved = after(order, MoveEta(7), now_ms)
        if moved is not order:
            assert before.eta is not None
            assert order.eta is not None
            assert moved.eta is not None
            assert moved.eta.window.to_ms - order.eta.window.to_ms > RULES.threshold_ms
            assert moved.eta.window.from_ms >= order.eta.window.from_ms
            assert (moved.status, moved.timeline[-1].actor) == (order.status, ACTOR)
            assert after(moved, MoveEta(7), now_ms) is moved
            assert after(moved, MoveEta(7), now_ms + RULES.threshold_ms // 2) is moved


@pytest.mark.parametrize("status", PROGRESSION[:-1])
@pytest.mark.parametrize("rules", [RULES, LEARNING])
def test_a_window_is_checked_before_it_moves(rules: EtaRules, status: Status) -> None:
    order = at(status, rules)
    assert order.eta is not None
    moves_at_ms = next(t for t in range(order.updated_at_ms, START_MS + DAY_MS, 5_000) if rules.moved(order, t))
    assert order.updated_at_ms + rules.threshold_ms < order.eta.check_at_ms <= moves_at_ms


@pytest.mark.parametrize("rules", [RULES, LEARNING])
def test_a_forgotten_order_has_few_windows(rules: EtaRules) -> None:
    order = new_order(rules)
    for now_ms in range(START_MS, START_MS + 14 * DAY_MS, MINUTE_MS):
        order = after(order, MoveEta(7), now_ms, rules)
    assert order.eta is not None
    assert order.eta.late
    assert 5 < order.version < 50
    assert order.eta.check_at_ms - order.updated_at_ms > DAY_MS // LATE_SHARE


def test_an_order_is_late_beyond_the_threshold() -> None:
    order = at(Status.PICKED_UP)
    promised = order.promised
    assert promised is not None
    for late_ms, late in ((RULES.threshold_ms, False), (RULES.threshold_ms + 1, True)):
        delivered = after(order, ChangeStatus(7, Status.DELIVERED, "test"), promised.to_ms + late_ms)
        assert delivered.eta is not None
        assert delivered.eta.late is late


def test_an_undone_step_keeps_the_time_of_its_status() -> None:
    """A delivery that was recorded by mistake does not start the ride again."""
    order = at(Status.PICKED_UP)
    entered_ms = order.updated_at_ms
    delivered = after(order, ChangeStatus(7, Status.DELIVERED, "test"), entered_ms + 8 * MINUTE_MS)
    undone_ms = entered_ms + 9 * MINUTE_MS
    undone = after(delivered, ChangeStatus(7, Status.PICKED_UP, "test", undo=True), undone_ms)
    assert undone.eta is not None
    assert undone.eta.window == StageTimes().window("r1", Status.PICKED_UP, entered_ms, undone_ms)


@pytest.mark.parametrize("behind_ms", [1, DAY_MS, 700_000 * DAY_MS])
def test_a_clock_that_is_behind_makes_no_order_late(behind_ms: int) -> None:
    """The status before lasted until then at least, so the new one cannot have begun earlier."""
    order = at(Status.READY)
    entered_ms = order.updated_at_ms
    step = ChangeStatus(7, Status.PICKED_UP, "test", occurred_at_ms=entered_ms - behind_ms)
    picked_up = after(order, step, entered_ms + MINUTE_MS)
    assert picked_up.eta is not None
    assert picked_up.eta.window == StageTimes().window("r1", Status.PICKED_UP, entered_ms, entered_ms + MINUTE_MS)
    assert RULES.moved(picked_up, entered_ms + 2 * MINUTE_MS) is None


def test_a_moved_window_is_no_step_to_undo() -> None:
    order = at(Status.READY)
    late_ms = order.updated_at_ms + 60 * MINUTE_MS
    moved = after(order, MoveEta(7), late_ms)
    assert moved.timeline[-1].type is EventType.ETA_CHANGED
    undone = advance(moved, ChangeStatus(7, Status.PREPARING, "test", undo=True), late_ms, RULES)
    assert undone is not None
    assert undone.undoes == order.version
    assert undone.type in STATUS_EVENTS


def test_windows_leave_half_of_the_log_to_others() -> None:
    rules = EtaRules(StageTimes(), threshold_ms=1)
    order, now_ms = new_order(rules), START_MS
    promised = order.promised
    assert promised is not None
    while now_ms < promised.to_ms + DAY_MS:
        order, now_ms = after(order, MoveEta(7), now_ms, rules), now_ms + 1_000
    assert order.version == MAX_VERSION == MAX_EVENTS // 2
    assert rules.moved(order, now_ms + DAY_MS) is None
    assert after(order, ChangeStatus(7, Status.READY, "test"), now_ms, rules).version == order.version + 1


@pytest.mark.parametrize("rules", [NO_ETA, RULES])
def test_an_order_without_a_promise_gets_no_window(rules: EtaRules) -> None:
    order = new_order(NO_ETA)
    ready = after(order, ChangeStatus(7, Status.READY, "test"), START_MS, rules)
    assert (ready.eta, ready.promised) == (None, None)
    assert after(ready, MoveEta(7), START_MS + DAY_MS, rules) is ready


def test_a_damaged_log_fails_no_check() -> None:
    """The orders of a page are checked together."""
    order = new_order()
    event = replace(order.timeline[0], type=EventType.COURIER_ASSIGNED)
    damaged = replace(order, timeline=(event,))
    assert RULES.moved(damaged, START_MS + DAY_MS) is not None
    assert RULES.after_status(damaged, Status.READY, START_MS, START_MS, is_undo=False) is not None


def test_fixed_times_give_windows_around_them() -> None:
    window = StageTimes().window("r1", Status.CONFIRMED, START_MS, START_MS)
    assert window.from_ms < START_MS + 33 * MINUTE_MS < window.to_ms
    waited = StageTimes().window("r1", Status.PICKED_UP, START_MS - DAY_MS, START_MS)
    assert START_MS < waited.from_ms < waited.to_ms < START_MS + 5 * MINUTE_MS


def moved_order() -> Order:
    """Return an order at version 4: preparing at version 2, then two new windows."""
    order, now_ms = after(new_order(), ChangeStatus(7, Status.PREPARING, "test"), START_MS), START_MS
    while order.version < 4:
        now_ms += MINUTE_MS
        order = after(order, MoveEta(7), now_ms)
    return order


CONDITIONS: tuple[Callable[[int], dict[str, Any]], ...] = (
    lambda version: {"expected_version": version},
    lambda version: {"if_match": frozenset({version})},
)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("change", [partial(ChangeStatus, 7, Status.READY), partial(AssignCourier, 7, "k1")])
def test_new_windows_fail_no_condition(change: partial[Change], condition: Callable[[int], dict[str, Any]]) -> None:
    order = moved_order()
    for version in (2, 3, 4):
        assert after(order, change("test", **condition(version)), order.updated_at_ms).version == 5
    for version in (1, 5):
        with pytest.raises(OrderConflict):
            advance(order, change("test", **condition(version)), order.updated_at_ms)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_repeated_change_matches_across_new_windows(condition: Callable[[int], dict[str, Any]]) -> None:
    order = moved_order()
    for version in (1, 2, 3, 4):
        repeated = ChangeStatus(7, Status.PREPARING, "test", **condition(version))
        assert advance(order, repeated, order.updated_at_ms) is None
    ready = after(order, ChangeStatus(7, Status.READY, "test"), order.updated_at_ms)
    for version in (2, 3, 4, 5):
        repeated = ChangeStatus(7, Status.READY, "test", **condition(version))
        assert advance(ready, repeated, ready.updated_at_ms) is None
    with pytest.raises(OrderConflict):
        advance(ready, ChangeStatus(7, Status.READY, "test", **condition(1)), ready.updated_at_ms)
