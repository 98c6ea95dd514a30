"""Cross-origin requests of web pages (Fetch standard, 3.2 "CORS protocol"). Refused unless origins are set.

Cookies are not read, so `Access-Control-Allow-Credentials` is never sent: a page has to send a token.
"""

from __future__ import annotations

import re

from ordertrack.http.wire import names
from ordertrack.http.wire.errors import CrossSite
from ordertrack.http.wire.message import Headers
from ordertrack.http.wire.parameters import header
from ordertrack.http.wire.responses import HeaderPairs

PREFLIGHT_KEPT_S = 7_200
"""The longest time that browsers cache the answer to a preflight (Chromium's limit)."""
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
ANY_ORIGIN: HeaderPairs = ((names.ALLOW_ORIGIN.encode(), b"*"),)
"""For files of the SDK, which the pages of every shop may load."""
SEC_FETCH_SITE = names.SEC_FETCH_SITE.encode()
_METHODS = "GET, HEAD, POST, PUT, DELETE"
_REQUEST_HEADERS = ", ".join(
    (names.AUTHORIZATION, names.CONTENT_TYPE, names.IF_MATCH, names.IF_NONE_MATCH, names.IDEMPOTENCY_KEY, names.PREFER)
)
_ANSWER_HEADERS = ", ".join(
    (names.ETAG, names.LOCATION, names.PREFERENCE_APPLIED, names.RATELIMIT, names.RATELIMIT_POLICY, names.RETRY_AFTER)
)
"""Headers of an answer that a page may read besides those that browsers always allow."""


class Cors:
    def __init__(self, origins: frozenset[str]) -> None:
        self.origins = origins

    def check_change(self, request_headers: Headers) -> None:
        """Refuse changes from pages of other origins: some can be sent without a preflight (Fetch Metadata, 2.3).
        Clients that are not browsers do not send `Sec-Fetch-Site`.

        Raises: CrossSite.
        """
        site = request_headers.get(SEC_FETCH_SITE)
        if site in (b"cross-site", b"same-site") and header(request_headers, names.ORIGIN) not in self.origins:
            raise CrossSite(header(request_headers, names.ORIGIN) or "")

    def headers(self, request_headers: Headers, *, preflight: bool) -> HeaderPairs:
        """Return the headers to add to an answer. Without them a browser hides the answer from the page."""
        if not self.origins:
            return ()
        vary = (names.VARY.encode(), names.ORIGIN.encode())
        origin = header(request_headers, names.ORIGIN)
        if origin not in self.origins:
            return (vary,)
        added = {names.ALLOW_ORIGIN: origin, names.EXPOSE_HEADERS: _ANSWER_HEADERS}
        if preflight:
            added |= {
                names.ALLOW_METHODS: _METHODS,
                names.ALLOW_HEADERS: _REQUEST_HEADERS,
                names.MAX_AGE: str(PREFLIGHT_KEPT_S),
            }
        return (vary, *((name.encode(), value.encode()) for name, value in added.items()))


def parse_origins(text: str) -> frozenset[str]:
    """Parse comma-separated origins.

    Raises: ValueError, which names the wrong one.
    """
    origins = [part.strip() for part in text.split(",") if part.strip()]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            reason = ": remove the slash at its end" if origin.endswith("/") else ""
            raise ValueError(f"{origin!r} is not an origin such as https://shop.example{reason}")
    return frozenset(origins)
