"""Servers, the site of a shop, and Chromium: one for each file, with a profile of its own for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from browser.shop import Shop
from browser.site import Site
from browser.window import BOUND_MS, Window
from support import missing

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

expect.set_options(timeout=BOUND_MS)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "protocol(*numbers): the requirements of PROTOCOL.md this test holds")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the program."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        missing.skip("Chromium is not installed: make packages")
    return program


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Shop]:
    """A server that the tests of a run share. The pages of `site` may use it."""
    shop = Shop(tmp_path_factory.mktemp("shop"), "--cors-origins", site.origin)
    yield shop
    shop.close()


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Return a function that starts a server for this test alone, with more settings."""
    shops: list[Shop] = []

    def start(*flags: str) -> Shop:
        shops.append(Shop(tmp_path, *flags))
        return shops[-1]

    yield start
    for shop in shops:
        shop.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium for the tests of a file. Meanwhile the loop of Playwright runs in this thread, so it ends with them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    window = Window(browser)
    yield window
    window.close()
    assert window.faults == []
