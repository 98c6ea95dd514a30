"""Schedules of simulated workflows."""

from __future__ import annotations

import math

import pytest

from ordertrack.core.apply_change import advance_simulated
from ordertrack.core.errors import IllegalTransition, InvalidInput, OrderEnded, SimulationNotRunning
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, ChangeStatus, advance
from ordertrack.core.simulation import TIMINGS_S, Step, WorkflowOptions, plan_steps

NOW_MS = 1_795_342_530_000
MINUTE_MS = 60_000


def order_at(*statuses: str) -> Order:
    order = create(7, NewOrder(customer_id="c1", restaurant_id="r1"), 1_000)
    for status in statuses:
        event = advance(order, ChangeStatus(7, Status(status), "test"), order.updated_at_ms + 1_000)
        assert event is not None
        order = evolve(order, event)
    return order


def timeline(steps: tuple[Step, ...]) -> list[tuple[str, int]]:
    return [(step.status.value, step.due_at_ms - NOW_MS) for step in steps]


def step_of(step: Step) -> ChangeStatus:
    named = (step.seq, step.due_at_ms)
    return ChangeStatus(step.order_id, step.status, "simulator", reason=step.reason, simulated=named)


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ([], [("preparing", 3), ("ready", 18), ("picked_up", 23), ("delivered", 33)]),
        (["preparing"], [("ready", 15), ("picked_up", 20), ("delivered", 30)]),
        (["ready"], [("picked_up", 5), ("delivered", 15)]),
        (["picked_up"], [("delivered", 10)]),
    ],
)
def test_a_plan_starts_at_the_current_status(way: list[str], expected: list[tuple[str, int]]) -> None:
    steps = plan_steps(order_at(*way), WorkflowOptions(), NOW_MS)
    assert timeline(steps) == [(status, minutes * MINUTE_MS) for status, minutes in expected]
    assert [step.seq for step in steps] == list(range(len(steps)))
    assert {step.order_id for step in steps} == {7}


@pytest.mark.parametrize("end", ["delivered", "cancelled"])
def test_an_ended_order_has_no_plan(end: str) -> None:
    with pytest.raises(OrderEnded):
        plan_steps(order_at(end), WorkflowOptions(), NOW_MS)


def test_speed_divides_every_time() -> None:
    steps = plan_steps(order_at(), WorkflowOptions(speed=60.0), NOW_MS)
    assert timeline(steps) == [("preparing", 3_000), ("ready", 18_000), ("picked_up", 23_000), ("delivered", 33_000)]


def test_timings_override_single_times_and_may_be_zero() -> None:
    options = WorkflowOptions(speed=2.0, timings_s={Status.CONFIRMED: 0, Status.READY: 1.5})
    steps = plan_steps(order_at(), options, NOW_MS)
    assert timeline(steps) == [("preparing", 0), ("ready", 450_000), ("picked_up", 450_750), ("delivered", 750_750)]


def test_rounding_errors_do_not_accumulate() -> None:
    options = WorkflowOptions(timings_s=dict.fromkeys(TIMINGS_S, 0.0004))
    assert [due for _, due in timeline(plan_steps(order_at(), options, NOW_MS))] == [0, 1, 1, 2]


@pytest.mark.parametrize("cancel_at", ["confirmed", "preparing", "ready", "picked_up"])
def test_a_plan_ends_in_a_cancellation_with_a_reason(cancel_at: str) -> None:
    steps = plan_steps(order_at(), WorkflowOptions(cancel_at=Status(cancel_at)), NOW_MS)
    usual = plan_steps(order_at(), WorkflowOptions(), NOW_MS)
    last = len(steps) - 1
    assert steps[:-1] == usual[:last]
    assert (steps[-1].status, steps[-1].due_at_ms) == ("cancelled", usual[last].due_at_ms)
    assert steps[-1].reason
    order = order_at()
    for step in steps:
        event, _ = advance_simulated(order, (step,), step_of(step), step.due_at_ms)
        assert event is not None
        order = evolve(order, event)
    assert order.timeline[-2].status == cancel_at


def test_a_cancellation_at_a_passed_status_is_refused() -> None:
    assert plan_steps(order_at("ready"), WorkflowOptions(cancel_at=Status.READY), NOW_MS)
    with pytest.raises(InvalidInput) as refused:
        plan_steps(order_at("ready"), WorkflowOptions(cancel_at=Status.PREPARING), NOW_MS)
    assert refused.value.field == "cancel_at"


@pytest.mark.parametrize("speed", [0.1, 1, 3_600.0])
def test_a_speed_at_its_bounds_is_allowed(speed: float) -> None:
    assert WorkflowOptions(speed=speed).speed == speed


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"speed": 0.0}, "speed"),
        ({"speed": 0.0999}, "speed"),
        ({"speed": -1.0}, "speed"),
        ({"speed": 3_600.1}, "speed"),
        ({"speed": math.nan}, "speed"),
        ({"speed": math.inf}, "speed"),
        ({"timings_s": {Status.READY: -1.0}}, "timings.ready"),
        ({"timings_s": {Status.READY: 86_401.0}}, "timings.ready"),
        ({"timings_s": {Status.READY: math.nan}}, "timings.ready"),
        ({"timings_s": {Status.READY: math.inf}}, "timings.ready"),
        ({"timings_s": {Status.DELIVERED: 1.0}}, "timings"),
        ({"timings_s": {Status.CANCELLED: 1.0}}, "timings"),
        ({"cancel_at": Status.DELIVERED}, "cancel_at"),
        ({"cancel_at": Status.CANCELLED}, "cancel_at"),
    ],
)
def test_options_out_of_bounds_are_refused_by_name(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        WorkflowOptions(**fields)
    assert refused.value.field == field


# The simulation after a change


def running(order: Order) -> tuple[Step, ...]:
    return plan_steps(order, WorkflowOptions(), NOW_MS)


def test_a_step_removes_itself_from_the_pending_ones() -> None:
    order = order_at()
    steps = running(order)
    event, left = advance_simulated(order, steps, step_of(steps[0]), NOW_MS)
    assert event is not None
    assert event.status == "preparing"
    assert left == steps[1:]


def test_a_step_that_is_not_the_next_one_is_refused() -> None:
    order = order_at()
    steps = running(order)
    for pending, step in ((steps, steps[1]), (steps[1:], steps[0]), ((), steps[0])):
        with pytest.raises(SimulationNotRunning):
            advance_simulated(order, pending, step_of(step), NOW_MS)


def test_a_step_of_an_earlier_simulation_is_refused() -> None:
    order = order_at()
    earlier, now_running = running(order), plan_steps(order, WorkflowOptions(), NOW_MS + 5_000)
    with pytest.raises(SimulationNotRunning):
        advance_simulated(order, now_running, step_of(earlier[0]), NOW_MS + 6_000)


@pytest.mark.parametrize("to", ["preparing", "delivered", "cancelled"])
def test_any_other_change_of_status_ends_the_simulation(to: str) -> None:
    order = order_at()
    event, left = advance_simulated(order, running(order), ChangeStatus(7, Status(to), "cook"), NOW_MS)
    assert event is not None
    assert left == ()


def test_an_unchanged_status_keeps_the_simulation() -> None:
    order = order_at()
    steps = running(order)
    _, left = advance_simulated(order, steps, AssignCourier(7, "d1", "shop"), NOW_MS)
    assert left == steps
    event, left = advance_simulated(order, steps, ChangeStatus(7, Status.CONFIRMED, "cook"), NOW_MS)
    assert (event, left) == (None, steps)


def test_a_refused_change_keeps_the_simulation() -> None:
    order = order_at("ready")
    with pytest.raises(IllegalTransition):
        advance_simulated(order, running(order), ChangeStatus(7, Status.PREPARING, "cook"), NOW_MS)
