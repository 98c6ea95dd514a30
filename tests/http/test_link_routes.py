"""Tracking links over HTTP: make, list and revoke, by an admitted caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import RateLimited
from ordertrack.core.order import NewOrder
from ordertrack.core.principal import Principal, Role
from ordertrack.core.tracking_link import MAX_LINKS
from ordertrack.http.policy.admission import Caller
from ordertrack.http.routes.error_handlers import Failures
from ordertrack.http.routes.links import links_router
from ordertrack.http.wire.problems import problem
from ordertrack.service.links import Links, is_link_token, new_link_token

pytestmark = pytest.mark.anyio

LINKS = "/api/v1/orders/1/links"
SHOP = Principal(Role.SERVICE, "shop", restaurants=frozenset({"r1"}))
GUEST = Principal(Role.CUSTOMER, "1", customer_id="c1")


class Server:
    """The routes in front of a memory store with two orders; number 2 is another restaurant's. `caller` asks."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.caller = SHOP
        self.drawn = 0
        self.store = MemoryStore("a1b2", clock)
        self.links = Links(self.store, clock, self._draw, 3_600, lambda link: None)
        self._rest = Litestar(
            route_handlers=[links_router(self.links)],
            exception_handlers=Failures(Counter()).handlers(),
            openapi_config=None,
            logging_config=None,
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://test")

    def _draw(self) -> str:
        self.drawn += 1
        return new_link_token(self.drawn.to_bytes(16, "big"))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        await self._rest({**scope, "caller": Caller(self.caller, "203.0.113.9")}, receive, send)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    for restaurant_id in ("r1", "r2"):
        await server.store.create(NewOrder("c1", restaurant_id), 0)
    async with server.http:
        yield server


async def test_a_new_link_has_its_token_and_the_path_of_its_page(server: Server) -> None:
    answer = await server.http.post(LINKS)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    data = body["data"]
    assert body["success"] is True
    assert is_link_token(data["token"])
    assert data["path"] == f"/t/{data['token']}"
    assert (data["id"], data["order_id"], data["created_by"]) == (1, 1, "service:shop")
    assert set(data) == {"id", "order_id", "token", "path", "created_at", "created_by"}
    assert (await server.links.resolve(data["token"])).order_id == 1


async def test_the_list_has_every_link_and_no_token(server: Server) -> None:
    first, second = [(await server.http.post(LINKS)).json()["data"] for _ in range(2)]
    revoked = await server.http.delete(f"{LINKS}/{first['id']}")
    answer = await server.http.get(LINKS)
    assert answer.status_code == revoked.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["data"]["order_id"] == 1
    listed = answer.json()["data"]["links"]
    assert [link["id"] for link in listed] == [first["id"], second["id"]]
    assert listed[0] == revoked.json()["data"]
    assert [link["revoked_at"] is None for link in listed] == [False, True]
    assert set(listed[0]) == {"id", "order_id", "created_at", "created_by", "revoked_at"}
    assert not any(link["token"] in answer.text + revoked.text for link in (first, second))


async def test_an_order_without_links_has_an_empty_list(server: Server) -> None:
    assert (await server.http.get(LINKS)).json() == {"success": True, "data": {"order_id": 1, "links": []}}


async def test_revoking_twice_gives_the_same_answer(server: Server) -> None:
    link = (await server.http.post(LINKS)).json()["data"]
    first, second = [await server.http.delete(f"{LINKS}/{link['id']}") for _ in range(2)]
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()


@pytest.mark.parametrize("link_id", ["404", "0", "-1", "01", "x", "٣", "9223372036854775808", "9" * 40])
async def test_an_unknown_link_is_not_found(server: Server, link_id: str) -> None:
    answer = await server.http.delete(f"{LINKS}/{link_id}")
    assert (answer.status_code, answer.json()["error"]) == (404, "link_not_found")
    elsewhere = await server.http.delete(f"/api/v1/orders/2/links/{link_id}")
    assert (elsewhere.status_code, elsewhere.json()["error"]) == (404, "order_not_found")


@pytest.mark.parametrize("order_id", ["2", "404", "0", "x"])
async def test_a_foreign_order_is_not_found(server: Server, order_id: str) -> None:
    path = f"/api/v1/orders/{order_id}/links"
    answers = [await server.http.post(path), await server.http.get(path), await server.http.delete(f"{path}/1")]
    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(404, "order_not_found")}


async def test_a_customer_may_not_make_links(server: Server) -> None:
    server.caller = GUEST
    answers = [await server.http.post(LINKS), await server.http.get(LINKS), await server.http.delete(f"{LINKS}/1")]
    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(403, "forbidden")}
    assert server.drawn == 0


async def test_one_link_too_many_is_a_conflict(server: Server) -> None:
    for _ in range(MAX_LINKS):
        await server.http.post(LINKS)
    answer = await server.http.post(LINKS)
    assert (answer.status_code, answer.json()["error"]) == (409, "too_many_links")
    assert answer.json()["current_status"] == "confirmed"
    assert str(MAX_LINKS) in answer.json()["message"]


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_an_unknown_parameter_is_refused(server: Server, method: str) -> None:
    answer = await server.http.request(method, f"{LINKS}?ttl=5")
    assert (answer.status_code, answer.json()["error"]) == (400, "unknown_parameter")
    assert server.drawn == 0


def test_a_spent_budget_is_in_the_body_and_the_headers() -> None:
    refused = problem(RateLimited(12, "polls", 300, 60))
    assert refused.status == 429
    assert refused.headers["ratelimit-policy"] == '"polls";q=300;w=60'
    assert refused.headers["ratelimit"] == '"polls";r=0;t=12'
    assert refused.headers["retry-after"] == "12"
    for part in (b'"error":"rate_limited"', b'"budget":"polls"', b'"requests":300', b'"window_s":60'):
        assert part in refused.body
