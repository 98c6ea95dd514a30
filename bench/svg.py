"""Charts as SVG, without a library: bars for one figure of each contender, dots for one figure in several settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

WIDTH, BAR, GAP, LABEL, VALUE, TOP = 720, 22, 10, 200, 110, 44
OURS, OTHERS = "#0f766e", "#94a3b8"
ROW, AXIS, LEGEND = 34, 46, 22
DOTS = (("#b45309", "#fbbf24"), ("#6d28d9", "#c4b5fd"), ("#0f766e", "#5eead4"), ("#1d4ed8", "#93c5fd"))
"""Colours of the series on a light and on a dark background."""
SHAPES = ("M-5-5h10v10h-10z", "M0-7 7 0 0 7-7 0z", "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0", "M0-6 6 5H-6z")


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


def dots(title: str, unit: str, series: Mapping[str, Mapping[str, float]]) -> str:
    """Return a chart with a row for each setting and a mark for each of up to four series, on a logarithmic axis.

    Its colours follow the reader's preference for a light or a dark background.
    """
    settings = list(dict.fromkeys(name for values in series.values() for name in values))
    every = [value for values in series.values() for value in values.values()]
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    top = TOP + LEGEND * math.ceil(len(series) / 2)
    bottom = top + ROW * len(settings)

    def x_of(value: float) -> float:
        return round(LABEL + (WIDTH - LABEL - 3 * GAP) * (math.log10(value) - low) / (high - low), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + AXIS}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f"<style>{_dot_colours()}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{bottom + AXIS}"/>',
        f'<text class="ink" x="{GAP}" y="26" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for at, who in enumerate(series):
        left, y = GAP + 7 + at % 2 * WIDTH // 2, TOP + at // 2 * LEGEND
        parts.append(f'<path class="series{at}" transform="translate({left} {y})" d="{SHAPES[at]}"/>')
        parts.append(f'<text class="ink" x="{left + 14}" y="{y + 4}">{escape(who)}</text>')
    for power in range(low, high + 1):
        x = x_of(10.0**power)
        parts.append(f'<path class="line" d="M{x} {top}V{bottom}"/>')
        parts.append(f'<text class="ink" x="{x}" y="{bottom + 18}" text-anchor="middle">{10.0**power:,g}</text>')
    middle = (LABEL + WIDTH - 3 * GAP) // 2
    parts.append(f'<text class="ink" x="{middle}" y="{bottom + 38}" text-anchor="middle">{escape(unit)}</text>')
    for row, setting in enumerate(settings):
        y = top + row * ROW + ROW // 2
        parts.append(f'<text class="ink" x="{LABEL - 12}" y="{y + 4}" text-anchor="end">{escape(setting)}</text>')
        parts.append(f'<path class="line" d="M{LABEL} {y}H{WIDTH - 3 * GAP}"/>')
        for at, (who, values) in enumerate(series.items()):
            tip = f"<title>{escape(who)}: {values[setting]:,.3g}</title>"
            place = f'transform="translate({x_of(values[setting])} {y})"'
            parts.append(f'<path class="series{at}" {place} d="{SHAPES[at]}">{tip}</path>')
    return "\n".join([*parts, "</svg>", ""])


def _dot_colours() -> str:
    light, dark = ("".join(f".series{at}{{fill:{pair[shade]}}}" for at, pair in enumerate(DOTS)) for shade in range(2))
    return (
        f".paper{{fill:#fff}}.ink{{fill:#0f172a}}.line{{stroke:#cbd5e1}}{light}"
        f"@media(prefers-color-scheme:dark){{.paper{{fill:#0f172a}}.ink{{fill:#e2e8f0}}.line{{stroke:#334155}}{dark}}}"
    )
