"""Simulated workflows: start one, stop it."""

from __future__ import annotations

from litestar import Router, delete, post
from litestar.params import FromPath

from ordertrack.core import errors as core
from ordertrack.core.simulation import WorkflowOptions, plan_steps
from ordertrack.http.openapi import shared
from ordertrack.http.openapi.shared import Operation
from ordertrack.http.routes.request import AnyRequest, caller_of, known_query, read_body
from ordertrack.http.wire import bodies, names, order_views
from ordertrack.http.wire import errors as http
from ordertrack.http.wire.paths import parse_order_id
from ordertrack.service.simulator import Simulator

_ROUTE = f"{names.ORDERS}/{{order_id:str}}/simulate-workflow"

_STEPS = plan_steps(shared.CONFIRMED, WorkflowOptions(speed=60), shared.AT_MS)
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "Simulation",
        "post",
        f"{shared.ORDER_PATH}/simulate-workflow",
        "startSimulation",
        "Simulate a delivery of an order",
        "Without a body: confirmed 3 min, preparing 15 min, ready 5 min, picked_up 10 min, delivered, from the current "
        "status on. Any other change of status ends it.",
        order_views.SimulationAnswer,
        status=202,
        answer_example=order_views.SimulationAnswer(data=order_views.simulation_view(101, _STEPS)),
        body=bodies.SimulationBody,
        body_required=False,
        examples={
            "a minute a second": {"speed": 60},
            "cancelled": {"cancel_at": "preparing", "timings": {"preparing": 5}},
        },
        parameters=(shared.ORDER_ID,),
        errors=(
            *shared.BODY_ERRORS,
            http.UnknownParameter,
            core.OrderNotFound,
            core.OrderEnded,
            core.SimulationRunning,
            *shared.WRITE_ERRORS,
        ),
    ),
    Operation(
        "Simulation",
        "delete",
        f"{shared.ORDER_PATH}/simulate-workflow",
        "stopSimulation",
        "Stop a simulation",
        "Returns the steps that were still to come.",
        order_views.SimulationAnswer,
        answer_example=order_views.SimulationAnswer(data=order_views.simulation_view(101, _STEPS[1:])),
        parameters=(shared.ORDER_ID,),
        errors=(
            http.UnknownParameter,
            core.InvalidInput,
            core.OrderNotFound,
            core.SimulationNotRunning,
            *shared.WRITE_ERRORS,
        ),
    ),
)


def simulations_router(simulator: Simulator) -> Router:
    @post(_ROUTE, status_code=202)
    async def start_simulation(request: AnyRequest, order_id: FromPath[str]) -> order_views.SimulationAnswer:
        known_query(request)
        id_ = parse_order_id(order_id)
        options = bodies.SimulationBody()
        if await request.body():
            options = await read_body(request, bodies.SimulationBody)
        steps = await simulator.start(id_, options.options(), caller_of(request).principal)
        return order_views.SimulationAnswer(data=order_views.simulation_view(id_, steps))

    @delete(_ROUTE, status_code=200)
    async def stop_simulation(request: AnyRequest, order_id: FromPath[str]) -> order_views.SimulationAnswer:
        known_query(request)
        id_ = parse_order_id(order_id)
        steps = await simulator.stop(id_, caller_of(request).principal)
        return order_views.SimulationAnswer(data=order_views.simulation_view(id_, steps))

    return Router("/", route_handlers=[start_simulation, stop_simulation])
