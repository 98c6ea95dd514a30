"""The routes that are served and the operations that are described are the same."""

from __future__ import annotations

import re

from litestar.routes import HTTPRoute

from ordertrack.app.build import build
from ordertrack.http.openapi.document import openapi_document
from ordertrack.http.routes.description import OPERATIONS
from ordertrack.http.wire import names
from ordertrack.http.wire.paths import OrdersTarget, PollTarget, StatusTarget, match_path
from ordertrack.settings import Settings

FOR_PEOPLE = re.compile(r"/|/apidocs.*|/openapi\.json|/sdk/.*|/pages/.*|/service-worker\.js")
TRACKS = {f"/api/v1/{of}s/{{{of}_id}}/track" for of in ("order", "customer", "restaurant", "courier")}


def _served() -> set[tuple[str, str]]:
    app = build(Settings(database_url="memory:")).http.framework.app
    routes = {
        (method, re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
    }
    return {(method, path) for method, path in routes if method != "OPTIONS" and not FOR_PEOPLE.fullmatch(path)}


def _described() -> set[tuple[str, str]]:
    paths = openapi_document("1", OPERATIONS)["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


PAGED = {f"{names.LINKS}/{{token}}", f"{names.ORDER_PAGES}/{{order_id}}"}
LINKS = {*PAGED, f"{names.LINKS}/{{token}}/track"}
STATUS = f"{names.ORDERS}/{{order_id}}{names.STATUS_SUFFIX}"


def test_routes_and_descriptions_are_the_same():
    in_front = {("GET", path) for path in TRACKS | LINKS} | {("PUT", STATUS), ("POST", names.ORDERS)}
    assert _described() == _served() | in_front
    assert match_path(names.ORDERS) == OrdersTarget()
    assert match_path(STATUS) == StatusTarget("{order_id}")
    assert all(isinstance(match_path(track), PollTarget) for track in TRACKS)
    assert all(match_path(path).has_page for path in PAGED)


def test_paths_with_a_page_describe_both_media_types():
    paths = openapi_document("1", OPERATIONS)["paths"]
    described = {path: methods["get"]["responses"] for path, methods in paths.items() if path in PAGED}
    assert {path for path, responses in described.items() if "410" in responses} == {"/t/{token}"}
    for responses in described.values():
        assert set(responses["200"]["content"]) == {names.JSON, names.HTML}
        assert set(responses["404"]["content"]) == {names.PROBLEM_JSON, names.HTML}
        assert "content" not in responses["304"]
