"""The caller, query, body and idempotency key of a request, for handlers."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

from litestar import Request

from ordertrack.core.errors import InvalidInput
from ordertrack.core.principal import Principal, Role
from ordertrack.http.policy.admission import CALLER, Caller
from ordertrack.http.wire import names
from ordertrack.http.wire.bodies import RequestBody
from ordertrack.http.wire.body_decoding import check_json, decode
from ordertrack.http.wire.parameters import check_query
from ordertrack.ports.commits import Idempotency

MAX_IDEMPOTENCY_KEY = 255

AnyRequest = Request[Any, Any, Any]
B = TypeVar("B", bound=RequestBody)


def caller_of(request: AnyRequest) -> Caller:
    caller: Caller = request.scope[CALLER]  # type: ignore[literal-required]
    return caller


def known_query(request: AnyRequest, *allowed: str) -> dict[str, list[str]]:
    """Raises: UnknownParameter, InvalidInput."""
    return check_query(request.scope["query_string"], *allowed)


async def read_json(request: AnyRequest) -> bytes:
    """Return the body of a request with a JSON content type.

    Raises: UnsupportedMediaType.
    """
    check_json(request.headers.get(names.CONTENT_TYPE))
    return await request.body()


async def read_body(request: AnyRequest, type_: type[B]) -> B:
    """Raises: UnsupportedMediaType, InvalidJson, InvalidBody."""
    return decode(type_, await read_json(request))


def idempotency(request: AnyRequest, body: bytes, by: Principal) -> Idempotency | None:
    """Return the value of `Idempotency-Key`. Each caller has its own keys; without access control all share them.

    Raises: InvalidInput.
    """
    key = request.headers.get(names.IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY:
        raise InvalidInput("Idempotency-Key", f"1 to {MAX_IDEMPOTENCY_KEY} characters")
    if by.role is not Role.ANYONE:
        key = f"{by.actor}\n{key}"
    return Idempotency(key, hashlib.sha256(body).hexdigest())
