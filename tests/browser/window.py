"""Pages in Chromium, with a record of what they asked for, said and did wrong."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from ordertrack.web.words import words_of

BOUND_MS = 60_000
"""The limit of every wait, reached only by a failing test."""
WORDS = words_of("en")
HEADLINES: dict[str, str] = WORDS["headline"]
OWN_HOSTS = frozenset(("127.0.0.1", "localhost"))
_RECORD_VIOLATIONS = """addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error(`violated ${violatedDirective}: ${blockedURI}`))"""
_RECORD_ANNOUNCEMENTS = """window.said = [];
new MutationObserver((records) => {
    for (const { target } of records)
        if (target.classList?.contains('live') && target.textContent) said.push(target.textContent);
}).observe(document, { childList: true, subtree: true });"""
_SET_VISIBILITY = """(state) => {
    Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
    Object.defineProperty(document, 'hidden', { value: state === 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
}"""


class Window:
    """Makes pages. A page has a fault when a script fails, violates a policy or asks another host than ours."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.requests: list[Request] = []
        self.faults: list[str] = []

    def context(self, **options: Any) -> BrowserContext:
        """Return a new profile: its pages share storage and the service worker."""
        context = self._browser.new_context(**options)
        self.watch(context)
        return context

    def watch(self, context: BrowserContext) -> None:
        context.set_default_timeout(BOUND_MS)
        context.add_init_script(_RECORD_VIOLATIONS)
        context.add_init_script(_RECORD_ANNOUNCEMENTS)
        context.on("request", self._check_request)
        context.on("console", self._check_message)
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        self._contexts.append(context)

    def page(self, **options: Any) -> Page:
        return self.context(**options).new_page()

    def urls(self) -> list[str]:
        return [request.url for request in self.requests]

    def polls(self) -> list[Request]:
        return [request for request in self.requests if is_poll(request)]

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _check_request(self, request: Request) -> None:
        self.requests.append(request)
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname not in OWN_HOSTS:
            self.faults.append(f"a request to {request.url}")

    def _check_message(self, message: ConsoleMessage) -> None:
        """A refused or failed request is logged by Chromium itself, and is no fault."""
        if message.type == "error" and not message.text.startswith("Failed to load resource:"):
            self.faults.append(message.text)


def is_poll(request: Request) -> bool:
    return urlsplit(request.url).path.endswith("/track")


def open_live(page: Page, url: str) -> None:
    """Open a tracking page, and return when it has had an answer."""
    page.goto(url)
    expect_state(page, "live")


def announcements(page: Page) -> list[str]:
    """Return all texts of the live region since the page was opened."""
    said: list[str] = page.evaluate("said")
    return said


def expect_state(page: Page, state: str) -> None:
    """Wait for a state of the connection line."""
    expect(page.locator(".connection")).to_have_attribute("data-state", state)


def set_visibility(page: Page, state: str) -> None:
    """Make the page `hidden` or `visible` as far as scripts can tell: Playwright keeps every page in the foreground."""
    page.evaluate(_SET_VISIBILITY, state)
