"""Headers that restrict what browsers do with a response (OWASP secure headers)."""

from __future__ import annotations

_ANY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_CONTENT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # Swagger UI sets style attributes
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_PAGE = {
    **_ANY,
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _CONTENT.items()),
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

SECURE = [(name.encode(), value.encode()) for name, value in _ANY.items()]
SECURE_PAGE = [(name.encode(), value.encode()) for name, value in _PAGE.items()]
