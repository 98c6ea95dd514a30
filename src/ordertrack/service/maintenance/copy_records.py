"""Copy all records of one store into another, so that every cursor of a client stays valid: `ordertrack migrate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from ordertrack.core.event import Status
from ordertrack.ports.records import (
    DamagedOrder,
    OrderRecord,
    RecordProgress,
    RecordReader,
    RecordsUnusable,
    RecordTarget,
    Totals,
)

SAMPLES = 500
"""Orders that are compared one by one after the copy, spread evenly over all."""
NAMED_DAMAGE = 20
"""Damaged orders that an error lists."""


class _OfOrder(Protocol):
    @property
    def order_id(self) -> int: ...


R = TypeVar("R", bound=_OfOrder)


class Copied(NamedTuple):
    """The totals of what was written, the orders that were left out, and how many were compared one by one."""

    totals: Totals
    skipped: tuple[DamagedOrder, ...]
    compared: int


async def copy_records(
    source: RecordReader, target: RecordTarget, progress: RecordProgress, *, skip_damaged: bool
) -> Copied:
    """Copy, compare what was written with the source, and commit. Records of damaged orders are left out with
    `skip_damaged`.

    Raises: RecordsUnusable. The target keeps nothing then.
    """
    return await _Copy(source, target, progress, await source.totals(), skip_damaged).run()


class _Copy:
    def __init__(
        self, source: RecordReader, target: RecordTarget, progress: RecordProgress, expected: Totals, skip_damaged: bool
    ) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._expected = expected
        self._skip_damaged = skip_damaged
        self._written: Counter[str] = Counter()
        """By the fields of `Totals`."""
        self._statuses: Counter[Status] = Counter()
        self._damaged: dict[int, DamagedOrder] = {}
        self._samples: dict[int, OrderRecord] = {}

    async def run(self) -> Copied:
        source, target = self._source, self._target
        async for parties in source.parties():
            await target.write_parties(parties)
            self._written["feed_versions"] += sum(party.version for party in parties)
            self._count("parties", len(parties))
        async for batch in source.orders():
            await self._copy_orders(batch)
        if self._damaged and not self._skip_damaged:
            raise RecordsUnusable(_refusal(tuple(self._damaged.values())))
        await self._copy_rest("departures", source.departures(), target.write_departures)
        await self._copy_rest("keys", source.keys(), target.write_keys)
        await self._copy_rest("links", source.links(), target.write_links)
        await target.finish(await source.counters(), self._statuses)
        totals = await self._verify()
        await target.commit()
        return Copied(totals, tuple(self._damaged.values()), len(self._samples))

    async def _copy_orders(self, batch: Sequence[OrderRecord | DamagedOrder]) -> None:
        self._damaged |= {record.id: record for record in batch if isinstance(record, DamagedOrder)}
        records = [record for record in batch if isinstance(record, OrderRecord)]
        if not self._damaged or self._skip_damaged:  # else only the list of the damaged ones is completed
            await self._target.write_orders(records)
        every = max(1, self._expected.orders // SAMPLES)
        for record in records:
            if self._written["orders"] % every == 0:
                self._samples[record.order.id] = record
            self._written["orders"] += 1
            self._written["versions"] += record.order.version
            self._written["events"] += len(record.order.timeline)
            self._statuses[record.order.status] += 1
        self._progress("orders", self._written["orders"] + len(self._damaged), self._expected.orders)

    async def _copy_rest(
        self, name: str, batches: AsyncIterator[Sequence[R]], write: Callable[[Sequence[R]], Awaitable[None]]
    ) -> None:
        async for batch in batches:
            records = [record for record in batch if record.order_id not in self._damaged]
            await write(records)
            self._count(name, len(records))

    def _count(self, name: str, records: int) -> None:
        self._written[name] += records
        self._progress(name, self._written[name], getattr(self._expected, name))

    async def _verify(self) -> Totals:
        """Raises: RecordsUnusable when the target differs from what was read, or that from what the source counts."""
        totals = await self._target.totals()
        read = Totals(**self._written)
        if totals != read or (not self._damaged and totals != self._expected):
            raise RecordsUnusable(
                f"The copy is not complete: the source has {self._expected}, {read} was read and {totals} written. "
                "Nothing was kept. Look for damage with `ordertrack db check`."
            )
        written = await self._target.written(self._samples)
        different = [order_id for order_id, record in self._samples.items() if written.get(order_id) != record]
        if different:
            raise RecordsUnusable(f"Order {different[0]} is not equal in both databases. Nothing was kept.")
        return totals


def _refusal(damaged: Sequence[DamagedOrder]) -> str:
    named = "; ".join(f"order {order.id}: {order.why}" for order in damaged[:NAMED_DAMAGE])
    more = f"; and {len(damaged) - NAMED_DAMAGE} more" if len(damaged) > NAMED_DAMAGE else ""
    return (
        f"The source has damaged orders ({len(damaged)}): {named}{more}. Nothing was copied. Restore a backup without "
        "the damage, or leave these orders out with --skip-damaged."
    )
