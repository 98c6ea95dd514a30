"""Columns of rows as text parameters: asyncpg needs a multiple of the time for each element of an array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def as_columns(rows: Sequence[Sequence[Any]], width: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def number_array(values: Iterable[int | None]) -> str:
    """Return the text of an array; None is NULL."""
    return f"{{{str(list(values))[1:-1]}}}".replace("None", "NULL")


def word_array(values: Iterable[str]) -> str:
    """Return the text of an array of texts without special characters."""
    return f"{{{','.join(values)}}}"


def text_list(values: Iterable[str | None]) -> str:
    return _encoder.encode(list(values)).decode()


def json_lines(values: Sequence[Any]) -> str:
    """Return a line of JSON for each value, without the last line break."""
    return _encoder.encode_lines(values)[:-1].decode()
