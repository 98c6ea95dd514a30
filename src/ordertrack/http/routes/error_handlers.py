"""Litestar's exception handlers: errors of handlers and of the framework as responses."""

from __future__ import annotations

from collections import Counter

from litestar import Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.types import ExceptionHandlersMap

from ordertrack.core.errors import OrdertrackError
from ordertrack.http.endpoints.incidents import incident
from ordertrack.http.routes.request import AnyRequest
from ordertrack.http.wire import names
from ordertrack.http.wire.errors import InvalidJson, MethodNotAllowed, NoSuchPage
from ordertrack.http.wire.message import WHICH_METHODS
from ordertrack.http.wire.problems import refusal


class Failures:
    def __init__(self, refused: Counter[str]) -> None:
        self._refused = refused

    def handlers(self) -> ExceptionHandlersMap:
        return {OrdertrackError: self._known, HTTPException: self._framework, Exception: self._bug}

    def _known(self, _: AnyRequest, error: OrdertrackError) -> Response[bytes]:
        status, headers, body = refusal(error, self._refused)
        return Response(body, status_code=status, headers=headers, media_type=headers[names.CONTENT_TYPE])

    def _framework(self, request: AnyRequest, error: HTTPException) -> Response[bytes]:
        """Answer a request that the framework refused before a handler."""
        if isinstance(error, NotFoundException):
            return self._known(request, NoSuchPage(request.url.path))
        if isinstance(error, MethodNotAllowedException):
            allowed = _allowed(error)
            if request.method == WHICH_METHODS:
                return Response(b"", status_code=204, headers={names.ALLOW: ", ".join(allowed)})
            return self._known(request, MethodNotAllowed(request.method, allowed))
        if error.status_code < 500:
            return self._known(request, InvalidJson(detail=str(error.detail)))
        return self._bug(request, error)

    def _bug(self, request: AnyRequest, error: Exception) -> Response[bytes]:
        return self._known(request, incident(request.method, request.url.path, error))


def _allowed(error: MethodNotAllowedException) -> tuple[str, ...]:
    """Return the allowed methods. HEAD is added to GET: this application answers it, not the router."""
    methods = set(filter(None, (error.headers or {}).get(names.ALLOW, "").split(", ")))
    return tuple(sorted(methods | {"HEAD"} if "GET" in methods else methods))
