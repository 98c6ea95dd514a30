"""The gate and uvicorn with h11 give the same answers to the same requests."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from support.api import eventually, track
from support.callers import AUDIENCE, CLAIMS, SECRET, bearer, token
from support.http1 import Answer, Connection
from vectors.differences import names
from vectors.every import VECTORS, check_each
from vectors.exchange import exchange
from vectors.outcomes import UNFINISHED, Vector
from vectors.subjects import TRANSPORTS, running
from vectors.table import OPEN, SHOP, WITH_TOKENS, Row

NOT_COMPARED = ("date", "connection", "content-length")
"""Headers whose value depends on the moment, on the length of a time or number, or on the connection."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
RANDOM = re.compile(r"otl_[A-Za-z0-9_-]+|(?<=\"link\":\")[^\"]+|(?<=\"id\":\")[^\"]+")
"""Tokens and ids of tracking links."""
MOMENT = re.compile(rb'data-(seen|updated)="[0-9]+"|datetime="[^"]+"|data-to="[^"]+"|[0-9]?[0-9]:[0-9]{2}')
"""Times in a page. The sample orders of two servers may be of different minutes."""
FIGURES = ("/metrics", "/api/v1/orders/system/stats")
"""Their values are about the process."""


class Side(NamedTuple):
    url: str
    epoch: str


class Seen(NamedTuple):
    """Return the part of an answer that is compared."""

    status: int
    headers: Mapping[str, str]
    body: Any


def _sides(tmp_path_factory: pytest.TempPathFactory, *flags: str, headers: Mapping[str, str]) -> Iterator[list[Side]]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("agree")
        servers = [
            stack.enter_context(running(folder / transport, transport, "--node-name", "n", *flags))
            for transport in TRANSPORTS
        ]
        yield [Side(server.url, _epoch(server.url, headers)) for server in servers]


def _epoch(url: str, headers: Mapping[str, str]) -> str:
    with Connection(url) as connection:
        cursor: str = connection.ask("GET", track(101), headers).json()["cursor"]
        return cursor.partition(".")[0]


@pytest.fixture(scope="module")
def open_sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    yield from _sides(tmp_path_factory, headers={})


@pytest.fixture(scope="module")
def guarded_sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Start servers with access control and an allowed origin."""
    secret = tmp_path_factory.mktemp("secret") / "secret"
    secret.write_text(SECRET)
    flags = ("--token-secret-file", str(secret), "--token-audience", AUDIENCE, "--cors-origins", SHOP)
    yield from _sides(tmp_path_factory, *flags, headers=bearer(token(CLAIMS["admin"])))


def _ask(side: Side, row: Row) -> Seen:
    headers = {name: value.replace("EPOCH", side.epoch) for name, value in row.headers.items()}
    with Connection(side.url) as connection:
        answer = connection.ask(row.method, row.target.replace("EPOCH", side.epoch), headers, row.body)
    return _seen(side, answer, is_figures=row.target in FIGURES)


def _seen(side: Side, answer: Answer, *, is_figures: bool = False) -> Seen:
    headers = {name: "" if name in NOT_COMPARED else value for name, value in answer.headers.items()}
    headers.pop("connection", None)
    if "etag" in headers:
        headers["etag"] = headers["etag"].replace(side.epoch, "EPOCH")
    return Seen(answer.status, headers, _body(side, answer, is_figures=is_figures))


def _body(side: Side, answer: Answer, *, is_figures: bool) -> Any:
    if answer.headers.get("content-type", "").startswith("text/html"):
        page = gzip.decompress(answer.body) if "content-encoding" in answer.headers else answer.body
        return MOMENT.sub(b"MOMENT", page)
    if not answer.headers.get("content-type", "").endswith("json"):
        return None if is_figures else answer.body
    text = answer.body.decode().replace(side.epoch, "EPOCH")
    value = json.loads(RANDOM.sub("RANDOM", TIME.sub("TIME", text))) if text else None
    return _keys(value) if is_figures else value


def _keys(value: Any) -> Any:
    return {key: _keys(item) for key, item in value.items()} if isinstance(value, dict) else None


def _check(sides: list[Side], row: Row) -> None:
    gate, asgi = (_ask(side, row) for side in sides)
    assert gate == asgi


@pytest.mark.parametrize("family", OPEN)
def test_open_servers_answer_alike(open_sides: list[Side], family: str) -> None:
    check_each(OPEN[family], lambda row: _check(open_sides, row))


@pytest.mark.parametrize("family", WITH_TOKENS)
def test_guarded_servers_answer_alike(guarded_sides: list[Side], family: str) -> None:
    check_each(WITH_TOKENS[family], lambda row: _check(guarded_sides, row))


SERVED = [
    vector
    for vector in VECTORS
    if not vector.outcome.is_refusal and vector.outcome is not UNFINISHED and vector.name not in names()
]


def test_served_vectors_are_answered_alike(open_sides: list[Side]) -> None:
    def check(vector: Vector) -> None:
        gate, asgi = (
            [_seen(side, answer) for answer in exchange(side.url, vector, [vector.request], behind=False).answers]
            for side in open_sides
        )
        assert gate == asgi

    check_each(SERVED, check)


@pytest.mark.parametrize("headers", [{}, {"Prefer": "wait=9"}, {"If-None-Match": 'W/"EPOCH.VERSION"'}])
def test_held_polls_are_answered_alike(open_sides: list[Side], headers: Mapping[str, str]) -> None:
    """With a change, at the deadline, and for a newer poll of the same client."""
    assert _held(open_sides[0], headers) == _held(open_sides[1], headers)


def _held(side: Side, headers: Mapping[str, str]) -> list[Seen]:
    with Connection(side.url) as first, Connection(side.url) as second:
        version = first.ask("GET", track(101)).json()["data"]["version"]
        sent = {n: v.replace("EPOCH", side.epoch).replace("VERSION", str(version)) for n, v in headers.items()}
        cursor = f"{side.epoch}.{version}"
        target = track(101, timeout=9, client_id="c") + ("" if "If-None-Match" in sent else f"&cursor={cursor}")
        first.request("GET", target, sent)
        _until_held(side)
        second.request("GET", target, sent)
        superseded = first.answer()
        _until_held(side)
        body = json.dumps({"courier_id": f"courier-{version}"}).encode()
        changed_by = first.ask("PUT", "/api/v1/orders/101/courier", {"Content-Type": "application/json"}, body)
        changed = second.answer()
        timeout = second.ask(
            "GET", track(101, timeout="0.05", cursor=f"{side.epoch}.{version + 1}"), headers and {"Prefer": "wait=9"}
        )
        return [_seen(side, answer) for answer in (superseded, changed_by, changed, timeout)]


def _until_held(side: Side) -> None:
    eventually(lambda: _held_now(side.url) == 1, "the poll is held")


def _held_now(url: str) -> int:
    with Connection(url) as connection:
        held: int = connection.ask("GET", FIGURES[1]).json()["data"]["active_connections"]
        return held
