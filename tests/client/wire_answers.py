"""Answers of the server (PROTOCOL.md section 3), for tests without a server."""

from __future__ import annotations

import json
from typing import Any

TIME = "2026-11-22T10:15:30.123Z"


def order(version: int, status: str = "preparing", **fields: Any) -> dict[str, Any]:
    return {"id": 101, "status": status, "version": version, "updated_at": TIME, "created_at": TIME} | fields


def event(version: int, status: str = "preparing") -> dict[str, Any]:
    return {"version": version, "type": "status_changed", "status": status, "at": TIME, "actor": "kitchen"}


def update(version: int, reason: str = "changed", *, epoch: str = "e", **fields: Any) -> dict[str, Any]:
    """Return the answer to a poll. `has_update` follows from the reason by default."""
    status = fields.pop("status", "preparing")
    ended = status in ("delivered", "cancelled")
    news = reason in ("snapshot", "changed", "reset")
    return {
        "success": True,
        "data": order(version, status),
        "has_update": news,
        "next_poll_interval": 0 if ended else 60,
        "battery_tip": "Next poll in 60 seconds",
        "cursor": f"{epoch}.{version}",
        "reason": reason,
        "reset": reason == "reset",
        "terminal": ended,
        "events": [event(version, status)] if news else [],
        "max_timeout": 120,
        "server_time": TIME,
    } | fields


def update_body(version: int, reason: str = "changed", **fields: Any) -> bytes:
    return json.dumps(update(version, reason, **fields)).encode()


def feed(position: int, reason: str = "changed", *orders: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the answer to a poll of a feed."""
    news = reason in ("snapshot", "changed", "reset")
    return {
        "success": True,
        "data": {"orders": list(orders)},
        "has_update": news,
        "next_poll_interval": 120,
        "battery_tip": "Next poll in 120 seconds",
        "cursor": f"e.{position}",
        "reason": reason,
        "reset": reason == "reset",
        "terminal": False,
        "events": [],
        "left": [],
        "more": False,
        "max_timeout": 120,
        "server_time": TIME,
    } | fields


def problem(status: int, code: str, message: str = "No.", **fields: Any) -> dict[str, Any]:
    return {
        "success": False,
        "error": code,
        "message": message,
        "type": f"urn:{code}",
        "title": code,
        "status": status,
    } | fields
