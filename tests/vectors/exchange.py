"""Send bytes in pieces and read the answers, up to that of the canary or the end of the connection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from support.http1 import Answer, Connection
from vectors.messages import BEFORE, BEFORE_STATUSES, CANARY
from vectors.outcomes import UNFINISHED, After, Vector

ENOUGH = 20
"""More answers than any vector may get."""


class Exchange(NamedTuple):
    """`answers` are those between the requests sent before the vector and the canary."""

    answers: list[Answer]
    canary_answered: bool
    """Else the connection ended before it."""


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    """Split the bytes into pieces that end at these positions."""
    ends = sorted({position for position in at if 0 < position < len(data)} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def exchange(url: str, vector: Vector, pieces: Sequence[bytes], *, behind: bool) -> Exchange:
    """Send the pieces of a vector, and what belongs around it.

    Raises: AssertionError when what comes back is not whole answers, TimeoutError when nothing does.
    """
    with Connection(url) as connection:
        connection.set_no_delay()
        with contextlib.suppress(OSError):  # the server may refuse before it has read all
            if behind:
                connection.send(BEFORE + b"".join(pieces[:1]))
            for piece in pieces[behind:]:
                connection.send(piece)
            if not vector.alone:
                connection.send(CANARY)
        before = [connection.answer().status for _ in BEFORE_STATUSES] if behind else []
        assert before in ([], BEFORE_STATUSES), before
        if vector.outcome is UNFINISHED:
            connection.end_of_sending()
        return _read(connection, vector)


def _read(connection: Connection, vector: Vector) -> Exchange:
    answers: list[Answer] = []
    while len(answers) < ENOUGH:
        try:
            answer = connection.answer(vector.method if not answers else "GET")
        except EOFError:
            assert connection.rest() == b"", "the connection ended within an answer"
            return Exchange(answers, canary_answered=False)
        if is_marked(answer, "canary"):
            connection.end_of_sending()
            assert connection.rest() == b"", "more answers than requests"
            return Exchange(answers, canary_answered=True)
        answers.append(answer)
        if vector.outcome.after is After.HELD:
            connection.end_of_sending()
    raise AssertionError(f"{ENOUGH} answers, and none is the canary's: {[answer.status for answer in answers]}")


def is_marked(answer: Answer, name: str) -> bool:
    """True for the answer to the request that `marked(name)` made."""
    return answer.status == 400 and b'"field":"%b"' % name.encode() in answer.body
