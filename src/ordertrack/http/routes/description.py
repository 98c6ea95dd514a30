"""`/openapi.json`: every operation of the API. Each one is described beside its handler."""

from __future__ import annotations

from litestar import Response, Router, get

from ordertrack.http.endpoints import order_creation_description, poll_description, status_update_description
from ordertrack.http.openapi.document import openapi_document
from ordertrack.http.routes import links, orders, simulations, system, updates
from ordertrack.http.wire import names
from ordertrack.http.wire.order_views import encode

OPERATIONS = (
    *poll_description.OPERATIONS,
    *status_update_description.OPERATIONS,
    *updates.OPERATIONS,
    *simulations.OPERATIONS,
    *order_creation_description.OPERATIONS,
    *orders.OPERATIONS,
    *links.OPERATIONS,
    *system.OPERATIONS,
)
"""In the order of the document."""


def openapi_router(version: str) -> Router:
    document = encode(openapi_document(version, OPERATIONS))

    @get(names.OPENAPI)
    async def openapi() -> Response[bytes]:
        return Response(document, media_type=names.JSON)

    return Router("/", route_handlers=[openapi])
