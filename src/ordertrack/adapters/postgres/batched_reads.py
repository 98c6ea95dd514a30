"""Reads on a limited number of connections. Reads of one kind that wait are done together, by the next free connection.

A read never joins a statement that was sent before it was requested: so it returns a state at least as new as its call.
Its result waits for the announcement of the own commit in flight, if it may have seen that one.

Every read has a time limit and the queue a length limit. A read is repeated once when its connection breaks, since a
connection that was idle may have broken long ago.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import asyncpg
import msgspec
import structlog

from ordertrack.adapters.postgres.group_commit import FAILED_RETRY_AFTER_S, InFlight
from ordertrack.adapters.postgres.sessions import ConnectionLost, Server, Session
from ordertrack.core.errors import OutcomeUnknown, Overloaded, StoreBusy, StoreUnavailable

BUSY_RETRY_AFTER_S = 1
MAX_TOGETHER = 500
"""Keys of one statement: some milliseconds of work for the event loop."""

K = TypeVar("K")
T = TypeVar("T")
log = structlog.get_logger("ordertrack.postgresql")


class ReadKind(msgspec.Struct, Generic[K], frozen=True, eq=False):
    """A kind of read. `load` reads the values of some keys; a key that fails alone has its error as its value.
    `may_see` tells if the value of a key may have changes of a commit."""

    load: Callable[[Session, Sequence[K]], Awaitable[Mapping[K, Any]]]
    may_see: Callable[[InFlight, K], bool] = lambda in_flight, key: True
    is_change: bool = False
    """True when it changes something: it is not repeated, and its outcome may be unknown."""


class _Waiting(msgspec.Struct, eq=False):
    kind: ReadKind[Any]
    key: Any
    future: asyncio.Future[Any]
    due_s: float
    has_begun: bool = False


class BatchedReads:
    def __init__(
        self,
        server: Server,
        connections: int,
        in_flight: Callable[[], InFlight | None],
        limit_s: float,
        max_waiting: int,
    ) -> None:
        self._in_flight = in_flight
        self._limit_s = limit_s
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._free = [server.session() for _ in range(connections)]
        self._queues: dict[ReadKind[Any], deque[_Waiting]] = {}
        self._waiting = 0
        self._is_scheduled = False
        self._unresolved: deque[_Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def run(
        self,
        work: Callable[[Session], Awaitable[T]],
        *,
        may_see: Callable[[InFlight], bool] = lambda in_flight: True,
        is_change: bool = False,
    ) -> asyncio.Future[T]:
        """Run `work`. The future: StoreBusy, StoreUnavailable, OutcomeUnknown, and what `work` raises."""

        async def load(session: Session, keys: Sequence[None]) -> Mapping[None, T]:
            return {None: await work(session)}

        return self.read(ReadKind(load, lambda in_flight, key: may_see(in_flight), is_change), None)

    def read(self, kind: ReadKind[K], key: K) -> asyncio.Future[Any]:
        """Read `key` together with other keys of its kind. The future: StoreBusy, StoreUnavailable, and its error."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._waiting >= self._max_waiting:
            future.set_exception(StoreBusy(retry_after_s=BUSY_RETRY_AFTER_S))
            return future
        waiting = _Waiting(kind, key, future, self._loop.time() + self._limit_s)
        self._waiting += 1
        self._unresolved.append(waiting)
        if self._timer is None:
            self._timer = self._loop.call_at(waiting.due_s, self._resolve_overdue)
        self._queues.setdefault(kind, deque()).append(waiting)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._begin)
        return future

    async def close(self, limit_s: float) -> bool:
        """End the reads that wait. Return False when that takes longer than `limit_s` seconds."""
        ends_at_s = self._loop.time() + limit_s
        self._begin()
        while self._tasks and self._loop.time() < ends_at_s:
            await asyncio.wait(self._tasks, timeout=ends_at_s - self._loop.time())
        has_ended = not self._tasks
        for task in self._tasks:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        return has_ended

    def _begin(self) -> None:
        self._is_scheduled = False
        while self._free and self._queues:
            task = self._loop.create_task(self._run(self._free.pop(), self._take()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take(self) -> list[_Waiting]:
        """Return reads of the kind that waits for the longest time."""
        kind = min(self._queues, key=lambda kind: self._queues[kind][0].due_s)
        queue = self._queues[kind]
        taken = [queue.popleft() for _ in range(min(len(queue), MAX_TOGETHER))]
        if not queue:
            del self._queues[kind]
        self._waiting -= len(taken)
        return taken

    async def _run(self, session: Session, batch: list[_Waiting]) -> None:
        wanted = [waiting for waiting in batch if not waiting.future.done()]
        try:
            for waiting in wanted:
                waiting.has_begun = True
            if wanted:
                await self._read(session, wanted[0].kind, wanted)
        finally:
            self._free.append(session)
            self._begin()

    async def _read(self, session: Session, kind: ReadKind[Any], batch: list[_Waiting]) -> None:
        keys = list({waiting.key: None for waiting in batch})
        try:
            try:
                outcomes = await kind.load(session, keys)
            except ConnectionLost:
                if kind.is_change:
                    raise
                outcomes = await kind.load(session, keys)
        except Exception as error:  # noqa: BLE001 - the callers get it
            outcomes = dict.fromkeys(keys, _cause(error, kind))
        in_flight = self._in_flight()
        for waiting in batch:
            outcome = outcomes[waiting.key]
            if in_flight is not None and kind.may_see(in_flight, waiting.key):
                in_flight.announced.add_done_callback(partial(_resolve_announced, waiting, outcome))
            else:
                _resolve(waiting, outcome)
        while self._unresolved and self._unresolved[0].future.done():
            self._unresolved.popleft()

    def _resolve_overdue(self) -> None:
        """Give up overdue reads. One timer serves all, since they are due in the order of their arrival."""
        now_s = self._loop.time()
        self._timer = None
        while self._unresolved and (self._unresolved[0].future.done() or self._unresolved[0].due_s <= now_s):
            waiting = self._unresolved.popleft()
            is_unknown = waiting.has_begun and waiting.kind.is_change
            _resolve(waiting, (OutcomeUnknown if is_unknown else StoreUnavailable)(retry_after_s=FAILED_RETRY_AFTER_S))
        if self._unresolved:
            self._timer = self._loop.call_at(self._unresolved[0].due_s, self._resolve_overdue)


def _resolve_announced(waiting: _Waiting, outcome: Any, announced: asyncio.Future[None]) -> None:
    _resolve(waiting, outcome)


def _resolve(waiting: _Waiting, outcome: Any) -> None:
    if waiting.future.done():
        return
    if isinstance(outcome, Exception):
        waiting.future.set_exception(outcome)
    else:
        waiting.future.set_result(outcome)


def _cause(error: Exception, kind: ReadKind[Any]) -> Exception:
    """Return the error for the callers; they are not told how the server failed, but the log is."""
    if not isinstance(error, ConnectionLost | asyncpg.PostgresError):
        return error
    log.error("read failed", error=str(error.__cause__ or error))
    failed: type[Overloaded] = StoreUnavailable
    if kind.is_change and isinstance(error, ConnectionLost):
        failed = OutcomeUnknown
    return failed(retry_after_s=FAILED_RETRY_AFTER_S)
