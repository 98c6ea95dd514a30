"""For operators: figures, health, readiness."""

from __future__ import annotations

from litestar import Response, Router, get

from ordertrack.core.access import check_action
from ordertrack.core.principal import Action
from ordertrack.http.metrics.exposition import scrape
from ordertrack.http.routes.request import AnyRequest, caller_of
from ordertrack.http.wire import names, stats_view
from ordertrack.http.wire.errors import NotReady
from ordertrack.service.monitoring.monitor import Monitor
from ordertrack.service.simulation import Simulator

READY_RETRY_AFTER_S = 5


def system_router(monitor: Monitor, simulator: Simulator) -> Router:
    @get(f"{names.ORDERS}/system/stats")
    async def stats(request: AnyRequest) -> Response[stats_view.StatsAnswer]:
        check_action(caller_of(request).principal, Action.STATS)
        snapshot = await monitor.snapshot(simulator.running)
        return Response(stats_view.StatsAnswer(data=snapshot), headers={names.CACHE_CONTROL: names.NO_STORE})

    @get("/metrics")
    async def metrics(request: AnyRequest) -> Response[bytes]:
        check_action(caller_of(request).principal, Action.STATS)
        figures = await monitor.figures(simulator.running)
        body, content_type = scrape(figures, request.headers.get(names.ACCEPT, ""))
        return Response(body, media_type=content_type, headers={names.CACHE_CONTROL: names.NO_STORE})

    @get("/healthz")
    async def healthz() -> Response[stats_view.HealthAnswer]:
        return _health("ok")

    @get("/readyz")
    async def readyz() -> Response[stats_view.HealthAnswer]:
        if (why := await monitor.not_ready()) is not None:
            raise NotReady(READY_RETRY_AFTER_S, why)
        return _health("ready")

    return Router("/", route_handlers=[stats, metrics, healthz, readyz])


def _health(status: str) -> Response[stats_view.HealthAnswer]:
    answer = stats_view.HealthAnswer(data=stats_view.HealthView(status))
    return Response(answer, headers={names.CACHE_CONTROL: names.NO_STORE})
