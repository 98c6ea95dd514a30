"""The errors of the client.

OrdertrackClientError
├── ServerUnreachable     no connection: refused, unknown host, TLS failed, no network
│   └── ConnectionLost    connected, but no complete answer: the server may have received the request
├── ClientClosed          the client was closed before or during the call
├── UnexpectedAnswer      the answer is not from an ordertrack server (wrong URL, error page of a proxy)
└── RequestRefused        the server's answer was an error
    ├── InvalidRequest    400, 413, 415, 422: the request cannot be understood
    ├── AccessDenied      401, 403
    ├── NotFound          404: no such order, or not yours
    ├── Conflict          409, 412: the order's state does not allow it
    ├── ServerBusy        429, 503: try again after `retry_after_s`; nothing of the request was kept
    └── ServerFailed      any other 5xx
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordertrack.client.escape import escape


class OrdertrackClientError(Exception):
    """Base class of all errors of this package. `str(error)` is one line, safe to print.

    * `code`: stable name of the error, of the server (`order_not_found`) or of the client (`unreachable`).
    * `status`: the HTTP status, or None without an answer.
    * `problem`: the server's problem details, or the same keys made by the client without an answer.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None = None,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(escape(message))
        self.code = code
        self.status = status
        self.problem: dict[str, Any] = {"success": False, "error": code, "message": message, "status": status}
        self.problem.update(problem or {})


class ServerUnreachable(OrdertrackClientError):
    """No connection could be made: the server has not seen the request.

    `code` is `unreachable`, `unknown_host`, `tls_failed` or `untrusted_certificate`.
    """

    def __init__(self, message: str, *, code: str = "unreachable") -> None:
        super().__init__(message, code=code)


class ConnectionLost(ServerUnreachable):
    """The connection broke or timed out: the server may or may not have processed the request."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="connection_lost")


class ClientClosed(OrdertrackClientError):
    """The client was closed, perhaps by another thread or task. The request may have reached the server."""

    def __init__(self) -> None:
        super().__init__("The client is closed", code="client_closed")


class UnexpectedAnswer(OrdertrackClientError):
    """The answer is not from an ordertrack server."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message, code="unexpected_answer", status=status)


class RequestRefused(OrdertrackClientError):
    """The server answered with an error. `retry_after_s` is its `Retry-After` in seconds, or 0."""

    status: int
    retry_after_s: float = 0.0


class InvalidRequest(RequestRefused):
    """The request is invalid; the message names the field."""


class AccessDenied(RequestRefused):
    """The credentials are missing, invalid or insufficient."""


class NotFound(RequestRefused):
    """The order does not exist or belongs to another party."""


class Conflict(RequestRefused):
    """The order's state does not allow the change; `problem` has the state and the legal steps."""


class ServerBusy(RequestRefused):
    """The server has reached a limit of held polls, queued changes or requests."""


class ServerFailed(RequestRefused):
    """The server, or a proxy in front of it, failed."""


BY_STATUS: dict[int, type[RequestRefused]] = {
    400: InvalidRequest,
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: ServerBusy,
    503: ServerBusy,
}
