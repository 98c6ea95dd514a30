"""Messages of errors: one for every field of every body, and a possible example of every error."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from ordertrack.core.access import GRANTS, Grant, Right
from ordertrack.core.errors import Forbidden, NodeFull, OrderConflict, OrdertrackError, RateLimited, TooManyPolls
from ordertrack.core.principal import Action, Role
from ordertrack.http.openapi.document import error_example
from ordertrack.http.openapi.error_examples import EXAMPLES
from ordertrack.http.routes.description import OPERATIONS
from ordertrack.http.wire.body_decoding import ALLOWED, WHOLE
from ordertrack.http.wire.problems import KINDS, problem


def fields(type_: msgspec.inspect.Type, name: str = WHOLE) -> Iterator[str]:
    """Yield the names of all fields of a body, with `[]` for the entries of a list."""
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


def test_every_field_of_every_body_has_allowed_values() -> None:
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


def message(error: OrdertrackError) -> str:
    words = msgspec.json.decode(problem(error).body)["message"]
    assert isinstance(words, str)
    return words


def test_one_is_singular() -> None:
    assert message(NodeFull(1, 10)) == "This node is full. Try again in 1 second."
    assert "Try again in 2 seconds." in message(NodeFull(2, 10))
    assert message(TooManyPolls(5, 1, "order")).startswith("This order has 1 held poll, which is the limit.")
    assert message(RateLimited(5, "polls", 1, 60)).startswith("The limit of polls, 1 in 60 seconds, is reached.")


def test_forbidden_names_the_condition_of_the_table() -> None:
    for role, right in GRANTS:
        if role is not Role.ANYONE:
            check_forbidden(role, right)


def check_forbidden(role: Role, right: Right) -> None:
    grant, words = GRANTS[role, right], message(Forbidden(role, *right))
    match grant:
        case Grant.NO:
            able = words.partition("Allowed to: ")[2]
            may = [other for other in Role if other is not Role.ANYONE and GRANTS[other, right] is not Grant.NO]
            assert [other for other in Role if other.value in able.replace("tracking link", "link")] == may
        case Grant.YES | Grant.ANY_TIME:
            assert words.endswith((" only its own orders.", " only orders of the restaurants that its token names."))
        case _:
            assert words.endswith(f" only {grant}.")


def test_forbidden_cancellation_says_when_it_is_allowed() -> None:
    cancel = Forbidden(Role.CUSTOMER, Action.CANCEL)
    assert message(cancel) == "A customer may cancel an order only while it is confirmed."


def test_no_example_names_fields_of_another_request() -> None:
    assert "must be" not in error_example(next(e for e in KINDS if KINDS[e].code == "invalid_json"))["message"]
    assert error_example(next(e for e in KINDS if KINDS[e].code == "invalid_body"))["field"] == "status"
