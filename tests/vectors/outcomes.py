"""Vectors: the bytes of a request, with the outcome they must have.

Both transports are held to it: the gate, which parses HTTP itself, and uvicorn with h11 (`--gate off`).
`differences.py` lists where h11 does otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from support.http1 import Answer

PROBLEM_JSON = "application/problem+json"

CODES = {
    400: "malformed_request",
    413: "body_too_large",
    417: "expectation_failed",
    431: "head_too_large",
    501: "method_not_implemented",
    505: "http_version_not_supported",
}
"""The error code of a refusal, unless it is about the coding of a body."""


class After(Enum):
    """The connection after the answer."""

    OPEN = "open"
    CLOSED = "closed"
    EITHER = "open or closed"
    HELD = "waits for the rest of a body"


@dataclass(frozen=True)
class Outcome:
    """One answer with one of these statuses, or none at all if there are no statuses. `codes` are of its `error`."""

    statuses: tuple[int, ...]
    after: After
    codes: tuple[str, ...] = ()
    then: tuple[int, ...] = ()
    """Statuses of further answers, where the bytes are more than one request."""

    @property
    def is_refusal(self) -> bool:
        return bool(self.codes)


def served(status: int = 200) -> Outcome:
    """The endpoint answers, and the connection goes on."""
    return Outcome((status,), After.OPEN)


def served_last(status: int = 200) -> Outcome:
    """The endpoint answers, and the connection ends."""
    return Outcome((status,), After.CLOSED)


def refused(*statuses: int) -> Outcome:
    """The bytes are not a request, or its end cannot be known: the bytes behind them must not be read as a request."""
    return Outcome(statuses, After.CLOSED, tuple(CODES[status] for status in statuses))


def declined(*statuses: int) -> Outcome:
    """The request is refused, but where it ends is known, so the connection may go on."""
    return Outcome(statuses, After.EITHER, tuple(CODES[status] for status in statuses))


def bad_coding(*statuses: int) -> Outcome:
    """The coding of the body is refused."""
    codes = {**CODES, 501: "unsupported_transfer_coding"}
    return Outcome(statuses, After.CLOSED, tuple(codes[status] for status in statuses))


UNFINISHED = Outcome((), After.CLOSED)
"""The client ends its side within a request: nothing is done. It may be told so with a 400."""


class Vector(NamedTuple):
    """The bytes of one request. `alone`: no other request can follow, because there is no end to follow."""

    name: str
    request: bytes
    outcome: Outcome
    alone: bool = False

    @property
    def method(self) -> str:
        return "HEAD" if self.request.startswith(b"HEAD ") else "GET"


def error_code(answer: Answer) -> str | None:
    """The `error` of a problem; None for any other answer."""
    if answer.headers.get("content-type") != PROBLEM_JSON or not answer.body:
        return None
    code: str = answer.json()["error"]
    return code
