"""`PUT .../orders/{id}/status`: the change that has to be fast, so the framework does not route it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import unquote

from ordertrack.core.cursor import Cursor
from ordertrack.core.errors import OrdertrackError
from ordertrack.http.policy.admission import Caller
from ordertrack.http.wire import names
from ordertrack.http.wire.bodies import StatusBody
from ordertrack.http.wire.body_decoding import decode
from ordertrack.http.wire.errors import MethodNotAllowed
from ordertrack.http.wire.etag import parse_if_match
from ordertrack.http.wire.message import Request
from ordertrack.http.wire.order_views import ChangeAnswer, encode, encoded_order
from ordertrack.http.wire.parameters import check_query, header
from ordertrack.http.wire.paths import StatusTarget, parse_order_id
from ordertrack.http.wire.responses import JSON, NO_STORE, Response
from ordertrack.ports.commits import Applied
from ordertrack.service.orders import Orders, sole
from ordertrack.service.pending import Pending

_IF_MATCH, _ETAG = names.IF_MATCH.encode(), names.ETAG.encode()
METHODS = ("OPTIONS", "PUT")


class StatusEndpoint:
    def __init__(self, orders: Orders, undo_window_ms: int) -> None:
        self._orders = orders
        self._undo_window_ms = undo_window_ms

    def respond(self, request: Request, target: StatusTarget, caller: Caller, body: bytes) -> Pending[Response]:
        """Raises, also when awaited: OrdertrackError."""
        if request.method != "PUT":
            raise MethodNotAllowed(request.method, METHODS)
        if request.query_string:
            check_query(request.query_string)
        order_id = parse_order_id(unquote(target.id))
        status = decode(StatusBody, request.headers, body)
        epoch = self._orders.epoch
        if_match = None
        if _IF_MATCH in request.headers:
            if_match = parse_if_match(header(request.headers, names.IF_MATCH), epoch)
        change = status.change(order_id, *caller, self._undo_window_ms, if_match)
        return Pending(self._orders.change(change), self._changed)

    def _changed(self, results: asyncio.Future[Sequence[Applied | OrdertrackError]]) -> Response:
        order, event = sole(results.result())
        answer = ChangeAnswer(data=encoded_order(order), changed=event is not None)
        etag = f'"{Cursor(self._orders.epoch, order.version)}"'.encode()
        return Response(200, (JSON, (_ETAG, etag), NO_STORE), encode(answer))
