"""Simulated workflows: start one, stop it."""

from __future__ import annotations

from litestar import Router, delete, post
from litestar.params import FromPath

from ordertrack.http import names
from ordertrack.http.requests import AnyRequest, caller_of, known_query, read_body
from ordertrack.http.wire import answers, requests
from ordertrack.http.wire.paths import parse_order_id
from ordertrack.service.simulation import Simulator

_PATH = f"{names.ORDERS}/{{order_id:str}}/simulate-workflow"


def simulations_router(simulator: Simulator) -> Router:
    @post(_PATH, status_code=202)
    async def start(request: AnyRequest, order_id: FromPath[str]) -> answers.SimulationAnswer:
        known_query(request)
        id_ = parse_order_id(order_id)
        options = requests.SimulationBody()
        if await request.body():
            options = await read_body(request, requests.SimulationBody)
        steps = await simulator.start(id_, options.options(), caller_of(request).principal)
        return answers.SimulationAnswer(data=answers.simulation_view(id_, steps))

    @delete(_PATH, status_code=200)
    async def stop(request: AnyRequest, order_id: FromPath[str]) -> answers.SimulationAnswer:
        known_query(request)
        id_ = parse_order_id(order_id)
        steps = await simulator.stop(id_, caller_of(request).principal)
        return answers.SimulationAnswer(data=answers.simulation_view(id_, steps))

    return Router("/", route_handlers=[start, stop])
