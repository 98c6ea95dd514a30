"""The reference pages match the declarations."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordertrack.cli.reference import PAGES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_is_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_reference_page_is_generated() -> None:
    assert {page.name for page in REFERENCE.iterdir()} == set(PAGES)
