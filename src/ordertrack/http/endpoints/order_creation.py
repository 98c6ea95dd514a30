"""`POST /api/v1/orders`: as fast as a status update, so the framework does not route it."""

from __future__ import annotations

import asyncio
import hashlib

from ordertrack.core.errors import InvalidInput
from ordertrack.core.principal import Principal, Role
from ordertrack.http.endpoints.outcome import Channel
from ordertrack.http.policy.admission import Caller
from ordertrack.http.policy.security_headers import SECURE
from ordertrack.http.wire import names
from ordertrack.http.wire.bodies import CreateOrderBody
from ordertrack.http.wire.body_decoding import decode
from ordertrack.http.wire.errors import MethodNotAllowed
from ordertrack.http.wire.etag import version_headers
from ordertrack.http.wire.message import Headers, Request
from ordertrack.http.wire.order_views import OrderAnswer, encode, encoded_order
from ordertrack.http.wire.parameters import check_query, header
from ordertrack.http.wire.responses import Response, encoded, which_methods
from ordertrack.ports.commits import Created, Idempotency
from ordertrack.service.orders import Orders
from ordertrack.service.pending import Pending

METHODS = ("GET", "HEAD", "OPTIONS", "POST")
"""The methods of the path. The framework routes the reads."""
MAX_IDEMPOTENCY_KEY = 255


class OrderCreationEndpoint:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def respond(
        self, request: Request, caller: Caller | None, body: bytes, channel: Channel
    ) -> Response | Pending[Response]:
        """Answer every method of the path but the reads. Only OPTIONS has no caller.

        Raises, also when awaited: OrdertrackError.
        """
        channel.headers = (*SECURE, *channel.headers)
        if request.method == "OPTIONS":
            return which_methods(METHODS)
        if request.method != "POST":
            raise MethodNotAllowed(request.method, METHODS)
        assert caller is not None
        if request.query_string:
            check_query(request.query_string)
        by, origin = caller
        new = decode(CreateOrderBody, request.headers, body).new_order(by, origin)
        return Pending(self._orders.create(new, by, _idempotency(request.headers, body, by)), self._created)

    def _created(self, created: asyncio.Future[Created]) -> Response:
        order = created.result().order
        headers = version_headers(self._orders.epoch, order)
        headers |= {names.LOCATION: f"{names.ORDERS}/{order.id}", names.CONTENT_TYPE: names.JSON}
        return Response(201, encoded(headers), encode(OrderAnswer(data=encoded_order(order))))


def _idempotency(headers: Headers, body: bytes, by: Principal) -> Idempotency | None:
    """Return the value of `Idempotency-Key`. Each caller has its own keys; without access control all share them.

    Raises: InvalidInput.
    """
    key = header(headers, names.IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY:
        raise InvalidInput("Idempotency-Key", f"1 to {MAX_IDEMPOTENCY_KEY} characters")
    if by.role is not Role.ANYONE:
        key = f"{by.actor}\n{key}"
    return Idempotency(key, hashlib.sha256(body).hexdigest())
