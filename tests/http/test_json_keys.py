"""JSON is read and written in `http/wire` alone, and its keys are the fields of structs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

import ordertrack.http
from ordertrack.core.order import Cancellation, Item
from ordertrack.http.routes.description import OPERATIONS
from ordertrack.http.wire.problem_view import Problem
from ordertrack.service.monitoring.monitor import NodeStats, SystemStats
from ordertrack.service.monitoring.statistics import WakeLatency

HTTP = Path(ordertrack.http.__file__).parent
AS_THEY_ARE = {Item, Cancellation, SystemStats, NodeStats, WakeLatency}
"""Values of other layers whose fields are keys: ARCHITECTURE.md names them."""


def structs(info: msgspec.inspect.Type) -> Iterator[type]:
    """Yield every struct in a type."""
    match info:
        case msgspec.inspect.Metadata():
            yield from structs(info.type)
        case msgspec.inspect.UnionType():
            for one in info.types:
                yield from structs(one)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            yield from structs(info.item_type)
        case msgspec.inspect.DictType():
            yield from structs(info.value_type)
        case msgspec.inspect.StructType():
            yield info.cls
            for field in info.fields:
                yield from structs(field.type)


def test_keys_are_fields_of_structs_of_the_wire():
    types = {type_ for op in OPERATIONS for type_ in (op.answer, op.body) if type_} | {Problem}
    found = {struct for type_ in types for struct in structs(msgspec.inspect.type_info(type_))}
    elsewhere = {struct for struct in found if not struct.__module__.startswith("ordertrack.http.wire.")}
    assert elsewhere == AS_THEY_ARE
    assert len(found) > 30


def test_only_the_wire_reads_and_writes_json():
    """`http/openapi` is the description of it."""
    reads_or_writes = re.compile(r"\bmsgspec\.json\b|\bimport json\b|\bfrom json\b|\bfrom msgspec import .*\bjson\b")
    found = {
        path.relative_to(HTTP).parts[0]
        for path in HTTP.rglob("*.py")
        if reads_or_writes.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"wire", "openapi"}
