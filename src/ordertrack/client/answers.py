"""Reading answers: bytes to values, anything else to an error. Knows no HTTP library."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from ordertrack.client.errors import (
    BY_STATUS,
    OrdertrackClientError,
    RequestRefused,
    ServerFailed,
    UnexpectedAnswer,
)

T = TypeVar("T")
MAX_RETRY_AFTER_S = 3600.0
"""A longer wait than this is somebody's mistake."""


def read(decoder: msgspec.json.Decoder[T], status: int, headers: Mapping[str, str], body: bytes) -> T:
    """The value of a good answer. Raises UnexpectedAnswer, or a RequestRefused."""
    if not 200 <= status < 300:
        raise error_of(status, headers, body)
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer(f"The answer is not from an ordertrack server: {error}", status=status) from error


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> OrdertrackClientError:
    """The error an answer stands for. `headers` has lower-case names, or does not mind the case."""
    if status < 400:
        to = f" to {headers['location']}" if "location" in headers else ""
        return UnexpectedAnswer(f"The answer is not from an ordertrack server: HTTP {status}{to}", status=status)
    kind: type[RequestRefused] = BY_STATUS.get(status, ServerFailed if status >= 500 else RequestRefused)
    problem = _problem(body)
    message = problem.get("message")
    code = problem.get("error")
    error = kind(
        message if isinstance(message, str) else f"The server answered {status} {_phrase(status)}".rstrip(),
        code=code if isinstance(code, str) else f"http_{status}",
        status=status,
        problem=problem,
    )
    error.retry_after_s = retry_after_s(headers)
    return error


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that `Retry-After` asks to wait; 0 when it is missing or makes no sense.

    A date is measured against the answer's own `Date`, so that it does not matter what time this machine thinks it is.
    """
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        until, now = _http_date(text), _http_date(headers.get("date", ""))
        seconds = (until - now).total_seconds() if until and now else 0.0
    if not math.isfinite(seconds):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else None


def _problem(body: bytes) -> dict[str, Any]:
    """The server's problem details, or nothing when a proxy answered with a page of its own."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""
