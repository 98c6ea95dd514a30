"""The plan of a lunch hour: legal, repeatable, with every course."""

from __future__ import annotations

from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.apply_change import advance_simulated
from ordertrack.core.event import Status
from ordertrack.core.order import Details, NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, Change, ChangeStatus
from ordertrack.core.principal import ALL, Principal, Role
from ordertrack.demo.lunch_hour import OPENING, CityRole, Course, PlannedOrder, PlannedStep, lunch_hour

UNDO_WINDOW_MS = 120_000
SEEDS = st.integers(0, 2**32 - 1)


def principal(step: PlannedStep, planned: PlannedOrder) -> Principal:
    match step.by:
        case CityRole.SHOP:
            return Principal(Role.SERVICE, name="shop", restaurants=ALL)
        case CityRole.CUSTOMER:
            return Principal(Role.CUSTOMER, name="c", customer_id=planned.customer.id)
        case CityRole.RESTAURANT:
            return Principal(Role.RESTAURANT, name="r", restaurant_id=planned.restaurant.id)
        case CityRole.COURIER:
            return Principal(Role.COURIER, name="k", courier_id=step.courier.id)


def played(planned: PlannedOrder) -> Order:
    """Return the order after all steps, decided by the rules of the server at real speed."""
    new = NewOrder(
        customer_id=planned.customer.id, restaurant_id=planned.restaurant.id, details=Details(), actor="service:shop"
    )
    order = create(1, new, 0)
    for step in planned.steps:
        by = principal(step, planned)
        change: Change
        if step.to is None:
            change = AssignCourier(1, step.courier.id, by.actor, by=by)
        else:
            change = ChangeStatus(
                1, Status(step.to), by.actor, step.reason, undo=step.undo, undo_window_ms=UNDO_WINDOW_MS, by=by
            )
        event, _ = advance_simulated(order, (), change, round(step.after_s * 1000))
        assert event is not None, step
        order = evolve(order, event)
    return order


@given(SEEDS)
def test_every_step_is_legal_for_its_role(seed: int) -> None:
    for planned in islice(lunch_hour(seed), 30):
        assert all(0 <= earlier.after_s <= later.after_s for earlier, later in pairwise(planned.steps))
        order = played(planned)
        assert order.status is (Status.CANCELLED if planned.course is Course.CANCELLED else Status.DELIVERED)


@given(SEEDS)
def test_same_seed_gives_the_same_orders(seed: int) -> None:
    first, second = (list(islice(lunch_hour(seed), 10)) for _ in range(2))
    assert first == second
    assert all(earlier.at_s <= later.at_s for earlier, later in pairwise(first))


def test_opening_has_every_course() -> None:
    opening = list(islice(lunch_hour(1), len(OPENING)))
    assert {planned.course for planned in opening} == set(Course)
    assert {planned.at_s for planned in opening} == {0.0}
    begun = [[step.to for step in planned.steps if step.to and step.after_s == 0.0] for planned in opening[:3]]
    assert begun == [[], ["preparing"], ["preparing", "ready"]]
