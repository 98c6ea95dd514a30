"""Differences of h11 (`--gate off`) from the gate, vector by vector, each with its reason.

In general h11 is more lenient. With `--gate off` it alone says where a request ends, and a proxy in front that forwards
such a head at all has rewritten it. The gate is strict because it is the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from vectors.messages import HARM, SAME, STATUS, VICTIM_STATUS
from vectors.outcomes import CODES, UNFINISHED, After, Outcome, Vector, refused, served


class Difference(NamedTuple):
    why: str
    outcome: Outcome
    names: tuple[str, ...]


_CONTROL_BYTES = tuple(byte for byte in (*range(1, 9), 14, *range(15, 32), 127))
_IN_ONE_PIECE = Outcome((200, 400, 501), After.EITHER)

DIFFERENCES = (
    Difference(
        "h11 takes a bare LF for the end of a line, which RFC 9112, 2.2, allows.",
        served(),
        (
            "LF after the request line", "LF after a field", "LF instead of the empty line", "only LF",
            "field b'X-Name: a\\nX-Other: b'", "a request hidden by LF", "coding hidden by LF",
            "LF as the end of trailers", "trailer b'X-Sum: a\\n'", "trailer b'X-Sum: a\\nX: b\\r\\n'",
        ),
    ),
    Difference(
        "The same, and what is left of the head is not a request.",
        Outcome((200,), After.CLOSED, then=(400,)),
        ("field b'X-Name: \\n'", "field b'X-Name: a\\n'"),
    ),
    Difference(
        "h11 joins folded lines to one, which RFC 9112, 5.2, allows.",
        served(),
        (
            "folded field b' '", "folded field b'\\t'", "folded field b'   '", "folded field b' \\t'",
            "folded empty value", "line of one space", "folded Host", "a second Host by folding",
            "coding b'\\r\\n chunked'", "trailer b'X-Sum: 1\\r\\n folded\\r\\n'",
        ),
    ),
    Difference(
        "The same: the length is part of another field, so the body is read as a request, and is none.",
        Outcome((400,), After.CLOSED, then=(400,)),
        ("folded Content-Length",),
    ),
    Difference(
        "h11 takes control characters in values, except NUL and white space (python-hyper/h11#57).",
        served(),
        (
            *(f"byte {byte:#04x} in a value" for byte in _CONTROL_BYTES),
            *(f"byte {byte:#04x} in a poll's Prefer" for byte in (1, 127)),
            "trailer b'X: \\x7f\\r\\n'",
        ),
    ),
    Difference(
        "h11 takes a length that is repeated with the same value, which RFC 9112, 6.3, allows.",
        served(),
        ("length b'23, 23'", "length b'23,23'", "the same length twice", "poll with the same length twice"),
    ),
    Difference(
        "h11 takes white space behind a chunk size and any byte but LF in a chunk extension.",
        served(),
        (
            "chunk size b'17 '", "chunk size b'17\\t'", "chunk size b'17;a\\rb'", "chunk size b'17;a\\x00b'",
            "chunk size b'17;a\\x7fb'", "space after the last chunk",
        ),
    ),
    Difference(
        "h11 does not know white space before a chunk extension (RFC 9112, 7.1.1).",
        refused(400),
        ("chunk size b'17 ;a'",),
    ),
    Difference(
        "h11 does not skip empty lines before a request line. RFC 9112, 2.2, says SHOULD.",
        refused(400),
        ("CRLF before the request line", "three CRLF before the request line"),
    ),
    Difference(
        "The same, for the next request.",
        Outcome((200,), After.CLOSED, then=(400,)),
        ("CRLF after a body",),
    ),
    Difference(
        "h11 limits the size of chunk lines and trailers only when they have not come in one piece.",
        _IN_ONE_PIECE,
        (
            "chunk extension of 20,000 bytes", "trailer of 20,000 bytes", "3,000 trailers",
            "chunk extensions of 160,000 bytes",
        ),
    ),
    Difference(
        "uvicorn keeps the connection and discards the body that was too large.",
        Outcome((413,), After.HELD, (CODES[413],)),
        (
            "length 65,537", "bulk length 1,048,577",
        ),
    ),
    Difference(
        "The size of a body in chunks is known once it has come.",
        UNFINISHED,
        tuple(
            f"chunk size {size}"
            for size in (
                "f" * 16, "f" * 17, f"1{'0' * 14}17", f"7{'f' * 15}", f"8{'0' * 15}", "80000000", "ffffffff",
                "100000017",
            )
        ),
    ),
)  # fmt: skip

_BY_NAME = {name: difference.outcome for difference in DIFFERENCES for name in difference.names}


def under_h11(vector: Vector) -> Vector:
    """The vector with its outcome for `--gate off`.

    h11 has one status for everything that it refuses. What it takes although the gate refuses it is made harmless.
    """
    outcome = vector.outcome
    if vector.name in _BY_NAME:
        harmless = vector.request.replace(VICTIM_STATUS, STATUS).replace(HARM, SAME)
        return vector._replace(request=harmless, outcome=_BY_NAME[vector.name])
    if outcome.is_refusal:
        outcome = replace(outcome, statuses=(*outcome.statuses, 400), codes=(*outcome.codes, CODES[400]))
    return vector._replace(outcome=outcome)


def names() -> Iterator[str]:
    """Every vector that has another outcome, as often as it is named."""
    for difference in DIFFERENCES:
        yield from difference.names
