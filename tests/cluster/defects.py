"""Defects that the checker has to find. Each function patches the product in the process of a node."""

from __future__ import annotations

from collections.abc import Callable

DEFECTS: dict[str, Callable[[], None]] = {}
