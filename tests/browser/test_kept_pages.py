"""The service worker and the manifest: a page that was visited is there without a connection, and can be installed."""

from __future__ import annotations

import re
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from browser.conftest import FLAGS
from browser.shop import Shop
from browser.window import BOUND_MS, HEADLINES, WORDS, Window, expect_state, open_live
from ordertrack.web.words import words_of

GERMAN: str = words_of("de")["headline"]["confirmed"]
_KEPT = """async () => {
    const paths = [];
    for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys()) paths.push(new URL(url).pathname);
    return paths;
}"""


def kept(page: Page) -> list[str]:
    """Return the paths that the service worker has kept."""
    paths: list[str] = page.evaluate(_KEPT)
    return paths


def expect_kept(page: Page, path: str, text: str) -> None:
    """Wait until the service worker has kept a page with this text; without a text, until it has none."""
    page.evaluate(
        """async ([path, text, endsAt]) => {
            const kept = async () => (await (await caches.match(path, { ignoreVary: true }))?.text()) ?? '';
            const hasHappened = async () => (text ? (await kept()).includes(text) : !(await kept()));
            while (!(await hasHappened())) {
                if (Date.now() > endsAt) throw new Error('the page is not kept as expected');
                await new Promise((resolve) => setTimeout(resolve, 20));
            }
        }""",
        [path, text, time.time() * 1000 + BOUND_MS],
    )


def test_page_is_installable(shop: Shop, chromium: str, browser: Browser, tmp_path: Path) -> None:
    """In a profile of its own: Chromium installs nothing from private ones."""
    context = browser.browser_type.launch_persistent_context(tmp_path, executable_path=chromium, args=FLAGS)
    page, link = context.pages[0], shop.link(shop.order())
    page.goto(link)
    expect(page.locator('link[rel="manifest"]')).to_have_attribute("href", re.compile(r"\?$"))  # loaded by the worker
    devtools = context.new_cdp_session(page)
    manifest, found = (devtools.send(f"Page.{name}") for name in ("getAppManifest", "getInstallabilityErrors"))
    context.close()
    assert manifest["errors"] == []
    assert manifest["manifest"]["startUrl"] == link
    assert found["installabilityErrors"] == []


def test_visited_page_opens_offline_with_its_last_state(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    link = shop.link(order)
    open_live(page, link)
    shop.set_status(order, "preparing")
    expect_kept(page, link, HEADLINES["preparing"])
    page.context.set_offline(True)
    page.goto("about:blank")
    page.clock.install(time=time.time() + 5 * 60)
    page.goto(link)
    expect(page.locator(".headline")).to_have_text(HEADLINES["preparing"])
    expect_state(page, "offline")
    expect(page.locator(".connection")).to_contain_text(WORDS["connection"]["offline"])
    expect(page.locator(".connection")).to_contain_text("5 min")


def test_kept_page_is_live_again_with_a_connection(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    link = shop.link(order)
    open_live(page, link)
    expect_kept(page, link, HEADLINES["confirmed"])
    page.context.set_offline(True)
    page.reload()
    expect_state(page, "offline")
    shop.set_status(order, "preparing")
    page.context.set_offline(False)
    expect(page.locator(".headline")).to_have_text(HEADLINES["preparing"])
    expect_state(page, "live")


def test_page_of_a_gone_link_is_not_kept(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    link = shop.link(order)
    open_live(page, link)
    expect_kept(page, link, HEADLINES["confirmed"])
    shop.revoke_links(order)
    expect(page.locator(".headline")).to_have_text(WORDS["problem"]["gone"])
    expect_kept(page, link, "")


def test_page_with_parameters_opens_offline(shop: Shop, window: Window) -> None:
    page, link = window.page(), shop.link(shop.order())
    open_live(page, f"{link}?lang=de&utm_source=mail")
    expect_kept(page, link, GERMAN)
    page.context.set_offline(True)
    page.reload()
    expect(page.locator(".headline")).to_have_text(GERMAN)


def test_page_of_a_gone_link_with_parameters_is_not_kept(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    link = f"{shop.link(order)}?utm_source=mail"
    open_live(page, link)
    expect_kept(page, link.partition("?")[0], HEADLINES["confirmed"])
    page.reload()  # now the service worker answers
    expect_state(page, "live")
    shop.revoke_links(order)
    expect(page.locator(".headline")).to_have_text(WORDS["problem"]["gone"])
    expect_kept(page, link.partition("?")[0], "")
    assert [path for path in kept(page) if path.startswith("/t/")] == []


def test_polls_are_never_kept(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    link = shop.link(order)
    open_live(page, link)
    expect_kept(page, link, HEADLINES["confirmed"])
    page.reload()  # with the service worker in control
    expect_state(page, "live")
    shop.set_status(order, "delivered")
    expect_kept(page, link, HEADLINES["delivered"])
    path = link.removeprefix(shop.url)
    assert [each for each in kept(page) if not each.startswith(("/sdk/", "/pages/"))] == [path]
