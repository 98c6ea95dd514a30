"""The first visit of a tracking page: what it loads, how fast it is there, and how it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import FLAGS
from browser.shop import Shop
from browser.window import HEADLINES, WORDS, Window, announcements, expect_state, open_live
from support.callers import CLAIMS, token

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MAX_BYTES = 30_000
MAX_FIRST_CONTENT_MS = 2_000
SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
"""Round trips of 400 ms, 400 kbit/s."""
FIRST_CONTENT = """new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntriesByName('first-contentful-paint')[0]?.startTime))
        .observe({ type: 'paint', buffered: true });
})"""


def test_first_visit_weighs_less_than_30_kb(shop: Shop, window: Window) -> None:
    page, sizes = window.page(), {}
    network = page.context.new_cdp_session(page)
    urls: dict[str, str] = {}
    network.on("Network.requestWillBeSent", lambda event: urls.update({event["requestId"]: event["request"]["url"]}))
    network.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    network.send("Network.enable")
    page.goto(shop.link(shop.order()))
    expect_state(page, "live")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    print({urlsplit(urls[id_]).path: size for id_, size in sizes.items()}, sum(sizes.values()))
    assert sum(sizes.values()) < MAX_BYTES, {urls[id_]: size for id_, size in sizes.items()}


def test_first_content_appears_soon_on_a_slow_network(shop: Shop, window: Window) -> None:
    page = window.page()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", SLOW_3G)
    page.goto(shop.link(shop.order()))
    t = page.evaluate(FIRST_CONTENT)
    print("fcp", t)
    assert t < MAX_FIRST_CONTENT_MS
    expect_state(page, "live")


@pytest.mark.protocol("9.5")
def test_every_page_has_the_strict_policy(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    link = shop.link(order)
    for path in (link, f"{shop.url}/orders/{order}", f"{shop.url}/t/unknown"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.header_value("content-security-policy") == POLICY
    worker = page.request.get(f"{shop.url}/service-worker.js")
    assert worker.headers["content-security-policy"] == POLICY


@pytest.mark.protocol("9.5")
def test_policy_refuses_script_and_style_in_the_page(shop: Shop, window: Window) -> None:
    page = window.page()
    open_live(page, shop.link(shop.order()))
    page.evaluate("""document.body.insertAdjacentHTML('beforeend', '<p style="color: red" class="inserted">')""")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), { text: 'window.run = 1' }))")
    page.evaluate("fetch('http://192.0.2.1/').catch(() => {})")
    assert page.evaluate("window.run") is None
    assert page.locator(".inserted").evaluate("element => element.style.color") == ""
    violated = [fault for fault in window.faults if fault.startswith("violated ")]
    print(window.faults)
    window.faults.clear()
    assert len(violated) == 3


@pytest.mark.protocol("9.5")
def test_page_asks_no_other_host(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    open_live(page, shop.link(order))
    shop.set_status(order, "delivered")
    expect_state(page, "ended")
    assert {urlsplit(url).netloc for url in window.urls()} == {urlsplit(shop.url).netloc}


def test_share_button_copies_the_link_and_says_so(shop: Shop, window: Window) -> None:
    page = window.page(permissions=["clipboard-read", "clipboard-write"])
    link = shop.link(shop.order())
    open_live(page, f"{link}?utm_source=mail")
    assert page.evaluate("navigator.share") is None
    page.get_by_role("button").click()
    expect(page.get_by_role("button")).to_have_text(WORDS["share"]["copied"])
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert announcements(page) == [WORDS["share"]["copied"]]


def test_share_button_opens_the_share_sheet_of_a_device(shop: Shop, window: Window) -> None:
    page = window.page()
    page.add_init_script("navigator.share = (data) => { window.shared = data; return Promise.resolve(); }")
    link = shop.link(shop.order())
    open_live(page, link)
    page.get_by_role("button").click()
    assert page.evaluate("shared") == {"title": f"{HEADLINES['confirmed']} · Trattoria Luigi", "url": link}


def test_share_button_is_used_with_the_keyboard(shop: Shop, window: Window) -> None:
    page = window.page(permissions=["clipboard-read", "clipboard-write"])
    link = shop.link(shop.order())
    open_live(page, link)
    button = page.get_by_role("button")
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    assert button.evaluate("({ matches }) => 0") == 0
    outline = button.evaluate("element => getComputedStyle(element).outline")
    print(outline)
    page.keyboard.press("Enter")
    expect(button).to_have_text(WORDS["share"]["copied"])
    expect(button).to_be_focused()
    page.keyboard.press("Tab")
    expect(button).not_to_be_focused()  # no trap
    page.keyboard.press("Shift+Tab")
    expect(button).to_be_focused()


def test_page_is_installable(shop: Shop, chromium: str, browser: Browser, tmp_path: Path) -> None:
    context = browser.browser_type.launch_persistent_context(tmp_path, executable_path=chromium, args=FLAGS)
    page = context.pages[0]
    page.goto(shop.link(shop.order()))
    expect_state(page, "live")
    devtools = context.new_cdp_session(page)
    manifest = devtools.send("Page.getAppManifest")
    errors = devtools.send("Page.getInstallabilityErrors")
    context.close()
    print(manifest, errors)
    assert manifest["errors"] == []
    assert errors["installabilityErrors"] == []


def kept(page: Page) -> list[str]:
    """Return the paths that the service worker has kept, sorted."""
    paths: list[str] = page.evaluate("""async () => {
        const paths = [];
        for (const name of await caches.keys())
            for (const { url } of await (await caches.open(name)).keys()) paths.push(new URL(url).pathname);
        return paths.sort();
    }""")
    return paths


def test_visited_page_opens_offline_with_its_last_state(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    link = shop.link(order)
    open_live(page, link)
    print(kept(page))
    shop.set_status(order, "preparing")
    expect(page.locator(".headline")).to_have_text(HEADLINES["preparing"])
    print(kept(page))
    page.context.set_offline(True)
    page.reload()
    expect(page.locator(".headline")).to_have_text(HEADLINES["preparing"])
    expect_state(page, "offline")
