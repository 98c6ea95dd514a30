"""`PUT .../orders/{id}/status`: the one change that has to be fast, so it does not go through the framework."""

from __future__ import annotations

from urllib.parse import unquote

from ordertrack.http import names
from ordertrack.http.admission import Caller
from ordertrack.http.errors import MethodNotAllowed
from ordertrack.http.parameters import header, parse_if_match
from ordertrack.http.requests import check_json, check_query
from ordertrack.http.responses import JSON, Response, encoded
from ordertrack.http.routes.headers import version_headers
from ordertrack.http.wire import answers, requests
from ordertrack.http.wire.answers import encode
from ordertrack.http.wire.decoding import decode
from ordertrack.http.wire.message import Request
from ordertrack.http.wire.paths import StatusTarget, parse_order_id
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
        change = decode(requests.StatusBody, body).change(order_id, *caller, self._undo_window_ms, if_match)
        order, event = await self._orders.change(change)
        answer = answers.ChangeAnswer(data=answers.encoded_order(order), changed=event is not None)
        return Response(200, (JSON, *encoded(version_headers(epoch, order))), encode(answer))
