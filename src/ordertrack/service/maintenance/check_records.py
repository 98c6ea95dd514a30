"""Check all records of a store: `ordertrack db check`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import pairwise

from ordertrack.core.event import EventType
from ordertrack.core.order import Order, as_created, evolve
from ordertrack.ports.records import CheckedRecords, DamagedOrder, OrderRecord, RecordProgress


async def check_records(records: CheckedRecords, progress: RecordProgress) -> AsyncIterator[str]:
    """Yield what is wrong.

    Raises: RecordsUnusable.
    """
    async for finding in records.findings():
        yield finding
    expected = (await records.totals()).orders
    done = 0
    async for batch in records.orders():
        for record in batch:
            if isinstance(record, DamagedOrder):
                yield f"order {record.id}: it cannot be read: {record.why}"
            elif (contradiction := _contradiction(record)) is not None:
                yield f"order {record.order.id}: {contradiction}"
        done += len(batch)
        progress("orders", done, expected)


def _contradiction(record: OrderRecord) -> str | None:
    """Return the first contradiction in an order, as text."""
    order = record.order
    versions = [event.version for event in order.timeline]
    if versions != list(range(1, order.version + 1)):
        return f"its events have the versions {versions}, not 1 to {order.version}"
    if order.timeline[0].type is not EventType.CREATED:
        return f"its first event is {order.timeline[0].type}"
    times_ms = [event.recorded_at_ms for event in order.timeline]
    if not _rise(times_ms):
        return "its events are not in the order of their times"
    if _replayed(order) != order:
        return "its events give another order than its row"
    return next(_feed_findings(record), None)


def _replayed(order: Order) -> Order:
    replayed = as_created(order)
    for event in order.timeline[1:]:
        replayed = evolve(replayed, event)
    return replayed


def _feed_findings(record: OrderRecord) -> Iterator[str]:
    """Yield feeds whose versions do not rise with the events. Events of earlier versions of ordertrack have none."""
    versions: dict[str, list[int]] = {"customer": [], "restaurant": []}
    for feeds in record.feeds:
        versions["customer"].append(feeds.customer)
        versions["restaurant"].append(feeds.restaurant)
        if feeds.courier_number:
            versions.setdefault(f"courier {feeds.courier_number}", []).append(feeds.courier)
    for party, of_events in versions.items():
        if not _rise(version for version in of_events if version):
            yield f"its events have the versions {of_events} of the feed of its {party}, which do not rise"
    last = record.feeds[-1]
    if not (last.customer and last.restaurant and (last.courier or not last.courier_number)):
        yield "its last event has no version of a party's feed"


def _rise(numbers: Iterable[int]) -> bool:
    return all(before < after for before, after in pairwise(numbers))
