"""Security headers of pages, and CORS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.callers import CLAIMS, SECRET, bearer, token
from support.http1 import BOUND_S, Connection
from support.server import Server

SHOP, OTHER = "https://shop.example", "https://evil.example"
ORDERS = "/api/v1/orders"
TRACK = f"{ORDERS}/101/track?timeout=0"


@pytest.fixture(scope="module", params=["on", "off"], ids=["gate", "asgi"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("browsers")
    (folder / "secret").write_text(SECRET)
    flags = ("--cors-origins", SHOP, "--gate", request.param, "--token-secret-file", str(folder / "secret"))
    server = Server(folder / "data", *flags)
    with httpx.Client(base_url=server.url, timeout=BOUND_S, verify=False) as client:
        yield client
    server.close()


@pytest.mark.parametrize("path", ["/apidocs/", "/"])
def test_pages_load_and_are_framed_by_no_other_site(shop: httpx.Client, path: str) -> None:
    headers = shop.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_no_answer_about_orders_is_sniffed(shop: httpx.Client, method: str) -> None:
    answer = shop.request(method, ORDERS, headers=bearer(token(CLAIMS["admin"])))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_no_header_names_the_software(shop: httpx.Client) -> None:
    for path in ("/", "/api/v1/orders", "/nowhere", TRACK):
        answer = shop.get(path)
        assert "Server" not in answer.headers
        assert "litestar" not in answer.text.lower()
        assert "uvicorn" not in answer.text.lower()


@pytest.mark.parametrize("path", [TRACK, "/api/v1/orders"])
def test_only_an_allowed_origin_may_send_requests(shop: httpx.Client, path: str) -> None:
    admin = bearer(token(CLAIMS["admin"]))
    for _ in range(2):
        allowed = shop.get(path, headers={**admin, "Origin": SHOP})
        assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, SHOP)
        assert "ratelimit" in allowed.headers["Access-Control-Expose-Headers"]
        assert "origin" in allowed.headers["Vary"].lower()
        other = shop.get(path, headers={**admin, "Origin": OTHER})
        assert "Access-Control-Allow-Origin" not in other.headers
    assert "Access-Control-Allow-Credentials" not in allowed.headers


def test_a_page_can_read_every_header_of_answers(shop: httpx.Client) -> None:
    """Except those that browsers show anyway (Fetch standard, 2.2.6), and those that only browsers and proxies need."""
    admin = bearer(token(CLAIMS["admin"]))
    answers = [
        shop.get(f"{TRACK}&last_update=2000-01-01T00:00:00Z", headers={**admin, "Origin": SHOP, "Prefer": "wait=0"}),
        shop.post(ORDERS, headers={**admin, "Origin": SHOP}, json={"customer_id": "1", "restaurant_id": "1"}),
    ]
    assert "Preference-Applied" in answers[0].headers
    for answer in answers:
        exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        shown = {"cache-control", "content-length", "content-type"}
        others = {"date", "connection", "vary", "x-content-type-options", "referrer-policy"}
        cross = {name for name in answer.headers if name.startswith(("access-control-", "cross-origin-"))}
        assert set(answer.headers) - shown - others - cross <= exposed


@pytest.mark.parametrize(("method", "headers"), [("BREW", {}), ("GET", {"Host": "a b"}), ("GET", {"Expect": "x"})])
def test_a_page_can_read_refused_messages(shop: httpx.Client, method: str, headers: dict[str, str]) -> None:
    with Connection(str(shop.base_url).rstrip("/")) as connection:
        refused = connection.ask(method, TRACK, {"Origin": SHOP, **headers})
    assert refused.status in (400, 417, 501)
    assert refused.headers["access-control-allow-origin"] == SHOP


def test_a_page_can_read_a_refusal(shop: httpx.Client) -> None:
    refused = shop.get(TRACK, headers={"Origin": SHOP})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, SHOP)


@pytest.mark.parametrize("path", [TRACK, "/api/v1/orders/101/status"])
def test_a_preflight_is_answered_without_a_token(shop: httpx.Client, path: str) -> None:
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    answer = shop.options(path, headers=asked)
    assert answer.status_code == 204
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Origin" not in shop.options(path, headers={**asked, "Origin": OTHER}).headers


def test_without_origins_no_other_site_may_send_requests(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=BOUND_S, verify=False) as client:
        answer = client.get(TRACK, headers={**bearer(token(CLAIMS["admin"])), "Origin": SHOP})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/t/otl_AAAAAAAAAAAAAAAAAAAAAA", "/t/otl_AAAAAAAAAAAAAAAAAAAAAA/track"])
def test_a_preflight_for_a_link_needs_no_valid_token(shop: httpx.Client, path: str) -> None:
    answer = shop.options(path, headers={"Origin": SHOP, "Access-Control-Request-Method": "GET"})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, SHOP)


def test_the_sdk_is_for_every_origin_and_pages_for_their_own(shop: httpx.Client) -> None:
    for origin in (SHOP, OTHER):
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = shop.request(method, "/sdk/index.js", headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
            assert answer.headers.get_list("Access-Control-Allow-Origin") == ["*"]
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    page = shop.get("/orders/101", headers={"Origin": OTHER, "Accept": "text/html"})
    assert "Access-Control-Allow-Origin" not in page.headers
    assert page.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_page_opens_from_a_link_on_another_site(shop: httpx.Client) -> None:
    admin = bearer(token(CLAIMS["admin"]))
    link = shop.post(f"{ORDERS}/101/links", headers=admin).json()["data"]["path"]
    visit = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = shop.get(link, headers=visit)
    assert answer.status_code == 200
    assert "origin" in answer.headers["Vary"].lower()
    assert "accept-language" in answer.headers["Vary"].lower()
    refused = shop.delete("/orders/101", headers={**visit, **admin, "Origin": OTHER})
    assert refused.status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_cross_site_change_without_preflight_is_refused(shop: httpx.Client, site: str) -> None:
    admin = bearer(token(CLAIMS["admin"]))
    asked = {**admin, "Sec-Fetch-Site": site}
    refused = shop.post("/api/v1/orders/101/simulate-workflow", headers={**asked, "Origin": OTHER})
    assert (refused.status_code, refused.json()["error"]) == (403, "cross_site")
    assert shop.post("/api/v1/orders/101/simulate-workflow", headers={**asked, "Origin": SHOP}).status_code == 202
    assert shop.delete("/api/v1/orders/101/simulate-workflow", headers=admin).status_code == 200
