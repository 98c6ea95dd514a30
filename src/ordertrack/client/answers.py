"""Decoding of answers into values or errors, independent of an HTTP library."""

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
"""A longer `Retry-After` is taken for a mistake of the server or a proxy."""


def read(decoder: msgspec.json.Decoder[T], status: int, headers: Mapping[str, str], body: bytes) -> T:
    """Decode a successful answer.

    Raises: UnexpectedAnswer, RequestRefused.
    """
    if not 200 <= status < 300:
        raise error_of(status, headers, body)
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer(f"The answer is not from an ordertrack server: {error}", status=status) from error


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> OrdertrackClientError:
    """Return the error for an answer. `headers` has lower-case names or ignores case."""
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
    """Return the seconds of `Retry-After`; 0 when it is missing or invalid.

    A date is compared with the answer's own `Date`, so the clock of this machine does not matter.
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
    """Return the server's problem details; empty when a proxy answered instead."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""
