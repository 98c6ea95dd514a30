"""Authorization: the table of what each role may do, and the checks that read it.

1. Ownership: another party's order is `OrderNotFound`, exactly as a missing one.
2. The role's grant for its own orders, from the table: anything else is `Forbidden`.

A change is checked inside the store's transaction, right before `core.order_rules.advance`, on the order that it would
change. A change that the table allows may still be an illegal transition.

A restaurant delivers an order itself while the order has no courier or one that the restaurant assigned: it may then
set `picked_up` and `delivered` and assign a courier. A courier assigned by a service or an administrator is the
platform's: only the platform and that courier take these steps.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ordertrack.core.enum_members import plain_members
from ordertrack.core.errors import Forbidden, IllegalTransition, InvalidInput, OrderNotFound
from ordertrack.core.event import PROGRESSION, STATUS_EVENTS, Event, Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change, ChangeStatus, undone_event
from ordertrack.core.principal import ALL, Action, Principal, Role, role_of
from ordertrack.core.transitions import TRANSITIONS, Move


@plain_members
class Grant(StrEnum):
    """A cell of the table, in the words of the reference page."""

    NO = "no"
    YES = "yes"
    WHILE_CONFIRMED = "while it is confirmed"
    AFTER_PICK_UP = "after pick-up, with a reason"
    OWN_DELIVERY = "if it has no courier, or one that the restaurant assigned"
    RESTAURANT_STEPS = "steps it may take itself, and a restaurant's cancellation"
    OWN_STEPS = "its own latest steps"
    ANY_TIME = "yes, without a time limit"


_, Y, W, P, D, R, S, A = Grant
Right = tuple[Action, Status | None]
"""An action; for `MOVE` also the new status."""

_TABLE: dict[Right, tuple[Grant, ...]] = {
    #                                customer restaurant courier service admin link anyone
    (Action.READ, None):             (Y,      Y,         Y,      Y,      Y,    Y,   Y),
    (Action.TRACK, None):            (Y,      Y,         Y,      Y,      Y,    Y,   Y),
    (Action.LIST, None):             (Y,      Y,         Y,      Y,      Y,    _,   Y),
    (Action.CREATE, None):           (_,      Y,         _,      Y,      Y,    _,   Y),
    (Action.MOVE, Status.CONFIRMED): (_,      Y,         _,      Y,      Y,    _,   Y),
    (Action.MOVE, Status.PREPARING): (_,      Y,         _,      Y,      Y,    _,   Y),
    (Action.MOVE, Status.READY):     (_,      Y,         _,      Y,      Y,    _,   Y),
    (Action.MOVE, Status.PICKED_UP): (_,      D,         Y,      Y,      Y,    _,   Y),
    (Action.MOVE, Status.DELIVERED): (_,      D,         Y,      Y,      Y,    _,   Y),
    (Action.CANCEL, None):           (W,      Y,         P,      Y,      Y,    _,   Y),
    (Action.UNDO, None):             (_,      R,         S,      Y,      A,    _,   Y),
    (Action.ASSIGN_COURIER, None):   (_,      D,         _,      Y,      Y,    _,   Y),
    (Action.SIMULATE, None):         (_,      _,         _,      Y,      Y,    _,   Y),
    (Action.LINK, None):             (_,      Y,         _,      Y,      Y,    _,   Y),
    (Action.STATS, None):            (_,      _,         _,      _,      Y,    _,   Y),
    (Action.AUDIT, None):            (_,      _,         _,      _,      Y,    _,   Y),
}  # fmt: skip
GRANTS: dict[tuple[Role, Right], Grant] = {
    (role, right): grant for right, row in _TABLE.items() for role, grant in zip(Role, row, strict=True)
}
UNDO_AT_ANY_TIME = frozenset(role for role in Role if GRANTS[role, (Action.UNDO, None)] is Grant.ANY_TIME)
"""Roles that may undo events of any age."""
_MAY_SOMETIMES = frozenset((role, right[0]) for (role, right), grant in GRANTS.items() if grant is not Grant.NO)


def owns(principal: Principal, order: Order) -> bool:
    """Return True for an order of the principal."""
    match principal.role:
        case Role.CUSTOMER:
            return order.customer_id == principal.customer_id
        case Role.RESTAURANT:
            return order.restaurant_id == principal.restaurant_id
        case Role.COURIER:
            return order.courier_id == principal.courier_id
        case Role.SERVICE:
            return principal.serves(order.restaurant_id)
        case Role.LINK:
            return order.id == principal.order_id
        case Role.ADMIN | Role.ANYONE:
            return True


def check_action(principal: Principal, action: Action) -> None:
    """Check that the role may ever do this, without an order or before one is read.

    Raises: Forbidden.
    """
    if (principal.role, action) not in _MAY_SOMETIMES:
        raise Forbidden(principal.role, action)


def check_order(principal: Principal, order: Order, action: Action) -> None:
    """Check an action that changes no order: READ, TRACK, SIMULATE, LINK.

    Raises: OrderNotFound, Forbidden.
    """
    if not owns(principal, order):
        raise OrderNotFound(order.id)
    check_action(principal, action)


def check_create(principal: Principal, new: NewOrder) -> None:
    """Check a new order. One that names its courier needs the grant for assigning couriers too.

    Raises: Forbidden.
    """
    check_action(principal, Action.CREATE)
    if new.courier_id is not None:
        check_action(principal, Action.ASSIGN_COURIER)
    foreign = (principal.role is Role.RESTAURANT and new.restaurant_id != principal.restaurant_id) or (
        principal.role is Role.SERVICE and not principal.serves(new.restaurant_id)
    )
    if foreign:
        raise Forbidden(principal.role, Action.CREATE)


def check_change(principal: Principal, order: Order, change: Change) -> None:
    """Check a change. One that the rules of the order refuse may pass this check.

    Raises: OrderNotFound, Forbidden.
    """
    if not owns(principal, order):
        raise OrderNotFound(order.id)
    right: Right
    if not isinstance(change, ChangeStatus):
        right = (Action.ASSIGN_COURIER, None)
    elif change.undo:
        right = (Action.UNDO, None)
    elif change.to is Status.CANCELLED:
        right = (Action.CANCEL, None)
    else:
        right = (Action.MOVE, change.to)
    grant = GRANTS[principal.role, right]
    if grant is not Grant.YES and not _grant_allows(grant, principal, order, change):
        raise Forbidden(principal.role, *right)


def check_feed(principal: Principal, feed: FeedKey) -> None:
    """Check the feed of a customer, restaurant or courier.

    Raises: Forbidden; ValueError for an order's feed, since only the order has its owners.
    """
    if feed.kind is FeedKind.ORDER:
        raise ValueError(f"{feed} is checked with the order")
    match principal.role:
        case Role.ADMIN | Role.ANYONE:
            own = True
        case Role.SERVICE:
            own = principal.restaurants == ALL or (feed.kind is FeedKind.RESTAURANT and principal.serves(feed.id))
        case Role.CUSTOMER:
            own = feed.kind is FeedKind.CUSTOMER and feed.id == principal.customer_id
        case Role.RESTAURANT:
            own = feed.kind is FeedKind.RESTAURANT and feed.id == principal.restaurant_id
        case Role.COURIER:
            own = feed.kind is FeedKind.COURIER and feed.id == principal.courier_id
        case Role.LINK:
            own = False
    if not own:
        raise Forbidden(principal.role, Action.TRACK)


class Parties(NamedTuple):
    """The owners that a list is limited to; None for no limit."""

    customer_id: str | None = None
    restaurant_id: str | None = None
    courier_id: str | None = None


def check_list(principal: Principal, requested: Parties) -> Parties:
    """Return the requested parties, limited to the principal's own orders.

    Raises: Forbidden; InvalidInput when a service has to name one of its restaurants.
    """
    check_action(principal, Action.LIST)
    match principal.role:
        case Role.CUSTOMER:
            own = Parties(customer_id=principal.customer_id)
        case Role.RESTAURANT:
            own = Parties(restaurant_id=principal.restaurant_id)
        case Role.COURIER:
            own = Parties(courier_id=principal.courier_id)
        case Role.SERVICE if principal.restaurants != ALL:
            if requested.restaurant_id is None and len(principal.restaurants) > 1:
                raise InvalidInput("restaurant_id", "one of the restaurants that the token names")
            served = requested.restaurant_id if requested.restaurant_id in principal.restaurants else None
            own = Parties(restaurant_id=served or min(principal.restaurants))
        case _:
            return requested
    pairs = tuple(zip(own, requested, strict=True))
    if any(own_id is not None and requested_id not in (None, own_id) for own_id, requested_id in pairs):
        raise Forbidden(principal.role, Action.LIST)
    return Parties(*(requested_id if own_id is None else own_id for own_id, requested_id in pairs))


def _grant_allows(grant: Grant, principal: Principal, order: Order, change: Change) -> bool:
    """Allow a repeated cancellation where the first one was allowed: it changes nothing."""
    match grant:
        case Grant.NO:
            return False
        case Grant.YES | Grant.ANY_TIME:
            return True
        case Grant.WHILE_CONFIRMED:
            return order.status in (Status.CONFIRMED, Status.CANCELLED)
        case Grant.AFTER_PICK_UP:
            return order.status in (Status.PICKED_UP, Status.CANCELLED)
        case Grant.OWN_DELIVERY:
            return order.courier_id is None or role_of(_assigned_by(order)) is Role.RESTAURANT
        case Grant.RESTAURANT_STEPS | Grant.OWN_STEPS:
            assert isinstance(change, ChangeStatus)
            undone = _undone_events(order, change.to)
            if not undone:
                return True
            if grant is Grant.OWN_STEPS:
                return _undoes_own_steps(principal, order, change, undone)
            if order.status is Status.CANCELLED:
                return role_of(undone[-1].actor) is Role.RESTAURANT
            undone_statuses = PROGRESSION[PROGRESSION.index(change.to) + 1 : PROGRESSION.index(order.status) + 1]
            grants = (GRANTS[principal.role, (Action.MOVE, status)] for status in undone_statuses)
            return all(_grant_allows(each, principal, order, change) for each in grants)


def _assigned_by(order: Order) -> str:
    """Return the actor that assigned the current courier; empty when no event has it."""
    return next((event.actor for event in reversed(order.timeline) if event.courier_id is not None), "")


def _undone_events(order: Order, to: Status) -> tuple[Event, ...]:
    """Return the events that an undo to `to` reverts, oldest first; none for an undo that the order's rules refuse."""
    if TRANSITIONS[order.status, to] not in (Move.BACK, Move.RESTORE):
        return ()
    try:
        first = undone_event(order, to)
    except IllegalTransition:
        return ()
    return tuple(e for e in order.timeline[first.version - 1 :] if e.type in STATUS_EVENTS)


def _undoes_own_steps(principal: Principal, order: Order, change: ChangeStatus, undone: tuple[Event, ...]) -> bool:
    """Allow only the status before these steps: any other would be a step of the restaurant."""
    steps = (Status.PICKED_UP, Status.DELIVERED)
    before = order.timeline[undone[0].version - 2].status
    return change.to is before and all(e.actor == principal.actor and e.status in steps for e in undone)
