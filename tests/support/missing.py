"""Skip or fail a test whose program is not installed."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

ALL_NEEDED = "ORDERTRACK_TESTS_NEED_ALL"
"""Set in continuous integration: there a missing program is a failure."""


def skip(reason: str) -> NoReturn:
    """Skip the test; fail it in continuous integration."""
    if os.environ.get(ALL_NEEDED):
        pytest.fail(f"{reason} ({ALL_NEEDED} is set)")
    pytest.skip(reason)


def needs(program: str) -> None:
    """Return if the program is installed; else skip or fail."""
    if shutil.which(program) is None:
        skip(f"{program} is not installed: make packages")
