"""`/openapi.json`: every endpoint with its parameters, bodies, examples and errors (OpenAPI 3.1).

Schemas come from the types that read and write the wire, errors from the table of problems, examples from running the
core: what can drift is only the table of operations, and a test holds it against the routes.
"""

from __future__ import annotations

import msgspec
from litestar import Response, Router, get

from ordertrack.core import errors as core
from ordertrack.http import names
from ordertrack.http.openapi.error_examples import EXAMPLES
from ordertrack.http.openapi.operations import OPERATIONS
from ordertrack.http.openapi.parts import Json, Operation
from ordertrack.http.problems import KINDS, problem
from ordertrack.http.wire.patterns import in_schema

_SCHEMAS = "#/components/schemas/"


def openapi_document(version: str) -> Json:
    """The whole document (OpenAPI 3.1)."""
    types = {op.answer for op in OPERATIONS if op.answer} | {op.body for op in OPERATIONS if op.body}
    ordered = sorted(types, key=lambda type_: type_.__name__)
    _, components = msgspec.json.schema_components(ordered, ref_template=_SCHEMAS + "{name}")
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ordertrack",
            "version": version,
            "description": "Live order tracking over plain HTTP. A poll is held until the order changes.",
        },
        "paths": paths,
        "components": {
            "schemas": {**in_schema(components), "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {_BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


_BEARER = "token"
_PUBLIC = ("/healthz", "/readyz")
_ACCESS = (core.Unauthenticated, core.Forbidden, core.RateLimited, core.TokensUnavailable)
_PROBLEM_SCHEMA: Json = {
    "type": "object",
    "description": "RFC 9457, and readable as the original contract.",
    "properties": {
        "success": {"const": False},
        "error": {"enum": sorted(kind.code for kind in KINDS.values())},
        "message": {"type": "string"},
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
    },
    "required": ["success", "error", "message", "type", "title", "status"],
}


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": list(operation.parameters),
        "responses": {str(operation.status): _success(operation), **_failures(operation)},
    }
    if operation.path not in _PUBLIC:
        described["security"] = [{_BEARER: []}]
    if operation.not_modified:
        described["responses"]["304"] = {"description": "Nothing new since the ETag you sent."}
    if operation.body is not None:
        content: Json = {"schema": {"$ref": _SCHEMAS + operation.body.__name__}}
        content["examples"] = {name: {"value": value} for name, value in operation.examples.items()}
        described["requestBody"] = {"required": operation.body_required, "content": {names.JSON: content}}
    return described


def _success(operation: Operation) -> Json:
    if operation.answer is None:
        return {"description": "Done.", "content": {names.TEXT: {"schema": {"type": "string"}}}}
    content: Json = {"schema": {"$ref": _SCHEMAS + operation.answer.__name__}}
    if operation.answer_example is not None:
        content["example"] = msgspec.json.decode(msgspec.json.encode(operation.answer_example))
    headers = {name: {"schema": {"type": "string"}} for name in operation.headers}
    return {"description": "Done.", "headers": headers, "content": {names.JSON: content}}


def _failures(operation: Operation) -> Json:
    by_status: dict[int, list[type[core.OrdertrackError]]] = {}
    for error in dict.fromkeys((*operation.errors, *(() if operation.path in _PUBLIC else _ACCESS))):
        by_status.setdefault(KINDS[error].status, []).append(error)
    return {
        str(status): {
            "description": "; ".join(f"`{KINDS[error].code}`: {KINDS[error].title}" for error in errors) + ".",
            "content": {
                names.PROBLEM_JSON: {
                    "schema": {"$ref": _SCHEMAS + "Problem"},
                    "examples": {KINDS[error].code: {"value": error_example(error)} for error in errors},
                }
            },
        }
        for status, errors in sorted(by_status.items())
    }


def error_example(error: type[core.OrdertrackError]) -> Json:
    """What this error's answer looks like."""
    example: Json = msgspec.json.decode(problem(EXAMPLES[error]).body)
    return example


def openapi_router(version: str) -> Router:
    document = msgspec.json.encode(openapi_document(version))

    @get("/openapi.json")
    async def openapi() -> Response[bytes]:
        return Response(document, media_type=names.JSON)

    return Router("/", route_handlers=[openapi])
