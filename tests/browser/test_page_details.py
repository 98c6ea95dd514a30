"""Times, digits, links and hints of the tracking page, before its script has run and after."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from browser.accessible import expect_accessible
from browser.shop import Shop
from browser.window import HEADLINES, WORDS, Window, announcements, expect_state, open_live
from ordertrack.core.languages import LANGUAGES
from ordertrack.web.words import words_of
from support.callers import CLAIMS, token

ZONE = "Asia/Ho_Chi_Minh"
DIGITS_OF_ARABIC = re.compile("[\u0660-\u0669\u06f0-\u06f9]")


def block(page: Page, pattern: str) -> None:
    """Let the requests of some files fail."""

    def fail(route: Route) -> None:
        route.abort()

    page.route(re.compile(pattern), fail)


@pytest.mark.parametrize("width", [320, 390])
def test_zone_beside_the_arrival_takes_no_room(shop: Shop, window: Window, width: int) -> None:
    size, link = {"width": width, "height": 800}, shop.link(shop.order())
    plain, page = (window.page(java_script_enabled=it, timezone_id="UTC", viewport=size) for it in (False, True))
    plain.goto(link)
    expect(plain.locator(".arrival-time .zone")).to_have_text("UTC")
    expect(plain.locator(".connection")).to_contain_text("UTC")
    open_live(page, link)
    expect(page.locator(".zone")).to_have_count(0)
    heights = [each.locator(".arrival").bounding_box()["height"] for each in (plain, page)]
    assert heights[0] == heights[1]


def test_times_are_local_before_the_page_can_poll(shop: Shop, window: Window) -> None:
    order = shop.order()
    page = window.page(timezone_id=ZONE, locale="en-US")
    block(page, "/sdk/(tracker|machine|view)[.]js")
    page.goto(shop.link(order))
    expect(page.locator(".zone")).to_have_count(0)
    local = page.evaluate("""() => {
        const time = document.querySelector('.step-time');
        return [time.textContent, new Date(time.dateTime).toLocaleTimeString('en-US', { timeStyle: 'short' })];
    }""")
    assert local[0] == local[1]
    assert window.polls() == []


def test_page_whose_script_is_blocked_can_be_reloaded(shop: Shop, window: Window) -> None:
    page = window.page()
    block(page, "/pages/page[.]js")
    page.goto(shop.link(shop.order()))
    expect(page.locator(".reload a")).to_have_text(WORDS["page"]["latest"])
    page.unroute_all()
    page.locator(".reload a").click()
    expect_state(page, "live")
    expect(page.locator(".reload")).to_have_count(0)


def test_link_is_shown_where_it_cannot_be_copied(shop: Shop, window: Window) -> None:
    """A page of http in a local network has no `navigator.clipboard`."""
    page, link = window.page(), shop.link(shop.order())
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    open_live(page, link)
    for _ in range(2):
        page.get_by_role("button").click()
        field = page.get_by_label(WORDS["share"]["copy"])
        expect(field).to_have_value(link)
        expect(field).to_be_focused()
        assert page.evaluate("getSelection().toString()") == link
    assert announcements(page) == [WORDS["share"]["copy"]]
    expect_accessible(page)


@pytest.mark.parametrize("locale", ["ar", "ar-EG"])
def test_arabic_page_has_one_kind_of_digits(shop: Shop, window: Window, locale: str) -> None:
    plain, page = (window.page(java_script_enabled=it, locale=locale) for it in (False, True))
    page.clock.install()
    link = shop.link(shop.order())
    plain.goto(link)
    open_live(page, link)
    page.clock.fast_forward(4 * 24 * 3_600_000)  # times with their date
    expect(page.locator(".connection")).to_contain_text("4")
    for each in (plain, page):
        assert not DIGITS_OF_ARABIC.search(each.locator("body").inner_text())


def test_digits_of_a_token_page_are_those_of_others(shop: Shop, window: Window) -> None:
    """Its quantities, prices and steps are written by the script alone."""
    page = window.page(locale="ar-EG")
    page.goto(f"{shop.url}/orders/{shop.order()}#token={token(CLAIMS['customer'])}")
    expect_state(page, "live")
    text = page.locator("body").inner_text()
    assert "19.00" in text
    assert not DIGITS_OF_ARABIC.search(text)


def test_latin_name_keeps_to_the_edge_of_an_arabic_page(shop: Shop, window: Window) -> None:
    page = window.page(locale="ar")
    open_live(page, shop.link(shop.order()))
    name, column = (page.locator(each).first.bounding_box() for each in (".item bdi", ".item span:has(bdi)"))
    assert name["x"] + name["width"] == pytest.approx(column["x"] + column["width"], abs=1)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("en-US", "2:32"), ("de", "02:32"), ("fr", "02:32"), ("es", "2:32"), ("ar-EG", "2:32"), ("vi", "02:32")],
)
def test_script_writes_hours_as_the_server_does(shop: Shop, window: Window, locale: str, expected: str) -> None:
    """The window, which both write by a range, and a single time."""
    page = window.page(locale=locale, timezone_id="UTC")
    page.goto(shop.link(shop.order()))
    single, window_of_times = page.evaluate("""async () => {
        const { makeFormat } = await import('/sdk/stepper.js');
        const { time, span } = makeFormat({}, document.documentElement.lang);
        const from = Date.UTC(2026, 10, 30, 2, 32);
        return [time(from, from), span({ from, to: from + 240000 }, from)];
    }""")
    assert single.split()[0] == expected
    assert re.split(r"[^\d:]", window_of_times)[0] == expected


def test_window_over_midnight_has_no_dates(shop: Shop, window: Window) -> None:
    page = window.page(locale="de", timezone_id="UTC")
    page.goto(shop.link(shop.order()))
    written = page.evaluate("""async () => {
        const { makeFormat } = await import('/sdk/stepper.js');
        const from = Date.UTC(2026, 10, 30, 23, 50);
        return makeFormat({}, 'de').span({ from, to: from + 1200000 }, from);
    }""")
    assert written == "23:50 – 00:10"


@pytest.mark.parametrize("has_script", [False, True])
def test_language_is_chosen_on_the_page(shop: Shop, window: Window, has_script: bool) -> None:
    page, link = window.page(java_script_enabled=has_script), shop.link(shop.order())
    page.goto(link)
    for language in LANGUAGES:
        choice = page.locator(f".languages [hreflang={language}]")
        assert choice.get_attribute("lang") == language
        choice.click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator(".languages [aria-current]")).to_have_attribute("hreflang", language)
        assert page.url == f"{link}?lang={language}"


def test_language_is_chosen_with_a_token(shop: Shop, window: Window) -> None:
    page = window.page()
    page.goto(f"{shop.url}/orders/{shop.order()}#token={token(CLAIMS['customer'])}")
    expect_state(page, "live")
    page.get_by_role("link", name="Deutsch").click()
    expect(page.locator(".headline")).to_have_text(words_of("de")["headline"]["confirmed"])
    expect_state(page, "live")


def test_kept_page_says_its_age_while_it_connects(shop: Shop, window: Window) -> None:
    """Before its first poll was answered."""
    page = window.page()
    page.clock.install()
    block(page, "/track([?]|$)")
    page.goto(shop.link(shop.order()))
    expect_state(page, "reconnecting")
    page.clock.fast_forward("04:10")
    expect(page.locator(".connection")).to_contain_text(re.compile(r"Changed 4\smin"))
    expect(page.locator(".headline")).to_have_text(HEADLINES["confirmed"])
