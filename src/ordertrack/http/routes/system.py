"""Statistics, metrics, health and readiness, for operators."""

from __future__ import annotations

from litestar import Response, Router, get

from ordertrack.core import errors as core
from ordertrack.core.access import check_action
from ordertrack.core.principal import Action
from ordertrack.http.metrics.exposition import scrape
from ordertrack.http.openapi.shared import Access, Operation
from ordertrack.http.routes.request import AnyRequest, caller_of
from ordertrack.http.wire import errors as http
from ordertrack.http.wire import names, stats_view
from ordertrack.http.wire.errors import NotReady
from ordertrack.service.monitoring.monitor import Monitor
from ordertrack.service.simulator import Simulator

READY_RETRY_AFTER_S = 5

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "System",
        "get",
        f"{names.ORDERS}/system/stats",
        "systemStats",
        "Read the statistics of this node",
        "Held polls, wake-up latency, orders by status. PROTOCOL.md section 6.",
        stats_view.StatsAnswer,
        errors=(core.StoreUnavailable,),
    ),
    Operation(
        "System",
        "get",
        names.METRICS,
        "metrics",
        "Read the metrics of this node",
        "Prometheus text format; OpenMetrics when `Accept` asks for it. docs/reference/metrics.md lists all metrics.",
        None,
    ),
    Operation(
        "System",
        "get",
        names.HEALTH,
        "healthz",
        "Check that the process is alive",
        "200 while the process answers.",
        stats_view.HealthAnswer,
        access=Access.PUBLIC,
    ),
    Operation(
        "System",
        "get",
        names.READY,
        "readyz",
        "Check that this node takes new work",
        "503 with the reason when it does not.",
        stats_view.HealthAnswer,
        errors=(http.NotReady,),
        access=Access.PUBLIC,
    ),
)


def system_router(monitor: Monitor, simulator: Simulator) -> Router:
    @get(f"{names.ORDERS}/system/stats")
    async def stats(request: AnyRequest) -> Response[stats_view.StatsAnswer]:
        check_action(caller_of(request).principal, Action.STATS)
        snapshot = await monitor.snapshot(simulator.running)
        return Response(stats_view.StatsAnswer(data=snapshot), headers={names.CACHE_CONTROL: names.NO_STORE})

    @get(names.METRICS)
    async def metrics(request: AnyRequest) -> Response[bytes]:
        check_action(caller_of(request).principal, Action.STATS)
        figures = await monitor.figures(simulator.running)
        body, content_type = scrape(figures, request.headers.get(names.ACCEPT, ""))
        return Response(body, media_type=content_type, headers={names.CACHE_CONTROL: names.NO_STORE})

    @get(names.HEALTH)
    async def healthz() -> Response[stats_view.HealthAnswer]:
        return _health("ok")

    @get(names.READY)
    async def readyz() -> Response[stats_view.HealthAnswer]:
        if (why := await monitor.not_ready()) is not None:
            raise NotReady(READY_RETRY_AFTER_S, why)
        return _health("ready")

    return Router("/", route_handlers=[stats, metrics, healthz, readyz])


def _health(status: str) -> Response[stats_view.HealthAnswer]:
    answer = stats_view.HealthAnswer(data=stats_view.HealthView(status))
    return Response(answer, headers={names.CACHE_CONTROL: names.NO_STORE})
