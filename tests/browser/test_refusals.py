"""Links that no longer work, orders of other customers, and pages opened with a token in the fragment."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from browser.accessible import expect_accessible
from browser.shop import Shop
from browser.window import HEADLINES, WORDS, Window, expect_state, open_live
from support.api import eventually
from support.callers import CLAIMS, STRANGERS, bearer, token

PROBLEM = WORDS["problem"]
MISSING = 987_654_321


def expect_problem(page: Page, problem: str) -> None:
    """Wait for a page that says what is wrong and what to do, and nothing of the order."""
    expect(page.locator(".headline")).to_have_text(PROBLEM[problem])
    expect(page.locator(".problem-text")).to_have_text(PROBLEM[f"{problem}_next"])
    expect(page).to_have_title(PROBLEM[problem])
    expect(page.get_by_text("Trattoria Luigi")).to_have_count(0)


@pytest.mark.protocol("9.2")
def test_page_of_a_revoked_link_says_so(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    link = shop.link(order)
    shop.revoke_links(order)
    answer = page.goto(link)
    assert answer is not None
    assert answer.status == 410
    expect_problem(page, "gone")
    expect_accessible(page)


def test_open_page_of_a_revoked_link_hides_the_order(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.clock.install()
    open_live(page, shop.link(order))
    shop.revoke_links(order)
    expect_problem(page, "gone")
    expect(page.locator(".headline")).to_be_focused()  # so that it is read out
    polls = len(window.polls())
    page.clock.fast_forward("01:00:00")
    assert len(window.polls()) == polls
    expect_accessible(page)


@pytest.mark.protocol("9.2")
def test_link_expires_after_the_end_of_its_order(open_shop: Callable[..., Shop], window: Window) -> None:
    shop = open_shop("--link-kept-h", "0")
    order, page = shop.order(), window.page()
    link = shop.link(order)
    open_live(page, link)
    shop.set_status(order, "delivered")
    expect(page.locator(".headline")).to_have_text(HEADLINES["delivered"])
    expect_state(page, "ended")
    eventually(lambda: httpx.get(link, headers={"Accept": "text/html"}).status_code == 410, "the link expires")
    answer = page.reload()
    assert answer is not None
    assert answer.status == 410
    expect_problem(page, "gone")


def test_invalid_link_is_answered_as_a_page(shop: Shop, window: Window) -> None:
    page = window.page()
    answer = page.goto(f"{shop.url}/t/otl_AAAAAAAAAAAAAAAAAAAAAA")
    assert answer is not None
    assert answer.status == 404
    expect_problem(page, "unknown")
    expect_accessible(page)


@pytest.mark.protocol("9.4")
def test_order_without_a_token_asks_for_the_link(shop: Shop, window: Window) -> None:
    page = window.page()
    answer = page.goto(f"{shop.url}/orders/{shop.order()}")
    assert answer is not None
    assert answer.status == 401
    expect_problem(page, "token")
    expect_accessible(page)
    assert window.polls() == []


@pytest.mark.protocol("9.4")
def test_unknown_and_foreign_order_have_one_page(shop: Shop, window: Window) -> None:
    stranger = token(STRANGERS["customer"])
    page, texts = window.page(extra_http_headers=bearer(stranger)), []
    for order in (shop.order(), MISSING):
        answer = page.goto(f"{shop.url}/orders/{order}")
        assert answer is not None
        assert answer.status == 404
        expect_problem(page, "unknown")
        texts.append(page.content())
    assert texts[0] == texts[1]


def test_unknown_and_foreign_order_end_the_same_way(shop: Shop, window: Window) -> None:
    texts = []
    for order in (shop.order(), MISSING):
        page = window.page()
        page.goto(f"{shop.url}/orders/{order}#token={token(STRANGERS['customer'])}")
        expect_problem(page, "unknown")
        texts.append(page.content())
    assert texts[0] == texts[1]


def test_token_in_the_fragment_follows_the_order(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.goto(f"{shop.url}/orders/{order}#token={token(CLAIMS['customer'])}")
    expect_state(page, "live")
    expect(page.locator(".restaurant")).to_have_text("Trattoria Luigi")
    shop.set_status(order, "preparing")
    expect(page.locator(".headline")).to_have_text(HEADLINES["preparing"])
    expect_accessible(page)


def test_token_of_the_fragment_is_in_no_address(shop: Shop, window: Window) -> None:
    order, page, secret = shop.order(), window.page(), token(CLAIMS["customer"])
    page.goto(f"{shop.url}/orders/{order}#token={secret}")
    expect_state(page, "live")
    assert page.url == f"{shop.url}/orders/{order}"
    page.reload()  # the tab keeps the token
    expect_state(page, "live")
    visited = page.evaluate("navigation.entries().map(({ url }) => url)")
    referrers = [request.headers.get("referer", "") for request in window.requests]
    assert [text for text in (*visited, *referrers) if secret in text] == []
    assert [url for url in window.urls() if secret in url.partition("#")[0]] == []


def test_expired_token_asks_for_the_link(shop: Shop, window: Window) -> None:
    page = window.page()
    page.goto(f"{shop.url}/orders/{shop.order()}#token={token(CLAIMS['customer'], expires_in_s=-60)}")
    expect(page.locator(".headline")).to_be_focused()  # the poll was answered
    expect_problem(page, "token")
    assert page.evaluate("sessionStorage.length") == 0
