"""Requests during a bug of the application, or while the node drains."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from ordertrack.app.build import build
from ordertrack.app.service import Service
from ordertrack.core.poll import Reason
from ordertrack.core.principal import Principal, Role
from ordertrack.settings import Settings

pytestmark = pytest.mark.anyio

TOKEN = "otl_AAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = build(Settings(database_url="memory:"))
    await service.open()
    yield service
    await service.close()


async def get(service: Service, path: str, accept: str = "*/*") -> httpx.Response:
    transport = httpx.ASGITransport(service.asgi)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers={"Accept": accept})


def broken(*_: object) -> None:
    raise RuntimeError("a bug")


@pytest.mark.parametrize("path", [f"/t/{TOKEN}/track", f"/t/{TOKEN}"])
async def test_a_bug_on_a_link_logs_no_token(service: Service, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(service.links, "peek", broken)
    with capture_logs() as logs:
        answer = await get(service, path)
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
    assert [entry["event"] for entry in logs] == ["internal error"]
    assert TOKEN not in str(logs)


@pytest.mark.parametrize("path", [f"/t/{TOKEN}", "/orders/101"])
@pytest.mark.parametrize("target", ["ordertrack.http.app.Admission.now", "ordertrack.service.orders.Orders.get"])
async def test_a_bug_on_a_page_is_a_page(
    service: Service, monkeypatch: pytest.MonkeyPatch, path: str, target: str
) -> None:
    link = Principal(Role.LINK, "1", order_id=101)
    monkeypatch.setattr(service.links, "peek", lambda token: link)
    monkeypatch.setattr(target, broken)
    with capture_logs() as logs:
        answer = await get(service, path, "text/html")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert [entry["event"] for entry in logs] == ["internal error"]
    assert TOKEN not in str(logs)


@pytest.mark.parametrize("path", [f"/t/{TOKEN}", "/t/no-link", "/orders/0", "/orders/101"])
async def test_a_bug_in_the_templates_is_answered(service: Service, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    for method in ("order_page", "problem_page"):
        monkeypatch.setattr(f"ordertrack.web.tracking_page.Pages.{method}", broken)
    with capture_logs() as logs:
        answer = await get(service, path, "text/html")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
    assert logs[-1]["incident"] in answer.json()["message"]
    assert TOKEN not in str(logs)


async def test_a_page_without_a_store_is_503(tmp_path: Path) -> None:
    service = build(Settings(data_dir=tmp_path))  # not opened
    answer = await get(service, "/orders/101", "text/html")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("path", ["/api/v1/orders/101/track", "/api/v1/orders/101", "/healthz"])
async def test_a_bug_before_admission_is_answered(service: Service, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr("ordertrack.http.app.match_path", broken)
    assert (await get(service, path)).json()["error"] == "internal_error"


async def test_a_poll_of_a_drained_node_is_counted_once(service: Service) -> None:
    await service.tracking.drain()
    answer = await get(service, "/api/v1/orders/101/track?timeout=30")
    assert answer.json()["reason"] == "drain"
    assert service.tracking.statistics.polls == {Reason.DRAIN: 1}


async def test_a_drained_node_answers_unheld_polls_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pause of the others set beyond the test's bound."""
    monkeypatch.setattr("ordertrack.http.endpoints.poll.DRAINED_PAUSE_S", 1_000)
    await service.tracking.drain()
    for query in ("", "?timeout=0"):
        assert (await get(service, f"/api/v1/orders/101/track{query}")).status_code == 200


async def test_requests_before_opening_fix_no_epoch(tmp_path: Path) -> None:
    service = build(Settings(data_dir=tmp_path))
    body = {"status": "preparing"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(service.asgi),  # type: ignore[arg-type]
        base_url="http://test/api/v1/",
    ) as client:
        assert (await client.put("orders/1/status", json=body)).status_code == 503
        assert (await client.get("orders/1/track")).status_code == 503
        assert service.tracking.hub.feeds_watched == 0
        await service.open()
        created = await client.post("orders", json={"customer_id": "c", "restaurant_id": "r"})
        order = created.json()["data"]["id"]
        answer = await client.put(f"orders/{order}/status", json=body)
        assert answer.headers["etag"] == f'"{service.store.epoch}.2"'
        assert (await client.get(f"orders/{order}/track")).json()["cursor"] == f"{service.store.epoch}.2"
        await service.close()


async def test_a_refused_poll_without_an_address_is_answered() -> None:
    service = build(Settings(database_url="memory:", token_secret="x" * 32))
    await service.open()
    transport = httpx.ASGITransport(service.asgi, client=None)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/api/v1/orders/101/track")).status_code == 401
    await service.close()
