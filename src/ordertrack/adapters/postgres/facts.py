"""Facts read for the jobs of one commit: orders, uses of idempotency keys, references, and ids for new orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ordertrack.adapters.postgres.decoding import ORDERS_BY_ID, KnownOrder, decode_each
from ordertrack.adapters.postgres.sessions import Session
from ordertrack.adapters.postgres.statements import SQL

Reference = tuple[str, str]


class KeyUse(NamedTuple):
    """The use of an idempotency key."""

    fingerprint: str
    order_id: int
    at_ms: int


@dataclass
class Missing:
    orders: set[int] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    references: set[Reference] = field(default_factory=set)
    ids: int = 0
    skipped_ids: int = 0
    """The highest id that an order was given, not by the sequence."""

    def __bool__(self) -> bool:
        return bool(self.orders or self.keys or self.references or self.ids or self.skipped_ids)


class Facts:
    """Everything that was read for a batch. `ids` are the ids for new orders."""

    def __init__(self, ids: list[int]) -> None:
        self.orders: dict[int, KnownOrder | Exception] = {}
        self.keys: dict[str, KeyUse | None] = {}
        self.references: dict[Reference, bool] = {}
        self.skipped_ids = 0
        self.ids = ids

    async def load(self, session: Session, missing: Missing) -> None:
        """Raises: as `Session.fetch`."""
        if missing.orders:
            self.orders |= decode_each(missing.orders, await session.fetch(ORDERS_BY_ID, list(missing.orders)))
        if missing.keys:
            self.keys |= dict.fromkeys(missing.keys)
            for key, *use in await session.fetch(SQL["idempotency"], list(missing.keys)):
                self.keys[key] = KeyUse(*use)
        if missing.references:
            self.references |= dict.fromkeys(missing.references, False)
            columns = zip(*missing.references, strict=True)
            for restaurant_id, reference in await session.fetch(SQL["references"], *map(list, columns)):
                self.references[restaurant_id, reference] = True
        if missing.skipped_ids:
            await session.fetch(SQL["skip_ids"], missing.skipped_ids)
            self.skipped_ids = missing.skipped_ids
        if missing.ids:
            self.ids += [id_ for (id_,) in await session.fetch(SQL["next_ids"], missing.ids)]
