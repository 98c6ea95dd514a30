"""Group commit: all requests that wait share one statement and one commit. One commit of this process is under way.

A commit costs a round trip, a sync of the server's disk, and locks of rows that other nodes may wait for. Under load
the batches grow, and the cost of a change falls. No change waits for a batch to fill.

Jobs are decided on what this process remembers of the orders. The statement writes nothing when another process changed
one of them: then the jobs run again on what is read anew, from the second time on with the orders locked before.

Failures, and the results of the requests:

1. A request breaks the rules: its own error.
2. A request fails by itself: InternalError. The others run again without it.
3. Rows collide, or nodes wait for each other in a circle: all jobs run again. When that does not help, halves of the
   batch are committed one after the other, and so on, until the request that causes it fails alone: InternalError.
4. The server refuses the statement, for example with a full disk or at its time limit: StoreUnavailable for all.
5. The connection breaks while the commit is written: OutcomeUnknown for all. `doubtful` is called when the server can
   be reached again, and when it has ended all statements of the broken connection.
6. The server is down: StoreUnavailable for all that wait and for all new ones.
7. The server does not answer in time: OutcomeUnknown for the requests in the commit, StoreUnavailable for waiting ones,
   which are then skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import secrets
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import asyncpg
import msgspec
import structlog

from ordertrack.adapters.postgres.batch import Batch, NotLoaded
from ordertrack.adapters.postgres.decoding import RememberedOrders
from ordertrack.adapters.postgres.facts import Facts, KeyUse, Missing
from ordertrack.adapters.postgres.sessions import (
    DOWN_RETRY_AFTER_S,
    PROBE_LIMIT_S,
    STATEMENT_LIMIT_S,
    ConnectionLost,
    Server,
)
from ordertrack.adapters.postgres.statements import SQL
from ordertrack.adapters.shared.commit_cache import LruCache
from ordertrack.core.errors import (
    InternalError,
    OrdertrackError,
    OutcomeUnknown,
    Overloaded,
    StoreBusy,
    StoreUnavailable,
)
from ordertrack.core.eta.rules import EtaRules
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.simulation import Step
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import IDEMPOTENCY_KEPT_MS, CommitMeter, Committed

REMEMBERED_ORDERS = 40_000
"""An order with five events takes about 3 kB."""
KNOWN_PARTIES = 100_000
"""Numbers of parties, which never change: about 0.2 kB each."""
MAX_WAITING = 10_000
"""Requests waiting for a commit before more are refused: a few seconds of work."""
MAX_BATCH_CHANGES = 1_000
"""Changes in one commit, unless one request has more: the event loop is busy for 20 ms with as many."""
COMMIT_LIMIT_S = 10.0
"""From a request until its commit is durable."""
LOOK_EVERY_S = 1.0
"""Seconds between the checks of an idle connection."""
MAX_ATTEMPTS = 5
MAX_ROUNDS = 10
"""Runs of the jobs of a batch, each after what was missing in the one before was read."""
PURGE_EVERY_S = 60.0
PURGED_KEYS = 10_000
"""Idempotency keys that one statement deletes: some milliseconds."""
SLOTS = 256
"""Rows of `status_counts` for each status."""
BUSY_RETRY_AFTER_S = 1
FAILED_RETRY_AFTER_S = 5

R = TypeVar("R")
Deliver = Callable[[Sequence[Committed], Mapping[int, tuple[Step, ...]]], None]
log = structlog.get_logger("ordertrack.postgresql")

_COLLISIONS = (asyncpg.IntegrityConstraintViolationError, asyncpg.TransactionRollbackError)


class InFlight(NamedTuple):
    """A commit that is being written: what it changes, and a future that is done after its announcement."""

    orders: Collection[int]
    feeds: Collection[FeedKey]
    announced: asyncio.Future[None]

    def changes_feed(self, feed: FeedKey) -> bool:
        return int(feed.id) in self.orders if feed.kind is FeedKind.ORDER else feed in self.feeds


class _Request(msgspec.Struct, eq=False):
    """`weight` is the number of its changes. `has_begun` and `is_given_up` exclude each other."""

    job: Callable[[Batch], Any]
    weight: int
    future: asyncio.Future[Any]
    requested_at_s: float
    has_begun: bool = False
    is_given_up: bool = False

    @property
    def due_s(self) -> float:
        return self.requested_at_s + COMMIT_LIMIT_S


class _Decided(NamedTuple):
    """A run of the jobs of some requests, their outcomes, and the orders with another revision than was known."""

    batch: Batch
    requests: list[_Request]
    outcomes: list[Any]
    stale: Sequence[int] | None = ()


_NOTHING: tuple[list[_Request], _Decided | None] = ([], None)


class GroupCommit:
    """`deliver` is called with the changes of each commit, before its requests get their results."""

    def __init__(
        self,
        server: Server,
        deliver: Deliver,
        doubtful: Callable[[], None],
        clock: Clock,
        meter: CommitMeter,
        eta_rules: EtaRules,
    ) -> None:
        self.waiting = 0
        self.in_flight: InFlight | None = None
        self.remembered = RememberedOrders(REMEMBERED_ORDERS)
        self._server = server
        self._session = server.session(reconnects=False)
        self._deliver = deliver
        self._doubtful = doubtful
        self._clock = clock
        self._meter = meter
        self._eta_rules = eta_rules
        self._loop = asyncio.get_running_loop()
        self._slot = random.randrange(SLOTS)
        self._ids: list[int] = []
        self._numbers: LruCache[FeedKey, int] = LruCache(KNOWN_PARTIES)
        self._tried: Batch | None = None
        self._next = _NOTHING
        """Requests that were taken while another batch is written, and what was decided ahead."""
        self._queue: deque[_Request] = deque()
        self._unanswered: deque[_Request] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._began_s = math.inf
        self._purge_s = 0.0
        """The monotonic time at which expired idempotency keys are deleted again, if any was used."""
        self._wake = asyncio.Event()
        self._is_closing = False
        self._doubt: asyncio.Task[None] | None = None
        self._task = asyncio.ensure_future(self._run())

    @property
    def is_stalled(self) -> bool:
        """True while a commit takes longer than it may."""
        return self._clock.monotonic_s() - self._began_s > COMMIT_LIMIT_S

    def submit(self, job: Callable[[Batch], R], weight: int = 1) -> asyncio.Future[R]:
        """Run `job`, which makes at most `weight` changes, in the next commit. The future has its result once that is
        durable.

        `job` may be run again, so it has no effects but those on its batch.
        Raises: StoreBusy, StoreUnavailable. The future: StoreUnavailable, OutcomeUnknown, InternalError, and any
        OrdertrackError of the job.
        """
        if self.waiting >= MAX_WAITING:
            raise StoreBusy(retry_after_s=BUSY_RETRY_AFTER_S)
        if not self._server.is_up:
            raise StoreUnavailable(retry_after_s=DOWN_RETRY_AFTER_S)
        self.waiting += 1
        request = _Request(job, weight, self._loop.create_future(), self._clock.monotonic_s())
        self._unanswered.append(request)
        if self._timer is None:
            self._timer = self._loop.call_later(COMMIT_LIMIT_S, self._answer_overdue)
        self._queue.append(request)
        self._wake.set()
        return request.future

    async def close(self, limit_s: float) -> bool:
        """Commit what is waiting. False when that takes longer than `limit_s` seconds."""
        self._is_closing = True
        self._wake.set()
        _, running = await asyncio.wait([self._task], timeout=limit_s)
        for task in (self._task, self._doubt):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=limit_s)
        if self._timer is not None:
            self._timer.cancel()
        return not running

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            if not self._wake.is_set():
                await self._look()
            self._wake.clear()
            while requests := self._next[0] or self._take():
                decided, self._next = self._next[1], _NOTHING
                self._began_s = self._clock.monotonic_s()
                await self._commit(requests, decided)
                self._began_s = math.inf
                if self._tried is not None and self._tried.keys and self._clock.monotonic_s() >= self._purge_s:
                    await self._purge(self._tried.keys.values())
            if self._is_closing:
                return

    async def _purge(self, uses: Collection[KeyUse]) -> None:
        """Delete idempotency keys that have expired. A failure is that of the next commit too."""
        self._purge_s = self._clock.monotonic_s() + PURGE_EVERY_S
        newest_ms = max(use.at_ms for use in uses)
        with contextlib.suppress(ConnectionLost, StoreUnavailable, asyncpg.PostgresError):
            await self._session.fetch(SQL["purge_idempotency"], newest_ms - IDEMPOTENCY_KEPT_MS, PURGED_KEYS)

    def _take(self) -> list[_Request]:
        """Return waiting requests that were not given up. From here on the commit decides their results."""
        taken: list[_Request] = []
        weight = 0
        while self._queue and (not taken or weight + self._queue[0].weight <= MAX_BATCH_CHANGES):
            request = self._queue.popleft()
            if request.is_given_up:
                self.waiting -= 1
                continue
            request.has_begun = True
            taken.append(request)
            weight += request.weight
        return taken

    async def _look(self) -> None:
        """Notice that the connection broke, or that the server does not answer."""
        with contextlib.suppress(StoreUnavailable, asyncpg.PostgresError):
            try:
                await self._connect()
                await self._session.fetch(SQL["answer"], limit_s=PROBE_LIMIT_S)
            except ConnectionLost:
                await self._connect()

    async def _connect(self) -> bool:
        """Return True when a new connection was opened. Then all is forgotten: it may lead to another server, which
        lacks the last commits of the one before.

        Raises: StoreUnavailable.
        """
        is_new = await self._session.connect()
        if is_new:
            self._forget(None)
        return is_new

    async def _commit(self, requests: list[_Request], decided: _Decided | None = None) -> None:
        began_s = self._clock.monotonic_s()
        try:
            decided = await self._write_current(requests, decided)
        except StoreUnavailable as error:
            self._forget(self._tried)
            self._answer(requests, [error] * len(requests))
        except ConnectionLost:
            log.error("a commit has no known outcome: the connection broke", requests=len(requests))
            self._forget(None)
            self._fail(requests, OutcomeUnknown)
            self._report_doubt()
        except _COLLISIONS as error:
            if len(requests) > 1:
                middle = len(requests) // 2
                await self._commit(requests[:middle])
                await self._commit(requests[middle:])
            else:
                self._answer(requests, [_internal_error(error)])
        except asyncpg.PostgresError as error:
            log.error("commit failed, nothing of it was kept", requests=len(requests), error=str(error))
            self._forget(None)
            self._fail(requests, StoreUnavailable)
        except Exception as error:  # noqa: BLE001 - a defect: this task must go on
            self._forget(None)
            incident = _internal_error(error)
            self._answer(requests, [incident] * len(requests))
        else:
            self._deliver_results(decided, began_s)
        finally:
            self._land()

    async def _write_current(self, requests: list[_Request], decided: _Decided | None) -> _Decided:
        """Write what the jobs decided, on the orders as they are now.

        Raises: as `Session.fetch`; a collision when it comes at every attempt.
        """
        order_ids: Collection[int] = ()
        collision: Exception | None = None
        for attempt in range(MAX_ATTEMPTS):
            if await self._connect():
                decided = None
            try:
                if attempt == 0:
                    decided = await self._write(decided or await self._decide(requests), may_decide_ahead=True)
                else:
                    async with self._session.transaction():
                        await self._session.fetch(SQL["lock_orders"], sorted(order_ids))
                        decided = await self._write(await self._decide(requests, locked=order_ids))
                if not decided.stale:
                    return decided
            except _COLLISIONS as error:
                collision = error
            except ConnectionLost:
                if self.in_flight is not None:
                    raise
            self._land()
            order_ids = self._forget(self._tried)
            decided = None
        raise collision or StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S)

    async def _write(self, decided: _Decided, *, may_decide_ahead: bool = False) -> _Decided:
        """Write what was decided, or return the orders that have another revision. Raises: as `Session.fetch`."""
        batch = self._tried = decided.batch
        if batch.is_certain:
            batch.remember()
            return decided
        self.in_flight = InFlight(batch.changed_orders, batch.feeds.keys(), self._loop.create_future())
        writing = asyncio.ensure_future(batch.write(self._session, self._slot))
        if may_decide_ahead and not self._next[0] and self._waiting_weight >= MAX_BATCH_CHANGES // 2:
            await asyncio.sleep(0)  # now it is sent
            self._next = self._decide_ahead(self._take(), batch)
        stale: Sequence[int] | None = None
        try:
            stale = await writing
        finally:
            if stale == ():
                batch.remember()
            else:
                self._next = (self._next[0], None)
        return decided._replace(stale=stale)

    @property
    def _waiting_weight(self) -> int:
        return sum(request.weight for request in islice(self._queue, MAX_BATCH_CHANGES))

    def _decide_ahead(self, requests: list[_Request], written: Batch) -> tuple[list[_Request], _Decided | None]:
        """Decide the next batch while the server writes this one, on the orders as this one leaves them: it halves the
        time of large batches. A batch that needs to read something is decided later."""
        facts = Facts(self._ids[written.ids_taken :])
        batch = Batch(self.remembered, self._numbers, facts, self._eta_rules, written.current)
        try:
            outcomes = [_run_job(request, batch) for request in requests]
        except Exception:  # noqa: BLE001 - it comes again, and is handled, when the batch is decided
            return requests, None
        return requests, None if batch.missing else _Decided(batch, requests, outcomes)

    async def _decide(self, requests: list[_Request], *, locked: Collection[int] = ()) -> _Decided:
        """Run the jobs until nothing is missing. Locked orders are read: a read from before the lock may have brought
        an older state back into memory. Raises: as `Session.fetch`."""
        facts = Facts(self._ids)
        if locked:
            await facts.load(self._session, Missing(orders=set(locked)))
        for _ in range(MAX_ROUNDS):
            batch = self._tried = Batch(self.remembered, self._numbers, facts, self._eta_rules)
            outcomes: list[Any] = []
            for request in requests:
                try:
                    outcomes.append(_run_job(request, batch))
                except Exception as error:  # noqa: BLE001 - the request fails by itself
                    self._answer([request], [_internal_error(error)])
                    requests.remove(request)
                    return await self._decide(requests, locked=locked)
            if not batch.missing:
                return _Decided(batch, requests, outcomes)
            await facts.load(self._session, batch.missing)
        raise RuntimeError(f"something is missing after {MAX_ROUNDS} rounds: {batch.missing}")

    def _forget(self, batch: Batch | None) -> Collection[int]:
        """Forget the orders of the batch, or all that is remembered; return the ids of these orders."""
        if batch is None:
            self.remembered.clear()
            self._numbers.clear()
            self._ids.clear()
            return ()
        for order_id in batch.order_ids:
            self.remembered.pop(order_id, None)
        return batch.order_ids

    def _land(self) -> None:
        """End the commit in flight, so that reads need not wait for it any more."""
        if self.in_flight is not None:
            self.in_flight.announced.set_result(None)
            self.in_flight = None

    def _report_doubt(self) -> None:
        if self._doubt is not None:
            self._doubt.cancel()
        self._doubt = asyncio.ensure_future(self._report_doubt_when_up())

    async def _report_doubt_when_up(self) -> None:
        """Report a commit without a known outcome: as soon as it can be read, and when it can no longer be made."""
        ends_at_s = self._loop.time() + STATEMENT_LIMIT_S + 1
        await self._server.wait_until_up()
        self._doubtful()
        await asyncio.sleep(ends_at_s - self._loop.time())
        await self._server.wait_until_up()
        self._doubtful()

    def _fail(self, requests: list[_Request], kind: type[Overloaded]) -> None:
        self._answer(requests, [kind(retry_after_s=FAILED_RETRY_AFTER_S) for _ in requests])

    def _deliver_results(self, decided: _Decided, began_s: float) -> None:
        """Deliver the changes first, also when the callers have gone, then the results."""
        batch = decided.batch
        del self._ids[: batch.ids_taken]
        self._meter(len(decided.requests), self._clock.monotonic_s() - began_s)
        self._deliver(batch.committed(), batch.steps)
        self._land()
        self._answer(decided.requests, decided.outcomes)

    def _answer(self, requests: Sequence[_Request], outcomes: Sequence[Any]) -> None:
        self.waiting -= len(requests)
        for request, outcome in zip(requests, outcomes, strict=True):
            if request.future.done():
                continue
            if isinstance(outcome, BaseException):
                request.future.set_exception(outcome)
            else:
                request.future.set_result(outcome)
        while self._unanswered and self._unanswered[0].future.done():
            self._unanswered.popleft()

    def _answer_overdue(self) -> None:
        """Give up overdue requests. One timer serves all, since they are due in the order of their arrival."""
        now_s = self._clock.monotonic_s()
        self._timer = None
        while self._unanswered and (self._unanswered[0].due_s <= now_s or self._unanswered[0].future.done()):
            request = self._unanswered.popleft()
            if request.future.done():
                continue
            request.is_given_up = not request.has_begun
            kind = StoreUnavailable if request.is_given_up else OutcomeUnknown
            request.future.set_exception(kind(retry_after_s=FAILED_RETRY_AFTER_S))
        if self._unanswered:
            self._timer = self._loop.call_later(self._unanswered[0].due_s - now_s, self._answer_overdue)


def _run_job(request: _Request, batch: Batch) -> Any:
    """Return the result of a job, or its error."""
    batch.requested_at_s = request.requested_at_s
    try:
        return request.job(batch)
    except (OrdertrackError, NotLoaded) as error:
        return error


def _internal_error(error: Exception) -> InternalError:
    incident = secrets.token_hex(6)
    log.error("a request failed by itself, nothing of it was kept", incident=incident, exc_info=error)
    return InternalError(incident)
