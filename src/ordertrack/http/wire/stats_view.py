"""JSON answers about statistics and health."""

from __future__ import annotations

from msgspec import Struct

from ordertrack.http.wire.order_views import Success
from ordertrack.service.monitoring.monitor import SystemStats


class StatsAnswer(Struct, kw_only=True):
    success: Success = True
    data: SystemStats


class HealthView(Struct):
    status: str


class HealthAnswer(Struct, kw_only=True):
    success: Success = True
    data: HealthView
