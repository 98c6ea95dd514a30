"""The tracking page as the server renders it, complete without script."""

import gzip
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ordertrack.core.event import PROGRESSION
from ordertrack.core.languages import LANGUAGES
from ordertrack.web.static_files import PAGES_FOLDER, SDK_FOLDER
from ordertrack.web.tracking_page import Pages
from ordertrack.web.words import words_of
from scripts.page_icons import FOLDER, icon_files

WORDS = words_of("en")
NOW_MS = 1_796_037_900_000  # 2026-11-30T11:25:00Z
MAX_PAGE_BYTES = 30_000
MAX_WIDGET_BYTES = 15_000
IMPORTED = re.compile(r"""from '([^']+)'|import\((?:'|`)([^'`]+)(?:'|`)\)|^import '([^']+)'""", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
ON_DEMAND = {"iterate.js", "orders.js", "power.js"}
"""Files that only orders of one customer load."""


class Elements(HTMLParser):
    """The start tags of a document."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.found if name == tag)


def an_order(status: str = "picked_up", **changes: Any) -> dict[str, Any]:
    reached = PROGRESSION[: PROGRESSION.index(status) + 1] if status in PROGRESSION else PROGRESSION[:2]
    times = [f"2026-11-30T11:{4 * i:02}:00.000Z" for i in range(len(reached))]
    timeline = [
        {"version": i + 1, "type": "status_changed" if i else "created", "status": str(step), "at": at, "reason": None}
        for i, (step, at) in enumerate(zip(reached, times, strict=True))
    ]
    window = {"from": "2026-11-30T11:30:00.000Z", "to": "2026-11-30T11:45:00.000Z"}
    return {
        "id": 101, "restaurant_name": "Osteria Lucia", "status": status, "version": len(timeline), "currency": "EUR",
        "items": [{"name": "Tiramisù", "quantity": 2, "price": 6.5}], "total": 13.0, "updated_at": times[-1],
        "timeline": timeline, "cancellation": None, "eta": {"promised": window, "current": window, "late": False},
        **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages()


@pytest.fixture(scope="module")
def render(pages: Pages) -> Callable[..., str]:
    def rendered(order: dict[str, Any], *, language: str = "en", is_link: bool = True) -> str:
        page = pages.order_page(
            order, language=language, time_zone="Europe/Rome", track_path="/t/x/track", now_ms=NOW_MS, is_link=is_link
        )
        return page.decode()

    return rendered


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))  # typographic spaces too


@pytest.mark.parametrize("status", [*PROGRESSION, "at_the_door"])
def test_page_says_status_arrival_and_items(render: Callable[..., str], status: str) -> None:
    text = text_of(render(an_order(status)))
    assert text_of(WORDS["headline"].get(status, WORDS["headline"]["unknown"])) in text
    assert ("12:16 PM" if status == "delivered" else "12:30 – 12:45 PM") in text.replace("\u202f", " ").replace(
        "\u2009", " "
    )
    for expected in ("Osteria Lucia", "Order 101", "2 ×", "Tiramisù", "€6.50 each"):
        assert expected in text


def test_cancelled_page_says_by_whom_and_why(render: Callable[..., str]) -> None:
    cancelled = {
        "version": 3,
        "type": "status_changed",
        "status": "cancelled",
        "at": "2026-11-30T11:09:00.000Z",
        "reason": "Sold out",
    }
    order = an_order("cancelled", cancellation={"by": "restaurant", "reason": "Sold out"})
    text = text_of(render({**order, "timeline": [*order["timeline"], cancelled]}))
    assert WORDS["notice"]["cancelled_restaurant"] in text
    assert "Sold out" in text


def test_page_of_an_order_without_details(render: Callable[..., str]) -> None:
    page = render(an_order(items=[], total=None, currency=None, eta=None, restaurant_name=None))
    assert '<p class="restaurant"><bdi>Order 101</bdi></p>' in page
    assert '<section class="summary">' not in page


def test_prices_of_lines_add_up_to_the_total(render: Callable[..., str]) -> None:
    items = [
        {"name": "Tiramisù", "quantity": 2, "price": 6.5},
        {"name": "Caffè", "quantity": 1, "price": 3.0},
        {"name": "Acqua", "quantity": 2, "price": None},
    ]
    page = render(an_order(items=items, total=16.0))
    assert re.findall(r'class="price">([^<]*)<', page) == ["€13.00", "€3.00", "", "€16.00"]
    assert re.findall(r'class="each">([^<]*)<', page) == ["€6.50 each"]


def test_texts_of_others_are_escaped(render: Callable[..., str]) -> None:
    attack = "<script>alert(1)</script>"
    order = an_order("preparing", restaurant_name=attack, items=[{"name": attack, "quantity": 1, "price": None}])
    order["timeline"].append({**order["timeline"][-1], "type": "reverted", "reason": attack})
    page = render(order)
    assert attack not in page
    assert page.count("&lt;script&gt;") == 4  # title, name, item, reason


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_written_in_their_language(pages: Pages, render: Callable[..., str], language: str) -> None:
    direction = "rtl" if language == "ar" else "ltr"
    for page in (
        render(an_order(), language=language),
        pages.problem_page(404, "order_not_found", language=language).decode(),
    ):
        assert f'<html lang="{language}" dir="{direction}">' in page
    assert words_of(language)["headline"]["picked_up"] in render(an_order(), language=language)


@pytest.mark.parametrize(
    ("status", "problem"),
    [(401, "token"), (403, "foreign"), (404, "unknown"), (410, "gone"), (429, "busy"), (503, "down"), (400, "other")],
)
def test_problem_page_says_what_to_do(pages: Pages, status: int, problem: str) -> None:
    text = text_of(pages.problem_page(status, "any", language="en").decode())
    assert WORDS["problem"][problem] in text
    assert WORDS["problem"][f"{problem}_next"] in text


def test_pages_have_no_inline_script_or_style(pages: Pages, render: Callable[..., str]) -> None:
    for page in (render(an_order()).encode(), pages.problem_page(401, "unauthenticated", language="en")):
        elements = Elements(page)
        assert not list(elements.of("style"))
        assert all(script.get("src") for script in elements.of("script"))
        for _, attributes in elements.found:
            assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_only_a_link_is_offered_for_sharing(render: Callable[..., str]) -> None:
    assert 'class="button share"' in render(an_order())
    assert 'class="button share"' not in render(an_order(), is_link=False)


def imported_files(start: Path) -> set[Path]:
    """Return the files that a module loads, with it. Words are those of English."""
    found, waiting = set[Path](), [start]
    while waiting:
        file = waiting.pop()
        if file in found or file.name in ON_DEMAND:
            continue
        found.add(file)
        for groups in IMPORTED.findall(COMMENT.sub("", file.read_text(encoding="utf-8"))):
            name = "".join(groups).replace("${language}", "en")
            waiting.append(SDK_FOLDER / name.removeprefix("/sdk/") if name.startswith("/sdk/") else file.parent / name)
    return found


def url_of(file: Path) -> str:
    name, folder = ("pages", PAGES_FOLDER) if file.is_relative_to(PAGES_FOLDER) else ("sdk", SDK_FOLDER)
    return f"/{name}/{file.relative_to(folder).as_posix()}"


def test_page_preloads_the_modules_it_imports(render: Callable[..., str]) -> None:
    links = Elements(render(an_order()).encode()).of("link")
    preloaded = {link["href"] for link in links if link.get("rel") == "modulepreload"}
    needed = imported_files(PAGES_FOLDER / "page.js") - {PAGES_FOLDER / "page.js"}
    assert preloaded == {url_of(file) for file in needed}


def compressed(files: set[Path]) -> int:
    return sum(len(gzip.compress(file.read_bytes())) for file in files)


def test_page_is_less_than_30_kb(render: Callable[..., str]) -> None:
    files = imported_files(PAGES_FOLDER / "page.js") | {
        PAGES_FOLDER / "times.js", SDK_FOLDER / "ordertrack.css", PAGES_FOLDER / "page.css",
        PAGES_FOLDER / "service-worker.js", PAGES_FOLDER / "manifest.webmanifest",
        FOLDER / "picked_up.svg", FOLDER / "app-192.png",
    }  # fmt: skip
    assert compressed(files) + len(gzip.compress(render(an_order()).encode())) < MAX_PAGE_BYTES


def test_widget_is_less_than_15_kb() -> None:
    files = imported_files(SDK_FOLDER / "widget.js") | {SDK_FOLDER / "ordertrack.css"}
    assert compressed(files) < MAX_WIDGET_BYTES


def test_icons_are_those_of_the_script() -> None:
    assert {file.name: file.read_text() for file in FOLDER.glob("*.svg")} == icon_files()
