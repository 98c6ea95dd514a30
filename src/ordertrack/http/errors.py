"""Errors that only a wire can have; they join the tree of `core.errors`."""

from __future__ import annotations

from dataclasses import dataclass

from ordertrack.core.errors import OrdertrackError, Overloaded


@dataclass(eq=False)
class InvalidJson(OrdertrackError):
    detail: str


@dataclass(eq=False)
class InvalidBody(OrdertrackError):
    """`field` is a path within the body, or `body` for all of it; `detail` goes on from it: "must be ..."."""

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
    """A page of another site asks for a change, and its origin is not allowed to."""

    origin: str


@dataclass(eq=False)
class NoSuchPage(OrdertrackError):
    path: str


@dataclass(eq=False)
class MethodNotAllowed(OrdertrackError):
    method: str
    allowed: tuple[str, ...]


@dataclass(eq=False)
class NotReady(Overloaded):
    """This node wants no new work now; `why` says so in a word."""

    why: str
