"""Headers that restrict what browsers do with a response (OWASP secure headers)."""

from __future__ import annotations

from ordertrack.http.wire.paths import Content
from ordertrack.http.wire.responses import HeaderPairs

_ANY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_OWN = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_SWAGGER_UI = {**_OWN, "style-src": "'self' 'unsafe-inline'", "img-src": "'self' data:"}
"""Swagger UI sets style attributes and has images in its style sheet."""


def _page(content: dict[str, str]) -> dict[str, str]:
    return {
        **_ANY,
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in content.items()),
        "cross-origin-opener-policy": "same-origin",
        "x-frame-options": "DENY",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }


def _pairs(headers: dict[str, str]) -> HeaderPairs:
    return tuple((name.encode(), value.encode()) for name, value in headers.items())


PAGE = _pairs({**_page(_OWN), "x-robots-tag": "noindex"})
"""The page of an order. Sharing and the clipboard are allowed to a page of this site by default."""
SECURE = _pairs(_ANY)
SECURE_BY_CONTENT = {
    Content.DATA: SECURE,
    Content.APIDOCS: _pairs(_page(_SWAGGER_UI)),
    Content.SERVICE_WORKER: PAGE,  # a worker has a policy of its own; the other files have that of their page
    Content.SDK: _pairs({**_ANY, "cross-origin-resource-policy": "cross-origin"}),
}
