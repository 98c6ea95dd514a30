"""The SDK in Chromium, through a proxy that breaks connections: every update arrives once and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from browser.shop import Shop
from browser.window import Window
from servers.fault_proxy import FaultProxy
from support.api import STATS, eventually
from support.callers import CLAIMS, token

CHANGES = ("preparing", "ready", "picked_up", "delivered")
MAX_POLLS_A_CHANGE = 4
"""The answer, after a break the probe, the poll that is held after it, and one more for a break that hits the probe."""
_TRACK = """async ([order, token]) => {
    const { OrderTracker } = await import('/sdk/index.js');
    const pace = { backoffBaseS: 0.02, backoffCapS: 0.1, drainSpreadS: 0.02 };
    const tracker = new OrderTracker(order, { url: location.origin, token, pace });
    const versions = [];
    tracker.addEventListener('update', ({ detail }) => {
        versions.push(detail.order.version);
        document.title = versions.join(' ');
    });
    tracker.addEventListener('connection', ({ detail }) => { document.body.dataset.state = detail.state; });
    tracker.startTracking();
}"""


@pytest.fixture
def proxy(shop: Shop) -> Iterator[FaultProxy]:
    with closing(FaultProxy(shop.port)) as proxy:
        yield proxy


def answer(proxy: FaultProxy, status: int) -> None:
    page = b"<html>A gateway</html>"
    proxy.answer(
        b"HTTP/1.1 %d X\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (status, len(page), page)
    )


def track(window: Window, proxy: FaultProxy, order: int) -> Page:
    """Return a page that follows the order and has the versions of all updates as its title."""
    page = window.page()
    page.clock.install()
    page.goto(f"http://127.0.0.1:{proxy.port}/t/none")
    page.evaluate(_TRACK, [order, token(CLAIMS["customer"])])
    expect(page).to_have_title("1")
    return page


def expect_state(page: Page, state: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-state", state)


def wait_until_held(shop: Shop) -> None:
    eventually(lambda: bool(shop.admin.ask("GET", STATS).json()["data"]["active_connections"]), "a poll is held")


@pytest.mark.parametrize(
    "disturb",
    [
        pytest.param(lambda proxy: proxy.delay(0.05), id="delay"),
        pytest.param(lambda proxy: proxy.cut(), id="cut"),
        pytest.param(lambda proxy: answer(proxy, 502), id="502"),
        pytest.param(lambda proxy: answer(proxy, 504), id="504"),
    ],
)
def test_every_update_arrives_once_and_in_order(
    shop: Shop, window: Window, proxy: FaultProxy, disturb: Callable[[FaultProxy], None]
) -> None:
    order = shop.order()
    page = track(window, proxy, order)
    for version, status in enumerate(CHANGES, 2):
        wait_until_held(shop)
        disturb(proxy)
        shop.set_status(order, status)
        expect(page).to_have_title(" ".join(map(str, range(1, version + 1))))
    expect_state(page, "ended")
    assert len(window.polls()) <= MAX_POLLS_A_CHANGE * len(CHANGES)


def test_update_behind_a_half_open_connection_arrives(shop: Shop, window: Window, proxy: FaultProxy) -> None:
    order = shop.order()
    page = track(window, proxy, order)
    wait_until_held(shop)
    proxy.hold()
    shop.set_status(order, "preparing")
    page.clock.fast_forward("01:00")  # beyond the deadline of the hold
    expect_state(page, "reconnecting")
    polls = len(window.polls())
    proxy.go_on()
    expect(page).to_have_title("1 2")
    expect_state(page, "live")
    assert len(window.polls()) <= polls + MAX_POLLS_A_CHANGE


def test_refused_connections_are_tried_with_pauses(shop: Shop, window: Window, proxy: FaultProxy) -> None:
    order = shop.order()
    page = track(window, proxy, order)
    wait_until_held(shop)
    polls = len(window.polls())
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    proxy.refuse()
    proxy.cut()
    expect_state(page, "reconnecting")
    shop.set_status(order, "preparing")
    proxy.accept()
    assert len(window.polls()) == polls  # no timer runs
    page.clock.resume()
    expect(page).to_have_title("1 2")
