"""Errors in words: every field of every body has them, and every error has an example that can happen."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from ordertrack.core.errors import NodeFull, OrderConflict
from ordertrack.http.openapi.document import error_example
from ordertrack.http.openapi.error_examples import EXAMPLES
from ordertrack.http.openapi.operations import OPERATIONS
from ordertrack.http.problems import KINDS, problem
from ordertrack.http.wire.decoding import ALLOWED, WHOLE


def fields(type_: msgspec.inspect.Type, name: str = WHOLE) -> Iterator[str]:
    """The names of everything a body may have, lists' entries with `[]`."""
    match type_:
        case msgspec.inspect.Metadata():
            yield from fields(type_.type, name)
        case msgspec.inspect.UnionType():
            for one in type_.types:
                yield from fields(one, name)
        case msgspec.inspect.ListType():
            yield name
            yield from fields(type_.item_type, f"{name}[]")
        case msgspec.inspect.StructType():
            yield name
            for field in type_.fields:
                yield from fields(field.type, field.encode_name)
        case _:
            yield name


def test_every_field_of_every_body_has_words_for_what_it_may_be() -> None:
    named = {name for op in OPERATIONS if op.body for name in fields(msgspec.inspect.type_info(op.body))}
    assert named == set(ALLOWED)


def test_every_error_has_one_example() -> None:
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("error", [error for error in KINDS if issubclass(error, OrderConflict)])
def test_the_message_of_an_example_fits_the_state_beside_it(error: type[OrderConflict]) -> None:
    example = error_example(error)
    ended = example["current_status"] in ("delivered", "cancelled")
    assert (example["legal_next"] == []) is ended
    if KINDS[error].code == "order_ended":
        assert ended
    if "version" in example["message"] and "undo" not in example["message"]:
        assert f"version {example['current_version']}" in example["message"]


def test_one_second_is_singular() -> None:
    assert msgspec.json.decode(problem(NodeFull(1, 10)).body)["message"] == "This node is full. Try again in 1 second."
    assert "Try again in 2 seconds." in msgspec.json.decode(problem(NodeFull(2, 10)).body)["message"]


def test_no_example_names_fields_of_another_request() -> None:
    assert "must be" not in error_example(next(e for e in KINDS if KINDS[e].code == "invalid_json"))["message"]
    assert error_example(next(e for e in KINDS if KINDS[e].code == "invalid_body"))["field"] == "status"
