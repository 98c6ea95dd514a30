"""Tracking links: make one, list them, revoke one."""

from __future__ import annotations

import re
from typing import TypeVar

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath

from ordertrack.core.cursor import MAX_INT64
from ordertrack.http.routes.request import AnyRequest, caller_of, known_query
from ordertrack.http.wire import link_views as answers
from ordertrack.http.wire import names
from ordertrack.http.wire.paths import parse_order_id
from ordertrack.service.links import Links

A = TypeVar("A", answers.MadeLinkAnswer, answers.LinksAnswer, answers.LinkAnswer)
_PATH = f"{names.ORDERS}/{{order_id:str}}{names.LINKS_SUFFIX}"
_LINK_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_NO_LINK = 0
"""What no link has, for whatever is no id. Nothing is raised for it: whose the order is must be asked first."""


def links_router(links: Links) -> Router:
    @post(_PATH, status_code=201)
    async def make(request: AnyRequest, order_id: FromPath[str]) -> Response[answers.MadeLinkAnswer]:
        known_query(request)
        link, token = await links.make(parse_order_id(order_id), caller_of(request).principal)
        return _fresh(answers.MadeLinkAnswer(data=answers.made_link_view(link, token)), 201)

    @get(_PATH)
    async def all_(request: AnyRequest, order_id: FromPath[str]) -> Response[answers.LinksAnswer]:
        known_query(request)
        id_ = parse_order_id(order_id)
        return _fresh(
            answers.LinksAnswer(data=answers.links_view(id_, await links.all(id_, caller_of(request).principal)))
        )

    @delete(f"{_PATH}/{{link_id:str}}", status_code=200)
    async def revoke(
        request: AnyRequest, order_id: FromPath[str], link_id: FromPath[str]
    ) -> Response[answers.LinkAnswer]:
        known_query(request)
        link = await links.revoke(parse_order_id(order_id), _link_id(link_id), caller_of(request).principal)
        return _fresh(answers.LinkAnswer(data=answers.link_view(link)))

    return Router("/", route_handlers=[make, all_, revoke])


def _link_id(text: str) -> int:
    return int(text) if _LINK_ID.fullmatch(text) and int(text) <= MAX_INT64 else _NO_LINK


def _fresh(answer: A, status: int = 200) -> Response[A]:
    return Response(answer, status_code=status, headers={names.CACHE_CONTROL: names.NO_STORE})
