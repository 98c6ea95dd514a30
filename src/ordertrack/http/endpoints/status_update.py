"""`PUT .../orders/{id}/status`: the one change that has to be fast, so it does not go through the framework."""

from __future__ import annotations

from urllib.parse import unquote

from ordertrack.http.policy.admission import Caller
from ordertrack.http.wire import bodies, names, order_views
from ordertrack.http.wire.body_decoding import check_json, decode
from ordertrack.http.wire.errors import MethodNotAllowed
from ordertrack.http.wire.etag import parse_if_match, version_headers
from ordertrack.http.wire.message import Request
from ordertrack.http.wire.order_views import encode
from ordertrack.http.wire.parameters import check_query, header
from ordertrack.http.wire.paths import StatusTarget, parse_order_id
from ordertrack.http.wire.responses import JSON, Response, encoded
from ordertrack.service.orders import Orders

METHODS = ("OPTIONS", "PUT")


class StatusEndpoint:
    def __init__(self, orders: Orders, undo_window_ms: int) -> None:
        self._orders = orders
        self._undo_window_ms = undo_window_ms

    async def respond(self, request: Request, target: StatusTarget, caller: Caller, body: bytes) -> Response:
        """Raises: OrdertrackError."""
        if request.method != "PUT":
            raise MethodNotAllowed(request.method, METHODS)
        check_query(request.query_string)
        order_id = parse_order_id(unquote(target.id))
        check_json(header(request.headers, names.CONTENT_TYPE))
        epoch = self._orders.epoch
        if_match = parse_if_match(header(request.headers, names.IF_MATCH), epoch)
        change = decode(bodies.StatusBody, body).change(order_id, *caller, self._undo_window_ms, if_match)
        order, event = await self._orders.change(change)
        answer = order_views.ChangeAnswer(data=order_views.encoded_order(order), changed=event is not None)
        return Response(200, (JSON, *encoded(version_headers(epoch, order))), encode(answer))
