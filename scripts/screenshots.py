"""Take screenshots of the tracking page and the widget in every state.

    python scripts/screenshots.py FOLDER [PART-OF-A-NAME]

A small server renders the pages and answers their polls from fixed orders, at a fixed time: so a screenshot changes
only when the looks change. The README's image: `python scripts/screenshots.py docs/images tracking-page`.
It was taken with the fonts of Debian's package `fonts-noto-core`.
"""

from __future__ import annotations

import json
import mimetypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from ordertrack.core.timestamps import format_time
from ordertrack.web.static_files import PAGES_FOLDER, SDK_FOLDER
from ordertrack.web.tracking_page import Pages

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ZONE = "Europe/Rome"
MINUTE = 60_000
NOON = 1_796_036_400_000  # 2026-11-30 12:00 in Rome
PROGRESSION = ("confirmed", "preparing", "ready", "picked_up", "delivered")
MINUTES = (0, 4, 18, 23, 31)
"""The minutes after noon at which the sample order reaches each status."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SHOP = """<!doctype html><html lang="en"><title>A shop</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="/pages/icons/app.svg">
<style>body{font:16px/1.5 Georgia,serif;margin:0;padding:24px;background:#fff;color:#222}h1{font-weight:400}
order-tracker.themed{--ot-accent:#7a2e8e;--ot-radius:4px;--ot-font:Georgia,serif}</style>
<script type="module" src="/sdk/widget.js"></script>
<h1>Thank you for your order</h1><p>You can follow it here.</p><order-tracker order="4"></order-tracker>
<p>And in the colours of another shop:</p><order-tracker class="themed" order="6"></order-tracker>"""


class Shot(NamedTuple):
    """One screenshot: a state, the device, and what is done before it is taken."""

    name: str
    state: str
    width: int = 390
    height: int = 844
    language: str = "en"
    dark: bool = False
    path: str = "/t/{state}"
    act: str = ""


def sample_order(status: str, *, late: int = 0, **changes: Any) -> dict[str, Any]:
    """Return an order as a link shows it, `late` minutes behind the promised time."""
    reached = PROGRESSION.index(status) if status in PROGRESSION else 1
    timeline = [
        event(i + 1, "created" if i == 0 else "status_changed", step, MINUTES[i] + (late if i > 1 else 0))
        for i, step in enumerate(PROGRESSION[: reached + 1])
    ]
    order = {
        "id": 101,
        "reference": None,
        "customer_id": None,
        "restaurant_id": "lucia",
        "restaurant_name": "Osteria Lucia",
        "courier_id": None,
        "status": status,
        "items": [
            {"name": "Tagliatelle al ragù", "quantity": 2, "price": 14.5, "note": None},
            {"name": "Insalata di finocchi e arance", "quantity": 1, "price": 8.0, "note": None},
            {"name": "Tiramisù della casa", "quantity": 2, "price": 6.5, "note": None},
        ],
        "total": 50.0,
        "currency": "EUR",
        "address": None,
        "note": None,
        "timeline": timeline,
        "cancellation": None,
        "eta": {"promised": span(28, 38), "current": span(28 + late, 38 + late), "late": late > 5},
        **changes,
    }
    order["version"] = len(order["timeline"])
    order["created_at"] = timeline[0]["recorded_at"]
    order["updated_at"] = order["timeline"][-1]["recorded_at"]
    return order


def event(
    version: int, kind: str, status: str, minute: float, reason: str | None = None, **more: Any
) -> dict[str, Any]:
    at = format_time(round(NOON + minute * MINUTE))
    actor = "restaurant"
    return {"version": version, "type": kind, "status": status, "at": at, "recorded_at": at, "actor": actor,
            "reason": reason, **more}  # fmt: skip


def span(start: float, end: float) -> dict[str, str]:
    return {"from": format_time(round(NOON + start * MINUTE)), "to": format_time(round(NOON + end * MINUTE))}


def with_events(status: str, *events: dict[str, Any], base: str = "ready", **changes: Any) -> dict[str, Any]:
    return sample_order(status, timeline=[*sample_order(base)["timeline"], *events], **changes)


STATES: dict[str, tuple[dict[str, Any], float]] = {
    "confirmed": (sample_order("confirmed"), 0.6),
    "preparing": (sample_order("preparing"), 9),
    "ready": (sample_order("ready"), 20),
    "on-its-way": (sample_order("picked_up"), 25.5),
    "delivered": (sample_order("delivered", eta={"promised": span(28, 38), "current": None, "late": False}), 34),
    "late": (sample_order("picked_up", late=14), 41),
    "due": (sample_order("picked_up"), 40),
    "overdue": (sample_order("ready"), 45),
    "skipped": (
        with_events("picked_up", event(3, "status_changed", "picked_up", 22, skipped=["ready"]), base="preparing"),
        24,
    ),
    "cancelled": (
        with_events(
            "cancelled",
            event(3, "status_changed", "cancelled", 11, "We have run out of fresh tagliatelle."),
            base="preparing",
            cancellation={"by": "restaurant", "reason": "We have run out of fresh tagliatelle."},
        ),
        14,
    ),
    "undone": (with_events("preparing", event(4, "reverted", "preparing", 19, undoes=3)), 20),
    "replaced-courier": (
        with_events(
            "ready", event(4, "courier_assigned", "ready", 19), event(5, "courier_assigned", "ready", 22), base="ready"
        ),
        23,
    ),
    "no-eta": (sample_order("preparing", eta=None), 9),
    "many-items": (
        sample_order(
            "ready",
            items=[
                {"name": f"Pizza {i + 1}", "quantity": i % 3 + 1, "price": 9.5 if i % 7 else None} for i in range(60)
            ],
        ),
        20,
    ),
    "no-details": (sample_order("preparing", items=[], total=None, restaurant_name=None), 9),
    "long-texts": (
        sample_order(
            "preparing",
            restaurant_name="Ristorante Pizzeria Trattoria da Giuseppe e Margherita al Vecchio Mulino sul Lago",
            items=[
                {
                    "name": "Pizza " + "Quattrostagionisupremadellacasa" * 2,
                    "quantity": 12,
                    "price": 1234.5,
                    "note": None,
                }
            ],
            total=14814.0,
        ),
        9,
    ),
}
DESKTOP = {"width": 1280, "height": 800}
SHOTS = (
    *(Shot(f"{state}-phone", state) for state in STATES),
    *(Shot(f"{state}-small", state, 320, 640) for state in ("on-its-way", "late", "cancelled", "long-texts", "undone")),
    *(
        Shot(f"{state}-desktop", state, **DESKTOP)
        for state in ("preparing", "on-its-way", "delivered", "cancelled", "late")
    ),
    Shot("tracking-page", "on-its-way"),
    Shot("dark-phone", "on-its-way", dark=True),
    Shot("dark-late-phone", "late", dark=True),
    Shot("dark-cancelled-phone", "cancelled", dark=True),
    Shot("dark-desktop", "on-its-way", dark=True, **DESKTOP),
    *(Shot(f"{language}-phone", "late", language=language) for language in ("de", "fr", "es", "ar", "vi")),
    Shot("ar-undone-small", "undone", 320, 640, "ar"),
    Shot("ar-desktop", "on-its-way", language="ar", **DESKTOP),
    Shot("no-script-phone", "on-its-way", act="no script"),
    Shot("offline-phone", "on-its-way", act="offline"),
    Shot("reconnecting-phone", "on-its-way", act="reconnecting"),
    Shot("shared-phone", "on-its-way", act="share"),
    Shot("gone-while-open-phone", "on-its-way", act="gone"),
    *(
        Shot(f"problem-{status}-phone", str(status), path="/problem/{state}")
        for status in (401, 403, 404, 410, 429, 503)
    ),
    Shot("problem-410-desktop", "410", path="/problem/{state}", **DESKTOP),
    Shot("problem-410-ar-phone", "410", language="ar", path="/problem/{state}", dark=True),
    Shot("widget-phone", "on-its-way", path="/shop"),
    Shot("widget-desktop", "on-its-way", path="/shop", **DESKTOP),
)


class Handler(BaseHTTPRequestHandler):
    """Serves pages, files and polls. `site` is shared by all requests."""

    def __init__(self, site: Site, *args: Any) -> None:
        self.site = site
        super().__init__(*args)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        first, _, rest = path.removeprefix("/").partition("/")
        if path == "/shop":
            self._answer(200, "text/html; charset=utf-8", SHOP.encode(), {})
        elif path == "/service-worker.js":
            self._file(PAGES_FOLDER / "service-worker.js")
        elif first in ("sdk", "pages"):
            self._file((SDK_FOLDER if first == "sdk" else PAGES_FOLDER) / rest)
        elif first in ("problem", "orders"):
            status = int(rest) if first == "problem" else 401
            page = self.site.pages.problem_page(status, "sample", language=self.site.language)
            self._answer(status, "text/html; charset=utf-8", page, {"Content-Security-Policy": CSP})
        elif path.endswith("/track"):
            self._poll(path.split("/")[-2])
        elif first == "t":
            order, now_ms = self.site.state(rest)
            page = self.site.pages.order_page(
                order,
                language=self.site.language,
                time_zone=ZONE,
                track_path=f"{path}/track",
                now_ms=now_ms,
                is_link=True,
            )
            self._answer(200, "text/html; charset=utf-8", page, {"Content-Security-Policy": CSP})
        else:
            self._answer(404, "text/plain", b"", {})

    def _poll(self, state: str) -> None:
        """Answer the first poll of a client with the order, and hold the next ones."""
        if "cursor=" in self.path or "cursor=" in self.headers.get("Cookie", ""):
            self.site.released.wait(60)
        status = self.site.poll_status
        if status != 200:
            problem = {"success": False, "error": "sample", "message": "Sample.", "status": status}
            self._answer(status, "application/problem+json", json.dumps(problem).encode(), {})
            return
        order, now_ms = self.site.state(state)
        answer = {
            "success": True, "data": order, "has_update": True, "next_poll_interval": 30, "battery_tip": "",
            "cursor": f"sample.{order['version']}", "reason": "snapshot", "reset": False,
            "terminal": order["status"] in ("delivered", "cancelled"),
            "events": [], "events_truncated": False, "max_timeout": 120, "server_time": format_time(now_ms),
        }  # fmt: skip
        self._answer(200, "application/json", json.dumps(answer).encode(), {})

    def _file(self, path: Path) -> None:
        types = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}
        kind = types.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if path.is_file():
            self._answer(200, kind, path.read_bytes(), {"Access-Control-Allow-Origin": "*"})
        else:
            self._answer(404, "text/plain", b"", {})

    def _answer(self, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report errors, except those of clients that have gone."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Site:
    """The state of the server: its language, and the status of its polls."""

    def __init__(self) -> None:
        self.pages = Pages()
        self.language = "en"
        self.poll_status = 200
        self.released = threading.Event()

    def state(self, name: str) -> tuple[dict[str, Any], int]:
        order, minute = STATES[name if name in STATES else list(STATES)[int(name) - 1]]
        return order, round(NOON + minute * MINUTE)


@contextmanager
def serve(site: Site) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), partial(Handler, site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    site.released.set()
    server.shutdown()


def take(browser: Browser, site: Site, base: str, shot: Shot, folder: Path) -> None:
    site.language, site.poll_status = shot.language, 200
    site.released.clear()
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        device_scale_factor=2 if shot.width < 1000 else 1,
        color_scheme="dark" if shot.dark else "light",
        java_script_enabled=shot.act != "no script",
        locale={"en": "en-GB"}.get(shot.language, shot.language),
        timezone_id=ZONE,
        reduced_motion="reduce",
        service_workers="block",
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    minute = STATES[shot.state][1] if shot.state in STATES else 0
    page.clock.install(time=(NOON + minute * MINUTE) / 1000)
    page.goto(base + shot.path.format(state=shot.state), wait_until="load")
    act(page, site, shot)
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"{shot.name}.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth") if shot.act != "no script" else False
    if wide:
        print(f"{shot.name}: wider than the screen")
    expected = ("Failed to load resource", "net::ERR")
    for error in errors:
        if not (shot.act or shot.path.startswith("/problem")) or not any(text in error for text in expected):
            print(f"{shot.name}: {error}")
    context.close()


def act(page: Page, site: Site, shot: Shot) -> None:
    if shot.path == "/shop":
        page.wait_for_function("[...document.querySelectorAll('order-tracker')].every(e => e.tracker?.order)")
    if shot.act in ("", "no script") or shot.path != "/t/{state}":
        return
    page.wait_for_selector(".connection[data-state=live]")
    if shot.act == "share":
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.evaluate("delete Navigator.prototype.share")
        page.click(".share")
    elif shot.act == "offline":
        page.context.set_offline(True)
        page.wait_for_selector(".connection[data-state=offline]")
        page.clock.fast_forward(3 * MINUTE)
    else:
        site.poll_status = {"reconnecting": 502, "gone": 410}[shot.act]
        site.released.set()
        page.wait_for_selector(".problem, .connection[data-state=reconnecting]")
        if shot.act == "reconnecting":
            page.clock.fast_forward(2 * MINUTE)


def main() -> None:
    folder = Path(sys.argv[1])
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    folder.mkdir(parents=True, exist_ok=True)
    site = Site()
    with serve(site) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for shot in SHOTS:
            if part in shot.name:
                take(browser, site, base, shot, folder)
        browser.close()


if __name__ == "__main__":
    main()
