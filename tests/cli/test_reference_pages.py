"""The reference pages say what the declarations say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordertrack.cli.reference import PAGES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_what_make_docs_would_write(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_no_page_stands_in_the_reference_that_nothing_makes() -> None:
    assert {page.name for page in REFERENCE.iterdir()} == set(PAGES)
