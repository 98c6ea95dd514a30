"""An open tracking page follows its order, through changes and broken connections."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from playwright.sync_api import Page, expect

from browser.shop import Shop
from browser.window import HEADLINES, WORDS, Window, announcements, expect_state, open_live, set_visibility
from ordertrack.adapters.sqlite.database import FILE_NAME
from support.server import run

CHANGES = ("preparing", "ready", "picked_up", "delivered")
LONGEST_PAUSE_MS = 31_000
"""The longest pause between two tries, and a little more."""


def expect_status(page: Page, status: str) -> None:
    expect(page.locator(".headline")).to_have_text(HEADLINES[status])


def expect_line(page: Page, text: str) -> None:
    expect(page.locator(".connection")).to_contain_text(text)


def test_each_change_appears_and_is_announced_once(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    open_live(page, shop.link(order))
    for number, status in enumerate(CHANGES, 1):
        shop.set_status(order, status)
        expect_status(page, status)
        step = page.locator(f'.step[data-status="{status}"]')
        expect(step).to_have_attribute("data-state", "done" if status == "delivered" else "current")
        said = announcements(page)
        assert len(said) == number, said
        assert said[-1].startswith(HEADLINES[status]), said
    assert len([request for request in window.requests if request.is_navigation_request()]) == 1


def test_title_and_icon_follow_the_status(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    open_live(page, shop.link(order))
    for status in CHANGES:
        shop.set_status(order, status)
        expect(page).to_have_title(f"{HEADLINES[status]} · Trattoria Luigi")
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", f"/pages/icons/{status}.svg")


def test_ended_order_is_not_polled_any_more(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.clock.install()
    open_live(page, shop.link(order))
    shop.set_status(order, "cancelled")
    expect_line(page, WORDS["connection"]["ended"])
    polls = len(window.polls())
    page.clock.fast_forward("01:00:00")
    set_visibility(page, "hidden")
    set_visibility(page, "visible")
    assert len(window.polls()) == polls


def test_times_age_without_an_answer(shop: Shop, window: Window) -> None:
    page = window.page()
    page.clock.install()
    open_live(page, shop.link(shop.order()))
    expect_line(page, WORDS["updated"]["now"])
    page.clock.fast_forward("03:20")
    expect_line(page, "3 min")


def test_two_tabs_of_one_link_both_get_every_change(shop: Shop, window: Window) -> None:
    order, context = shop.order(), window.context()
    link, tabs = shop.link(order), (context.new_page(), context.new_page())
    for tab in tabs:
        open_live(tab, link)
    for status in CHANGES:
        shop.set_status(order, status)
        for tab in tabs:
            expect_status(tab, status)
    assert [len(announcements(tab)) for tab in tabs] == [len(CHANGES)] * 2
    answers = [request.response().json() for request in window.polls()]
    assert "superseded" not in [answer["reason"] for answer in answers]


def test_hidden_tab_sends_nothing_and_polls_when_visible(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.clock.install()
    open_live(page, shop.link(order))
    set_visibility(page, "hidden")
    polls = len(window.polls())
    shop.set_status(order, "preparing")
    page.clock.fast_forward("30:00")
    assert len(window.polls()) == polls
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    set_visibility(page, "visible")  # while no timer runs
    expect_status(page, "preparing")


def test_offline_page_says_so_with_the_age_of_its_state(shop: Shop, window: Window) -> None:
    page = window.page()
    page.clock.install()
    open_live(page, shop.link(shop.order()))
    page.context.set_offline(True)
    expect_state(page, "offline")
    page.clock.fast_forward("04:10")
    expect_line(page, WORDS["connection"]["offline"])
    expect_line(page, "4 min")
    assert announcements(page) == [WORDS["connection"]["offline"]]


def test_page_polls_at_once_when_it_is_online_again(shop: Shop, window: Window) -> None:
    order, page = shop.order(), window.page()
    page.clock.install()
    open_live(page, shop.link(order))
    page.context.set_offline(True)
    expect_state(page, "offline")
    shop.set_status(order, "preparing")
    shop.set_status(order, "ready")
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    page.context.set_offline(False)  # while no timer runs
    expect_status(page, "ready")
    expect_state(page, "live")
    offline, back = announcements(page)
    assert offline == WORDS["connection"]["offline"]
    assert back.startswith(f"{WORDS['connection']['back']} {HEADLINES['ready']}"), back


def test_page_reconnects_after_a_restart_of_the_server(open_shop: Callable[..., Shop], window: Window) -> None:
    shop = open_shop()
    order, page = shop.order(), window.page()
    page.clock.install()
    open_live(page, shop.link(order))
    shop.stop()
    expect_state(page, "reconnecting")
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    shop.start()
    shop.set_status(order, "preparing")
    expect_state(page, "reconnecting")
    page.clock.resume()
    page.clock.fast_forward(LONGEST_PAUSE_MS)
    expect_status(page, "preparing")
    expect_state(page, "live")
    shop.set_status(order, "ready")
    expect_status(page, "ready")
    assert [text.partition(".")[0] for text in announcements(page)] == [HEADLINES["preparing"], HEADLINES["ready"]]


def test_page_shows_the_state_of_a_restored_backup(open_shop: Callable[..., Shop], window: Window) -> None:
    shop = open_shop()
    order, page = shop.order(), window.page()
    link = shop.link(order)
    backup, database = shop.data.parent / "backup", ["--data-dir", str(shop.data)]
    assert run("db", "backup", "--to", str(backup), *database).returncode == 0
    shop.set_status(order, "preparing")
    page.clock.install()
    open_live(page, link)
    shop.stop()
    shutil.copy(backup, shop.data / FILE_NAME)
    assert run("db", "new-epoch", *database).returncode == 0
    shop.start()
    page.clock.fast_forward(LONGEST_PAUSE_MS)
    expect_status(page, "confirmed")
    expect_state(page, "live")
    assert announcements(page)[-1].startswith(HEADLINES["confirmed"])
    shop.set_status(order, "ready")
    expect_status(page, "ready")
