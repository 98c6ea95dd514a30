"""Tracking links: make, list, revoke."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import FromPath

from ordertrack.core import errors as core
from ordertrack.core.cursor import MAX_INT64
from ordertrack.core.link_view import redact_for_link
from ordertrack.core.tracking_link import MAX_LINKS, Link
from ordertrack.http.openapi import shared
from ordertrack.http.openapi.shared import Access, Operation, parameter
from ordertrack.http.routes.request import AnyRequest, caller_of, known_query
from ordertrack.http.wire import errors as http
from ordertrack.http.wire import link_views, names, order_views
from ordertrack.http.wire.paths import parse_order_id
from ordertrack.service.links import Links

A = TypeVar("A", link_views.MadeLinkAnswer, link_views.LinksAnswer, link_views.LinkAnswer)
_ROUTE = f"{names.ORDERS}/{{order_id:str}}{names.LINKS_SUFFIX}"
_PATH = f"{shared.ORDER_PATH}{names.LINKS_SUFFIX}"
_LINK_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_NO_LINK = 0
"""The id of no link, in place of text that is not an id: the caller's permission is checked before the id."""

_ERRORS = (http.UnknownParameter, core.InvalidInput, core.Forbidden, core.OrderNotFound)
_LINK = Link(7, 101, shared.AT_MS, "service:shop")
_REVOKED = msgspec.structs.replace(_LINK, revoked_at_ms=shared.AT_MS + 600_000)
_LINK_PARAMETER = parameter(
    "link_id", {"type": "integer", "format": "int64", "minimum": 1}, "The link.", "path", required=True, example=7
)
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "Links",
        "post",
        _PATH,
        "makeLink",
        "Make a link that shows this order without an account",
        f"With its token a client can poll this order, without personal data. The token is shown only once. An order "
        f"has at most {MAX_LINKS} links that are not revoked.",
        link_views.MadeLinkAnswer,
        status=201,
        answer_example=link_views.MadeLinkAnswer(data=link_views.made_link_view(_LINK, shared.TOKEN)),
        parameters=(shared.ORDER_ID,),
        errors=(*_ERRORS, core.TooManyLinks, *shared.WRITE_ERRORS),
    ),
    Operation(
        "Links",
        "get",
        _PATH,
        "listLinks",
        "List the order's tracking links",
        "Without their tokens, which are not stored.",
        link_views.LinksAnswer,
        answer_example=link_views.LinksAnswer(data=link_views.links_view(101, [_LINK])),
        parameters=(shared.ORDER_ID,),
        errors=(*_ERRORS, core.StoreUnavailable),
    ),
    Operation(
        "Links",
        "delete",
        f"{_PATH}/{{link_id}}",
        "revokeLink",
        "Revoke a tracking link",
        "Takes effect at once, and ends the polls that are held with it. Revoking a link again changes nothing.",
        link_views.LinkAnswer,
        answer_example=link_views.LinkAnswer(data=link_views.link_view(_REVOKED)),
        parameters=(shared.ORDER_ID, _LINK_PARAMETER),
        errors=(*_ERRORS, core.LinkNotFound, *shared.WRITE_ERRORS),
    ),
    Operation(
        "Links",
        "get",
        f"{names.LINKS}/{{token}}",
        "getLinkedOrder",
        "Read the order of a tracking link",
        "Without personal data. Never held. A page for clients that prefer HTML, such as browsers.",
        order_views.OrderAnswer,
        answer_example=order_views.OrderAnswer(data=order_views.order_view(redact_for_link(shared.PREPARING))),
        parameters=(shared.LINK_TOKEN, shared.LANGUAGE, shared.IF_NONE_MATCH),
        headers=("ETag",),
        errors=(http.NoSuchPage, core.OrderNotFound, core.StoreUnavailable),
        not_modified=True,
        access=Access.LINK,
        has_page=True,
    ),
)


def links_router(links: Links) -> Router:
    @post(_ROUTE, status_code=201)
    async def make_link(request: AnyRequest, order_id: FromPath[str]) -> Response[link_views.MadeLinkAnswer]:
        known_query(request)
        link, token = await links.make(parse_order_id(order_id), caller_of(request).principal)
        return _uncached(link_views.MadeLinkAnswer(data=link_views.made_link_view(link, token)), 201)

    @get(_ROUTE)
    async def list_links(request: AnyRequest, order_id: FromPath[str]) -> Response[link_views.LinksAnswer]:
        known_query(request)
        id_ = parse_order_id(order_id)
        return _uncached(
            link_views.LinksAnswer(data=link_views.links_view(id_, await links.all(id_, caller_of(request).principal)))
        )

    @delete(f"{_ROUTE}/{{link_id:str}}", status_code=200)
    async def revoke_link(
        request: AnyRequest, order_id: FromPath[str], link_id: FromPath[str]
    ) -> Response[link_views.LinkAnswer]:
        known_query(request)
        link = await links.revoke(parse_order_id(order_id), _link_id(link_id), caller_of(request).principal)
        return _uncached(link_views.LinkAnswer(data=link_views.link_view(link)))

    return Router("/", route_handlers=[make_link, list_links, revoke_link])


def _link_id(text: str) -> int:
    return int(text) if _LINK_ID.fullmatch(text) and int(text) <= MAX_INT64 else _NO_LINK


def _uncached(answer: A, status: int = 200) -> Response[A]:
    return Response(answer, status_code=status, headers={names.CACHE_CONTROL: names.NO_STORE})
