"""What can go wrong, as a tree.

OrdertrackClientError
├── ServerUnreachable     no connection: refused, unknown host, TLS failed, no network
│   └── ConnectionLost    connected, but no whole answer came: the server may have received the request
├── ClientClosed          the client was closed, before the call or while it waited
├── UnexpectedAnswer      something answered, but not an ordertrack server (wrong URL, a proxy's own page)
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
    """Base of every error of this package. `str(error)` is one sentence for people, on one line and safe to print.

    * `code`: stable name of what went wrong, the server's (`order_not_found`) or our own (`unreachable`).
    * `status`: the HTTP status, or None when there was no answer.
    * `problem`: everything the server said about it; the same shape is made up when there was no answer.
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
    """The connection broke or stayed silent: the server may or may not have done what was asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="connection_lost")


class ClientClosed(OrdertrackClientError):
    """`close` was called, perhaps in another thread or task. What was asked may have reached the server."""

    def __init__(self) -> None:
        super().__init__("The client is closed", code="client_closed")


class UnexpectedAnswer(OrdertrackClientError):
    """The answer is not one an ordertrack server gives."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message, code="unexpected_answer", status=status)


class RequestRefused(OrdertrackClientError):
    """The server answered with an error. `retry_after_s` is what it asked for, in seconds; 0 when it did not."""

    status: int
    retry_after_s: float = 0.0


class InvalidRequest(RequestRefused):
    """The request cannot be understood; the message names the field."""


class AccessDenied(RequestRefused):
    """The credentials are missing, wrong, or not enough for this."""


class NotFound(RequestRefused):
    """No such order, or somebody else's: the two look alike."""


class Conflict(RequestRefused):
    """The order's state does not allow the change; `problem` carries the state and what is allowed."""


class ServerBusy(RequestRefused):
    """The server holds or queues as much as it may."""


class ServerFailed(RequestRefused):
    """The server, or a proxy before it, failed."""


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
