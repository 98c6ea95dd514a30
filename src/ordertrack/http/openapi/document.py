"""`/openapi.json`: every endpoint with its parameters, bodies, examples and errors (OpenAPI 3.1).

Schemas are made from the structs of `wire`, errors from the table of problems, examples by running the core. Only the
descriptions beside the handlers can differ from the code: a test compares them with the routes. Other tests generate
clients from the document and run them against a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import UNSET

from ordertrack.core import errors as core
from ordertrack.http.openapi.error_examples import EXAMPLES
from ordertrack.http.openapi.shared import TAGS, Access, Json, Operation
from ordertrack.http.wire import errors as http
from ordertrack.http.wire import names
from ordertrack.http.wire.patterns import in_schema
from ordertrack.http.wire.problem_view import Problem
from ordertrack.http.wire.problems import KINDS, problem

_SCHEMAS = "#/components/schemas/"


def openapi_document(version: str, operations: Sequence[Operation]) -> Json:
    """Return the whole document (OpenAPI 3.1)."""
    bodies = _schemas({op.body for op in operations if op.body})
    answers = _schemas({op.answer for op in operations if op.answer} | {Problem})
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ordertrack",
            "version": version,
            "description": "Live order tracking over plain HTTP. A poll is held until the order changes.",
        },
        "servers": [{"url": "/", "description": "The server of this document."}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": in_schema({**_optional(bodies), **_always_whole(answers)}),
            "securitySchemes": {
                _BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT, or the token of a tracking link. Not needed on a server without keys.",
                }
            },
        },
    }


_BEARER = "token"
_ANY_REQUEST = (http.MalformedRequest, http.HeadTooLarge)
_ERRORS: dict[Access, tuple[type[core.OrdertrackError], ...]] = {
    Access.PUBLIC: _ANY_REQUEST,
    Access.LINK: (*_ANY_REQUEST, core.Unauthenticated, core.RateLimited),
    Access.TOKEN: (*_ANY_REQUEST, core.Unauthenticated, core.Forbidden, core.RateLimited, core.TokensUnavailable),
}


def _schemas(types: Iterable[type[msgspec.Struct]]) -> dict[str, Json]:
    ordered = sorted(types, key=lambda type_: type_.__name__)
    return msgspec.json.schema_components(ordered, ref_template=_SCHEMAS + "{name}")[1]


def _optional(bodies: dict[str, Json]) -> dict[str, Json]:
    """Move defaults into descriptions: openapi-typescript makes a field with a `default` a required one."""
    for schema in bodies.values():
        for field in schema.get("properties", {}).values():
            default = field.pop("default", None)
            if default not in (None, []):
                field["description"] = (
                    f"{field.get('description', '')} Default: {msgspec.json.encode(default).decode()}.".strip()
                )
    return bodies


def _always_whole(answers: dict[str, Json]) -> dict[str, Json]:
    """Require the fields with a default, which are always written. A field whose default is UNSET may be left out."""
    for schema in answers.values():
        if "properties" not in schema:
            continue
        schema["required"] = [
            name
            for name, field in schema["properties"].items()
            if name in schema["required"] or field.pop("default", UNSET) is not UNSET
        ]
    answers["Problem"]["properties"]["error"]["enum"] = sorted(kind.code for kind in KINDS.values())
    return answers


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": list(operation.parameters),
        "responses": {str(operation.status): _success(operation), **_failures(operation)},
    }
    described["security"] = [{_BEARER: []}] if operation.access is Access.TOKEN else []
    if operation.has_page:
        _add_pages(described["responses"], operation.access)
    if operation.not_modified:
        described["responses"]["304"] = {"description": "Not modified since the ETag of the request."}
    if operation.body is not None:
        content: Json = {"schema": {"$ref": _SCHEMAS + operation.body.__name__}}
        content["examples"] = {name: {"value": value} for name, value in operation.examples.items()}
        described["requestBody"] = {"required": operation.body_required, "content": {names.JSON: content}}
    return described


def _add_pages(responses: Json, access: Access) -> None:
    """Describe the pages, which have the status of the JSON. Only the page of an invalid link has another one."""
    if access is Access.LINK:
        responses["410"] = {"description": "The link was revoked or has expired. (In JSON this is 401.)", "content": {}}
    for response in responses.values():
        response["content"][names.HTML] = {"schema": {"type": "string"}}


def _success(operation: Operation) -> Json:
    if operation.answer is None:
        return {"description": "Success.", "content": {names.TEXT: {"schema": {"type": "string"}}}}
    content: Json = {"schema": {"$ref": _SCHEMAS + operation.answer.__name__}}
    if operation.answer_example is not None:
        content["example"] = msgspec.json.decode(msgspec.json.encode(operation.answer_example))
    headers = {name: {"schema": {"type": "string"}} for name in operation.headers}
    return {"description": "Success.", "headers": headers, "content": {names.JSON: content}}


def _failures(operation: Operation) -> Json:
    by_status: dict[int, list[type[core.OrdertrackError]]] = {}
    changes = () if operation.method == "get" else (http.CrossSite,)
    for error in dict.fromkeys((*operation.errors, *changes, *_ERRORS[operation.access])):
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
    """Return the body of an example of this error."""
    example: Json = msgspec.json.decode(problem(EXAMPLES[error]).body)
    return example
