"""Who may do what: one table, and the questions asked of it.

Two things decide. Whose the order is: another party's is `OrderNotFound`, exactly as one that is not there. And what
the role may do with its own: the table; anything else is `Forbidden`. A change is checked inside the store's
transaction, right before `core.order.advance`, on the very order it would change; what the table allows may still be
no legal step.

A restaurant delivers an order itself while the order has no courier or one that the restaurant assigned: then it hands
it over, assigns a courier and sets `delivered`. A courier whom a service or an administrator assigned is the
platform's, and so are those steps.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ordertrack.core.errors import Forbidden, IllegalTransition, InvalidInput, OrderNotFound
from ordertrack.core.event import PROGRESSION, Event, EventType, Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change, ChangeStatus, undone_event
from ordertrack.core.principal import ALL, Action, Principal, Role, role_of
from ordertrack.core.transitions import TRANSITIONS, Move


class Grant(StrEnum):
    """The grant in a cell of the table, in the words of the reference page."""

    NO = "no"
    YES = "yes"
    WHILE_CONFIRMED = "while it is confirmed"
    AFTER_PICK_UP = "after pick-up, with a reason"
    OWN_DELIVERY = "if it has no courier, or one that the restaurant assigned"
    KITCHEN_STEPS = "steps it may take itself, and a restaurant's cancellation"
    OWN_STEPS = "its own latest steps"
    ANY_TIME = "yes, without a time limit"


_, Y, W, P, D, K, S, A = Grant
Right = tuple[Action, Status | None]
"""An action; of `MOVE` also the status to move to."""

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
    (Action.UNDO, None):             (_,      K,         S,      Y,      A,    _,   Y),
    (Action.ASSIGN_COURIER, None):   (_,      D,         _,      Y,      Y,    _,   Y),
    (Action.SIMULATE, None):         (_,      _,         _,      Y,      Y,    _,   Y),
    (Action.LINK, None):             (_,      Y,         _,      Y,      Y,    _,   Y),
    (Action.STATS, None):            (_,      _,         _,      _,      Y,    _,   Y),
    (Action.AUDIT, None):            (_,      _,         _,      _,      Y,    _,   Y),
}  # fmt: skip
GRANTS: dict[tuple[Role, Right], Grant] = {
    (role, right): grant for right, row in _TABLE.items() for role, grant in zip(Role, row, strict=True)
}
"""Every cell."""
_MAY_SOMETIMES = frozenset((role, right[0]) for (role, right), grant in GRANTS.items() if grant is not Grant.NO)


def owns(principal: Principal, order: Order) -> bool:
    """Whether the order is the principal's own."""
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
    """Whether the role ever may: for what is about no order, or before one is looked for. Raises Forbidden."""
    if (principal.role, action) not in _MAY_SOMETIMES:
        raise Forbidden(principal.role, action)


def check_order(principal: Principal, order: Order, action: Action) -> None:
    """For what is done with an order and changes no status: READ, TRACK, SIMULATE, LINK.

    Raises OrderNotFound, Forbidden.
    """
    if not owns(principal, order):
        raise OrderNotFound(order.id)
    check_action(principal, action)


def check_create(principal: Principal, new: NewOrder) -> None:
    """A courier named at once is a courier assigned. Raises Forbidden."""
    check_action(principal, Action.CREATE)
    if new.courier_id is not None:
        check_action(principal, Action.ASSIGN_COURIER)
    foreign = (principal.role is Role.RESTAURANT and new.restaurant_id != principal.restaurant_id) or (
        principal.role is Role.SERVICE and not principal.serves(new.restaurant_id)
    )
    if foreign:
        raise Forbidden(principal.role, Action.CREATE)


def check_change(principal: Principal, order: Order, change: Change) -> None:
    """Raises OrderNotFound, Forbidden; a step that the rules of the order refuse anyway is left to them."""
    if not owns(principal, order):
        raise OrderNotFound(order.id)
    action = action_of(change)
    right = (action, change.to if isinstance(change, ChangeStatus) and action is Action.MOVE else None)
    if not _grant_allows(GRANTS[principal.role, right], principal, order, change):
        raise Forbidden(principal.role, *right)


def action_of(change: Change) -> Action:
    if not isinstance(change, ChangeStatus):
        return Action.ASSIGN_COURIER
    if change.undo:
        return Action.UNDO
    return Action.CANCEL if change.to is Status.CANCELLED else Action.MOVE


def undo_window_ms(principal: Principal, setting_ms: int) -> int | None:
    """How old a step may be that the principal takes back; None: any age."""
    return None if GRANTS[principal.role, (Action.UNDO, None)] is Grant.ANY_TIME else setting_ms


def check_feed(principal: Principal, feed: FeedKey) -> None:
    """For the feed of a customer, restaurant or courier. Raises Forbidden; ValueError for an order's feed, since only
    the order says whose it is."""
    if feed.kind is FeedKind.ORDER:
        raise ValueError(f"{feed} is checked with the order")
    match principal.role:
        case Role.ADMIN | Role.ANYONE:
            own = True
        case Role.SERVICE:
            own = principal.restaurants == ALL or (feed.kind is FeedKind.RESTAURANT and principal.serves(feed.id))
        case Role.CUSTOMER:
            own = feed == (FeedKind.CUSTOMER, principal.customer_id)
        case Role.RESTAURANT:
            own = feed == (FeedKind.RESTAURANT, principal.restaurant_id)
        case Role.COURIER:
            own = feed == (FeedKind.COURIER, principal.courier_id)
        case Role.LINK:
            own = False
    if not own:
        raise Forbidden(principal.role, Action.TRACK)


class Parties(NamedTuple):
    """Whose orders a list is asked for; None: anybody's."""

    customer_id: str | None = None
    restaurant_id: str | None = None
    courier_id: str | None = None


def check_list(principal: Principal, asked: Parties) -> Parties:
    """What to list, so that it has only the principal's own orders: what was asked for, and the principal's id where
    none was named. Raises Forbidden; InvalidInput when a service has to name one of its restaurants."""
    check_action(principal, Action.LIST)
    match principal.role:
        case Role.CUSTOMER:
            own = Parties(customer_id=principal.customer_id)
        case Role.RESTAURANT:
            own = Parties(restaurant_id=principal.restaurant_id)
        case Role.COURIER:
            own = Parties(courier_id=principal.courier_id)
        case Role.SERVICE if principal.restaurants != ALL:
            if asked.restaurant_id is None and len(principal.restaurants) > 1:
                raise InvalidInput("restaurant_id", "one of the restaurants that the token names")
            served = asked.restaurant_id if asked.restaurant_id in principal.restaurants else None
            own = Parties(restaurant_id=served or min(principal.restaurants))
        case _:
            return asked
    if any(mine is not None and theirs not in (None, mine) for mine, theirs in zip(own, asked, strict=True)):
        raise Forbidden(principal.role, Action.LIST)
    return Parties(*(theirs if mine is None else mine for mine, theirs in zip(own, asked, strict=True)))


def _grant_allows(grant: Grant, principal: Principal, order: Order, change: Change) -> bool:
    """A cancellation of what is cancelled already is a repetition, and stays one."""
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
        case Grant.KITCHEN_STEPS | Grant.OWN_STEPS:
            assert isinstance(change, ChangeStatus)
            undone = _undone(order, change.to)
            if not undone:
                return True
            if grant is Grant.OWN_STEPS:
                return _own_steps(principal, order, change, undone)
            if order.status is Status.CANCELLED:
                return role_of(undone[-1].actor) is Role.RESTAURANT
            passed = PROGRESSION[PROGRESSION.index(change.to) + 1 : PROGRESSION.index(order.status) + 1]
            return all(
                _grant_allows(GRANTS[principal.role, (Action.MOVE, to)], principal, order, change) for to in passed
            )


def _assigned_by(order: Order) -> str:
    """Return the actor who assigned the courier that the order has; empty when no event says so."""
    return next((event.actor for event in reversed(order.timeline) if event.courier_id is not None), "")


def _undone(order: Order, to: Status) -> tuple[Event, ...]:
    """The steps that an undo to `to` takes back, oldest first; none when that is no undo the order's rules know."""
    if TRANSITIONS[order.status, to] not in (Move.BACK, Move.RESTORE):
        return ()
    try:
        first = undone_event(order, to)
    except IllegalTransition:
        return ()
    return tuple(e for e in order.timeline[first.version - 1 :] if e.type is not EventType.COURIER_ASSIGNED)


def _own_steps(principal: Principal, order: Order, change: ChangeStatus, undone: tuple[Event, ...]) -> bool:
    """Only back to where the order stood before them: any other status would be a step of the kitchen's."""
    steps = (Status.PICKED_UP, Status.DELIVERED)
    before = order.timeline[undone[0].version - 2].status
    return change.to is before and all(e.actor == principal.actor and e.status in steps for e in undone)
