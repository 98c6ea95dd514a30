"""A server with access control, Chromium, and pages that fail their test on a request to another host, on an error of a
script and on a violation of the content security policy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from support import missing
from support.callers import AUDIENCE, CLAIMS, SECRET, Caller, token
from support.ports import unused
from support.server import Server

BOUND_MS = 60_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PARTIES = {"customer_id": "ann", "restaurant_id": "luigi", "courier_id": "7", "restaurant_name": "Trattoria Luigi"}
_ITEMS = {"items": [{"name": "Margherita", "quantity": 2, "price": 9.5}], "total": 19, "currency": "EUR"}

expect.set_options(timeout=BOUND_MS)


@dataclass
class Shop:
    """The server, and what a shop does with it."""

    server: Server
    restart: Callable[[], Server]
    port: int
    _callers: list[Caller] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    def by(self, role: str) -> Caller:
        self._callers.append(Caller(self.url, token(CLAIMS[role])))
        return self._callers[-1]

    def order(self, **more: Any) -> int:
        """Create an order and return its id."""
        created = self.by("admin").ask("POST", "/api/v1/orders", json={**_PARTIES, **_ITEMS, **more})
        assert created.status_code == 201, created.text
        id_: int = created.json()["data"]["id"]
        return id_

    def set_status(self, order_id: int, status: str, **more: Any) -> None:
        path = f"/api/v1/orders/{order_id}/status"
        changed = self.by("admin").ask("PUT", path, json={"status": status, **more})
        assert changed.status_code == 200, changed.text

    def link(self, order_id: int) -> str:
        """Make a tracking link and return its URL."""
        made = self.by("admin").ask("POST", f"/api/v1/orders/{order_id}/links")
        assert made.status_code == 201, made.text
        return f"{self.url}{made.json()['data']['path']}"

    def revoke_links(self, order_id: int) -> None:
        admin, path = self.by("admin"), f"/api/v1/orders/{order_id}/links"
        for link in admin.ask("GET", path).json()["data"]["links"]:
            assert admin.ask("DELETE", f"{path}/{link['id']}").status_code == 200

    def close(self) -> None:
        for caller in self._callers:
            caller.close()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the program."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing.skip("Chromium is not installed: make packages")
    return program


@pytest.fixture(scope="session")
def running_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = _started(tmp_path_factory.mktemp("shop"))
    yield shop
    _stop(shop)


@pytest.fixture
def shop(running_shop: Shop) -> Shop:
    """A server that the tests of a run share."""
    return running_shop


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[Shop]:
    """A server for this test, which may stop it and start it again on its port."""
    shop = _started(tmp_path)
    yield shop
    _stop(shop)


def _started(folder: Path) -> Shop:
    secret, port = folder / "secret", unused()
    secret.write_text(SECRET + "\n")
    flags = ["--port", str(port), "--token-secret-file", str(secret), "--token-audience", AUDIENCE]
    flags += ["--polls-per-minute", "0", "--reads-per-minute", "0", "--writes-per-minute", "0"]

    def start() -> Server:
        return Server(folder / "data", *flags)

    return Shop(start(), start, port)


def _stop(shop: Shop) -> None:
    shop.close()
    code = shop.server.stop()
    shop.server.close()
    assert code == 0, shop.server.log
    assert "Traceback" not in shop.server.log, shop.server.log
    assert "otl_" not in shop.server.log, "a link was logged"


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


class Window:
    """Makes pages, and keeps what they asked for and what went wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.requests: list[str] = []
        """URLs in the order of the requests."""
        self.faults: list[str] = []

    def context(self, **options: Any) -> BrowserContext:
        """Return a new profile: its pages share storage and the service worker."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(BOUND_MS)
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("console", self._check_message)
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        self._contexts.append(context)
        return context

    def page(self, **options: Any) -> Page:
        return self.context(**options).new_page()

    def polls(self) -> list[str]:
        """Return the URLs of the polls so far."""
        return [url for url in self.requests if urlsplit(url).path.endswith("/track")]

    def hosts(self) -> set[str]:
        return {urlsplit(url).netloc for url in self.requests if urlsplit(url).scheme in ("http", "https")}

    def _check_message(self, message: ConsoleMessage) -> None:
        """A refused or failed request is logged by Chromium itself, and is no fault."""
        if message.type == "error" and not message.text.startswith("Failed to load resource:"):
            self.faults.append(message.text)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    """Pages without a fault: no error of a script, and no violation of the content security policy."""
    window = Window(browser)
    yield window
    window.close()
    assert window.faults == []
