"""Conversion of rows to values of the core.

Rows may be damaged by older code or by hand. Damage is confined to one order: a read of this order raises
InternalError, a read of many leaves it out, and the log has its id.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import structlog

from ordertrack.adapters.postgres.statements import SQL
from ordertrack.adapters.shared.commit_cache import LruCache
from ordertrack.core.calendar import TimeMs
from ordertrack.core.errors import InternalError, OrderNotFound
from ordertrack.core.event import Event
from ordertrack.core.feed import FeedKey, party_feeds
from ordertrack.core.order import Details, Order
from ordertrack.core.simulation import Step

ORDER_COLUMNS = SQL["order_columns"]
"""The columns that `decode_known` decodes."""
ORDERS_BY_ID = SQL["orders_by_id"].format(columns=ORDER_COLUMNS)
_REVISION = 8
"""The position of the revision among the columns."""
_DETAILS = msgspec.json.Decoder(Details)
_TIMELINE = msgspec.json.Decoder(tuple[Event, ...])
_STEPS = msgspec.json.Decoder(tuple[Step, ...])
_DAMAGE = (ValueError, msgspec.MsgspecError)
log = structlog.get_logger("ordertrack.postgresql")


class KnownOrder(msgspec.Struct, frozen=True, gc=False):
    """An order as a commit left it, with the revision of its row, its pending steps and the feeds of its parties."""

    order: Order
    revision: int
    steps: tuple[Step, ...]
    feeds: tuple[FeedKey, ...]


class RememberedOrders(LruCache[int, KnownOrder]):
    """Orders as they were read or as commits left them: the newest that this process knows, not the current ones."""

    def decode(self, columns: Sequence[Any], damage: Damage) -> KnownOrder | None:
        """Return the order of a row: the remembered one if it has the row's revision. None when it is damaged."""
        order_id, revision = columns[0], columns[_REVISION]
        known = self.get(order_id)
        if known is not None and known.revision == revision:
            return known
        read = decode_known(columns, damage)
        if read is not None and (known is None or known.revision < revision):
            self.put(order_id, read)
        return read


class Damage:
    """Damaged orders that a read left out: what is wrong with each."""

    def __init__(self) -> None:
        self.causes: dict[int, Exception] = {}

    def report(self) -> int:
        """Log which orders were left out. Return their number."""
        if self.causes:
            why = str(next(iter(self.causes.values())))
            log.error("damaged orders were left out of what was read", order_ids=list(self.causes), why=why)
        return len(self.causes)


def decode_known(columns: Sequence[Any], damage: Damage) -> KnownOrder | None:
    """Return the order; None when it is damaged."""
    id_, reference, customer_id, restaurant_id, courier_id, details, created_at_ms, version, revision, steps, events = (
        columns
    )
    try:
        timeline = _TIMELINE.decode(events or "[]")
        last = timeline[-1] if timeline else None
        if last is None or not last.version == version == len(timeline):
            raise ValueError(f"{len(timeline)} events, the last of version {last and last.version}, not {version}")
        order = Order(
            id_,
            reference,
            customer_id,
            restaurant_id,
            courier_id,
            _DETAILS.decode(details),
            last.status,
            version,
            msgspec.convert(created_at_ms, TimeMs),
            last.recorded_at_ms,
            timeline,
        )
        return KnownOrder(order, revision, decode_steps(steps), party_feeds(order))
    except _DAMAGE as error:
        damage.causes[id_] = error
        return None


def decode_steps(steps: str | None) -> tuple[Step, ...]:
    """Return the pending steps; none when they are damaged: then a new simulation can begin."""
    if steps is None:
        return ()
    try:
        return _STEPS.decode(steps)
    except _DAMAGE as error:
        log.error("damaged steps of a simulation", steps=steps, error=str(error))
        return ()


def decode_each(
    order_ids: Iterable[int],
    rows: Iterable[Sequence[Any]],
    decode: Callable[[Sequence[Any], Damage], KnownOrder | None] = decode_known,
) -> dict[int, KnownOrder | Exception]:
    """Return each order by its id, or why it cannot be read: OrderNotFound, InternalError."""
    damage = Damage()
    outcomes: dict[int, KnownOrder | Exception] = {order_id: OrderNotFound(order_id) for order_id in order_ids}
    for row in rows:
        known = decode(row, damage)
        if known is not None:
            outcomes[known.order.id] = known
    for order_id, cause in damage.causes.items():
        incident = secrets.token_hex(6)
        log.error("damaged order", order_id=order_id, incident=incident, exc_info=cause)
        outcomes[order_id] = InternalError(incident)
    return outcomes
