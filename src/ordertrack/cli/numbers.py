"""Parameter types for numbers, whose errors state the allowed range in words."""

from __future__ import annotations

import math
from typing import Any

import rich_click as click

from ordertrack.settings import Bounds


class WholeNumber(click.IntRange):
    name = "number"

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        super().__init__(least, most)
        self.allowed = _allowed("a whole number", Bounds(least, most))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"must be {self.allowed}; it is {value!r}.", param, ctx)

    def _describe_range(self) -> str:
        return self.allowed


class Number(click.FloatRange):
    name = "number"

    def __init__(self, least: float | None = None, most: float | None = None) -> None:
        super().__init__(least, most)
        self.allowed = _allowed("a number", Bounds(least, most))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = super().convert(value, param, ctx)
        except click.BadParameter:
            number = math.nan
        if not math.isfinite(number):
            self.fail(f"must be {self.allowed}; it is {value!r}.", param, ctx)
        return number

    def _describe_range(self) -> str:
        return self.allowed


def _allowed(kind: str, bounds: Bounds) -> str:
    return f"{kind}{' ' if bounds.most is not None else ', ' if bounds.least is not None else ''}{bounds}"
