"""All vectors by family, and a check of many of them in one test case."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from vectors.bodies import BODIES
from vectors.heads import HEADS
from vectors.outcomes import Vector
from vectors.table import Row
from vectors.targets import HOSTS, TARGETS

FAMILIES = {"heads": HEADS, "targets": TARGETS, "hosts": HOSTS, "bodies": BODIES}
VECTORS = [vector for family in FAMILIES.values() for vector in family]
Item = TypeVar("Item", Row, Vector)
MOST_FAILURES = 5
"""A failure may cost a time limit; further ones say little."""


def check_each(items: Iterable[Item], check: Callable[[Item], None]) -> None:
    """Check each, also after a failure. A test case for each would cost more than the check itself.

    Raises: ExceptionGroup of the first failures, with the names of what failed.
    """
    failures: list[Exception] = []
    for item in items:
        try:
            check(item)
        except Exception as error:  # noqa: BLE001 - every kind of failure is reported
            error.add_note(f"in {item.name}")
            failures.append(error)
        if len(failures) == MOST_FAILURES:
            break
    if failures:
        raise ExceptionGroup("failed: " + ", ".join(note for error in failures for note in error.__notes__), failures)
