"""Shared by both Python peers: orders in memory, and answers with the keys and the length of those of ordertrack.

The peers are simple services that use what their frameworks offer. They store nothing on disk.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

STATUSES = ("confirmed", "preparing", "ready", "picked_up", "delivered")


class Order:
    def __init__(self, id: int, details: dict[str, Any]) -> None:
        self.id, self.details = id, details
        self.events: list[dict[str, Any]] = []
        self.set_status("confirmed", "created")

    @property
    def version(self) -> int:
        return len(self.events)

    def set_status(self, status: str, type_: str = "status_changed") -> None:
        self.status, now = status, _now()
        self.events.append(
            {
                "version": self.version + 1,
                "type": type_,
                "status": status,
                "at": now,
                "recorded_at": now,
                "actor": "api",
                "reason": None,
            }
        )

    def view(self) -> dict[str, Any]:
        first, last = self.events[0], self.events[-1]
        return {
            "id": self.id,
            **self.details,
            "status": self.status,
            "version": self.version,
            "created_at": first["at"],
            "updated_at": last["at"],
            "timeline": self.events,
        }

    def answer(self, position: int) -> dict[str, Any]:
        news = self.version > position
        ended = self.status == STATUSES[-1]
        return {
            "success": True,
            "data": self.view(),
            "has_update": news,
            "next_poll_interval": 0 if ended else 60,
            "battery_tip": "Next poll in 60 seconds",
            "cursor": f"peer.{self.version}",
            "reason": "changed" if news else "timeout",
            "terminal": ended,
            "events": self.events[position:],
            "server_time": _now(),
        }


class Orders:
    """All orders. `held` counts the polls held now."""

    def __init__(self) -> None:
        self.held = 0
        self._ids = count(1)
        self._orders: dict[int, Order] = {}

    def create(self, details: dict[str, Any]) -> Order:
        order = Order(next(self._ids), details)
        self._orders[order.id] = order
        return order

    def __getitem__(self, order_id: int) -> Order:
        return self._orders[order_id]

    def statistics(self) -> dict[str, Any]:
        return {"success": True, "data": {"active_connections": self.held, "lost_wakeups_total": 0}}


def position_of(cursor: str, order: Order) -> int:
    return int(cursor.rpartition(".")[2]) if cursor else order.version


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
