"""The first visit of a tracking page: what it loads, how fast it is there, and how it is used."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from browser.shop import Shop
from browser.window import HEADLINES, WORDS, Window, announcements, expect_state, open_live

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CLIPBOARD = ["clipboard-read", "clipboard-write"]
MODULES = ("tracker", "machine", "view", "stepper", "format", "icons", "words/ar", "page")
MIN_OUTLINE_PX = 2
MAX_BYTES = 30_000
MAX_FIRST_CONTENT_MS = 2_000
SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
"""Round trips of 400 ms, 400 kbit/s."""
FIRST_CONTENT = """new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntriesByName('first-contentful-paint')[0]?.startTime))
        .observe({ type: 'paint', buffered: true });
})"""


def test_first_visit_weighs_less_than_30_kb(shop: Shop, window: Window) -> None:
    """Without what the service worker loads after it: itself, and the page once more."""
    page = window.page(locale="ar")  # the language with the largest table
    network, sizes = page.context.new_cdp_session(page), {}
    network.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    network.send("Network.enable")
    page.goto(shop.link(shop.order()))
    expect_state(page, "live")
    page.wait_for_load_state("load")
    assert len(sizes) >= len(MODULES)
    assert sum(sizes.values()) < MAX_BYTES, sizes


def test_first_content_appears_soon_on_a_slow_network(shop: Shop, window: Window) -> None:
    page = window.page()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", SLOW_3G)
    page.goto(shop.link(shop.order()))
    assert page.evaluate(FIRST_CONTENT) < MAX_FIRST_CONTENT_MS
    expect_state(page, "live")


@pytest.mark.protocol("9.5")
def test_every_page_has_the_strict_policy(shop: Shop, window: Window) -> None:
    page = window.page()
    for path in (shop.link(shop.order()), f"{shop.url}/orders/{shop.order()}", f"{shop.url}/t/unknown"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.header_value("content-security-policy") == POLICY


@pytest.mark.protocol("9.5")
def test_policy_refuses_what_is_inserted_into_a_page(shop: Shop, window: Window) -> None:
    page = window.page()
    open_live(page, shop.link(shop.order()))
    page.evaluate("""async () => {
        document.body.insertAdjacentHTML('beforeend', '<p style="color: red">');
        document.body.append(Object.assign(document.createElement('script'), { text: 'window.hasRun = true' }));
        await fetch('https://other.example/').catch(() => {});
    }""")
    assert page.evaluate("window.hasRun") is None
    violated = {fault.split()[1] for fault in window.faults if fault.startswith("violated ")}
    window.faults.clear()
    assert violated == {"style-src-attr:", "script-src-elem:", "connect-src:"}


@pytest.mark.protocol("9.5")
def test_page_asks_no_other_host(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    open_live(page, shop.link(order))
    shop.set_status(order, "delivered")
    expect_state(page, "ended")
    assert {urlsplit(url).netloc for url in window.urls()} == {urlsplit(shop.url).netloc}


def test_share_button_copies_the_link_and_says_so(shop: Shop, window: Window) -> None:
    page, link = window.page(permissions=CLIPBOARD), shop.link(shop.order())
    open_live(page, f"{link}?utm_source=mail")
    assert page.evaluate("navigator.share") is None
    page.get_by_role("button").click()
    expect(page.get_by_role("button")).to_have_text(WORDS["share"]["copied"])
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert announcements(page) == [WORDS["share"]["copied"]]


def test_share_button_uses_what_the_device_has(shop: Shop, window: Window) -> None:
    page, link = window.page(), shop.link(shop.order())
    page.add_init_script("navigator.share = async (data) => { window.shared = data; }")
    open_live(page, link)
    page.get_by_role("button").click()
    assert page.evaluate("shared") == {"title": f"{HEADLINES['confirmed']} · Trattoria Luigi", "url": link}


def test_share_button_is_used_with_the_keyboard(shop: Shop, window: Window) -> None:
    page = window.page(permissions=CLIPBOARD)
    open_live(page, shop.link(shop.order()))
    button = page.get_by_role("button")
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    assert button.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    assert float(button.evaluate("element => parseFloat(getComputedStyle(element).outlineWidth)")) >= MIN_OUTLINE_PX
    page.keyboard.press("Enter")
    expect(button).to_have_text(WORDS["share"]["copied"])
    expect(button).to_be_focused()
    page.keyboard.press("Tab")
    expect(button).not_to_be_focused()  # no trap
    page.keyboard.press("Shift+Tab")
    expect(button).to_be_focused()
