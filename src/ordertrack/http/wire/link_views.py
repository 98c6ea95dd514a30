"""JSON answers about tracking links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from ordertrack.core.timestamps import format_time
from ordertrack.core.tracking_link import Link
from ordertrack.http.wire import names
from ordertrack.http.wire.order_views import Success, Time


class MadeLinkView(Struct):
    """A new tracking link. The server cannot show its token again."""

    id: int
    order_id: int
    token: Annotated[str, Meta(description="The bearer token of a poll. Shown only once.")]
    path: Annotated[str, Meta(description="The path of the page for people.")]
    created_at: Time
    created_by: str


class LinkView(Struct):
    """A tracking link without its token, which is not stored."""

    id: int
    order_id: int
    created_at: Time
    created_by: str
    revoked_at: Annotated[Time | None, Meta(description="When it was revoked; null while it is valid.")]


class LinksView(Struct):
    order_id: int
    links: Annotated[list[LinkView], Meta(description="All links of the order, revoked ones too, oldest first.")]


class MadeLinkAnswer(Struct, kw_only=True):
    success: Success = True
    data: MadeLinkView


class LinkAnswer(Struct, kw_only=True):
    success: Success = True
    data: LinkView


class LinksAnswer(Struct, kw_only=True):
    success: Success = True
    data: LinksView


def made_link_view(link: Link, token: str) -> MadeLinkView:
    return MadeLinkView(
        id=link.id,
        order_id=link.order_id,
        token=token,
        path=f"{names.LINKS}/{token}",
        created_at=format_time(link.created_at_ms),
        created_by=link.created_by,
    )


def link_view(link: Link) -> LinkView:
    return LinkView(
        id=link.id,
        order_id=link.order_id,
        created_at=format_time(link.created_at_ms),
        created_by=link.created_by,
        revoked_at=None if link.revoked_at_ms is None else format_time(link.revoked_at_ms),
    )


def links_view(order_id: int, links: Sequence[Link]) -> LinksView:
    return LinksView(order_id, [link_view(link) for link in links])
