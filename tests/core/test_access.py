"""Authorization: every cell of the table, written out again, and rules that hold for random changes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.access import (
    GRANTS,
    UNDO_AT_ANY_TIME,
    Grant,
    Parties,
    check_action,
    check_change,
    check_create,
    check_feed,
    check_list,
    check_order,
    owns,
)
from ordertrack.core.errors import Forbidden, IllegalTransition, InvalidInput, OrderConflict, OrderNotFound
from ordertrack.core.event import PROGRESSION, Event, EventType, Status
from ordertrack.core.feed import FeedKey, FeedKind, order_feed
from ordertrack.core.order import Details, Item, NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, Change, ChangeStatus, advance
from ordertrack.core.principal import ALL, ANYONE, Action, Principal, Role, role_of

START_MS = 1_795_342_530_000
CUSTOMER = Principal(Role.CUSTOMER, "c", customer_id="c1")
RESTAURANT = Principal(Role.RESTAURANT, "r", restaurant_id="r1")
COLLEAGUE = Principal(Role.RESTAURANT, "r-2", restaurant_id="r1")
COURIER = Principal(Role.COURIER, "k", courier_id="k1")
SERVICE = Principal(Role.SERVICE, "s", restaurants=frozenset({"r1", "r2"}))
EVERY_SERVICE = Principal(Role.SERVICE, "s", restaurants=ALL)
ADMIN = Principal(Role.ADMIN, "a")
LINK = Principal(Role.LINK, "l", order_id=7)
PRINCIPALS = [CUSTOMER, RESTAURANT, COURIER, SERVICE, ADMIN, LINK, ANYONE]
FOREIGN_PRINCIPALS = [
    Principal(Role.CUSTOMER, "c", customer_id="c2"),
    Principal(Role.RESTAURANT, "r", restaurant_id="r9"),
    Principal(Role.COURIER, "k", courier_id="k2"),
    Principal(Role.SERVICE, "s", restaurants=frozenset({"r9"})),
    Principal(Role.LINK, "l", order_id=8),
]

# Written from the rules and not from core/access.py. A letter is a role with the grant.
# c customer, r restaurant, k courier, s service, a admin, l link, x anyone
ACTIONS = {
    Action.READ: "crksalx",
    Action.TRACK: "crksalx",
    Action.LIST: "crksax",
    Action.CREATE: "rsax",
    Action.MOVE: "rksax",
    Action.CANCEL: "crksax",
    Action.UNDO: "rksax",
    Action.ASSIGN_COURIER: "rsax",
    Action.SIMULATE: "sax",
    Action.LINK: "rsax",
    Action.STATS: "ax",
    Action.AUDIT: "ax",
}
LETTERS = dict(zip("crksalx", PRINCIPALS, strict=True))

# The roles that may set each status, from every status, of an order that a service assigned to courier k1.
MOVES = {
    Status.CONFIRMED: "rsax",
    Status.PREPARING: "rsax",
    Status.READY: "rsax",
    Status.PICKED_UP: "ksax",
    Status.DELIVERED: "ksax",
}
# The roles that may cancel it in each status; in `cancelled` that is a repetition, which changes nothing.
CANCELS = {
    Status.CONFIRMED: "crsax",
    Status.PREPARING: "rsax",
    Status.READY: "rsax",
    Status.PICKED_UP: "rksax",
    Status.DELIVERED: "rsax",
    Status.CANCELLED: "crksax",
}


def new_order(courier_id: str | None = "k1") -> Order:
    details = Details((Item("Pizza", 2, 9.5, "no olives"),), 19, "EUR", "Elm Street 1", "ring twice")
    return create(7, NewOrder("c1", "r1", courier_id, "A-17", details, EVERY_SERVICE.actor), START_MS)


def change(to: str, principal: Principal = ADMIN, **fields: object) -> ChangeStatus:
    return ChangeStatus(7, Status(to), principal.actor, **fields)


def undo(to: str, principal: Principal = ADMIN) -> ChangeStatus:
    return change(to, principal, undo=True)


def after(order: Order, *changes: Change) -> Order:
    for one in changes:
        event = advance(order, one, order.updated_at_ms + 1)
        assert event is not None
        order = evolve(order, event)
    return order


def at(status: Status, courier_id: str | None = "k1") -> Order:
    order = new_order(courier_id)
    if status is Status.CANCELLED:
        return after(order, change("cancelled"))
    return after(order, *(change(to) for to in PROGRESSION[1 : PROGRESSION.index(status) + 1]))


def allowed(principal: Principal, order: Order, requested: Change) -> bool:
    try:
        check_change(principal, order, requested)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize("letter", LETTERS)
def test_a_role_has_the_actions_of_the_table(letter: str) -> None:
    principal = LETTERS[letter]
    for action in Action:
        if letter in ACTIONS[action]:
            check_action(principal, action)
            check_order(principal, new_order(), action)
            continue
        with pytest.raises(Forbidden) as refused:
            check_action(principal, action)
        assert (refused.value.role, refused.value.action) == (principal.role, action)


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("to", PROGRESSION)
def test_a_role_sets_the_statuses_of_the_table(letter: str, to: Status) -> None:
    principal = LETTERS[letter]
    may = {start: allowed(principal, at(start), change(to, principal)) for start in Status}
    assert may == dict.fromkeys(Status, letter in MOVES[to])


@pytest.mark.parametrize("letter", LETTERS)
def test_a_role_cancels_in_the_statuses_of_the_table(letter: str) -> None:
    principal = LETTERS[letter]
    may = {start for start in Status if allowed(principal, at(start), change("cancelled", principal))}
    assert may == {start for start in Status if letter in CANCELS[start]}


@pytest.mark.parametrize("letter", LETTERS)
def test_only_the_platform_replaces_its_courier(letter: str) -> None:
    assert allowed(LETTERS[letter], new_order(), AssignCourier(7, "k2", "x")) is (letter in "sax")


def test_the_table_has_every_cell() -> None:
    assert {right for _, right in GRANTS} >= {(action, None) for action in Action if action is not Action.MOVE}
    assert {role for role, _ in GRANTS} == set(Role)
    assert len(GRANTS) == len(Role) * (len(Action) - 1 + len(PROGRESSION))
    assert {GRANTS[Role.ANYONE, right] for _, right in GRANTS} == {Grant.YES}


@pytest.mark.parametrize("principal", FOREIGN_PRINCIPALS, ids=lambda p: p.role)
@pytest.mark.parametrize("order", [new_order(), new_order(courier_id=None)], ids=["assigned", "takeaway"])
def test_a_foreign_order_is_reported_as_missing(principal: Principal, order: Order) -> None:
    assert not owns(principal, order)
    changes: list[Change] = [*map(change, Status), *map(undo, Status), AssignCourier(7, "k2", "x")]
    for one in changes:
        with pytest.raises(OrderNotFound) as refused:
            check_change(principal, order, one)
        assert refused.value.order_id == 7
    for action in Action:
        with pytest.raises(OrderNotFound):
            check_order(principal, order, action)
    with pytest.raises(OrderNotFound):
        check_order(principal, order, Action.READ)


def test_an_order_without_a_courier_belongs_to_no_courier() -> None:
    assert not owns(COURIER, new_order(courier_id=None))


def test_a_replaced_courier_no_longer_owns_the_order() -> None:
    order = after(new_order(), AssignCourier(7, "k2", "x"))
    with pytest.raises(OrderNotFound):
        check_change(COURIER, order, change("picked_up", COURIER))


ASSIGNED_BY = {"unassigned": None, "restaurant": RESTAURANT, "colleague": COLLEAGUE, "service": SERVICE, "admin": ADMIN}


def delivered_by(who: str, status: Status = Status.CONFIRMED) -> Order:
    """Return an order whose courier this principal assigned after its creation without one."""
    by = ASSIGNED_BY[who]
    order = new_order(courier_id=None)
    if by is not None:
        order = after(order, AssignCourier(7, "k1", by.actor))
    return after(order, *(change(to) for to in PROGRESSION[1 : PROGRESSION.index(status) + 1]))


@pytest.mark.parametrize("who", ASSIGNED_BY)
@pytest.mark.parametrize("start", PROGRESSION[:-1])
def test_restaurant_delivers_without_a_platform_courier(who: str, start: Status) -> None:
    order, may = delivered_by(who, start), who in ("unassigned", "restaurant", "colleague")
    assert allowed(RESTAURANT, order, change("picked_up", RESTAURANT)) is may
    assert allowed(RESTAURANT, order, change("delivered", RESTAURANT)) is may
    assert allowed(RESTAURANT, order, AssignCourier(7, "k2", RESTAURANT.actor)) is may


@pytest.mark.parametrize("who", ASSIGNED_BY)
def test_restaurant_takes_back_only_own_deliveries(who: str) -> None:
    may = who in ("unassigned", "restaurant", "colleague")
    for start, to in (("picked_up", "ready"), ("picked_up", "confirmed"), ("delivered", "picked_up")):
        assert allowed(RESTAURANT, delivered_by(who, Status(start)), undo(to, RESTAURANT)) is may


def test_the_last_assignment_decides_who_delivers() -> None:
    taken_over = after(delivered_by("restaurant"), AssignCourier(7, "k2", SERVICE.actor))
    assert not allowed(RESTAURANT, taken_over, change("delivered", RESTAURANT))
    assert not allowed(RESTAURANT, taken_over, AssignCourier(7, "k1", RESTAURANT.actor))
    assert allowed(RESTAURANT, after(new_order(), AssignCourier(7, "k2", RESTAURANT.actor)), change("delivered"))


def test_the_creator_assigned_the_courier_of_a_new_order() -> None:
    for creator, may in ((RESTAURANT, True), (SERVICE, False)):
        order = create(7, NewOrder("c1", "r1", "k1", actor=creator.actor), START_MS)
        assert allowed(RESTAURANT, order, change("delivered", RESTAURANT)) is may


@pytest.mark.parametrize(("start", "to"), [("preparing", "confirmed"), ("ready", "preparing"), ("ready", "confirmed")])
def test_a_restaurant_undoes_its_own_steps(start: str, to: str) -> None:
    assert allowed(RESTAURANT, at(Status(start)), undo(to, RESTAURANT))


def test_a_restaurant_restores_only_a_restaurants_cancellation() -> None:
    for canceller, may in ((RESTAURANT, True), (COLLEAGUE, True), (CUSTOMER, False), (SERVICE, False)):
        order = after(new_order(), change("cancelled", canceller))
        assert allowed(RESTAURANT, order, undo("confirmed", RESTAURANT)) is may


def test_a_restored_order_keeps_the_restaurants_undo() -> None:
    cancelled = after(new_order(), change("preparing"), change("ready"), change("cancelled", SERVICE), undo("ready"))
    assert allowed(RESTAURANT, cancelled, undo("preparing", RESTAURANT))


def test_a_courier_undoes_its_steps_to_the_status_before() -> None:
    fetched = after(at(Status.READY), change("picked_up", COURIER))
    assert allowed(COURIER, fetched, undo("ready", COURIER))
    brought = after(fetched, change("delivered", COURIER))
    assert allowed(COURIER, brought, undo("picked_up", COURIER))
    assert allowed(COURIER, brought, undo("ready", COURIER))
    assert not allowed(COURIER, brought, undo("preparing", COURIER))


def test_a_courier_cannot_undo_to_a_skipped_status() -> None:
    fetched = after(new_order(), change("picked_up", COURIER))
    assert allowed(COURIER, fetched, undo("confirmed", COURIER))
    assert not allowed(COURIER, fetched, undo("ready", COURIER))
    assert not allowed(COURIER, fetched, undo("preparing", COURIER))


@pytest.mark.parametrize("other", [RESTAURANT, ADMIN, Principal(Role.COURIER, "k-2", courier_id="k1")])
def test_a_courier_cannot_undo_steps_of_others(other: Principal) -> None:
    fetched = after(at(Status.READY), change("picked_up", other))
    assert not allowed(COURIER, fetched, undo("ready", COURIER))
    brought = after(fetched, change("delivered", COURIER))
    assert allowed(COURIER, brought, undo("picked_up", COURIER))
    assert not allowed(COURIER, brought, undo("ready", COURIER))


def test_a_courier_cannot_restore_an_order() -> None:
    failed = after(at(Status.PICKED_UP), change("cancelled", COURIER, reason="door closed"))
    assert not allowed(COURIER, failed, undo("picked_up", COURIER))
    assert allowed(COURIER, failed, change("cancelled", COURIER, reason="door closed"))


def test_an_impossible_undo_is_left_to_the_order_rules() -> None:
    order = at(Status.PICKED_UP)
    assert allowed(COURIER, order, undo("delivered", COURIER))
    with pytest.raises(IllegalTransition):
        advance(order, undo("delivered", COURIER), START_MS)
    cancelled = after(at(Status.READY), change("cancelled", RESTAURANT))
    assert allowed(RESTAURANT, cancelled, undo("preparing", RESTAURANT))
    with pytest.raises(IllegalTransition):
        advance(cancelled, undo("preparing", RESTAURANT), START_MS)


def test_only_an_admin_undoes_without_a_time_limit() -> None:
    assert [principal.role in UNDO_AT_ANY_TIME for principal in PRINCIPALS] == [
        principal is ADMIN for principal in PRINCIPALS
    ]


@pytest.mark.parametrize(
    ("principal", "new", "may"),
    [
        (RESTAURANT, NewOrder("c1", "r1"), True),
        (RESTAURANT, NewOrder("c1", "r2"), False),
        (RESTAURANT, NewOrder("c1", "r1", "k1"), True),
        (RESTAURANT, NewOrder("c1", "r2", "k1"), False),
        (SERVICE, NewOrder("c1", "r2", "k1"), True),
        (SERVICE, NewOrder("c1", "r9"), False),
        (EVERY_SERVICE, NewOrder("c1", "r9"), True),
        (ADMIN, NewOrder("c1", "r9"), True),
        (ANYONE, NewOrder("c1", "r9", "k1"), True),
        (CUSTOMER, NewOrder("c1", "r1"), False),
        (COURIER, NewOrder("c1", "r1", "k1"), False),
        (LINK, NewOrder("c1", "r1"), False),
    ],
)
def test_a_principal_creates_only_its_own_orders(principal: Principal, new: NewOrder, may: bool) -> None:
    if may:
        check_create(principal, new)
    else:
        with pytest.raises(Forbidden):
            check_create(principal, new)


FEEDS = {
    "c": [FeedKey(FeedKind.CUSTOMER, "c1")],
    "r": [FeedKey(FeedKind.RESTAURANT, "r1")],
    "k": [FeedKey(FeedKind.COURIER, "k1")],
    "s": [FeedKey(FeedKind.RESTAURANT, "r1"), FeedKey(FeedKind.RESTAURANT, "r2")],
    "l": [],
}
OTHER_FEEDS = [FeedKey(kind, id_) for kind in list(FeedKind)[1:] for id_ in ("c1", "r1", "r2", "k1", "other", "*")]


@pytest.mark.parametrize("letter", LETTERS)
def test_a_principal_polls_only_its_own_feed(letter: str) -> None:
    for feed in OTHER_FEEDS:
        if feed in FEEDS.get(letter, OTHER_FEEDS):
            check_feed(LETTERS[letter], feed)
        else:
            with pytest.raises(Forbidden):
                check_feed(LETTERS[letter], feed)


def test_a_service_for_all_restaurants_polls_every_feed() -> None:
    for feed in OTHER_FEEDS:
        check_feed(EVERY_SERVICE, feed)


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: p.role)
def test_the_feed_of_an_order_cannot_be_checked_without_it(principal: Principal) -> None:
    with pytest.raises(ValueError, match="order"):
        check_feed(principal, order_feed(7))


@pytest.mark.parametrize(
    ("principal", "requested", "listed"),
    [
        (CUSTOMER, Parties(), Parties(customer_id="c1")),
        (CUSTOMER, Parties("c1", "r9"), Parties("c1", "r9")),
        (RESTAURANT, Parties("c9"), Parties("c9", "r1")),
        (COURIER, Parties(), Parties(courier_id="k1")),
        (SERVICE, Parties(restaurant_id="r2"), Parties(restaurant_id="r2")),
        (Principal(Role.SERVICE, "s", restaurants=frozenset({"r1"})), Parties(), Parties(restaurant_id="r1")),
        (EVERY_SERVICE, Parties(), Parties()),
        (ADMIN, Parties("c9"), Parties("c9")),
        (ANYONE, Parties(), Parties()),
        (CUSTOMER, Parties("c2"), Forbidden),
        (RESTAURANT, Parties(restaurant_id="r2"), Forbidden),
        (COURIER, Parties(courier_id="k2"), Forbidden),
        (SERVICE, Parties(restaurant_id="r9"), Forbidden),
        (SERVICE, Parties("c1"), InvalidInput),
        (LINK, Parties(), Forbidden),
    ],
)
def test_a_list_has_only_own_orders(
    principal: Principal, requested: Parties, listed: Parties | type[Exception]
) -> None:
    if isinstance(listed, Parties):
        assert check_list(principal, requested) == listed
    else:
        with pytest.raises(listed):
            check_list(principal, requested)


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.RESTAURANT, Role.COURIER, Role.SERVICE, Role.LINK])
def test_a_principal_needs_the_id_of_its_role(role: Role) -> None:
    with pytest.raises(ValueError, match="lacks its id"):
        Principal(role, "x")


def test_an_actor_begins_with_its_own_role() -> None:
    assert CUSTOMER.actor == "customer:c"
    assert ANYONE.actor == "anonymous"
    assert role_of(Principal(Role.CUSTOMER, "courier:k", customer_id="1").actor) is Role.CUSTOMER
    assert [role_of(actor) for actor in ("anonymous", "simulator", "courier", "boss:1", "", ":")] == [None] * 6


ids = st.sampled_from(["1", "2", "3"])
limited = st.one_of(
    st.builds(lambda i: Principal(Role.CUSTOMER, i, customer_id=i), ids),
    st.builds(lambda i: Principal(Role.RESTAURANT, i, restaurant_id=i), ids),
    st.builds(lambda i: Principal(Role.COURIER, i, courier_id=i), ids),
    st.builds(lambda i: Principal(Role.SERVICE, "s", restaurants=i), st.frozensets(ids, min_size=1)),
    st.builds(lambda i: Principal(Role.LINK, "l", order_id=i), st.integers(1, 3)),
)
changes = st.one_of(
    st.builds(ChangeStatus, st.just(0), st.sampled_from(Status), st.just(""), reason=st.just("r"), undo=st.booleans()),
    st.builds(AssignCourier, st.just(0), ids, st.just("")),
)


def belongs(principal: Principal, order: Order) -> bool:
    mine = {
        Role.CUSTOMER: order.customer_id == principal.customer_id,
        Role.RESTAURANT: order.restaurant_id == principal.restaurant_id,
        Role.COURIER: order.courier_id == principal.courier_id,
        Role.SERVICE: order.restaurant_id in principal.restaurants,
        Role.LINK: order.id == principal.order_id,
    }
    return mine[principal.role]


@given(
    order_id=st.integers(1, 3),
    new=st.builds(NewOrder, ids, ids, st.none() | ids),
    requests=st.lists(st.tuples(limited, changes), max_size=25),
)
def test_random_changes_affect_only_own_orders(
    order_id: int, new: NewOrder, requests: list[tuple[Principal, Change]]
) -> None:
    order = create(order_id, new, START_MS)
    for principal, one in requests:
        signed = msgspec.structs.replace(one, order_id=order_id, actor=principal.actor)
        before = order
        try:
            check_change(principal, order, signed)
            event = advance(order, signed, order.updated_at_ms + 1)
            order = order if event is None else evolve(order, event)
        except (OrderNotFound, Forbidden, OrderConflict):
            pass
        if order is not before:
            assert belongs(principal, before)
            _holds_for(principal, before, order.timeline[-1])


def _holds_for(principal: Principal, before: Order, event: Event) -> None:
    """Assert the rules that hold for every allowed change."""
    role = principal.role
    assert role is not Role.LINK
    assigned_by = [role_of(earlier.actor) for earlier in before.timeline if earlier.courier_id is not None]
    if event.type is EventType.COURIER_ASSIGNED:
        assert role in (Role.SERVICE, Role.RESTAURANT)
    if role is Role.CUSTOMER:
        assert (before.status, event.status) == (Status.CONFIRMED, Status.CANCELLED)
    if role is Role.RESTAURANT and (
        event.type is EventType.COURIER_ASSIGNED
        or (event.type is EventType.STATUS_CHANGED and event.status in (Status.PICKED_UP, Status.DELIVERED))
    ):
        assert before.courier_id is None or assigned_by[-1] is Role.RESTAURANT
    if role is Role.COURIER and event.type is EventType.STATUS_CHANGED:
        assert event.status in (Status.PICKED_UP, Status.DELIVERED, Status.CANCELLED)
    if role is Role.COURIER and event.type is EventType.REVERTED:
        assert event.undoes is not None
        assert before.timeline[event.undoes - 2].status is event.status
        assert before.timeline[event.undoes - 1].actor == principal.actor
