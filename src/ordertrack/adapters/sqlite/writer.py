"""Group commit: one thread writes, and all requests that wait for it share one commit.

A commit costs one sync of the disk, for any number of changes. Under load the batches grow, and the cost of a change
falls. No change waits for a batch to fill.

Results go to the event loop in commit order. `announcing` is held from COMMIT until they are scheduled there: a reader
that takes it after reading knows that the commits it saw are announced before its own result.

Failures, and the results of the requests:

1. A request breaks the rules: its own error.
2. A request fails by itself, for example by damaged rows: the batch is rolled back, its halves are committed one after
   the other, and so on, until the request fails alone, with InternalError.
3. The medium fails: nothing of the commit is kept; StoreUnavailable for all.
4. The file is no longer at its path: nothing is written; StoreUnavailable for all.
5. The disk does not answer in time: OutcomeUnknown for the requests in the commit, StoreUnavailable for waiting ones,
   which are then skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import queue
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from ordertrack.adapters.sqlite.checkpoints import Checkpoints
from ordertrack.adapters.sqlite.database import SQL, connect
from ordertrack.adapters.sqlite.rows import is_medium_failure
from ordertrack.adapters.sqlite.transaction import Changed, Transaction
from ordertrack.core.errors import InternalError, OrdertrackError, OutcomeUnknown, StoreBusy, StoreUnavailable
from ordertrack.core.eta.rules import EtaRules
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import CommitMeter

MAX_WAITING = 10_000
"""Requests waiting for a commit before more are refused: about two seconds of work."""
MAX_BATCH = 1_000
COMMIT_LIMIT_S = 10.0
"""From a request until its commit is durable: longer than SQLite itself waits for a lock of another program."""
LOOK_EVERY_S = 1.0
"""Seconds between the checks of an idle writer that its file is still there."""
BUSY_RETRY_AFTER_S = 1
FAILED_RETRY_AFTER_S = 5

R = TypeVar("R")

log = structlog.get_logger("ordertrack.sqlite")


class _Waiting(msgspec.Struct, eq=False):
    """A request. `has_begun` and `is_given_up` exclude each other."""

    job: Callable[[Transaction], Any]
    future: asyncio.Future[Any]
    requested_at_s: float
    has_begun: bool = False
    is_given_up: bool = False

    @property
    def due_s(self) -> float:
        return self.requested_at_s + COMMIT_LIMIT_S


class Writer:
    """`deliver` is called on the event loop with the changes of each commit, before its requests get their results."""

    def __init__(
        self,
        path: Path,
        deliver: Callable[[Changed], None],
        clock: Clock,
        meter: CommitMeter,
        eta_rules: EtaRules,
    ) -> None:
        """Raises: sqlite3.Error, OSError when the file cannot be opened."""
        self.announcing = threading.Lock()
        self.waiting = 0
        self.is_cut_off = False
        """True while the file is not at its path."""
        self._path = path
        self._connection = connect(path, check_same_thread=False)
        self._connection.execute(SQL["epoch"]).fetchall()  # a connection makes its log when it first reads
        self._identities = _file_identities(path)
        self._transaction = Transaction(self._connection, eta_rules)
        self._checkpoints = Checkpoints(path, self._connection)
        self._deliver = deliver
        self._clock = clock
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._unanswered: deque[_Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._beginning = threading.Lock()
        self._began_s = math.inf
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="ordertrack-write", daemon=True)
        self._thread.start()

    @property
    def stalled(self) -> bool:
        """True while a commit takes longer than it may."""
        return self._clock.monotonic_s() - self._began_s > COMMIT_LIMIT_S

    def submit(self, job: Callable[[Transaction], R]) -> asyncio.Future[R]:
        """Run `job` in the next commit. The future has its result once that is durable.

        `job` may be run again when a commit is rolled back, so it has no effects but those on its transaction.
        Raises: StoreBusy. The future: StoreUnavailable, OutcomeUnknown, InternalError, and any OrdertrackError of the
        job.
        """
        if self.waiting >= MAX_WAITING:
            raise StoreBusy(retry_after_s=BUSY_RETRY_AFTER_S)
        self.waiting += 1
        future = self._loop.create_future()
        waiting = _Waiting(job, future, self._clock.monotonic_s())
        self._unanswered.append(waiting)
        if self._timer is None:
            self._timer = self._loop.call_later(COMMIT_LIMIT_S, self._answer_overdue)
        self._queue.put(waiting)
        return future

    async def close(self, limit_s: float) -> bool:
        """Commit what is waiting, then end the thread. False when that takes longer than `limit_s` seconds."""
        self._queue.put(None)
        _, running = await asyncio.wait([self._ended], timeout=limit_s)
        if not running and self._timer is not None:
            self._timer.cancel()
        return not running

    # On the writer thread

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            if batch:
                self._began_s = self._clock.monotonic_s()
                self._check_files()
                self._commit(self._begin(batch))
                if self._connection.total_changes >= self._checkpoints.due_rows:
                    self._checkpoints.advance()
                self._began_s = math.inf
            else:
                self._check_files()
            del batch
        self._checkpoints.close()
        self._connection.close()
        self._call_soon(self._ended.set_result, None)

    def _take(self) -> list[_Waiting] | None:
        """Return the waiting requests; none when none came for LOOK_EVERY_S seconds; None when the writer is to end."""
        try:
            first = self._queue.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            return []
        if first is None:
            return None
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)
                break
            batch.append(following)
        return batch

    def _check_files(self) -> None:
        """Notice that the files were deleted or replaced: later writes to them are lost."""
        try:
            is_cut_off = _file_identities(self._path) != self._identities
        except OSError:
            is_cut_off = True
        if is_cut_off != self.is_cut_off:
            self.is_cut_off = is_cut_off
            if is_cut_off:
                log.error(
                    "the database was deleted or replaced while it is in use: no change is taken until it is back",
                    path=str(self._path),
                )
            else:
                log.warning("the database is back", path=str(self._path))

    def _commit(self, batch: list[_Waiting]) -> None:
        if self.is_cut_off:
            self._fail(batch)
            return
        connection, transaction = self._connection, self._transaction
        outcomes: list[Any] = []
        began_s = self._clock.monotonic_s()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for waiting in batch:
                transaction.requested_at_s = waiting.requested_at_s
                try:
                    outcomes.append(waiting.job(transaction))
                except OrdertrackError as error:
                    outcomes.append(error)
            changed = transaction.flush()
            with self.announcing:
                connection.execute("COMMIT")
                committed_at_s = self._clock.monotonic_s()
                self._call_soon(self._deliver_results, batch, outcomes, changed, began_s, committed_at_s)
        except Exception as error:
            self._roll_back()
            if is_medium_failure(error):
                log.exception("commit failed, nothing of it was kept", requests=len(batch), error=str(error))
                self._fail(batch)
            elif len(batch) > 1:
                middle = len(batch) // 2
                self._commit(batch[:middle])
                self._commit(batch[middle:])
            else:
                incident = secrets.token_hex(6)
                log.exception("a request failed by itself, nothing of it was kept", incident=incident)
                self._call_soon(self._deliver_results, batch, [InternalError(incident)], Changed(), began_s, None)

    def _begin(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Return the requests that were not given up. From here on the commit decides their results."""
        with self._beginning:
            for waiting in batch:
                waiting.has_begun = not waiting.is_given_up
        begun = [waiting for waiting in batch if waiting.has_begun]
        if len(begun) < len(batch):
            self._fail([waiting for waiting in batch if not waiting.has_begun])
        return begun

    def _roll_back(self) -> None:
        self._transaction.forget()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("rollback failed")

    def _fail(self, batch: list[_Waiting]) -> None:
        failed = [StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S) for _ in batch]
        self._call_soon(self._deliver_results, batch, failed, Changed(), 0.0, None)

    def _call_soon(self, *call: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(*call)

    # On the event loop

    def _deliver_results(
        self,
        batch: list[_Waiting],
        outcomes: list[Any],
        changed: Changed,
        began_s: float,
        committed_at_s: float | None,
    ) -> None:
        """Deliver the changes first, also when the callers have gone, then the results."""
        self.waiting -= len(batch)
        if committed_at_s is not None:
            self._meter(len(batch), committed_at_s - began_s)
            if changed.orders or changed.steps:
                self._deliver(changed)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.future.done():
                continue
            if isinstance(outcome, BaseException):
                waiting.future.set_exception(outcome)
            else:
                waiting.future.set_result(outcome)
        while self._unanswered and self._unanswered[0].future.done():
            self._unanswered.popleft()

    def _answer_overdue(self) -> None:
        """Give up overdue requests. One timer serves all, since they are due in the order of their arrival."""
        now_s = self._clock.monotonic_s()
        self._timer = None
        while self._unanswered and (self._unanswered[0].due_s <= now_s or self._unanswered[0].future.done()):
            waiting = self._unanswered.popleft()
            if waiting.future.done():
                continue
            with self._beginning:
                waiting.is_given_up = not waiting.has_begun
            kind = StoreUnavailable if waiting.is_given_up else OutcomeUnknown
            waiting.future.set_exception(kind(retry_after_s=FAILED_RETRY_AFTER_S))
        if self._unanswered:
            self._timer = self._loop.call_later(self._unanswered[0].due_s - now_s, self._answer_overdue)


def _file_identities(path: Path) -> list[tuple[int, int]]:
    """Identify the database file and its write-ahead log. Takes a few microseconds. Raises: OSError."""
    return [(status.st_dev, status.st_ino) for status in map(os.stat, (str(path), f"{path}-wal"))]
