"""Bar charts as SVG, without a library: a bar per contender, longest first, with its value."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

WIDTH, BAR, GAP, LABEL, VALUE, TOP = 720, 22, 10, 200, 110, 44
OURS, OTHERS = "#0f766e", "#94a3b8"


def bars(title: str, unit: str, values: Mapping[str, float], *, ours: str) -> str:
    """Return the chart. Bars of names that begin with `ours` are highlighted."""
    rows = sorted(values.items(), key=lambda row: -row[1])
    longest = max(values.values(), default=0) or 1
    height = TOP + len(rows) * (BAR + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{GAP}" y="26" font-size="16" font-weight="600" fill="#0f172a">{escape(title)}</text>',
    ]
    for at, (name, value) in enumerate(rows):
        y = TOP + at * (BAR + GAP)
        length = max(1, round((WIDTH - LABEL - VALUE) * value / longest))
        text_y = y + BAR - 6
        parts += [
            f'<text x="{LABEL - 8}" y="{text_y}" text-anchor="end" fill="#0f172a">{escape(name)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{length}" height="{BAR}" rx="3" '
            f'fill="{OURS if name.startswith(ours) else OTHERS}"/>',
            f'<text x="{LABEL + length + 6}" y="{text_y}" fill="#334155">{value:,.10g} {escape(unit)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
