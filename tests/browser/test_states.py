"""The content of a tracking page that is opened: each state, with script and without, in each language."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.accessible import expect_accessible
from browser.shop import Shop
from browser.window import HEADLINES, WORDS, Window, announcements, expect_state, open_live
from ordertrack.web.words import words_of

STATUSES = ("confirmed", "preparing", "ready", "picked_up", "delivered")
MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>&amp;{{ 7 * 7 }}"


def make_order(shop: Shop, state: str) -> int:
    """Return an order in a status, or in a state that the page has a sentence for."""
    order = shop.order()
    reached = STATUSES[: STATUSES.index(state) + 1] if state in STATUSES else STATUSES[:3]
    for status in reached[1:]:
        shop.set_status(order, status)
    if state == "cancelled":
        shop.set_status(order, "cancelled", reason="The oven is broken")
    if state == "undone":
        shop.set_status(order, "preparing", reason="Wrong order", undo=True)
    if state == "another_courier":
        shop.assign(order, "8")
    return order


def step_states(page: Page) -> list[tuple[str, str]]:
    """Return status and state of each step, from top to bottom."""
    steps: list[tuple[str, str]] = page.locator(".step").evaluate_all(
        "steps => steps.map(({ dataset }) => [dataset.status, dataset.state])"
    )
    return [(status, state) for status, state in steps]


def test_page_without_script_is_complete(shop: Shop, window: Window) -> None:
    page = window.page(java_script_enabled=False)
    page.goto(shop.link(make_order(shop, "picked_up")))
    assert page.title() == f"{HEADLINES['picked_up']} · Trattoria Luigi"
    expect(page.locator(".headline")).to_have_text(HEADLINES["picked_up"])
    expect(page.locator(".arrival-label")).to_have_text(WORDS["eta"]["expected"])
    expect(page.locator(".arrival-time")).to_contain_text("–")
    assert step_states(page) == [*zip(STATUSES, ("done", "done", "done", "current", "next"), strict=True)]
    expect(page.locator(".step-time").nth(3)).not_to_be_empty()
    expect(page.locator(".item")).to_have_text(["2 ×Margherita€9.50 each€19.00"])
    expect(page.locator(".total")).to_contain_text("€19.00")
    expect(page.locator(".connection")).to_contain_text("Updated at")
    expect(page.locator(".reload a")).to_have_text(WORDS["page"]["latest"])
    expect(page.get_by_role("button")).to_have_count(0)
    assert window.polls() == []


def test_cancelled_order_without_script_has_the_reason(shop: Shop, window: Window) -> None:
    page = window.page(java_script_enabled=False)
    page.goto(shop.link(make_order(shop, "cancelled")))
    expect(page.locator(".headline")).to_have_text(HEADLINES["cancelled"])
    expect(page.locator(".notice").first).to_contain_text("The oven is broken")
    expect(page.locator(".arrival")).to_be_hidden()
    assert step_states(page)[-2:] == [("ready", "done"), ("cancelled", "current")]
    expect(page.locator(".connection")).to_have_text(WORDS["connection"]["ended"])
    expect(page.locator(".reload")).to_have_count(0)


def test_delivered_order_without_script_has_its_time(shop: Shop, window: Window) -> None:
    page = window.page(java_script_enabled=False)
    page.goto(shop.link(make_order(shop, "delivered")))
    expect(page.locator(".headline")).to_have_text(HEADLINES["delivered"])
    expect(page.locator(".arrival-label")).to_have_text(WORDS["eta"]["arrived"])
    assert step_states(page) == [(status, "done") for status in STATUSES]


def test_script_changes_no_words_of_the_server(shop: Shop, window: Window) -> None:
    """It removes the name of the zone alone."""
    plain, page = (window.page(java_script_enabled=it, timezone_id="UTC", locale="en-US") for it in (False, True))
    for state in ("confirmed", "picked_up", "delivered", "cancelled", "undone", "another_courier"):
        link = shop.link(make_order(shop, state))
        plain.goto(link)
        page.goto(link)
        expect_state(page, "ended" if state in ("delivered", "cancelled") else "live")
        before, after = (each.locator(".now").inner_text().split() for each in (plain, page))
        assert after == [word for word in before if word != "UTC"]


@pytest.mark.protocol("9.3")
@pytest.mark.parametrize("language", ["de", "ar"])
def test_page_is_in_the_language_of_the_browser(shop: Shop, window: Window, language: str) -> None:
    order, page = shop.order(), window.page(locale=f"{language}-AE")
    open_live(page, shop.link(order))
    shop.set_status(order, "preparing")
    headline = words_of(language)["headline"]["preparing"]
    expect(page.locator(".headline")).to_have_text(headline)
    assert announcements(page)[0].startswith(headline)
    assert page.locator("html").get_attribute("lang") == language
    direction = "rtl" if language == "ar" else "ltr"
    assert page.evaluate("getComputedStyle(document.querySelector('.step')).direction") == direction
    marker, label = (page.locator(name).first.bounding_box() for name in (".marker", ".step-label"))
    assert (marker["x"] > label["x"]) == (direction == "rtl")


def test_markup_of_a_restaurant_stays_text(shop: Shop, window: Window) -> None:
    items = [{"name": MARKUP, "quantity": 1, "price": 1}]
    order = shop.order(restaurant_name=MARKUP[:100], items=items)
    page = window.page()
    open_live(page, shop.link(order))
    shop.set_status(order, "cancelled", reason=MARKUP)
    expect(page.locator(".notice").first).to_contain_text(MARKUP)
    expect(page).to_have_title(f"{HEADLINES['cancelled']} · {MARKUP[:100]}")
    for reload in (False, True):
        if reload:
            page.reload()
        expect(page.locator(".restaurant")).to_have_text(MARKUP[:100])
        expect(page.locator(".item")).to_contain_text(MARKUP)
        expect(page.locator(".notice").first).to_contain_text(MARKUP)
        assert page.locator("main img").count() == page.locator("main script").count() == 0


@pytest.mark.parametrize("state", ["confirmed", "picked_up", "delivered", "cancelled", "undone", "another_courier"])
def test_state_is_accessible(shop: Shop, window: Window, state: str) -> None:
    page = window.page()
    page.goto(shop.link(make_order(shop, state)))
    expect_state(page, "ended" if state in ("delivered", "cancelled") else "live")
    expect_accessible(page)


def test_late_order_is_said_to_be_late(shop: Shop, window: Window) -> None:
    page = window.page()
    page.clock.install()
    open_live(page, shop.link(make_order(shop, "preparing")))
    page.clock.fast_forward("02:00:00")
    expect(page.locator(".notice")).to_have_text(WORDS["notice"]["overdue"])
    expect(page.locator(".arrival-label")).to_have_text(WORDS["eta"]["overdue"])
    expect_accessible(page)


def test_arabic_page_is_accessible(shop: Shop, window: Window) -> None:
    page = window.page(locale="ar")
    page.goto(shop.link(make_order(shop, "undone")))
    expect_state(page, "live")
    expect_accessible(page)


def test_offline_page_is_accessible(shop: Shop, window: Window) -> None:
    page = window.page()
    open_live(page, shop.link(shop.order()))
    page.context.set_offline(True)
    expect_state(page, "offline")
    expect_accessible(page)
