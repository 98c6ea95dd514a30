"""Shared by both clients: options, the retry rule, and the mapping from httpx's errors to those of this package."""

from __future__ import annotations

import inspect
import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypedDict

import httpx

from ordertrack.client.backoff import Random, backoff_s
from ordertrack.client.calls import Call
from ordertrack.client.errors import (
    ConnectionLost,
    OrdertrackClientError,
    RequestRefused,
    ServerBusy,
    ServerUnreachable,
)
from ordertrack.client.hold import Pace
from ordertrack.client.link_url import hide_tokens_in_log, is_link
from ordertrack.client.server_url import server_url
from ordertrack.client.tracker import PollRequest, Step
from ordertrack.client.tracking import Connection, OnConnection, Tracking

CONNECT_TIMEOUT_S = 10.0
MAX_RETRY_WAIT_S = 30.0
"""Maximum wait between two tries of a single call."""
log = logging.getLogger("ordertrack.client")
_GATEWAY_ERRORS = frozenset({502, 504})


OnAnswer = Callable[[bytes], None]


def ignore_answer(body: bytes) -> None:
    """Do nothing; the default of `on_answer`."""


class HttpOptions(TypedDict):
    base_url: str
    headers: dict[str, str]
    auth: Callable[[httpx.Request], httpx.Request] | None
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
    hide_tokens_in_log()
    own = {"user-agent": f"ordertrack-python/{_version()}", "accept": "application/json"}

    def authorized(request: httpx.Request) -> httpx.Request:
        request.headers.setdefault("authorization", f"Bearer {token}")
        return request

    return {
        "base_url": base_url.rstrip("/"),
        "headers": {**own, **(headers or {})},
        "auth": None if token is None else authorized,
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
    auth: Any
    timeout: httpx.Timeout


def call_arguments(call: Call[Any]) -> RequestArguments:
    return {
        "method": call.method,
        "url": call.path,
        "params": httpx.QueryParams(call.params),
        "content": call.content,
        "headers": call.headers,
        "auth": _auth(call.path),
        "timeout": httpx.Timeout(CONNECT_TIMEOUT_S, read=call.read_timeout_s),
    }


def poll_arguments(path: str, request: PollRequest) -> RequestArguments:
    return {
        "method": "GET",
        "url": path,
        "params": httpx.QueryParams(request.params),
        "content": None,
        "headers": {},
        "auth": _auth(path),
        "timeout": httpx.Timeout(CONNECT_TIMEOUT_S, read=request.read_timeout_s),
    }


def _auth(path: str) -> Any:
    """Return httpx's option that sends the client's own token, or None for a tracking link."""
    return None if is_link(path) else httpx.USE_CLIENT_DEFAULT


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


class Reporter:
    """Report each failure, and the recovery, to `on_connection` and the log `ordertrack.client`."""

    def __init__(self, subject: str, listener: OnConnection | None) -> None:
        self._subject = subject
        self._listener = listener
        self._online = True

    def __call__(self, step: Step[Any]) -> None:
        online = step.error is None
        if not online:
            log.warning(
                "Tracking %s: %s. Trying again in %.1f s (failures in a row: %d).",
                self._subject, str(step.error).removesuffix("."), step.wait_s, step.failures,
            )  # fmt: skip
        elif not self._online:
            log.info("Tracking %s: the server answers again.", self._subject)
        if self._listener is not None and not (online and self._online):
            self._listener(Connection(online, step.failures, step.wait_s, step.error))
        self._online = online


def sign_as_method(method: Callable[..., object], make: Callable[..., object], returned: str) -> None:
    """Give `method` the signature of `make` for `help()`, with `self`, each option by name, and what it returns."""
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for parameter in inspect.signature(make).parameters.values():
        parameters += _TRACK_OPTIONS if parameter.kind is inspect.Parameter.VAR_KEYWORD else [parameter]
    vars(method)["__signature__"] = inspect.Signature(parameters, return_annotation=returned)


_TRACK_OPTIONS = [
    inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.type)
    for option in fields(Tracking)
    if option.default is not MISSING
]


def returned_by(make: Callable[..., object]) -> str:
    """Return `Order` for a function that returns a `Call[Order]`."""
    return str(inspect.signature(make).return_annotation).partition("[")[2].removesuffix("]")


def _version() -> str:
    try:
        return version("ordertrack")
    except PackageNotFoundError:
        return "unknown"
