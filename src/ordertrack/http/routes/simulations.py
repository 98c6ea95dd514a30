"""Simulated workflows: start one, stop it."""

from __future__ import annotations

from litestar import Router, delete, post
from litestar.params import FromPath

from ordertrack.http.routes.request import AnyRequest, caller_of, known_query, read_body
from ordertrack.http.wire import bodies, names, order_views
from ordertrack.http.wire.paths import parse_order_id
from ordertrack.service.simulation import Simulator

_PATH = f"{names.ORDERS}/{{order_id:str}}/simulate-workflow"


def simulations_router(simulator: Simulator) -> Router:
    @post(_PATH, status_code=202)
    async def start(request: AnyRequest, order_id: FromPath[str]) -> order_views.SimulationAnswer:
        known_query(request)
        id_ = parse_order_id(order_id)
        options = bodies.SimulationBody()
        if await request.body():
            options = await read_body(request, bodies.SimulationBody)
        steps = await simulator.start(id_, options.options(), caller_of(request).principal)
        return order_views.SimulationAnswer(data=order_views.simulation_view(id_, steps))

    @delete(_PATH, status_code=200)
    async def stop(request: AnyRequest, order_id: FromPath[str]) -> order_views.SimulationAnswer:
        known_query(request)
        id_ = parse_order_id(order_id)
        steps = await simulator.stop(id_, caller_of(request).principal)
        return order_views.SimulationAnswer(data=order_views.simulation_view(id_, steps))

    return Router("/", route_handlers=[start, stop])
