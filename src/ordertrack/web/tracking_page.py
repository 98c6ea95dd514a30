"""A stand-in for the rendering of pages."""

from __future__ import annotations

from html import escape
from typing import Any


class Pages:
    def order_page(
        self, order: dict[str, Any], *, language: str, time_zone: str, track_path: str, now_ms: int, is_link: bool
    ) -> bytes:
        return _document(language, f"Order {order['id']} {order['status']}", time_zone, track_path)

    def problem_page(self, status: int, code: str, *, language: str) -> bytes:
        return _document(language, f"{status} {code}")


def _document(language: str, *lines: str) -> bytes:
    text = "".join(f"<p>{escape(line)}</p>" for line in lines)
    head = '<meta charset="utf-8"><title>ordertrack</title><script type="module" src="/pages/page.js"></script>'
    return f'<!doctype html><html lang="{language}"><head>{head}</head><body>{text}</body></html>'.encode()
