"""One thread writes, and everything that waits for it shares one commit: group commit.

A commit costs one sync of the disk however many changes are in it, so under load the batches grow by themselves and
the cost of a change falls; nobody waits for a batch to fill.

Results travel to the event loop in commit order. `visible` is held from COMMIT until they are on their way: a reader
that takes it after reading knows that whatever it read has been announced before its own result arrives.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from ordertrack.adapters.sqlite.database import connect
from ordertrack.adapters.sqlite.transaction import Transaction
from ordertrack.core.errors import OrdertrackError, StoreBusy, StoreUnavailable
from ordertrack.core.event import Status
from ordertrack.ports.clock import Clock
from ordertrack.ports.store import CommitMeter, Committed

MAX_WAITING = 10_000
"""Requests waiting for a commit before more are refused: about two seconds of work."""
MAX_BATCH = 1_000
BUSY_RETRY_AFTER_S = 1
FAILED_RETRY_AFTER_S = 5

Job = Callable[[Transaction], Any]
Changed = list[tuple[Status | None, Committed]]

log = structlog.get_logger("ordertrack.sqlite")


class _Waiting(NamedTuple):
    job: Job
    future: asyncio.Future[Any]


class Writer:
    """`deliver` is called on the loop with what each commit changed, before the requests in it hear of it."""

    def __init__(self, path: Path, deliver: Callable[[Changed, float], None], clock: Clock, meter: CommitMeter) -> None:
        """Raises sqlite3.Error when the file cannot be opened."""
        self.visible = threading.Lock()
        self.waiting = 0
        self._connection = connect(path, check_same_thread=False)
        self._transaction = Transaction(self._connection)
        self._deliver = deliver
        self._clock = clock
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ordertrack-write", daemon=True)
        self._thread.start()

    async def submit(self, job: Job) -> Any:
        """Run `job` in the next commit and return its result once that is durable.

        Raises StoreBusy, StoreUnavailable, and what the job raised of OrdertrackError.
        """
        if self.waiting >= MAX_WAITING:
            raise StoreBusy(retry_after_s=BUSY_RETRY_AFTER_S)
        self.waiting += 1
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put(_Waiting(job, future))
        return await future

    async def close(self) -> None:
        """Commit what is waiting, then end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while batch := self._take():
            self._commit(batch)
        self._connection.close()

    def _take(self) -> list[_Waiting]:
        """All that waits now, at least one; empty when it is time to end."""
        first = self._queue.get()
        batch = [] if first is None else [first]
        while batch and len(batch) < MAX_BATCH:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)
                break
            batch.append(following)
        return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        connection, transaction = self._connection, self._transaction
        outcomes: list[Any] = []
        began_s = self._clock.monotonic_s()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for waiting in batch:
                try:
                    outcomes.append(waiting.job(transaction))
                except OrdertrackError as error:
                    outcomes.append(error)
            changed = transaction.flush()
            with self.visible:
                connection.execute("COMMIT")
                transaction.begin_next()
                committed_at_s = self._clock.monotonic_s()
                self._loop.call_soon_threadsafe(self._arrive, batch, outcomes, changed, began_s, committed_at_s)
        except Exception as error:
            log.exception("commit failed, nothing of it was kept", requests=len(batch), error=str(error))
            self._roll_back()
            failed = [StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S) for _ in batch]
            self._loop.call_soon_threadsafe(self._arrive, batch, failed, [], began_s, None)

    def _roll_back(self) -> None:
        self._transaction.forget()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("rollback failed")

    def _arrive(
        self,
        batch: list[_Waiting],
        outcomes: list[Any],
        changed: Changed,
        began_s: float,
        committed_at_s: float | None,
    ) -> None:
        """On the loop. News goes out first, whatever became of those who asked for the changes."""
        self.waiting -= len(batch)
        if committed_at_s is not None:
            self._meter(len(batch), committed_at_s - began_s)
            if changed:
                self._deliver(changed, committed_at_s)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.future.done():
                continue
            if isinstance(outcome, BaseException):
                waiting.future.set_exception(outcome)
            else:
                waiting.future.set_result(outcome)
