"""Text of clients: the characters that fields, paths and parameters may have, and the end of patterns."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from msgspec import inspect

from ordertrack.core.errors import InvalidInput
from ordertrack.core.feed import FeedKind
from ordertrack.http.openapi.document import openapi_document
from ordertrack.http.routes.description import OPERATIONS
from ordertrack.http.wire import bodies, body_decoding
from ordertrack.http.wire.bodies import RequestBody
from ordertrack.http.wire.errors import InvalidBody
from ordertrack.http.wire.message import Headers
from ordertrack.http.wire.parameters import parse_poll
from ordertrack.http.wire.paths import PollTarget
from ordertrack.http.wire.responses import JSON

SOURCE = Path(__file__).parents[2] / "src"
CONTROL = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
HAS_LINES = {"note", "address"}
IN_RE = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}


def below(body: type[RequestBody]) -> Iterator[type[RequestBody]]:
    for kind in body.__subclasses__():
        yield kind
        yield from below(kind)


BODIES = sorted(below(RequestBody), key=lambda body: body.__name__)


def texts_of(body: type[RequestBody]) -> Iterator[tuple[str, type[RequestBody]]]:
    """The fields of a body that can be set to a text that is not one of a list."""
    info = inspect.type_info(body)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        if holds_text(field.type):
            yield field.encode_name, body


def holds_text(type_: inspect.Type) -> bool:
    while isinstance(type_, inspect.Metadata):
        type_ = type_.type
    if isinstance(type_, inspect.UnionType):
        return any(map(holds_text, type_.types))
    return isinstance(type_, inspect.StrType)


TEXTS = sorted({pair for body in BODIES for pair in texts_of(body)}, key=str)
REQUIRED: dict[str, Any] = {"customer_id": "c", "restaurant_id": "r", "name": "n", "status": "ready", "order_id": 1,
                            "courier_id": "7"}  # fmt: skip
GOOD = {"currency": "EUR", "occurred_at": "2026-11-22T10:15:30Z"}


def read(body: type[RequestBody], **fields: object) -> RequestBody:
    names = body.__struct_fields__
    known = {name: value for name, value in REQUIRED.items() if name in names}
    return body_decoding.decode(body, Headers([JSON]), msgspec.json.encode(known | fields))


def checked(body: type[RequestBody], name: str, value: str) -> None:
    """Raises: InvalidBody, InvalidInput."""
    made = read(body, **{name: value})
    if name == "occurred_at":
        bodies.parse_time_ms(name, made.occurred_at)  # type: ignore[attr-defined]


def test_the_text_fields_are_found() -> None:
    assert {name for name, _ in TEXTS} == {
        "customer_id", "restaurant_id", "courier_id", "reference", "name", "note", "address", "currency", "reason",
        "occurred_at", "restaurant_name",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "body"), TEXTS, ids=lambda value: getattr(value, "__name__", value))
def test_no_text_has_a_control_character(name: str, body: type[RequestBody]) -> None:
    good = GOOD.get(name, "é 🍕")
    checked(body, name, good)
    for control in CONTROL:
        for text in (control, good + control, control + good, f"a{control}b"):
            if name in HAS_LINES and control == "\n":
                checked(body, name, text)
                continue
            with pytest.raises((InvalidBody, InvalidInput)):
                checked(body, name, text)


def test_multi_line_text_may_have_both_line_breaks() -> None:
    for text in ("a\nb", "a\r\nb", "a\n\n", "\r\n"):
        checked(bodies.CreateOrderBody, "note", text)
    for text in ("a\rb", "a\r", "a\n\rb", "a\tb"):
        with pytest.raises(InvalidBody, match="line breaks"):
            checked(bodies.CreateOrderBody, "note", text)


def test_an_item_given_by_name_has_no_control_character() -> None:
    for control in CONTROL:
        with pytest.raises(InvalidBody):
            read(bodies.CreateOrderBody, items=[f"a{control}b"])


def test_bodies_and_paths_accept_the_same_ids() -> None:
    for id_ in ("7", "a b", "é", "a\u00a0b", "a/b"):
        read(bodies.CreateOrderBody, customer_id=id_)
        assert PollTarget(FeedKind.CUSTOMER, quote(id_)).feed().id == id_
    for control in CONTROL:
        with pytest.raises(InvalidInput):
            PollTarget(FeedKind.CUSTOMER, quote(f"7{control}")).feed()
        with pytest.raises(InvalidInput):
            parse_poll(f"client_id=7%{ord(control):02x}".encode() if ord(control) < 0x80
                       else f"client_id=7%c2%{ord(control):02x}".encode(), Headers())  # fmt: skip


def patterns(file: Path) -> Iterator[tuple[int, str]]:
    """Every regular expression that is written in a file, with its line. What an f-string fills in is left out."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = [keyword.value for keyword in node.keywords if keyword.arg == "pattern"]
        if name.startswith("re.") and name.removeprefix("re.") in IN_RE:
            given += node.args[:1]
        for value in given:
            parts = [part.value for part in ast.walk(value) if isinstance(part, ast.Constant)]
            yield node.lineno, "".join(part.decode("latin-1") if isinstance(part, bytes) else str(part)
                                       for part in parts)  # fmt: skip


def test_no_pattern_ends_with_a_dollar() -> None:
    r"""In Python `$` also matches before a line break at the end: `"7\n"` passes `^[0-9]+$`. `\Z` is meant."""
    found = [(file, line, text) for file in sorted(SOURCE.rglob("*.py")) for line, text in patterns(file)]
    assert len(found) > 20, "the patterns are not found any more"
    beyond = [re.sub(r"\\.|\[\^?\]?[^\]]*\]", "", text, flags=re.DOTALL) for _, _, text in found]
    assert [f"{file.relative_to(SOURCE)}:{line}: {text}" for (file, line, text), rest in zip(found, beyond, strict=True)
            if "$" in rest] == []  # fmt: skip


def test_patterns_of_the_description_are_ecma_262() -> None:
    r"""ECMA 262, which JSON Schema means, has no `\Z`; its `$` is the end."""
    found = re.findall(
        r'"pattern":"((?:[^"\\]|\\.)*)"', msgspec.json.encode(openapi_document("0", OPERATIONS)).decode()
    )
    assert found
    assert [text for text in found if not (text.startswith("^") and text.endswith("$") and r"\Z" not in text)] == []
