"""What a handler needs of a request beyond its path."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

from litestar import Request

from ordertrack.core.errors import InvalidInput
from ordertrack.core.principal import Principal, Role
from ordertrack.http import names
from ordertrack.http.admission import Caller
from ordertrack.http.errors import UnknownParameter, UnsupportedMediaType
from ordertrack.http.parameters import parse_query
from ordertrack.http.wire.decoding import decode
from ordertrack.http.wire.requests import Body
from ordertrack.ports.store import Idempotency

MAX_IDEMPOTENCY_KEY = 255

AnyRequest = Request[Any, Any, Any]
B = TypeVar("B", bound=Body)

CALLER = "caller"
"""Where the scope of an admitted request has its Caller."""


def caller_of(request: AnyRequest) -> Caller:
    """Who is asking."""
    caller: Caller = request.scope[CALLER]  # type: ignore[literal-required]
    return caller


def known_query(request: AnyRequest, *allowed: str) -> dict[str, list[str]]:
    """Raises UnknownParameter, InvalidInput."""
    return check_query(request.scope["query_string"], *allowed)


def check_query(query_string: bytes, *allowed: str) -> dict[str, list[str]]:
    """The query, without a parameter that would be without effect. Raises UnknownParameter, InvalidInput."""
    query = parse_query(query_string)
    for name in query:
        if name not in allowed:
            raise UnknownParameter(name[:100], allowed)
    return query


async def read_json(request: AnyRequest) -> bytes:
    """Return a body that says it is JSON. Raises: UnsupportedMediaType."""
    check_json(request.headers.get(names.CONTENT_TYPE))
    return await request.body()


def check_json(content_type: str | None) -> None:
    """A body must say that it is JSON: a page of another site can send any other kind without asking first.

    Raises UnsupportedMediaType.
    """
    declared = content_type or ""
    if declared != names.JSON and declared.split(";")[0].strip().lower() != names.JSON:
        raise UnsupportedMediaType(declared)


async def read_body(request: AnyRequest, type_: type[B]) -> B:
    """Raises: UnsupportedMediaType, InvalidJson, InvalidBody."""
    return decode(type_, await read_json(request))


def idempotency(request: AnyRequest, body: bytes, by: Principal) -> Idempotency | None:
    """What the `Idempotency-Key` header asks for. A key is its sender's own. Raises InvalidInput."""
    key = request.headers.get(names.IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY:
        raise InvalidInput("Idempotency-Key", f"1 to {MAX_IDEMPOTENCY_KEY} characters")
    if by.role is not Role.ANYONE:
        key = f"{by.actor}\n{key}"
    return Idempotency(key, hashlib.sha256(body).hexdigest())
