"""Single calls: requests, answers and retries."""

from __future__ import annotations

import asyncio
import inspect
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from client.drivers import Driver
from client.servers import Act, answers, half_answers, resets, scripted
from client.wire_answers import TIME, event, order, problem, update
from ordertrack.client import (
    AsyncOrdertrackClient,
    Conflict,
    ConnectionLost,
    Item,
    OrdertrackClient,
    OrdertrackClientError,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    StatusUpdate,
    UnexpectedAnswer,
)

ORDER = answers(200, {"success": True, "data": order(3)})
APPLIED = answers(200, {"success": True, "data": order(3), "changed": False})
STEPS = answers(202, {"success": True, "data": {"order_id": 101, "steps": [{"status": "ready", "at": TIME}]}})
LINK = {"id": 7, "order_id": 101, "created_at": TIME, "created_by": "service:shop"}
NEW_LINK = LINK | {"token": "otl_abc", "path": "/t/otl_abc"}
NOON = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("answer", "call", "arguments", "request_line", "body"),
    [
        (ORDER, "order", (101,), "GET /api/v1/orders/101", None),
        (ORDER, "create", {"customer_id": 1, "restaurant_id": "9"}, "POST /api/v1/orders",
         {"customer_id": 1, "restaurant_id": "9"}),
        (ORDER, "create", {"customer_id": 1, "restaurant_id": 2, "items": [Item("Margherita", 2)], "total": 9.5,
                           "currency": "EUR"}, "POST /api/v1/orders",
         {"customer_id": 1, "restaurant_id": 2, "items": [{"name": "Margherita", "quantity": 2}], "total": 9.5,
          "currency": "EUR"}),
        (APPLIED, "set_status", (101, "ready"), "PUT /api/v1/orders/101/status", {"status": "ready"}),
        (APPLIED, "set_status",
         {"order_id": 101, "status": "ready", "reason": "early", "occurred_at": NOON, "expected_version": 4,
          "undo": True},
         "PUT /api/v1/orders/101/status",
         {"status": "ready", "reason": "early", "occurred_at": "2026-11-22T12:00:00+02:00", "expected_version": 4,
          "undo": True}),
        (APPLIED, "assign_courier", (101, 7), "PUT /api/v1/orders/101/courier", {"courier_id": 7}),
        (STEPS, "simulate", (101,), "POST /api/v1/orders/101/simulate-workflow", {}),
        (STEPS, "simulate", {"order_id": 101, "speed": 60, "timings": {"ready": 1}, "cancel_at": "ready"},
         "POST /api/v1/orders/101/simulate-workflow", {"speed": 60, "timings": {"ready": 1}, "cancel_at": "ready"}),
        (STEPS, "stop_simulation", (101,), "DELETE /api/v1/orders/101/simulate-workflow", None),
        (answers(200, {"data": {"active_connections": 4}}), "stats", (), "GET /api/v1/orders/system/stats", None),
        (answers(200, update(1)), "poll", (101,), "GET /api/v1/orders/101/track", None),
        (answers(201, {"data": NEW_LINK}), "create_link", (101,), "POST /api/v1/orders/101/links", None),
        (answers(200, {"data": {"links": [LINK]}}), "links", (101,), "GET /api/v1/orders/101/links", None),
        (answers(200, {"data": LINK}), "revoke_link", (101, 7), "DELETE /api/v1/orders/101/links/7", None),
        (answers(200, {"data": {"entries": [event(2)]}}), "audit", (101,), "GET /api/v1/orders/101/audit", None),
        (ORDER, "order_by_link", ("otl_abc",), "GET /t/otl_abc", None),
    ],
)  # fmt: skip
def test_call_sends_only_the_given_arguments(
    driver: Driver, answer: Act, call: str, arguments: Any, request_line: str, body: Any
) -> None:
    with scripted(answer) as server:
        args, kwargs = ((), arguments) if isinstance(arguments, dict) else (arguments, {})
        driver.call(server.url, call, *args, **kwargs)
    (request,) = server.requests
    assert f"{request.method} {request.path}" == request_line
    assert (json.loads(request.body) if request.body else None) == body
    assert (request.headers.get("content-type") == "application/json") is (body is not None)
    assert request.headers["user-agent"].startswith("ordertrack-python/")


def test_answers_become_values(driver: Driver) -> None:
    with scripted(
        APPLIED, STEPS, answers(200, {"data": {"order_id": 1, "events": [event(2)], "version": 2}})
    ) as server:
        applied = driver.call(server.url, "set_status", 101, "preparing")
        (step,) = driver.call(server.url, "simulate", 101)
        log = driver.call(server.url, "events", 101, after=1)
    assert (applied.changed, applied.order.version) == (False, 3)
    assert applied.order.updated_at == datetime(2026, 11, 22, 10, 15, 30, 123_000, UTC) == step.at
    assert [each.actor for each in log.events] == ["kitchen"]
    assert server.queries[2] == {"after": "1"}


def test_filters_of_a_list_are_query_parameters(driver: Driver) -> None:
    with scripted(answers(200, {"data": {"orders": [order(1)], "next_cursor": "o1"}})) as server:
        page = driver.call(server.url, "orders", courier_id=7, status=["ready"], limit=5, cursor="o9")
    assert (page.orders[0].id, page.next_cursor) == (101, "o1")
    assert server.queries == [{"courier_id": "7", "status": "ready", "limit": "5", "cursor": "o9"}]


def test_a_poll_names_its_timeout_as_a_plain_number(driver: Driver) -> None:
    with scripted(answers(200, update(2))) as server:
        driver.call(server.url, "poll", 101, cursor="e.1", timeout_s=0.00001, client_id="me")
    assert [each.query for each in server.requests] == [{"cursor": "e.1", "timeout": "0", "client_id": "me"}]


def test_bulk_update_returns_a_result_per_update(driver: Driver) -> None:
    results = [
        {"order_id": 1, "success": True, "changed": True, "status": "ready", "version": 2, "updated_at": TIME},
        {"order_id": 2, "success": False, "error": "illegal_transition", "message": "No.", "legal_next": ["ready"]},
    ]
    with scripted(answers(200, {"success": True, "data": {"results": results}})) as server:
        found = driver.call(server.url, "set_statuses", [StatusUpdate(1, "ready"), StatusUpdate(2, "ready", undo=True)])
    assert json.loads(server.requests[0].body) == {
        "updates": [{"order_id": 1, "status": "ready"}, {"order_id": 2, "status": "ready", "undo": True}]
    }
    assert [(each.success, each.version, each.error, each.legal_next) for each in found] == [
        (True, 2, None, ()), (False, None, "illegal_transition", ("ready",))
    ]  # fmt: skip


def test_a_time_without_zone_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="time zone"):
        StatusUpdate(1, "ready", occurred_at=datetime(2026, 11, 22))  # noqa: DTZ001


def test_retried_creation_keeps_its_idempotency_key(driver: Driver) -> None:
    with scripted(resets, half_answers, ORDER, ORDER) as server:
        driver.call(server.url, "create", customer_id=1, restaurant_id=1)
        driver.call(server.url, "create", customer_id=1, restaurant_id=1)
    keys = [each.headers["idempotency-key"] for each in server.requests]
    assert len(set(keys[:3])) == 1
    assert len(set(keys)) == 2
    assert driver.slept == [0.5, 1.0]


def test_the_callers_own_key_is_used(driver: Driver) -> None:
    with scripted(ORDER) as server:
        driver.call(server.url, "create", customer_id=1, restaurant_id=1, idempotency_key="cart-7")
    assert server.requests[0].headers["idempotency-key"] == "cart-7"


@pytest.mark.parametrize("trouble", [resets, answers(502), answers(503, retry_after="1"), answers(429)])
def test_safe_call_is_retried(driver: Driver, trouble: Act) -> None:
    with scripted(trouble, APPLIED) as server:
        assert driver.call(server.url, "set_status", 101, "ready").order.version == 3
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("call", "arguments"),
    [("simulate", (101,)), ("stop_simulation", (101,)), ("set_statuses", ([StatusUpdate(1, "ready")],)),
     ("create_link", (101,))],
)  # fmt: skip
@pytest.mark.parametrize(("trouble", "error"), [(resets, ConnectionLost), (answers(504), ServerFailed)])
def test_unsafe_call_is_not_retried_if_possibly_processed(
    driver: Driver, call: str, arguments: Any, trouble: Act, error: type[OrdertrackClientError]
) -> None:
    with scripted(trouble, STEPS) as server, pytest.raises(error):
        driver.call(server.url, call, *arguments)
    assert len(server.requests) == 1


def test_unsafe_call_is_retried_if_certainly_not_processed(driver: Driver) -> None:
    with scripted(answers(503, problem(503, "store_busy"), retry_after="2"), STEPS) as server:
        driver.call(server.url, "simulate", 101)
    assert driver.slept == [2.5]


@pytest.mark.parametrize(
    ("trouble", "error", "requests"),
    [
        (answers(409, problem(409, "illegal_transition")), Conflict, 1),
        (answers(500), ServerFailed, 1),
        (answers(503, retry_after="31"), ServerBusy, 1),
        (answers(503), ServerBusy, 3),
        (answers(200, b"<html>"), UnexpectedAnswer, 1),
        (answers(301, b"", location="/elsewhere"), UnexpectedAnswer, 1),
    ],
)
def test_call_raises_a_typed_error_after_its_retries(
    driver: Driver, trouble: Act, error: type[OrdertrackClientError], requests: int
) -> None:
    with scripted(*[trouble] * 5) as server, pytest.raises(error):
        driver.call(server.url, "order", 101)
    assert len(server.requests) == requests


def test_a_server_that_is_not_there_is_named(driver: Driver) -> None:
    with scripted() as server:
        url = server.url
    with pytest.raises(ServerUnreachable, match=url) as raised:
        driver.call(url, "order", 101)
    assert (raised.value.code, raised.value.status) == ("unreachable", None)
    assert driver.slept == [0.5, 1.0]


def test_all_orders_follows_the_pages() -> None:
    pages = [{"orders": [order(1, id=3), order(1, id=2)], "next_cursor": "o2"}, {"orders": [order(1, id=1)]}]
    script = [answers(200, {"data": page}) for page in pages]
    with scripted(*script) as server, OrdertrackClient(server.url) as client:
        assert [each.id for each in client.all_orders(status="ready")] == [3, 2, 1]
    assert server.queries == [{"status": "ready", "limit": "100"}, {"status": "ready", "limit": "100", "cursor": "o2"}]


@pytest.mark.anyio
async def test_all_orders_follows_the_pages_asynchronously() -> None:
    pages = [{"orders": [order(1, id=3), order(1, id=2)], "next_cursor": "o2"}, {"orders": [order(1, id=1)]}]
    with scripted(*(answers(200, {"data": page}) for page in pages)) as server:
        async with AsyncOrdertrackClient(server.url) as client:
            assert [each.id async for each in client.all_orders()] == [3, 2, 1]


def test_a_token_and_own_headers_go_with_every_request() -> None:
    with scripted(ORDER) as server, OrdertrackClient(server.url, token="secret", headers={"x-shop": "7"}) as client:
        client.order(101)
    assert server.requests[0].headers["authorization"] == "Bearer secret"
    assert server.requests[0].headers["x-shop"] == "7"


def test_a_base_url_may_have_a_path_and_a_slash_at_its_end() -> None:
    with scripted(ORDER) as server, OrdertrackClient(f"{server.url}/shop/") as client:
        client.order(101)
    assert server.requests[0].path == "/shop/api/v1/orders/101"


def test_a_base_url_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        OrdertrackClient("127.0.0.1:5001")


def test_both_clients_have_the_same_signatures_and_docstrings() -> None:
    def public(client: type) -> dict[str, Any]:
        return {name: method for name, method in vars(client).items() if not name.startswith("_")}

    blocking, asynchronous = public(OrdertrackClient), public(AsyncOrdertrackClient)
    assert set(blocking) - {"close"} == set(asynchronous) - {"aclose"}
    for name in set(blocking) & set(asynchronous):
        ours, theirs = inspect.signature(blocking[name]), inspect.signature(asynchronous[name])
        assert ours.parameters == theirs.parameters
        assert blocking[name].__doc__
        assert asynchronous[name].__doc__
    assert str(inspect.signature(OrdertrackClient.order)) == "(self, order_id: 'int') -> 'Order'"
    assert "pace: 'Pace | None' = None" in str(inspect.signature(OrdertrackClient.track_customer))


def test_every_good_answer_can_be_had_as_the_server_sent_it() -> None:
    heard: list[bytes] = []
    ended = update(2, status="delivered", terminal=True)
    script = [answers(503, {"error": "store_busy"}), ORDER, answers(200, ended)]
    with (
        scripted(*script) as server,
        OrdertrackClient(server.url, sleep=lambda _: None, on_answer=heard.append) as sync,
    ):
        sync.order(101)
        list(sync.track(101))

    async def asynchronously(url: str) -> None:
        async with AsyncOrdertrackClient(url, on_answer=heard.append) as client:
            await client.order(101)
            assert [one async for one in client.track(101)]

    with scripted(*script[1:]) as server:
        asyncio.run(asynchronously(server.url))
    assert [json.loads(body) for body in heard] == [{"success": True, "data": order(3)}, ended] * 2
