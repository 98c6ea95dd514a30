"""The widget in the page of a shop, which is of another origin than the server."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.accessible import expect_accessible
from browser.shop import Shop
from browser.site import Site
from browser.window import HEADLINES, WORDS, Window
from ordertrack.web.words import words_of
from support.callers import CLAIMS, token

MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


def script(shop: Shop) -> str:
    return f'<script type="module" src="{shop.url}/sdk/widget.js"></script>'


def element(*orders: int, more: str = "") -> str:
    """Return an element for each order, all with the same token."""
    secret = token(CLAIMS["customer"])
    return "".join(f'<order-tracker order="{order}" token="{secret}" {more}></order-tracker>' for order in orders)


def headline(page: Page, number: int = 0) -> Locator:
    return page.locator("order-tracker").nth(number).locator(".headline")


def expect_status(page: Page, status: str) -> None:
    expect(headline(page)).to_have_text(HEADLINES[status])


def test_one_script_and_one_element_follow_an_order(shop: Shop, site: Site, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.goto(site.add(script(shop) + element(order)))
    expect_status(page, "confirmed")
    for status in ("preparing", "ready", "picked_up", "delivered"):
        shop.set_status(order, status)
        expect_status(page, status)
        expect(page.locator("order-tracker").get_by_role("status")).to_contain_text(HEADLINES[status])
    expect(page.locator("order-tracker .step").last).to_have_attribute("data-state", "done")
    expect(page.locator("order-tracker .connection")).to_have_text(WORDS["connection"]["ended"])


def test_widget_follows_a_link(shop: Shop, site: Site, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.goto(site.add(f'{script(shop)}<order-tracker link="{shop.link(order)}"></order-tracker>'))
    expect_status(page, "confirmed")
    shop.set_status(order, "preparing")
    expect_status(page, "preparing")


def test_widget_of_a_revoked_link_says_so(shop: Shop, site: Site, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.goto(site.add(f'{script(shop)}<order-tracker link="{shop.link(order)}"></order-tracker>'))
    expect_status(page, "confirmed")
    shop.revoke_links(order)
    expect(page.locator("order-tracker .connection")).to_contain_text(WORDS["problem"]["gone"])
    expect(headline(page)).to_be_hidden()


@pytest.mark.parametrize("language", ["de", "ar"])
def test_widget_has_the_language_of_its_page(shop: Shop, site: Site, window: Window, language: str) -> None:
    page = window.page()
    page.goto(site.add(script(shop) + element(shop.order()), language=language))
    expect(headline(page)).to_have_text(words_of(language)["headline"]["confirmed"])
    expect(page.locator("order-tracker .widget")).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
    expect_accessible(page)


def test_removed_widget_sends_nothing(shop: Shop, site: Site, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.clock.install()
    page.goto(site.add(script(shop) + element(order)))
    expect(page.locator("order-tracker .connection")).to_have_attribute("data-state", "live")
    page.locator("order-tracker").evaluate("element => element.remove()")
    polls = len(window.polls())
    shop.set_status(order, "preparing")
    page.clock.fast_forward("30:00")
    assert len(window.polls()) == polls


def test_widgets_of_one_customer_share_one_poll(shop: Shop, site: Site, window: Window) -> None:
    orders, page = [shop.order() for _ in range(3)], window.page()
    page.goto(site.add(script(shop) + element(*orders, more='customer="ann"')))
    for number, order in enumerate(orders):
        expect(headline(page, number)).to_have_text(HEADLINES["confirmed"])
        shop.set_status(order, "preparing")
        expect(headline(page, number)).to_have_text(HEADLINES["preparing"])
    assert {poll.url.partition("?")[0] for poll in window.polls()} == {f"{shop.url}/api/v1/customers/ann/track"}
    assert len([poll for poll in window.polls() if "cursor=" not in poll.url]) == 1


def test_custom_property_changes_the_colour(shop: Shop, site: Site, window: Window) -> None:
    page = window.page()
    style = "<style>order-tracker { --ot-accent: rgb(1, 2, 3); }</style>"
    page.goto(site.add(style + script(shop) + element(shop.order())))
    expect(page.locator("order-tracker .arrival-time")).to_have_css("color", "rgb(1, 2, 3)")


def test_style_of_the_shop_does_not_reach_the_widget(shop: Shop, site: Site, window: Window) -> None:
    page = window.page()
    style = "<style>p, li, h1 { color: rgb(1, 2, 3) !important; display: inline !important }</style>"
    page.goto(site.add(style + script(shop) + element(shop.order())))
    expect_status(page, "confirmed")
    expect(headline(page)).not_to_have_css("color", "rgb(1, 2, 3)")
    expect(page.get_by_role("heading", name="A shop")).to_have_css("color", "rgb(1, 2, 3)")


def test_widget_works_under_a_strict_policy_of_the_shop(shop: Shop, site: Site, window: Window) -> None:
    order, page = shop.order(), window.page()
    directives = (f"{name}-src {shop.url}" for name in ("script", "style", "connect"))
    policy = "; ".join(("default-src 'none'", "img-src data:", *directives))
    page.goto(site.add(script(shop) + element(order), policy=policy))
    expect_status(page, "confirmed")
    expect(page.locator("order-tracker .widget")).to_have_css("border-radius", "20px")
    shop.set_status(order, "preparing")
    expect_status(page, "preparing")


def test_markup_in_the_widget_stays_text(shop: Shop, site: Site, window: Window) -> None:
    order, page = shop.order(restaurant_name=MARKUP[:100]), window.page()
    page.goto(site.add(script(shop) + element(order)))
    expect_status(page, "confirmed")
    shop.set_status(order, "cancelled", reason=MARKUP)
    expect(page.locator("order-tracker .notice").first).to_contain_text(MARKUP)
    assert page.locator("order-tracker img, order-tracker script").count() == 0
    expect(page).to_have_title("A shop")


def test_widget_is_accessible(shop: Shop, site: Site, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.goto(site.add(script(shop) + element(order, more='theme="auto"')))
    for status in ("preparing", "cancelled"):
        shop.set_status(order, status)
        expect_status(page, status)
        expect_accessible(page)
