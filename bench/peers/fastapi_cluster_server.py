"""The same job on the tools that a team would pick: FastAPI, SQLAlchemy with asyncpg, PostgreSQL and Redis pub/sub.

Run with the peers' Python, a port, and the URLs of PostgreSQL and Redis; several processes may share them. An update is
one transaction: it locks the order, adds an event, and is answered after the commit. Then the new state of the order is
published to its channel, so that a wake-up needs no query. Each process has one connection that receives the channels
of all orders: no subscription has to be made, or awaited, before a poll is held.
"""

# The imported packages are not in the venv in which mypy runs.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

POOL_SIZE = 20
CHANNEL = "order:"
NEXT_POLL_S = {"confirmed": 120, "preparing": 60, "ready": 30, "picked_up": 30, "delivered": 0, "cancelled": 0}


metadata = MetaData()
orders = Table(
    "orders",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("restaurant_id", Text, nullable=False, index=True),
    Column("courier_id", Text, index=True),
    Column("items", JSONB, nullable=False),
    Column("total", Double, nullable=False),
    Column("currency", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
events = Table(
    "events",
    metadata,
    Column("order_id", ForeignKey(orders.c.id), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
)
TIMELINE = (
    select(func.json_agg(aggregate_order_by(events.table_valued(), events.c.version), type_=JSON))
    .where(events.c.order_id == orders.c.id)
    .scalar_subquery()
    .label("timeline")
)
READ = select(orders, TIMELINE).where(orders.c.id == bindparam("order_id"))
INSERT_ORDER = insert(orders).returning(orders.c.id)
INSERT_EVENT = insert(events)
CHANGE = (
    update(orders)
    .where(orders.c.id == bindparam("order_id"), orders.c.status != bindparam("new_status"))
    .values(status=bindparam("new_status"), version=orders.c.version + 1, updated_at=bindparam("now"))
    .returning(orders.c.version)
)


class View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Item(View):
    name: str
    quantity: int


class NewOrder(View):
    customer_id: str
    restaurant_id: str
    courier_id: str | None = None
    items: list[Item]
    total: float
    currency: str
    address: str
    note: str


class EventView(View):
    version: int
    type: str
    status: str
    at: datetime
    recorded_at: datetime
    actor: str
    reason: str | None


class OrderView(NewOrder):
    id: int
    status: str
    version: int
    created_at: datetime
    updated_at: datetime
    timeline: list[EventView]


class StatusChange(BaseModel):
    status: str


class OrderAnswer(BaseModel):
    success: bool = True
    data: OrderView
    changed: bool = True


class PollAnswer(BaseModel):
    success: bool = True
    data: OrderView
    has_update: bool
    next_poll_interval: int
    battery_tip: str
    cursor: str
    reason: str
    terminal: bool
    events: list[EventView]
    server_time: datetime


class Waiter:
    __slots__ = ("news", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self.news: asyncio.Future[OrderView] = asyncio.get_running_loop().create_future()


class Waiters:
    """The held polls of this process, by order. `listen` gives them the states that any process publishes."""

    def __init__(self) -> None:
        self.held = 0
        self._by_order: defaultdict[int, set[Waiter]] = defaultdict(set)

    @contextmanager
    def join(self, order_id: int, position: int) -> Iterator[Waiter]:
        waiter = Waiter(position)
        self._by_order[order_id].add(waiter)
        self.held += 1
        try:
            yield waiter
        finally:
            self.held -= 1
            self._by_order[order_id].discard(waiter)
            if not self._by_order[order_id]:
                del self._by_order[order_id]

    async def listen(self) -> None:
        async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.psubscribe(CHANNEL + "*")
            async for message in pubsub.listen():
                order_id = int(message["channel"].rpartition(b":")[2])
                if waiting := self._by_order.get(order_id):
                    order = OrderView.model_validate_json(message["data"])
                    for waiter in waiting:
                        if order.version > waiter.position and not waiter.news.done():
                            waiter.news.set_result(order)


port, database_url, redis_url = int(sys.argv[1]), sys.argv[2], sys.argv[3]
engine = create_async_engine(
    database_url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=POOL_SIZE, max_overflow=0
)
autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
redis = Redis.from_url(redis_url)
waiters = Waiters()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    listener = asyncio.create_task(waiters.listen())
    yield
    listener.cancel()
    await redis.aclose()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/api/v1/orders", status_code=201)
async def create(new: NewOrder) -> OrderAnswer:
    now = datetime.now(UTC)
    first = {"status": "confirmed", "version": 1, "created_at": now, "updated_at": now}
    async with engine.begin() as transaction:
        order_id = await transaction.scalar(INSERT_ORDER, new.model_dump() | first)
        await transaction.execute(INSERT_EVENT, event_row(order_id, 1, "created", "confirmed", now))
        return OrderAnswer(data=await read(transaction, order_id))


@app.get("/api/v1/orders/system/stats")
async def statistics() -> dict[str, Any]:
    return {"success": True, "data": {"active_connections": waiters.held, "lost_wakeups_total": 0}}


@app.get("/api/v1/orders/{order_id}/track")
async def track(order_id: int, cursor: str = "", timeout: float = 30) -> PollAnswer:
    if not cursor:
        return poll_answer(await read_now(order_id), 0, "snapshot")
    position = int(cursor.rpartition(".")[2])
    with waiters.join(order_id, position) as waiter:  # before the read, so that no update is missed
        order = await read_now(order_id)
        if order.version <= position and NEXT_POLL_S[order.status] and timeout > 0:
            try:
                order = await asyncio.wait_for(waiter.news, timeout)
            except TimeoutError:
                order = await read_now(order_id)
    return poll_answer(order, position, "changed" if order.version > position else "timeout")


@app.put("/api/v1/orders/{order_id}/status")
async def set_status(order_id: int, change: StatusChange) -> OrderAnswer:
    now = datetime.now(UTC)
    async with engine.begin() as transaction:
        version = await transaction.scalar(CHANGE, {"order_id": order_id, "new_status": change.status, "now": now})
        if version is not None:
            await transaction.execute(INSERT_EVENT, event_row(order_id, version, "status_changed", change.status, now))
        order = await read(transaction, order_id)
    if version is not None:
        await redis.publish(f"{CHANNEL}{order_id}", order.model_dump_json())
    return OrderAnswer(data=order, changed=version is not None)


async def read(connection: AsyncConnection, order_id: int) -> OrderView:
    row = (await connection.execute(READ, {"order_id": order_id})).one_or_none()
    if row is None:
        raise HTTPException(404)
    return OrderView.model_validate(row)


async def read_now(order_id: int) -> OrderView:
    async with autocommit.connect() as connection:
        return await read(connection, order_id)


def event_row(order_id: int, version: int, type_: str, status: str, now: datetime) -> dict[str, Any]:
    return {"order_id": order_id, "version": version, "type": type_, "status": status,
            "at": now, "recorded_at": now, "actor": "api", "reason": None}  # fmt: skip


def poll_answer(order: OrderView, position: int, reason: str) -> PollAnswer:
    interval_s = NEXT_POLL_S[order.status]
    return PollAnswer(
        data=order,
        has_update=order.version > position,
        next_poll_interval=interval_s,
        battery_tip=f"Next poll in {interval_s} seconds" if interval_s else "Order complete: stop polling",
        cursor=f"peer.{order.version}",
        reason=reason,
        terminal=not interval_s,
        events=order.timeline[position:],
        server_time=datetime.now(UTC),
    )


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=port,
        log_level="warning",
        access_log=False,
        backlog=4096,
        timeout_keep_alive=3600,
        timeout_graceful_shutdown=1,
    )
