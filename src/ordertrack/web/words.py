"""Texts for pages: the tables of words that the SDK has as well, and times and money through Babel."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_interval, format_skeleton, format_time, get_timezone_gmt, get_timezone_name
from babel.numbers import format_currency, format_decimal, is_currency

from ordertrack.core.languages import LANGUAGES
from ordertrack.web.static_files import PAGES_FOLDER, SDK_FOLDER

_EXPORT = "export default "
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC) + _DAY, datetime.max.replace(tzinfo=UTC) - _DAY
"""The times that exist in every zone."""


def read_table(path: Path) -> dict[str, Any]:
    """Return the value of a file that is JSON behind `export default`."""
    text = path.read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text.removeprefix(_EXPORT).rstrip().removesuffix(";"))
    return table


@cache
def words_of(language: str) -> dict[str, Any]:
    """Return the texts of a language: those of the SDK, and those that only pages have."""
    sdk, pages = (read_table(folder / f"words/{language}.js") for folder in (SDK_FOLDER, PAGES_FOLDER))
    return {**sdk, **pages, "problem": sdk["problem"] | pages["problem"]}


def language_names() -> dict[str, str]:
    """Return the name of each language in itself."""
    names = {language: Locale.parse(language).get_language_name() for language in LANGUAGES}
    return {language: f"{name[0].upper()}{name[1:]}" for language, name in names.items() if name}


class Format:
    """Write times, numbers and money of one language, times in one zone and relative to one moment."""

    def __init__(self, language: str, time_zone: str, now_ms: int) -> None:
        self.words = words_of(language)
        self._locale = Locale.parse(language)
        self._zone = ZoneInfo(time_zone)
        self._now = self._local(now_ms)

    @property
    def zone_name(self) -> str:
        return get_timezone_name(self._now, locale=self._locale)

    @property
    def zone_code(self) -> str:
        """The short name of the zone, such as CET, else its offset, such as GMT+07:00."""
        name = get_timezone_name(self._now, "short", locale=self._locale)
        return get_timezone_gmt(self._now, locale=self._locale) if name.startswith(("+", "-")) else name

    @property
    def direction(self) -> str:
        return "rtl" if self._locale.character_order == "right-to-left" else "ltr"

    def time(self, ms: int) -> str:
        at = self._local(ms)
        time = format_time(at, "short", self._zone, self._locale)
        return time if self._is_today(at) else f"{self._day(at)}, {time}"

    def span(self, span: dict[str, int]) -> str:
        start, end = self._local(span["from"]), self._local(span["to"])
        hour = "h" if "h" in self._locale.time_formats["short"].pattern else "H"
        times = format_interval(start, end, f"{hour}m", self._zone, locale=self._locale)
        return times if self._is_today(start) else f"{self._day(start)}, {times}"

    def iso(self, ms: int) -> str:
        return f"{(_EPOCH + timedelta(milliseconds=ms)).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"

    def money(self, amount: float, currency: str | None) -> str:
        if currency is not None and is_currency(currency):
            return format_currency(amount, currency, locale=self._locale)
        number = format_decimal(amount, "#,##0.00", self._locale)
        return number if currency is None else f"{number} {currency}"

    def number(self, number: int) -> str:
        return format_decimal(number, locale=self._locale)

    def _local(self, ms: int) -> datetime:
        """Return the time in the zone; one of the calendar's first or last day may become the next or previous day."""
        at = min(max(_EPOCH + timedelta(milliseconds=ms), _FIRST), _LAST)
        return at.astimezone(self._zone)

    def _is_today(self, at: datetime) -> bool:
        return at.date() == self._now.date()

    def _day(self, at: datetime) -> str:
        return format_skeleton("MMMEd", at, self._zone, locale=self._locale)
