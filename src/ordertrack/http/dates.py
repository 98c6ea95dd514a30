"""The `Date` header (RFC 9110, 6.6.1), formatted once a second."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache


def http_date(now_ms: int) -> bytes:
    """Of the answer, not of the request: a held poll's two are up to minutes apart."""
    return _of_second(now_ms // 1000)


@lru_cache(maxsize=1)
def _of_second(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()
