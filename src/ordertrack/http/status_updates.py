"""`PUT …/orders/{id}/status`: what a kitchen or a courier taps, from the received request to the response.

It is the one change that has to be fast, so it goes past the framework: the gate calls it, and so does the ASGI route.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ordertrack.core.errors import OrdertrackError
from ordertrack.http import names
from ordertrack.http.admission import Caller
from ordertrack.http.asgi import Receive, Scope, Send, receive_body, send_response, which_methods
from ordertrack.http.errors import MethodNotAllowed
from ordertrack.http.failures import incident
from ordertrack.http.parameters import header, parse_if_match, parse_order_id
from ordertrack.http.requests import CALLER, MAX_BODY_BYTES, check_json, check_query
from ordertrack.http.responses import JSON, Response, encoded, refused
from ordertrack.http.routes.headers import version_headers
from ordertrack.http.wire import answers, requests
from ordertrack.http.wire.answers import encode
from ordertrack.http.wire.decoding import decode
from ordertrack.ports.clock import Clock
from ordertrack.service.orders import Orders

METHODS = ("OPTIONS", "PUT")

_PATH = re.compile(rf"{names.ORDERS}/([^/]+){names.STATUS_SUFFIX}")

RawHeaders = Sequence[tuple[bytes, bytes]]


def status_path(path: str) -> str | None:
    """The id in a path of this kind, as it was written; None when it is another path."""
    match = _PATH.fullmatch(path)
    return match[1] if match else None


class StatusUpdates:
    def __init__(self, orders: Orders, undo_window_ms: int, refused: Counter[str]) -> None:
        self._orders = orders
        self._undo_window_ms = undo_window_ms
        self._refused = refused

    async def answer(
        self, order_id: str, caller: Caller, query_string: bytes, headers: RawHeaders, body: bytes
    ) -> Response:
        """Names of headers are in lower case."""
        try:
            return await self._changed(order_id, caller, query_string, headers, body)
        except OrdertrackError as error:
            return self.refusal(error)
        except Exception as error:  # noqa: BLE001 - a bug is answered with its number in the log, as by the framework
            return self.refusal(incident("PUT", f"{names.ORDERS}/{order_id[:30]}{names.STATUS_SUFFIX}", error))

    def refusal(self, error: OrdertrackError) -> Response:
        return refused(error, self._refused)

    async def _changed(
        self, order_id: str, caller: Caller, query_string: bytes, headers: RawHeaders, body: bytes
    ) -> Response:
        check_query(query_string)
        id_ = parse_order_id(order_id)
        check_json(header(headers, names.CONTENT_TYPE))
        epoch = self._orders.epoch
        if_match = parse_if_match(header(headers, names.IF_MATCH), epoch)
        wanted = decode(requests.StatusBody, body).change(id_, *caller, self._undo_window_ms, if_match)
        order, event = await self._orders.change(wanted)
        answer = answers.ChangeAnswer(data=answers.encoded_order(order), changed=event is not None)
        return Response(200, (JSON, *encoded(version_headers(epoch, order))), encode(answer))


class StatusRoute:
    """The same for an ASGI server."""

    def __init__(self, updates: StatusUpdates, clock: Clock) -> None:
        self._updates = updates
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of a scope whose path is a `status_path`."""
        await send_response(send, await self._response(scope, receive), self._clock.now_ms())

    async def _response(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] == "OPTIONS":
            return which_methods(METHODS)
        headers, order_id = scope["headers"], status_path(scope["path"])
        assert order_id is not None
        try:
            if scope["method"] != "PUT":
                raise MethodNotAllowed(scope["method"], METHODS)
            body = await receive_body(receive, header(headers, names.CONTENT_LENGTH), MAX_BODY_BYTES)
        except OrdertrackError as error:
            return self._updates.refusal(error)
        return await self._updates.answer(order_id, scope[CALLER], scope["query_string"], headers, body)
