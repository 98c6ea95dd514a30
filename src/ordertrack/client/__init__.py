"""Python client of an ordertrack server: follow and change orders.

    from ordertrack.client import OrdertrackClient, Status

    with OrdertrackClient("http://127.0.0.1:5001") as client:
        for update in client.track(101):          # at once, then at every change, until the order has ended
            print(update.order.status, [event.reason for event in update.events])
            if update.order.status == Status.READY:
                client.assign_courier(101, "7")

`track_customer`, `track_restaurant` and `track_courier` follow all their orders, `track_link` the order of a tracking
link. `AsyncOrdertrackClient` is the same for asyncio. `Tracker` is the logic of `track` without I/O, for use with
another HTTP library. Names that end in `_s` hold seconds as floats; times are aware datetimes in UTC. All errors derive
from `OrdertrackClientError` (see the tree in `ordertrack.client.errors`). Depends on httpx and msgspec, not on the
server.
"""

from ordertrack.client.asynchronous import AsyncOrdertrackClient
from ordertrack.client.errors import (
    AccessDenied,
    ClientClosed,
    Conflict,
    ConnectionLost,
    InvalidRequest,
    NotFound,
    OrdertrackClientError,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    UnexpectedAnswer,
)
from ordertrack.client.hold import LearnedHold, Pace
from ordertrack.client.sync import OrdertrackClient
from ordertrack.client.tracker import PollRequest, Step, Tracker
from ordertrack.client.tracking import Connection
from ordertrack.client.values import (
    PROGRESSION,
    Applied,
    AuditEntry,
    Cancellation,
    Eta,
    Event,
    EventLog,
    FeedUpdate,
    Item,
    Link,
    Mode,
    NewLink,
    NodeStats,
    Order,
    OrderPage,
    SimulationStep,
    Stats,
    Status,
    StatusResult,
    StatusUpdate,
    Update,
    WakeLatency,
    Window,
)

__all__ = [
    "PROGRESSION",
    "AccessDenied",
    "Applied",
    "AsyncOrdertrackClient",
    "AuditEntry",
    "Cancellation",
    "ClientClosed",
    "Conflict",
    "Connection",
    "ConnectionLost",
    "Eta",
    "Event",
    "EventLog",
    "FeedUpdate",
    "InvalidRequest",
    "Item",
    "LearnedHold",
    "Link",
    "Mode",
    "NewLink",
    "NodeStats",
    "NotFound",
    "Order",
    "OrderPage",
    "OrdertrackClient",
    "OrdertrackClientError",
    "Pace",
    "PollRequest",
    "RequestRefused",
    "ServerBusy",
    "ServerFailed",
    "ServerUnreachable",
    "SimulationStep",
    "Stats",
    "Status",
    "StatusResult",
    "StatusUpdate",
    "Step",
    "Tracker",
    "UnexpectedAnswer",
    "Update",
    "WakeLatency",
    "Window",
]
