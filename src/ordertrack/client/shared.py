"""Shared by both clients: options, the retry rule, and the mapping from httpx's errors to those of this package."""

from __future__ import annotations

import inspect
import logging
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple, TypedDict

import httpx
import msgspec

from ordertrack.client.backoff import Random, backoff_s
from ordertrack.client.calls import Call, track_path
from ordertrack.client.errors import (
    ConnectionLost,
    OrdertrackClientError,
    RequestRefused,
    ServerBusy,
    ServerUnreachable,
)
from ordertrack.client.hold import LearnedHold, Pace
from ordertrack.client.server_url import server_url
from ordertrack.client.tracker import PollRequest, Step, Tracker
from ordertrack.client.values import Mode

CONNECT_TIMEOUT_S = 10.0
MAX_RETRY_WAIT_S = 30.0
"""Maximum wait between two tries of a single call."""
log = logging.getLogger("ordertrack.client")
_GATEWAY_ERRORS = frozenset({502, 504})


class Connection(msgspec.Struct, frozen=True):
    """The state of a `track`, passed to `on_connection` at every failure and when the connection is back.

    While `online` is False, `attempts` counts the failures in a row, the next try is in `wait_s` seconds, and `error`
    is the last failure.
    """

    online: bool
    attempts: int = 0
    wait_s: float = 0.0
    error: OrdertrackClientError | None = None


OnConnection = Callable[[Connection], None]
OnAnswer = Callable[[bytes], None]


def ignore_answer(body: bytes) -> None:
    """Do nothing; the default of `on_answer`."""


class HttpOptions(TypedDict):
    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    limits: httpx.Limits


def http_options(base_url: str, token: str | None, headers: Mapping[str, str] | None) -> HttpOptions:
    """Return the options of httpx's clients.

    Raises: ValueError, for an invalid `base_url`.
    """
    try:
        server_url(base_url)
    except ValueError as error:
        raise ValueError(f"base_url {base_url!r} {error}") from None
    own = {"user-agent": f"ordertrack-python/{_version()}", "accept": "application/json"}
    if token is not None:
        own["authorization"] = f"Bearer {token}"
    return {
        "base_url": base_url.rstrip("/"),
        "headers": {**own, **(headers or {})},
        "timeout": httpx.Timeout(CONNECT_TIMEOUT_S),
        # Every tracked order occupies a connection: with httpx's limit of 100, the 101st would wait without end.
        "limits": httpx.Limits(max_connections=None, max_keepalive_connections=100),
    }


class RequestArguments(TypedDict):
    method: str
    url: str
    params: httpx.QueryParams
    content: bytes | None
    headers: dict[str, str]
    timeout: httpx.Timeout


def call_arguments(call: Call[Any]) -> RequestArguments:
    return {
        "method": call.method,
        "url": call.path,
        "params": httpx.QueryParams(call.params),
        "content": call.content,
        "headers": call.headers,
        "timeout": httpx.Timeout(CONNECT_TIMEOUT_S, read=call.read_timeout_s),
    }


def poll_arguments(order_id: int, request: PollRequest) -> RequestArguments:
    return {
        "method": "GET",
        "url": track_path(order_id),
        "params": httpx.QueryParams(request.params),
        "content": None,
        "headers": {},
        "timeout": httpx.Timeout(CONNECT_TIMEOUT_S, read=request.read_timeout_s),
    }


def connection_error(error: httpx.RequestError, base_url: object) -> ServerUnreachable:
    """Return the error for one of httpx: ConnectionLost if the server may have seen the request, else its base class.

    Raises: `error`, when httpx refuses to send the request.
    """
    if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
        raise error
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return _unreachable(error, str(base_url).rstrip("/"))
    if isinstance(error, httpx.TimeoutException):
        return ConnectionLost("The server did not answer in time")
    return ConnectionLost("The connection broke before the answer was complete")


def _unreachable(error: Exception, url: str) -> ServerUnreachable:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return ServerUnreachable(f"The host {httpx.URL(url).host} is not known", code="unknown_host")
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"The certificate of {url} is not accepted: {cause.verify_message}"
            return ServerUnreachable(why, code="untrusted_certificate")
        if isinstance(cause, ssl.SSLError):
            return ServerUnreachable(f"No TLS connection can be made to {url}", code="tls_failed")
    return ServerUnreachable(f"No server answers at {url}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes: httpx's wraps httpcore's, which wraps the system's."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def retry_wait_s(
    call: Call[Any], error: OrdertrackClientError, tried: int, retries: int, random: Random
) -> float | None:
    """Return the seconds to wait before the next try after `tried` tries, or None to raise the error.

    Retried: 1. calls that the server has not processed (no connection, 429, 503); 2. repeatable calls that it may have
    processed (connection lost, 502, 504).
    """
    untouched = isinstance(error, ServerBusy) or type(error) is ServerUnreachable
    unknown = isinstance(error, ConnectionLost) or error.status in _GATEWAY_ERRORS
    if tried > retries or not (untouched or (call.repeatable and unknown)):
        return None
    retry_after_s = error.retry_after_s if isinstance(error, RequestRefused) else 0.0
    if retry_after_s > MAX_RETRY_WAIT_S:
        return None
    pace = Pace()
    return backoff_s(tried, random, base_s=pace.backoff_base_s, cap_s=pace.backoff_cap_s, retry_after_s=retry_after_s)


class TrackOptions(NamedTuple):
    cursor: str | None
    mode: Mode
    client_id: str | None
    pace: Pace | None
    wait_for_server: bool

    def tracker(self, random: Random, learned_hold: LearnedHold | None) -> Tracker:
        """Return a tracker with a client id, so that its polls replace one the server still holds after a loss."""
        client_id = self.client_id or secrets.token_hex(8)
        return Tracker(
            random=random,
            mode=self.mode,
            cursor=self.cursor,
            client_id=client_id,
            pace=self.pace,
            wait_for_server=self.wait_for_server,
            learned_hold=learned_hold,
        )


class Reporter:
    """Report each failure, and the recovery, to `on_connection` and the log `ordertrack.client`."""

    def __init__(self, order_id: int, listener: OnConnection | None) -> None:
        self._order_id = order_id
        self._listener = listener
        self._online = True

    def __call__(self, step: Step) -> None:
        online = step.error is None
        if not online:
            log.warning(
                "Tracking order %s: %s. Trying again in %.1f s (failures in a row: %d).",
                self._order_id, str(step.error).removesuffix("."), step.wait_s, step.failures,
            )  # fmt: skip
        elif not self._online:
            log.info("Tracking order %s: the server answers again.", self._order_id)
        if self._listener is not None and not (online and self._online):
            self._listener(Connection(online, step.failures, step.wait_s, step.error))
        self._online = online


def sign_as_method(method: Callable[..., object], make: Callable[..., Call[Any]]) -> None:
    """Give `method` the signature of `make` for `help()`, with `self` and without `Call[...]`."""
    signature = inspect.signature(make)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    returned = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    vars(method)["__signature__"] = signature.replace(
        parameters=[own, *signature.parameters.values()], return_annotation=returned
    )


def _version() -> str:
    try:
        return version("ordertrack")
    except PackageNotFoundError:
        return "unknown"
