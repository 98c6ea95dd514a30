"""Errors of HTTP; they join the tree of `core.errors`."""

from __future__ import annotations

from dataclasses import dataclass

from ordertrack.core.errors import OrdertrackError, Overloaded


@dataclass(eq=False)
class MalformedRequest(OrdertrackError):
    """A head or the framing of a body is not HTTP/1.1; `detail` is a sentence that quotes nothing of the request."""

    detail: str


@dataclass(eq=False)
class InvalidJson(OrdertrackError):
    detail: str


@dataclass(eq=False)
class InvalidBody(OrdertrackError):
    """`field` is a path within the body, or `body` for all of it; `detail` follows it in the message: "must be ..."."""

    field: str
    detail: str


@dataclass(eq=False)
class UnknownParameter(OrdertrackError):
    name: str
    allowed: tuple[str, ...]


@dataclass(eq=False)
class UnsupportedMediaType(OrdertrackError):
    received: str


@dataclass(eq=False)
class BodyTooLarge(OrdertrackError):
    limit_bytes: int


@dataclass(eq=False)
class HeadTooLarge(OrdertrackError):
    limit_bytes: int


@dataclass(eq=False)
class CrossSite(OrdertrackError):
    """A page of another site sends a change, and its origin is not allowed."""

    origin: str


@dataclass(eq=False)
class NoSuchPage(OrdertrackError):
    path: str


@dataclass(eq=False)
class MethodNotAllowed(OrdertrackError):
    method: str
    allowed: tuple[str, ...]


@dataclass(eq=False)
class ExpectationFailed(OrdertrackError):
    """An `Expect` other than `100-continue` (RFC 9110, 10.1.1)."""

    received: str


@dataclass(eq=False)
class UnknownMethod(OrdertrackError):
    """A method that this server does not implement (RFC 9110, 9.1)."""

    method: str


@dataclass(eq=False)
class UnsupportedTransferCoding(OrdertrackError):
    """A `Transfer-Encoding` other than `chunked` (RFC 9112, 6.1)."""

    received: str


@dataclass(eq=False)
class UnsupportedVersion(OrdertrackError):
    """A version other than HTTP/1.0 and HTTP/1.1, as the client wrote it (RFC 9110, 15.6.6)."""

    received: str


@dataclass(eq=False)
class NotReady(Overloaded):
    """This node takes no new work now; `why` is the reason in one word."""

    why: str
