"""A database with many orders, written with the store's own schema and statements, without a server.

Each order has two events, each event an entry in the feeds of its customer, restaurant and courier. Every fifth of the
ended orders, which are delivered, and every fourth of the active ones, which are preparing, belong to one large
restaurant, CHAIN. No order is ready or cancelled, and CUSTOMER has never ordered from CHAIN.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ordertrack.adapters.sqlite.database import FILE_NAME, SQL, connect, migrate
from ordertrack.adapters.sqlite.rows import Row, event_row, order_row
from ordertrack.core.event import PROGRESSION, Event, EventType, Status
from ordertrack.core.order import Details, Order
from ordertrack.load.orders import NAME, parties

CHAIN = f"{NAME}-chain"
CUSTOMER = f"{NAME}-1"
KINDS = ("customer", "restaurant", "courier")
DETAILS = Details(total=31.5, currency="EUR", address="Example Street 12, 12345 Sampletown")
INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOTNULL"
PREPARING, DELIVERED = PROGRESSION[1], PROGRESSION[-1]


def write(data_dir: Path, *, ended: int, active: int) -> None:
    """Write a new database into the folder, which is created."""
    data_dir.mkdir(parents=True)
    now_ms = round(time.time() * 1000)
    with closing(connect(data_dir / FILE_NAME)) as database:
        migrate(database, now_ms)
        for setting in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -400000"):
            database.execute(f"PRAGMA {setting}")
        indexes = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOTNULL"
        ).fetchall()
        database.execute("BEGIN")
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        _insert(database, ended, active, now_ms - ended - active)
        for _, sql in indexes:
            database.execute(sql)
        database.execute("COMMIT")
    with closing(connect(data_dir / FILE_NAME)):  # turns the WAL on again
        pass


def _insert(database: sqlite3.Connection, ended: int, active: int, first_ms: int) -> None:
    feeds = _Feeds()
    database.executemany(SQL["insert_order"], map(order_row, _orders(ended, active, first_ms)))
    database.executemany(SQL["set_final_status"], ((DELIVERED.value, order_id) for order_id in range(1, ended + 1)))
    database.executemany(SQL["insert_event"], feeds.event_rows(_orders(ended, active, first_ms)))
    database.executemany(SQL["insert_party"], feeds.parties())
    database.executemany(SQL["insert_feed_entry"], feeds.entries())


def _orders(ended: int, active: int, first_ms: int) -> Iterator[Order]:
    for id_ in range(1, ended + active + 1):
        of_order = parties(id_)
        of_chain = id_ % 5 == 0 if id_ <= ended else id_ % 4 == 0
        status = DELIVERED if id_ <= ended else PREPARING
        at_ms = first_ms + id_
        created = Event(1, EventType.CREATED, Status.CONFIRMED, at_ms, at_ms, "api")
        skipped = PROGRESSION[1:-1] if status is DELIVERED else ()
        changed = Event(2, EventType.STATUS_CHANGED, status, at_ms + 1, at_ms + 1, "api", skipped=skipped)
        yield Order(
            id=id_,
            reference=None,
            customer_id=of_order.customer_id,
            restaurant_id=CHAIN if of_chain else of_order.restaurant_id,
            courier_id=of_order.courier_id,
            details=DETAILS,
            status=status,
            version=2,
            created_at_ms=at_ms,
            updated_at_ms=at_ms + 1,
            timeline=(created, changed),
        )


class _Feeds:
    """The versions of all feeds, and their entries."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, str], list[int]] = {}

    def event_rows(self, orders: Iterator[Order]) -> Iterator[Row]:
        for order in orders:
            ids = (order.customer_id, order.restaurant_id, str(order.courier_id))
            feeds = [self._changes.setdefault(feed, []) for feed in zip(KINDS, ids, strict=True)]
            for event in order.timeline:
                for changes in feeds:
                    changes.append(order.id)
                yield event_row(order.id, event, list(map(len, feeds)))

    def parties(self) -> Iterator[dict[str, str]]:
        for kind, id_ in self._changes:
            yield {"kind": kind, "id": id_}

    def entries(self) -> Iterator[tuple[int, int, int]]:
        for party, order_ids in enumerate(self._changes.values(), start=1):
            for version, order_id in enumerate(order_ids, start=1):
                yield party, version, order_id
