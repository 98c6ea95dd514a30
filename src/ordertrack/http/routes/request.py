"""The caller, query and body of a request, for handlers."""

from __future__ import annotations

from typing import Any, TypeVar

from litestar import Request

from ordertrack.http.policy.admission import CALLER, Caller
from ordertrack.http.wire.bodies import RequestBody
from ordertrack.http.wire.body_decoding import decode
from ordertrack.http.wire.message import Headers
from ordertrack.http.wire.parameters import check_query

AnyRequest = Request[Any, Any, Any]
B = TypeVar("B", bound=RequestBody)


def caller_of(request: AnyRequest) -> Caller:
    caller: Caller = request.scope[CALLER]  # type: ignore[literal-required]
    return caller


def known_query(request: AnyRequest, *allowed: str) -> dict[str, list[str]]:
    """Raises: UnknownParameter, InvalidInput."""
    return check_query(request.scope["query_string"], *allowed)


async def read_body(request: AnyRequest, type_: type[B]) -> B:
    """Raises: UnsupportedMediaType, InvalidJson, InvalidBody."""
    return decode(type_, Headers(request.scope["headers"]), await request.body())
