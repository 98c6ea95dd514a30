"""Each vector has its outcome, in any pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.http1 import Answer
from vectors.differences import DIFFERENCES, names, under_h11
from vectors.every import FAMILIES, VECTORS, check_each
from vectors.exchange import Exchange, cut, exchange
from vectors.outcomes import UNFINISHED, After, Outcome, Vector, error_code
from vectors.subjects import Subject

SHORT_BYTES = 1_500
"""Longer vectors come in as many pieces, but of more than one byte."""
every_family = pytest.mark.parametrize("family", FAMILIES)


def check(subject: Subject, vector: Vector, ends: Iterable[int] = (), *, behind: bool = False) -> None:
    """Send a vector in pieces that end at these positions."""
    if not subject.is_gate:
        vector = under_h11(vector)
    outcome = vector.outcome
    result = exchange(subject.url, vector, cut(vector.request, ends), behind=behind)
    statuses = [answer.status for answer in result.answers]
    if outcome is UNFINISHED:
        assert statuses in ([], [400])
        return
    assert statuses[1:] == list(outcome.then), result.answers
    answer = result.answers[0]
    assert answer.status in outcome.statuses, answer
    if outcome.is_refusal and vector.method != "HEAD":
        _check_problem(answer, outcome)
    _check_end(outcome, result)


def _check_problem(answer: Answer, outcome: Outcome) -> None:
    assert error_code(answer) in outcome.codes, answer
    problem = answer.json()
    assert (problem["success"], problem["status"]) == (False, answer.status)
    assert problem["message"]


def _check_end(outcome: Outcome, result: Exchange) -> None:
    """Check that the connection ends after the answer as required, and as the answer says."""
    answer = result.answers[-1]
    if outcome.after is After.OPEN:
        assert result.canary_answered, "the next request got no answer"
    elif outcome.after in (After.CLOSED, After.HELD):
        assert not result.canary_answered, "the connection went on"
    if outcome.after is not After.HELD:
        assert result.canary_answered == (answer.headers.get("connection", "").lower() != "close"), answer


@every_family
def test_vectors_in_one_piece(subject: Subject, family: str) -> None:
    check_each(FAMILIES[family], lambda vector: check(subject, vector))


@every_family
def test_vectors_byte_by_byte(subject: Subject, family: str) -> None:
    check_each(FAMILIES[family], lambda vector: check(subject, vector, _each_byte(vector.request)))


def _each_byte(request: bytes) -> range:
    return range(0, len(request), -(-len(request) // SHORT_BYTES) or 1)


@every_family
def test_vectors_behind_other_requests(subject: Subject, family: str) -> None:
    check_each(FAMILIES[family], lambda vector: check(subject, vector, behind=True))


@given(vector=st.sampled_from(VECTORS), behind=st.booleans(), data=st.data())
@settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_vectors_in_any_pieces(subject: Subject, vector: Vector, behind: bool, data: st.DataObject) -> None:
    ends = data.draw(st.lists(st.integers(0, len(vector.request)), max_size=8))
    check(subject, vector, ends, behind=behind)


def test_vector_names_are_unique() -> None:
    assert [name for name, count in Counter(vector.name for vector in VECTORS).items() if count > 1] == []


def test_each_difference_belongs_to_one_vector() -> None:
    expected = {vector.name: vector.outcome for vector in VECTORS}
    assert [name for name, count in Counter(names()).items() if count > 1] == []
    assert [name for name in names() if name not in expected] == []
    assert [d.why for d in DIFFERENCES if any(expected[name] == d.outcome for name in d.names)] == []
