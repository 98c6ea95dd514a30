"""The database that the measurement of reads writes itself is one that the store reads."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from bench import order_file
from ordertrack.adapters.sqlite.database import FILE_NAME, connect
from ordertrack.adapters.sqlite.feeds import read_changes
from ordertrack.adapters.sqlite.lists import count_by_status
from ordertrack.adapters.sqlite.rows import read_undamaged
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind


def test_store_reads_the_orders_and_their_feed(tmp_path: Path):
    order_file.write(tmp_path / "data", ended=40, active=20)
    damaged: list[int] = []
    with closing(connect(tmp_path / "data" / FILE_NAME, read_only=True)) as database:
        assert count_by_status(database) == {Status.DELIVERED: 40, Status.PREPARING: 20}
        assert len(read_undamaged(database, range(1, 61), damaged)) == 60
        chain = FeedKey(FeedKind.RESTAURANT, order_file.CHAIN)
        snapshot = read_changes(database, chain, None, 0, 100, damaged)
    assert (damaged, len(snapshot.orders)) == ([], 5)
    assert snapshot.version == 2 * (40 // 5 + 5)
