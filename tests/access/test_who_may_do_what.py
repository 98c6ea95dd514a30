"""Access of every role to every endpoint, for own, foreign and missing orders. `tests/core` has the whole table."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from support.callers import CLAIMS, STRANGERS, Caller, token

By = Callable[[str], Caller]
Make = Callable[[str | None], Caller]
ORDERS = "/api/v1/orders"
MISSING = 987_654_321
ROLES = tuple(CLAIMS)

# Endpoints of an order: method, path after its id, body, and the roles that may use it for an own order.
READERS = frozenset(ROLES)
SHOPS = frozenset(("service", "platform", "admin"))
KITCHENS = SHOPS | {"restaurant"}
COURIERS = SHOPS | {"courier"}
OF_ORDERS: list[tuple[str, str, object, frozenset[str]]] = [
    ("GET", "", None, READERS),
    ("GET", "/events", None, READERS),
    ("GET", "/track", None, READERS),
    ("GET", "/track?timeout=0", None, READERS),
    ("PUT", "/status", {"status": "preparing"}, KITCHENS),
    ("PUT", "/status", {"status": "ready"}, KITCHENS),
    ("PUT", "/status", {"status": "picked_up"}, COURIERS),
    ("PUT", "/status", {"status": "delivered"}, COURIERS),
    ("PUT", "/status", {"status": "cancelled"}, KITCHENS | {"customer"}),
    ("PUT", "/courier", {"courier_id": "9"}, SHOPS),
    ("POST", "/simulate-workflow", {"speed": 1}, SHOPS),
    ("POST", "/links", None, KITCHENS),
    ("GET", "/links", None, KITCHENS),
    ("GET", "/audit", None, frozenset(("admin",))),
]
IDS = [f"{method} {path or '/'} {body or ''}" for method, path, body, _ in OF_ORDERS]


def outcome(answer: httpx.Response) -> str:
    body = answer.json()
    return "done" if body["success"] else str(body["error"])


@pytest.mark.parametrize(("method", "path", "body", "allowed"), OF_ORDERS, ids=IDS)
@pytest.mark.protocol("7.2")
def test_an_own_order_is_served_to_the_allowed_roles(
    by: By, order_id: int, method: str, path: str, body: object, allowed: frozenset[str]
) -> None:
    """All other roles are refused. Of those allowed, the one with the fewest rights is served."""
    for role in ROLES:
        if role not in allowed:
            answer = by(role).ask(method, f"{ORDERS}/{order_id}{path}", json=body)
            assert (answer.status_code, answer.json()["error"]) == (403, "forbidden"), (role, answer.text)
    assert by("admin").ask("GET", f"{ORDERS}/{order_id}").json()["data"]["version"] == 1
    answer = by(next(role for role in ROLES if role in allowed)).ask(method, f"{ORDERS}/{order_id}{path}", json=body)
    assert answer.status_code < 300, answer.text


@pytest.mark.parametrize(("method", "path", "body", "allowed"), OF_ORDERS, ids=IDS)
@pytest.mark.protocol("7.3")
def test_a_foreign_order_and_a_missing_one_are_the_same(
    by: By, caller: Make, order_id: int, method: str, path: str, body: object, allowed: frozenset[str]
) -> None:
    for role, claims in STRANGERS.items():
        stranger = caller(token(claims))
        foreign = stranger.ask(method, f"{ORDERS}/{order_id}{path}", json=body)
        missing = stranger.ask(method, f"{ORDERS}/{MISSING}{path}", json=body)
        assert foreign.status_code == missing.status_code, role
        assert foreign.content == missing.content, role
        assert foreign.headers.keys() == missing.headers.keys(), role
        assert outcome(foreign) in ("order_not_found", "forbidden"), role
        if path != "/audit":
            assert foreign.status_code == 404, role
    assert by("admin").ask("GET", f"{ORDERS}/{order_id}").json()["data"]["version"] == 1


@pytest.mark.parametrize(("method", "path", "body", "allowed"), OF_ORDERS, ids=IDS)
@pytest.mark.protocol("7.1")
def test_without_a_token_nothing_is_revealed(
    caller: Make, order_id: int, method: str, path: str, body: object, allowed: frozenset[str]
) -> None:
    answers = [caller(None).ask(method, f"{ORDERS}/{id_}{path}", json=body) for id_ in (order_id, MISSING)]
    for answer in answers:
        assert (answer.status_code, answer.json()["why"]) == (401, "missing")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    ("role", "feed", "status"),
    [
        ("customer", "customers/ann", 200), ("customer", "customers/bob", 403), ("customer", "restaurants/luigi", 403),
        ("customer", "couriers/7", 403),
        ("restaurant", "restaurants/luigi", 200), ("restaurant", "restaurants/wok", 403),
        ("restaurant", "customers/ann", 403),
        ("courier", "couriers/7", 200), ("courier", "couriers/8", 403), ("courier", "restaurants/luigi", 403),
        ("service", "restaurants/luigi", 200), ("service", "restaurants/wok", 403), ("service", "customers/ann", 403),
        ("platform", "restaurants/wok", 200), ("platform", "customers/ann", 200), ("platform", "couriers/7", 200),
        ("admin", "restaurants/wok", 200), ("admin", "customers/ann", 200), ("admin", "couriers/7", 200),
    ],
)  # fmt: skip
@pytest.mark.protocol("7.4")
def test_a_feed_is_only_for_its_owner(by: By, role: str, feed: str, status: int) -> None:
    for query in ("", "?timeout=0"):
        assert by(role).ask("GET", f"/api/v1/{feed}/track{query}").status_code == status


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", [f"{ORDERS}/system/stats", "/metrics"])
def test_statistics_are_for_administrators(by: By, role: str, path: str) -> None:
    assert by(role).ask("GET", path).status_code == (200 if role == "admin" else 403)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/apidocs/"])
def test_public_paths_need_no_token(caller: Make, path: str) -> None:
    assert caller(None).ask("GET", path).status_code == 200


@pytest.mark.protocol("7.4")
def test_a_list_has_only_own_orders(by: By, order_id: int) -> None:
    by("admin").ask("POST", ORDERS, json={"customer_id": "bob", "restaurant_id": "wok", "courier_id": "8"})
    for role, owner in (("customer", "customer_id"), ("restaurant", "restaurant_id"), ("courier", "courier_id")):
        orders = by(role).ask("GET", ORDERS).json()["data"]["orders"]
        assert order_id in [order["id"] for order in orders]
        assert {order[owner] for order in orders} == {CLAIMS[role][owner]}
    assert by("customer").ask("GET", ORDERS, params={"customer_id": "bob"}).status_code == 403
    assert by("service").ask("GET", ORDERS, params={"restaurant_id": "wok"}).status_code == 403


@pytest.mark.parametrize(
    ("role", "restaurant", "status"),
    [
        ("restaurant", "luigi", 201), ("restaurant", "wok", 403), ("service", "mario", 201), ("service", "wok", 403),
        ("platform", "wok", 201), ("admin", "wok", 201), ("customer", "luigi", 403), ("courier", "luigi", 403),
    ],
)  # fmt: skip
def test_orders_are_created_for_own_restaurants(by: By, role: str, restaurant: str, status: int) -> None:
    order = {"customer_id": "ann", "restaurant_id": restaurant}
    assert by(role).ask("POST", ORDERS, json=order).status_code == status


@pytest.mark.protocol("7.2", "7.13")
@pytest.mark.parametrize("courier", [None, "named", "assigned"])
def test_restaurant_delivers_its_own_order(by: By, caller: Make, courier: str | None) -> None:
    restaurant = by("restaurant")
    named = {"courier_id": "rider"} if courier == "named" else {}
    made = restaurant.ask("POST", ORDERS, json={"customer_id": "ann", "restaurant_id": "luigi", **named})
    path = f"{ORDERS}/{made.json()['data']['id']}"
    link = restaurant.ask("POST", f"{path}/links").json()["data"]
    if courier == "assigned":
        assert restaurant.ask("PUT", f"{path}/courier", json={"courier_id": "rider"}).status_code == 200
    for status in ("ready", "picked_up", "delivered"):
        assert restaurant.ask("PUT", f"{path}/status", json={"status": status}).status_code == 200
    assert caller(None).ask("GET", link["path"]).json()["data"]["status"] == "delivered"
    assert restaurant.ask("DELETE", f"{path}/links/{link['id']}").status_code == 200


@pytest.mark.protocol("7.13")
def test_platform_courier_is_not_the_restaurants(by: By, order_id: int) -> None:
    restaurant, path = by("restaurant"), f"{ORDERS}/{order_id}"
    for method, of, body in (
        ("PUT", "/courier", {"courier_id": "rider"}),
        ("PUT", "/status", {"status": "picked_up"}),
        ("PUT", "/status", {"status": "delivered"}),
    ):
        assert restaurant.ask(method, f"{path}{of}", json=body).json()["error"] == "forbidden"
    assert by("admin").ask("GET", path).json()["data"]["version"] == 1


def test_callers_do_not_share_idempotency_keys(by: By) -> None:
    order = {"customer_id": "ann", "restaurant_id": "luigi"}
    ids = {
        by(role).ask("POST", ORDERS, json=order, headers={"Idempotency-Key": "same"}).json()["data"]["id"]
        for role in ("restaurant", "service", "restaurant")
    }
    assert len(ids) == 2


def test_access_is_checked_for_each_change_of_a_bulk_update(by: By, order_id: int) -> None:
    foreign = by("admin").ask("POST", ORDERS, json={"customer_id": "bob", "restaurant_id": "wok"}).json()["data"]["id"]
    updates = [{"order_id": id_, "status": "preparing"} for id_ in (order_id, foreign, MISSING)]
    updates.append({"order_id": order_id, "status": "delivered"})
    results = (
        by("restaurant").ask("POST", "/api/v1/status-updates", json={"updates": updates}).json()["data"]["results"]
    )
    outcomes = [result.get("error", "done") for result in results]
    assert outcomes == ["done", "order_not_found", "order_not_found", "forbidden"]
    assert {key: value for key, value in results[1].items() if key != "order_id"} == {
        key: value for key, value in results[2].items() if key != "order_id"
    }


def test_a_customer_may_cancel_only_a_confirmed_order(by: By, order_id: int) -> None:
    by("restaurant").ask("PUT", f"{ORDERS}/{order_id}/status", json={"status": "preparing"})
    late = by("customer").ask("PUT", f"{ORDERS}/{order_id}/status", json={"status": "cancelled", "reason": "too slow"})
    assert late.status_code == 403


@pytest.mark.protocol("7.6")
def test_events_have_the_actor_and_the_audit_its_address(by: By, order_id: int) -> None:
    by("restaurant").ask("PUT", f"{ORDERS}/{order_id}/status", json={"status": "preparing"})
    order = by("customer").ask("GET", f"{ORDERS}/{order_id}").json()["data"]
    assert [event["actor"] for event in order["timeline"]] == ["admin:root", "restaurant:luigi"]
    assert "origin" not in order["timeline"][0]
    entries = by("admin").ask("GET", f"{ORDERS}/{order_id}/audit").json()["data"]["entries"]
    assert [(entry["actor"], entry["origin"]) for entry in entries] == [
        ("admin:root", "127.0.0.1"), ("restaurant:luigi", "127.0.0.1"),
    ]  # fmt: skip


def test_an_administrator_may_undo_without_a_time_limit(by: By, order_id: int) -> None:
    by("courier").ask("PUT", f"{ORDERS}/{order_id}/status", json={"status": "picked_up"})
    undo = {"status": "confirmed", "undo": True}
    assert by("courier").ask("PUT", f"{ORDERS}/{order_id}/status", json={**undo, "status": "ready"}).status_code == 403
    assert by("admin").ask("PUT", f"{ORDERS}/{order_id}/status", json=undo).status_code == 200
