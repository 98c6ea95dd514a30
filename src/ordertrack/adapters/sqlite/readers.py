"""Reader threads, each with its own connection.

A free thread takes the reads of one kind that wait, at most MAX_TOGETHER, and does them in one transaction. Reads are
queued at the end of their turn of the event loop: a thread that wakes for the first of them would do it alone, and the
event loop would wait for the interpreter's lock once for each.

Every read has a time limit and the queue a length limit, so a disk that does not answer blocks only the readers: the
caller gets StoreUnavailable at the limit, and a read whose callers have given up does not begin.

1. SQLite takes too long: the progress handler ends the statement at the read's limit.
2. A commit that the read has seen does not become durable: the wait for its announcement ends at the limit.
3. The operating system does not return from a read of the disk: the thread hangs. Threads are daemons, so the process
   can end without them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
import structlog

from ordertrack.core.errors import StoreBusy, StoreUnavailable
from ordertrack.ports.clock import Clock

BUSY_RETRY_AFTER_S = 1
STALLED_RETRY_AFTER_S = 5
STEPS_BETWEEN_CHECKS = 50_000
"""Steps of SQLite's virtual machine between two checks of the clock: about a millisecond."""

MAX_TOGETHER = 200
"""Reads in one transaction: a few milliseconds, so that the next ones and the interpreter's lock are not held up."""

K = TypeVar("K")
T = TypeVar("T")
Load = Callable[[sqlite3.Connection, Sequence[K]], Mapping[K, Any]]
"""Reads the values of some keys. A key that fails alone has its error as its value."""
log = structlog.get_logger("ordertrack.sqlite")


class Waiting(Protocol):
    """Callers that wait for a read. `resolve` is called once, on the event loop, with a value, an error, or None when
    the read was not wanted."""

    @property
    def is_wanted(self) -> bool: ...

    def resolve(self, outcome: Any) -> None: ...


class _OneCaller(NamedTuple):
    future: asyncio.Future[Any]

    @property
    def is_wanted(self) -> bool:
        return not self.future.done()

    def resolve(self, outcome: Any) -> None:
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class _Read(msgspec.Struct, eq=False):
    load: Load[Any]
    key: Any
    waiting: Waiting
    due_s: float
    is_resolved: bool = False


class _Reader:
    """The connection of one thread. `due_s` is the end of its reads, infinity without any."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self.connection = connection
        self.due_s = math.inf
        connection.set_progress_handler(lambda: clock.monotonic_s() > self.due_s, STEPS_BETWEEN_CHECKS)


class Readers:
    """`announcing` is held by the writer from COMMIT until the announcement is scheduled on the event loop."""

    def __init__(
        self,
        name: str,
        connections: Sequence[sqlite3.Connection],
        announcing: threading.Lock,
        clock: Clock,
        limit_s: float,
        max_waiting: int,
    ) -> None:
        self._name = name
        self._is_late = False
        self._announcing = announcing
        self._clock = clock
        self._limit_s = limit_s
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._gathered: list[_Read] = []
        self._queue: queue.SimpleQueue[_Read | None] = queue.SimpleQueue()
        self._unresolved: deque[_Read] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._readers = [_Reader(connection, clock) for connection in connections]
        self._ended = [self._loop.create_future() for _ in connections]
        for reader, ended in zip(self._readers, self._ended, strict=True):
            threading.Thread(target=self._run, args=(reader, ended), name=f"ordertrack-{name}", daemon=True).start()

    @property
    def stalled(self) -> bool:
        """True while a thread is in a read past its limit: case 3, since the others end at it. Another thread may have
        nothing to read, when the first has taken all that waited."""
        now_s = self._clock.monotonic_s()
        return any(reader.due_s < now_s for reader in self._readers)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `work` in a transaction of its own. The future: StoreBusy, StoreUnavailable, and what `work` raises."""
        future: asyncio.Future[T] = self._loop.create_future()
        self.submit(lambda connection, keys: {None: work(connection)}, None, _OneCaller(future))
        return future

    def submit(self, load: Load[K], key: K, waiting: Waiting) -> None:
        """Read `key` in one transaction with other keys of the same `load`. Every commit that is seen is announced
        before `waiting` gets the value, or its error: StoreBusy, StoreUnavailable, and what `load` returns or raises.
        """
        if len(self._gathered) + self._queue.qsize() >= self._max_waiting:
            waiting.resolve(StoreBusy(retry_after_s=BUSY_RETRY_AFTER_S))
            return
        read = _Read(load, key, waiting, self._loop.time() + self._limit_s)
        self._unresolved.append(read)
        if self._timer is None:
            self._timer = self._loop.call_at(read.due_s, self._resolve_overdue)
        if not self._gathered:
            self._loop.call_soon(self._queue_gathered)
        self._gathered.append(read)

    async def close(self, limit_s: float) -> bool:
        """End the threads after the queued reads. Return False when one has not ended within `limit_s` seconds."""
        self._queue_gathered()
        for _ in self._readers:
            self._queue.put(None)
        _, running = await asyncio.wait(self._ended, timeout=limit_s)
        if not running and self._timer is not None:
            self._timer.cancel()
        return not running

    # On the reader threads

    def _run(self, reader: _Reader, ended: asyncio.Future[None]) -> None:
        for batch in self._batches():
            wanted = [read for read in batch if not read.is_resolved and read.waiting.is_wanted]
            outcomes: Mapping[Any, Any] = {}
            if wanted:
                reader.due_s = self._clock.monotonic_s() + self._limit_s
                keys = [read.key for read in wanted]
                try:
                    outcomes = self._read(reader, wanted[0].load, keys)
                except Exception as error:  # noqa: BLE001 - the callers get it, and this thread goes on
                    outcomes = dict.fromkeys(keys, self._cause(error))
                reader.due_s = math.inf
            self._call_on_loop(self._resolve, batch, outcomes)
            del batch, wanted, outcomes
        reader.connection.close()
        self._call_on_loop(ended.set_result, None)

    def _batches(self) -> Iterator[list[_Read]]:
        """Yield waiting reads that are done together, until the readers are closed."""
        read = self._queue.get()
        while read is not None:
            batch = [read]
            try:
                while (read := self._queue.get_nowait()) is not None:
                    if read.load != batch[0].load or len(batch) == MAX_TOGETHER:
                        break
                    batch.append(read)
            except queue.Empty:
                yield batch
                del batch, read
                read = self._queue.get()
            else:
                yield batch

    @staticmethod
    def _cause(error: Exception) -> Exception:
        """Return the error for the callers; they are not told how the medium failed, but the log is."""
        if not isinstance(error, sqlite3.Error):
            return error
        log.error("read failed", error=str(error), exc_info=error)
        return StoreUnavailable(retry_after_s=STALLED_RETRY_AFTER_S)

    def _read(self, reader: _Reader, load: Load[K], keys: Sequence[K]) -> Mapping[K, Any]:
        connection = reader.connection
        if connection.in_transaction:  # the end of the previous read failed
            connection.execute("ROLLBACK")
        connection.execute("BEGIN")
        try:
            values = load(connection, keys)
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")
        if not self._announcing.acquire(timeout=max(0.0, reader.due_s - self._clock.monotonic_s())):
            raise StoreUnavailable(retry_after_s=STALLED_RETRY_AFTER_S)
        self._announcing.release()
        return values

    def _call_on_loop(self, *call: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, with all callers
            self._loop.call_soon_threadsafe(*call)

    # On the event loop

    def _queue_gathered(self) -> None:
        for read in self._gathered:
            self._queue.put(read)
        self._gathered.clear()

    def _resolve(self, batch: list[_Read], outcomes: Mapping[Any, Any]) -> None:
        self._is_late = False
        for read in batch:
            if not read.is_resolved:
                read.is_resolved = True
                read.waiting.resolve(outcomes.get(read.key))
        while self._unresolved and self._unresolved[0].is_resolved:
            self._unresolved.popleft()

    def _resolve_overdue(self) -> None:
        """Give up overdue reads. One timer serves all, since they are due in the order of their arrival."""
        now_s = self._loop.time()
        self._timer = None
        while self._unresolved and (self._unresolved[0].is_resolved or self._unresolved[0].due_s <= now_s):
            read = self._unresolved.popleft()
            if read.is_resolved:
                continue
            if not self._is_late:  # log once, not for each of thousands
                log.error("reads of the database do not end in time", readers=self._name, limit_s=self._limit_s)
                self._is_late = True
            read.is_resolved = True
            read.waiting.resolve(StoreUnavailable(retry_after_s=STALLED_RETRY_AFTER_S))
        if self._unresolved:
            self._timer = self._loop.call_at(self._unresolved[0].due_s, self._resolve_overdue)
