"""The page of an order, for browsers: it shows what the JSON of the same path has, and errors as pages."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

from ordertrack.core.errors import OrdertrackError, Unauthenticated
from ordertrack.core.languages import LANGUAGES
from ordertrack.core.order import Order
from ordertrack.http.endpoints.incidents import incident
from ordertrack.http.policy.admission import Caller
from ordertrack.http.policy.security_headers import PAGE
from ordertrack.http.wire import names
from ordertrack.http.wire.message import Request
from ordertrack.http.wire.negotiation import accepts_gzip, asks_for_page, preferred_language
from ordertrack.http.wire.order_views import order_fields
from ordertrack.http.wire.parameters import header, query_value
from ordertrack.http.wire.paths import LinkTarget, OrderPageTarget, parse_order_id
from ordertrack.http.wire.problems import KINDS, refusal
from ordertrack.http.wire.responses import HeaderPairs, Response, encoded
from ordertrack.ports.clock import Clock
from ordertrack.service.orders import Orders

VARY = (
    names.VARY.encode(),
    ", ".join((names.ACCEPT, names.ACCEPT_LANGUAGE, names.ACCEPT_ENCODING)).encode(),
)
"""For every answer of a path that has a page."""
_GZIP_LEVEL = 6
_LINK_GONE = (410, "link_gone")
_NO_SUCH_LINK = (404, "link_not_found")

PagedTarget = LinkTarget | OrderPageTarget


class PageTemplates(Protocol):
    """The templates of pages. `order` has the keys of the JSON."""

    def order_page(
        self, order: dict[str, Any], *, language: str, time_zone: str, track_path: str, now_ms: int, is_link: bool
    ) -> bytes: ...

    def problem_page(self, status: int, code: str, *, language: str) -> bytes: ...


class PageDefaults(NamedTuple):
    """`language` is for browsers that prefer none of LANGUAGES; `time_zone` is an IANA name."""

    language: str = "en"
    time_zone: str = "UTC"


class OrderPageEndpoint:
    def __init__(
        self, orders: Orders, templates: PageTemplates, defaults: PageDefaults, clock: Clock, refusals: Counter[str]
    ) -> None:
        self._orders = orders
        self._templates = templates
        self._defaults = defaults
        self._clock = clock
        self._refusals = refusals

    async def respond(self, request: Request, target: PagedTarget, caller: Caller) -> Response:
        """Return the page of the order, or of an error. Raises: what `problem` raises."""
        try:
            order = await self._orders.get(_order_id(target, caller), caller.principal)
            language = self._language(request)
            body = self._render(order, target, language)
        except Exception as error:  # noqa: BLE001 - `incident` logs what is not known
            return self.problem(request, target, error)
        headers = {names.CONTENT_TYPE: names.HTML_UTF8, names.CACHE_CONTROL: names.NO_STORE}
        return _page(request, 200, headers, language, body)

    def problem(self, request: Request, target: PagedTarget, error: Exception) -> Response:
        """Return the page of an error. Unlike JSON, it does not ask the holder of an invalid link to authenticate.

        Raises: what the template raises; the error is answered with JSON then.
        """
        known = error if isinstance(error, OrdertrackError) else incident(request.method, request.path, error)
        status, headers, _ = refusal(known, self._refusals)
        code = KINDS[type(known)].code
        if isinstance(known, Unauthenticated) and isinstance(target, LinkTarget):
            status, code = _LINK_GONE if known.link in ("revoked", "expired") else _NO_SUCH_LINK
            del headers[names.WWW_AUTHENTICATE]
        language = self._language(request)
        body = self._templates.problem_page(status, code, language=language)
        return _page(request, status, {**headers, names.CONTENT_TYPE: names.HTML_UTF8}, language, body)

    def _render(self, order: Order, target: PagedTarget, language: str) -> bytes:
        return self._templates.order_page(
            order_fields(order),
            language=language,
            time_zone=self._defaults.time_zone,
            track_path=target.track_path,
            now_ms=self._clock.now_ms(),
            is_link=isinstance(target, LinkTarget),
        )

    def _language(self, request: Request) -> str:
        """Return the language of the query, if there is a page in it, else the one that the browser prefers."""
        asked = query_value(request.query_string, names.LANGUAGE)
        if asked in LANGUAGES:
            return asked
        preferred = header(request.headers, names.ACCEPT_LANGUAGE) or ""
        return preferred_language(preferred, LANGUAGES, self._defaults.language)


def is_page_request(request: Request) -> bool:
    """Tell whether the request, for a target that has a page, is for the page."""
    return request.method in ("GET", "HEAD") and asks_for_page(header(request.headers, names.ACCEPT) or "")


def _order_id(target: PagedTarget, caller: Caller) -> int:
    """Raises: OrderNotFound."""
    if isinstance(target, OrderPageTarget):
        return parse_order_id(unquote(target.id))
    assert caller.principal.order_id is not None
    return caller.principal.order_id


def _page(request: Request, status: int, headers: dict[str, str], language: str, body: bytes) -> Response:
    added: HeaderPairs = ((names.CONTENT_LANGUAGE.encode(), language.encode()),)
    if accepts_gzip(header(request.headers, names.ACCEPT_ENCODING) or ""):
        added = (*added, (names.CONTENT_ENCODING.encode(), names.GZIP.encode()))
        body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
    return Response(status, (*encoded(headers), *added, *PAGE), body)
