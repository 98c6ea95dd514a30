"""The `Date` header (RFC 9110, 6.6.1), formatted once a second."""

from __future__ import annotations
