r"""Patterns of text fields, for Python and for the JSON schema.

Python's `$` also matches before a line break at the end of the text, so a pattern ends with `\Z` here. ECMA 262, which
JSON schema means, has no `\Z`, and its `$` is the end.
"""

from __future__ import annotations

from typing import Any

_END, _END_IN_SCHEMA = r"\Z", "$"


def whole(pattern: str) -> str:
    """Return a pattern that matches only the whole text."""
    return f"^{pattern}{_END}"


def in_schema(schema: Any) -> Any:
    """Return a copy of a JSON schema with the patterns of `whole` in the syntax of ECMA 262."""
    if isinstance(schema, list):
        return [in_schema(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {name: in_schema(value) for name, value in schema.items()}
    pattern = copy.get("pattern")
    if isinstance(pattern, str) and pattern.endswith(_END):
        copy["pattern"] = pattern.removesuffix(_END) + _END_IN_SCHEMA
    return copy
