"""The tables of words: one a language, all with the same texts."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from ordertrack.core.event import PROGRESSION, Status
from ordertrack.core.languages import LANGUAGES
from ordertrack.core.timestamps import parse_time_ms
from ordertrack.web.static_files import SDK_FOLDER
from ordertrack.web.words import Format, words_of

PLACEHOLDER = re.compile(r"\{(\w+)\}")
NOON = 1_796_036_400_000  # 2026-11-30 12:00 in Rome


def placeholders(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, list[str]]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from placeholders(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", sorted(PLACEHOLDER.findall(value))


def test_every_language_has_a_table() -> None:
    assert sorted(file.stem for file in (SDK_FOLDER / "words").iterdir()) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_have_the_same_texts_and_placeholders(language: str) -> None:
    assert list(placeholders(words_of(language))) == list(placeholders(words_of("en")))


def test_every_status_has_words() -> None:
    assert words_of("en")["step"].keys() == {*Status}
    assert words_of("en")["headline"].keys() == {*Status, "unknown"}


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "12:00 – 12:15 PM"),
        ("de", "12:00–12:15 Uhr"),
        ("fr", "12:00 – 12:15"),
        ("es", "12:00–12:15"),
        ("ar", "12:00–12:15 م"),
        ("vi", "12:00–12:15"),
    ],
)
def test_window_is_written_as_the_language_does(language: str, expected: str) -> None:
    span = {"from": NOON, "to": NOON + 15 * 60_000}
    written = Format(language, "Europe/Rome", NOON).span(span)
    assert re.sub(r"\s", " ", written) == expected


def test_another_day_is_named() -> None:
    form = Format("en", "Europe/Rome", NOON + 24 * 3_600_000)
    assert form.time(NOON).startswith("Mon, Nov 30")
    assert form.span({"from": NOON, "to": NOON}).startswith("Mon, Nov 30")


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_the_calendar_are_written(zone: str, text: str) -> None:
    """`occurred_at` may be any time with a year of four digits."""
    ms = parse_time_ms("at", text)
    assert Format("de", zone, NOON).time(ms)
    assert Format("de", zone, NOON).span({"from": ms, "to": ms})


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(9.5, "EUR", "€9.50"), (1200, "JPY", "¥1,200"), (9.5, None, "9.50"), (9, "bits", "9.00 bits")],
)
def test_money(amount: float, currency: str | None, expected: str) -> None:
    assert Format("en", "UTC", 0).money(amount, currency) == expected


def test_steps_are_those_of_the_progression() -> None:
    text = (SDK_FOLDER / "view.js").read_text(encoding="utf-8")
    assert f"PROGRESSION = {[str(status) for status in PROGRESSION]};" in text
