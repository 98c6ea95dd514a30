"""Reader threads, each with its own connection.

Every read has a time limit and the queue a length limit, so a disk that does not answer blocks only the readers: the
caller gets StoreUnavailable at the limit, and a read whose caller was cancelled does not begin.

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
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import structlog

from ordertrack.core.errors import StoreBusy, StoreUnavailable
from ordertrack.ports.clock import Clock

BUSY_RETRY_AFTER_S = 1
STALLED_RETRY_AFTER_S = 5
STEPS_BETWEEN_CHECKS = 50_000
"""Steps of SQLite's virtual machine between two checks of the clock: about a millisecond."""

T = TypeVar("T")
log = structlog.get_logger("ordertrack.sqlite")


class _Read(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


class _Reader:
    """The connection of one thread. `due_s` is the end of its read, infinity without one."""

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
        self._queue: queue.SimpleQueue[_Read | None] = queue.SimpleQueue()
        self._readers = [_Reader(connection, clock) for connection in connections]
        self._ended = [self._loop.create_future() for _ in connections]
        for reader, ended in zip(self._readers, self._ended, strict=True):
            threading.Thread(target=self._run, args=(reader, ended), name=f"ordertrack-{name}", daemon=True).start()

    @property
    def stalled(self) -> bool:
        """True while every thread is in a read past its limit."""
        now_s = self._clock.monotonic_s()
        return all(reader.due_s < now_s for reader in self._readers)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a read transaction. Every commit that it has seen is announced before this returns.

        Raises: StoreBusy, StoreUnavailable, sqlite3.Error, and what `work` raises.
        """
        if self._queue.qsize() >= self._max_waiting:
            raise StoreBusy(retry_after_s=BUSY_RETRY_AFTER_S)
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Read(work, future))
        try:
            async with asyncio.timeout(self._limit_s):
                value = await future
                self._is_late = False
                return value
        except TimeoutError:
            if not self._is_late:  # log once, not for each of thousands
                log.error("reads of the database do not end in time", readers=self._name, limit_s=self._limit_s)
                self._is_late = True
            raise StoreUnavailable(retry_after_s=STALLED_RETRY_AFTER_S) from None

    async def close(self, limit_s: float) -> bool:
        """End the threads after the queued reads. Return False when one has not ended within `limit_s` seconds."""
        for _ in self._readers:
            self._queue.put(None)
        _, running = await asyncio.wait(self._ended, timeout=limit_s)
        return not running

    def _run(self, reader: _Reader, ended: asyncio.Future[None]) -> None:
        while (read := self._queue.get()) is not None:
            if read.future.done():  # its caller has its result or was cancelled
                continue
            reader.due_s = self._clock.monotonic_s() + self._limit_s
            value: Any = None
            error: BaseException | None = None
            try:
                value = self._read(reader, read.work)
            except BaseException as raised:  # noqa: BLE001 - the caller gets it, and this thread goes on
                error = raised
            reader.due_s = math.inf
            self._call_on_loop(_resolve, read.future, value, error)
            del read, value, error
        reader.connection.close()
        self._call_on_loop(_resolve, ended, None, None)

    def _read(self, reader: _Reader, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = reader.connection
        if connection.in_transaction:  # the end of the previous read failed
            connection.execute("ROLLBACK")
        connection.execute("BEGIN")
        try:
            value = work(connection)
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")
        if not self._announcing.acquire(timeout=max(0.0, reader.due_s - self._clock.monotonic_s())):
            raise StoreUnavailable(retry_after_s=STALLED_RETRY_AFTER_S)
        self._announcing.release()
        return value

    def _call_on_loop(self, *call: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, with all callers
            self._loop.call_soon_threadsafe(*call)


def _resolve(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
