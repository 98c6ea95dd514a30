"""The tracking page and the pages for requests that cannot be answered with an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ordertrack.web.static_files import SDK_FOLDER
from ordertrack.web.view import customer_view
from ordertrack.web.words import Format, language_names, read_table, words_of

_PROBLEMS = {401: "token", 403: "foreign", 404: "unknown", 410: "gone", 429: "busy"}
_WITH_RELOAD = frozenset({"busy", "down", "other"})


class Pages:
    """Render pages. Every text of the order goes through the template engine, which escapes it."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["icons"] = read_table(SDK_FOLDER / "icons.js")
        environment.globals["languages"] = language_names()
        environment.filters["fill"] = _fill
        self._order = environment.get_template("order.html")
        self._problem = environment.get_template("problem.html")

    def order_page(
        self, order: Mapping[str, Any], *, language: str, time_zone: str, track_path: str, now_ms: int, is_link: bool
    ) -> bytes:
        """Return the page of an order, from its JSON, with its last known state.

        `track_path` is the path of its poll; times are written in `time_zone`, the restaurant's.
        """
        form = Format(language, time_zone, now_ms)
        view = customer_view(order, now_ms)
        return self._order.render(
            format=form,
            is_link=is_link,
            language=language,
            now_ms=now_ms,
            order=order,
            texts=[_notice_text(notice, form.words) for notice in view["notices"]],
            track_path=track_path,
            view=view,
            words=form.words,
        ).encode()

    def problem_page(self, status: int, code: str, *, language: str) -> bytes:
        """Return the page for a refusal: the reason, and the next thing to do. `code` is that of the error."""
        problem = _PROBLEMS.get(status, "down" if status >= 500 else "other")
        return self._problem.render(
            code=code,
            direction=Format(language, "UTC", 0).direction,
            has_reload=problem in _WITH_RELOAD,
            language=language,
            problem=problem,
            words=words_of(language),
        ).encode()


def _notice_text(notice: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    statuses = {name: words["step"].get(status, status.replace("_", " ")) for name, status in notice["params"].items()}
    text = _fill(words["notice"][notice["key"]], **statuses)
    if not notice["reason"]:
        return text
    isolated = f"\u2068{notice['reason']}\u2069"  # a right-to-left sentence may have a left-to-right reason
    return f"{text} {_fill(words['notice']['reason'], reason=isolated)}"


def _fill(text: str, **values: object) -> str:
    """Replace the placeholders of a text of the tables, which have no other braces."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
