"""The style sheets: contrasts of their colours, and nothing that needs another host or an exception of the CSP."""

import re

import pytest

from ordertrack.web.static_files import PAGES_FOLDER, SDK_FOLDER

DESIGN = (SDK_FOLDER / "ordertrack.css").read_text(encoding="utf-8")
CSS = DESIGN + (PAGES_FOLDER / "page.css").read_text(encoding="utf-8")
COLOURS = {name: pair for name, *pair in re.findall(r"--ot-([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)}
TINTS = ("accent", "warn", "stop")
"""Colours that are mixed with that of the card behind a text in the same colour."""
TEXT_ON = [
    ("ink", "paper"), ("muted", "paper"), ("accent", "paper"), ("ink", "card"), ("muted", "card"), ("accent", "card"),
    ("card", "accent"), ("card", "stop"), *((tint, f"tint of {tint}") for tint in TINTS),
]  # fmt: skip
"""Each colour of a text or icon, and the colour behind it."""


def channels(name: str, scheme: int) -> list[float]:
    colour = COLOURS[name][scheme]
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def background(name: str, scheme: int) -> list[float]:
    tint = name.removeprefix("tint of ")
    if tint == name:
        return channels(name, scheme)
    share = int(*set(re.findall(r"color-mix\(in srgb, var\(--tone\) (\d+)%, var\(--ot-card\)\)", CSS))) / 100
    pairs = zip(channels(tint, scheme), channels("card", scheme), strict=True)
    return [share * front + (1 - share) * card for front, card in pairs]


def luminance(colour: list[float]) -> float:
    """Return the relative luminance of WCAG 2."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT_ON)
def test_contrast_is_at_least_4_5(front: str, back: str, scheme: int) -> None:
    dark, light = sorted(luminance(colour) for colour in (channels(front, scheme), background(back, scheme)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_every_property_is_declared() -> None:
    used = set(re.findall(r"var\(--ot-([\w-]+)", CSS))
    assert used <= set(re.findall(r"--ot-([\w-]+):", CSS))


def test_style_sheet_loads_nothing() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_directions_are_logical() -> None:
    physical = r"(margin|padding|border|(?<!area-)inset)-(left|right)|text-align: (left|right)|^\s*(left|right):"
    assert not re.search(physical, CSS, re.MULTILINE)
