"""Clients of a server with access control, and their tokens."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from support.http1 import BOUND_S, Answer, Connection

SECRET = secrets.token_urlsafe(32)
AUDIENCE = "ordertrack-tests"
CLAIMS: dict[str, dict[str, Any]] = {
    "customer": {"role": "customer", "sub": "ann", "customer_id": "ann"},
    "restaurant": {"role": "restaurant", "sub": "luigi", "restaurant_id": "luigi"},
    "courier": {"role": "courier", "sub": "7", "courier_id": "7"},
    "service": {"role": "service", "sub": "shop", "restaurants": ["luigi", "mario"]},
    "platform": {"role": "service", "sub": "platform", "restaurants": "*"},
    "admin": {"role": "admin", "sub": "root"},
}
STRANGERS: dict[str, dict[str, Any]] = {
    "customer": {"role": "customer", "sub": "bob", "customer_id": "bob"},
    "restaurant": {"role": "restaurant", "sub": "wok", "restaurant_id": "wok"},
    "courier": {"role": "courier", "sub": "8", "courier_id": "8"},
    "service": {"role": "service", "sub": "other", "restaurants": ["wok"]},
}
"""The same roles, none of them a party of the order of ann, luigi and 7."""


def token(claims: Mapping[str, Any], *, expires_in_s: float = 600, key: str = SECRET, **more: Any) -> str:
    return jwt.encode({"aud": AUDIENCE, "exp": int(time.time() + expires_in_s), **claims, **more}, key, "HS256")


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


class Caller:
    """A client with a token or without."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self.token = token
        self.http = httpx.Client(base_url=url, timeout=BOUND_S, verify=False)
        self._connections: list[Connection] = []

    def close(self) -> None:
        self.http.close()
        for connection in self._connections:
            connection.close()

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.token) if self.token else {}

    def ask(self, method: str, path: str, **named: Any) -> httpx.Response:
        return self.http.request(method, path, headers={**self.headers, **named.pop("headers", {})}, **named)

    def hold(self, path: str) -> Connection:
        """Send a request without reading the answer."""
        connection = Connection(self.url)
        self._connections.append(connection)
        connection.request("GET", path, self.headers)
        return connection

    def poll(self, path: str) -> Answer:
        with Connection(self.url) as connection:
            return connection.ask("GET", path, self.headers)
