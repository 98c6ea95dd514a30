"""The allowed values of a setting or an option, and their words."""

from __future__ import annotations

from typing import Any, NamedTuple


class Bounds(NamedTuple):
    """The allowed values. None means no bound; `or_zero` also allows 0."""

    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    or_zero: bool = False

    def __str__(self) -> str:
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.least is not None and self.most is not None:
            return f"{'0, or ' if self.or_zero else ''}from {self.least:,} to {self.most:,}"
        return "" if self.least is None else f"{self.least:,} or more"

    def allow(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if self.or_zero and value == 0:
            return True
        return not (
            (self.least is not None and not value >= self.least) or (self.most is not None and not value <= self.most)
        )
