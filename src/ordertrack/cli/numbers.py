"""Parameter types for numbers, whose errors state the allowed range in words."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import rich_click as click

from ordertrack.bounds import Bounds


class _RangeInWords(click.ParamType[Any]):
    """Mixin of a number type of click. `allowed` describes its range."""

    name = "number"
    kind: ClassVar[str]

    def __init__(self, least: float | None = None, most: float | None = None) -> None:
        super().__init__(least, most)  # type: ignore[call-arg]
        separator = " " if most is not None else ", " if least is not None else ""
        self.allowed = f"{self.kind}{separator}{Bounds(least, most)}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            number = super().convert(value, param, ctx)
        except click.BadParameter:
            number = math.nan
        if isinstance(number, float) and not math.isfinite(number):
            self.fail(f"must be {self.allowed}; it is {value!r}.", param, ctx)
        return number

    def _describe_range(self) -> str:
        return self.allowed


class WholeNumber(_RangeInWords, click.IntRange):
    kind = "a whole number"


class Number(_RangeInWords, click.FloatRange):
    kind = "a number"
