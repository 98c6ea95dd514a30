"""Valid and invalid requests that schemathesis generates from the OpenAPI document.

ORDERTRACK_FUZZ_CASES is how many are made in all (10,000 take some minutes); the default is a few hundred.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ordertrack.http.routes.description import OPERATIONS
from support.api import STATUSES, Api
from support.server import Server

CASES = int(os.environ.get("ORDERTRACK_FUZZ_CASES", "300"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SHORT_HOLD = "0.01"
BOUND_S = 20.0
WITH_INPUT = [operation for operation in OPERATIONS if operation.parameters or operation.body]
CASES_EACH = max(1, CASES // (2 * len(WITH_INPUT)))


@pytest.fixture(scope="session")
def described(attacked: Server) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{attacked.url}/openapi.json")


@pytest.fixture(scope="session")
def order_ids(attacked: Server) -> list[int]:
    """Create orders in every status, so that some generated ids exist."""
    api = Api(attacked.url)
    ids = [api.at(status)["id"] for status in STATUSES for _ in range(8)]
    api.close()
    return ids


@pytest.fixture(scope="session")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def _is_seconds(value: object) -> bool:
    with contextlib.suppress(TypeError, ValueError):
        return float(value) >= 0  # type: ignore[arg-type]
    return False


@pytest.mark.parametrize("mode", GenerationMode, ids=["good", "bad"])
@pytest.mark.parametrize(("method", "path"), [(o.method, o.path) for o in WITH_INPUT], ids=[o.id for o in WITH_INPUT])
def test_generated_requests_get_described_answers(
    method: str,
    path: str,
    mode: GenerationMode,
    attacked: Server,
    described: schemathesis.BaseSchema,
    order_ids: list[int],
    session: requests.Session,
):
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=CASES_EACH, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def holds(case: schemathesis.Case) -> None:
        id_ = case.path_parameters.get("order_id")
        if isinstance(id_, int) and id_ % 4:
            case.path_parameters["order_id"] = order_ids[id_ % len(order_ids)]
        if path.endswith("/track") and ("timeout" not in case.query or _is_seconds(case.query["timeout"])):
            case.query["timeout"] = SHORT_HOLD
        case.call_and_validate(base_url=attacked.url, session=session, checks=CHECKS, timeout=BOUND_S)

    holds()
