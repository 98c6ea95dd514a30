"""The plan of a lunch hour: the orders, and the steps of each with their times. Pure: the seed is an argument.

Times are seconds on the clock of the lunch hour. A driver that plays it at speed 12 waits a twelfth of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from ordertrack.client import Item, Status
from ordertrack.demo.city import COURIERS, CUSTOMERS, RESTAURANTS, Courier, Customer, Restaurant

STAGES_S = {Status.CONFIRMED: 180.0, Status.PREPARING: 900.0, Status.READY: 300.0, Status.PICKED_UP: 600.0}
"""Average time in each status."""
NEW_EVERY_S = 240.0
SPREAD = 0.2
"""Standard deviation of the logarithm of a time in a status. The time is at most 1.6 times the average, and at least
the average divided by that."""
MAX_FACTOR = 1.6
LATE_PREPARING_S = 2.75 * STAGES_S[Status.PREPARING]
"""Time in the kitchen of a late order: it arrives after its promised window."""
CORRECTED_AFTER_S = 90.0
"""Time after which a restaurant undoes a step that was set by mistake, or a courier is replaced."""
SPECIAL_SHARE = 0.3
"""Share of the orders whose course is not the usual one."""


class Course(StrEnum):
    """The kind of course an order takes."""

    USUAL = "usual"
    UNDONE = "undone"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    LATE = "late"


class CityRole(StrEnum):
    """The role that takes a step; the shop is the platform, which creates orders and assigns couriers."""

    SHOP = "shop"
    CUSTOMER = "customer"
    RESTAURANT = "restaurant"
    COURIER = "courier"


@dataclass(frozen=True)
class PlannedStep:
    """One change of an order, `after_s` after its creation: a status, or a courier when `to` is None.

    `courier` is the courier that is assigned or takes the step.
    """

    after_s: float
    by: CityRole
    to: Status | None = None
    courier: Courier | None = None
    reason: str | None = None
    undo: bool = False


@dataclass(frozen=True)
class PlannedOrder:
    """An order that is created at `at_s` and ends with the last of its steps."""

    at_s: float
    course: Course
    restaurant: Restaurant
    customer: Customer
    items: tuple[Item, ...]
    note: str | None
    steps: tuple[PlannedStep, ...]

    @property
    def total(self) -> float:
        return round(sum(item.quantity * (item.price or 0.0) for item in self.items), 2)


OPENING = (
    (Course.USUAL, Status.CONFIRMED, 60.0),
    (Course.UNDONE, Status.PREPARING, 90.0),
    (Course.USUAL, Status.READY, 30.0),
    (Course.REPLACED, Status.PREPARING, 120.0),
    (Course.LATE, Status.CONFIRMED, 20.0),
    (Course.CANCELLED, Status.CONFIRMED, 150.0),
)
"""Orders that are there when the lunch hour begins: the course, the status reached, and when the next one follows."""


def lunch_hour(seed: int, new_every_s: float = NEW_EVERY_S) -> Iterator[PlannedOrder]:
    """Yield the orders in the order of their creation, without end. The same arguments give the same orders."""
    draw = random.Random(seed)
    for course, status, moves_after_s in OPENING:
        yield _begun(_planned(draw, 0.0, course), status, moves_after_s)
    at_s = 0.0
    while True:
        at_s += new_every_s * draw.uniform(0.6, 1.4)
        special = draw.random() < SPECIAL_SHARE
        yield _planned(draw, at_s, draw.choice(list(Course)[1:]) if special else Course.USUAL)


def _begun(order: PlannedOrder, status: Status, moves_after_s: float) -> PlannedOrder:
    """Return the order with the steps up to `status` at its creation and the step after them `moves_after_s` later."""
    reached = next((index for index, step in enumerate(order.steps) if step.to is status), -1)
    earlier_s = next(step.after_s for step in order.steps[reached + 1 :] if step.to is not None) - moves_after_s
    return replace(
        order, steps=tuple(replace(step, after_s=max(0.0, step.after_s - earlier_s)) for step in order.steps)
    )


def _planned(draw: random.Random, at_s: float, course: Course) -> PlannedOrder:
    restaurant, customer = draw.choice(RESTAURANTS), draw.choice(CUSTOMERS)
    dishes = draw.sample(restaurant.menu, draw.randint(2, 3))
    items = tuple(Item(dish.name, draw.choice((1, 1, 1, 2)), dish.price) for dish in dishes)
    note = draw.choice((None, None, None, "Please ring twice", "No onions, please", "Leave it at the door"))
    return PlannedOrder(at_s, course, restaurant, customer, items, note, _steps(draw, restaurant, course))


def _steps(draw: random.Random, restaurant: Restaurant, course: Course) -> tuple[PlannedStep, ...]:
    times_s = {status: average_s * _factor(draw) for status, average_s in STAGES_S.items()}
    times_s[Status.PREPARING] *= restaurant.pace
    if course is Course.LATE:
        times_s[Status.PREPARING] = LATE_PREPARING_S
    courier, substitute = draw.sample(COURIERS, 2)
    preparing_s = times_s[Status.CONFIRMED]
    ready_s = preparing_s + times_s[Status.PREPARING]
    picked_up_s = ready_s + times_s[Status.READY]
    delivered_s = picked_up_s + times_s[Status.PICKED_UP]
    begun = PlannedStep(preparing_s, CityRole.RESTAURANT, Status.PREPARING)
    assigned = PlannedStep(preparing_s + times_s[Status.PREPARING] / 3, CityRole.SHOP, courier=courier)
    ready = PlannedStep(ready_s, CityRole.RESTAURANT, Status.READY)
    middle: tuple[PlannedStep, ...] = (begun, assigned, ready)
    match course:
        case Course.CANCELLED if draw.random() < 0.5:
            reason = draw.choice(("Ordered by mistake", "Wrong address"))
            return (PlannedStep(preparing_s / 2, CityRole.CUSTOMER, Status.CANCELLED, reason=reason),)
        case Course.CANCELLED:
            reason = draw.choice(("The oven is out of order", "An ingredient has run out"))
            cancelled_s = preparing_s + times_s[Status.PREPARING] / 4
            return (begun, PlannedStep(cancelled_s, CityRole.RESTAURANT, Status.CANCELLED, reason=reason))
        case Course.UNDONE:
            early = replace(ready, after_s=ready_s - 2 * CORRECTED_AFTER_S)
            back = PlannedStep(
                ready_s - CORRECTED_AFTER_S,
                CityRole.RESTAURANT,
                Status.PREPARING,
                reason="A dish was missing",
                undo=True,
            )
            middle = (begun, assigned, early, back, ready)
        case Course.REPLACED:
            replaced = PlannedStep(ready_s + CORRECTED_AFTER_S, CityRole.SHOP, courier=substitute)
            middle, courier = (begun, assigned, ready, replaced), substitute
        case Course.USUAL | Course.LATE:
            pass
    return (
        *middle,
        PlannedStep(picked_up_s, CityRole.COURIER, Status.PICKED_UP, courier),
        PlannedStep(delivered_s, CityRole.COURIER, Status.DELIVERED, courier),
    )


def _factor(draw: random.Random) -> float:
    """Return a time relative to its average."""
    return min(max(draw.lognormvariate(0.0, SPREAD), 1 / MAX_FACTOR), MAX_FACTOR)
