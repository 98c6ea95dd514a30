"""The check of a page by axe-core."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_AXE = Axe()
_VIOLATIONS = {"resultTypes": ["violations"]}
_CONTRAST = {**_VIOLATIONS, "runOnly": ["color-contrast"]}


def expect_accessible(page: Page) -> None:
    """Check all rules in the light scheme, and the contrast in the dark one."""
    for scheme, options in (("light", _VIOLATIONS), ("dark", _CONTRAST)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        result = _AXE.run(page, options=options)
        assert result.violations_count == 0, f"{scheme}: {result.generate_report()}"
