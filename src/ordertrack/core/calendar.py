"""The times that can be written with a year of four digits. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
FIRST_MS = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MS
LAST_MS = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MS
"""The years 1 to 9999, in milliseconds since 1970."""
TimeMs = Annotated[int, Meta(ge=FIRST_MS, le=LAST_MS)]
"""Milliseconds since 1970, UTC. Decoders refuse others: they are damage, and every answer that has them would fail."""
