"""Lost messages are noticed by their numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.sequence import Sequences


def test_messages_in_order_are_no_loss():
    sequences = Sequences()
    assert not any(sequences.receive("a", 1, number) for number in range(7, 12))


def test_a_gap_is_noticed_once():
    sequences = Sequences()
    sequences.receive("a", 1, 1)
    assert sequences.receive("a", 1, 3)
    assert not sequences.receive("a", 1, 4)


def test_a_repeated_message_is_no_loss():
    sequences = Sequences()
    for number in (1, 2):
        sequences.receive("a", 1, number)
    assert not sequences.receive("a", 1, 1)
    assert not sequences.receive("a", 1, 3)


def test_nodes_and_channels_are_counted_apart():
    sequences = Sequences()
    sequences.receive("a", 1, 1)
    assert not sequences.receive("b", 1, 5)
    assert not sequences.receive("a", 2, 9)


def test_the_last_message_is_missed_at_the_second_report():
    sequences = Sequences()
    sequences.receive("a", 1, 1)
    assert sequences.report("a", {1: 2}) == []
    assert sequences.report("a", {1: 2}) == [1]
    assert sequences.report("a", {1: 2}) == []


def test_a_report_may_overtake_the_message_it_counts():
    sequences = Sequences()
    sequences.receive("a", 1, 1)
    assert sequences.report("a", {1: 2}) == []
    sequences.receive("a", 1, 2)
    assert sequences.report("a", {1: 2}) == []


def test_counting_begins_with_the_first_report():
    sequences = Sequences()
    assert sequences.report("a", {1: 40}) == []
    assert sequences.report("a", {1: 40}) == []
    assert sequences.receive("a", 1, 42)


def test_a_lost_first_message_is_missed_at_the_second_report():
    sequences = Sequences()
    assert sequences.report("a", {}) == []
    assert sequences.report("a", {1: 1}) == []
    assert sequences.report("a", {1: 1}) == [1]


def test_the_second_message_shows_that_the_first_was_lost():
    sequences = Sequences()
    sequences.report("a", {})
    assert sequences.receive("a", 1, 2)
    assert not sequences.receive("a", 1, 3)


def test_nothing_is_kept_of_nodes_that_are_gone():
    sequences = Sequences()
    sequences.receive("a", 1, 1)
    sequences.receive("b", 1, 1)
    sequences.keep_only({"b"})
    assert not sequences.receive("a", 1, 9)
    assert sequences.receive("b", 1, 9)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_every_loss_is_noticed_by_two_reports(arrives):
    """Messages 1, 2, ... of which some are lost, after a first one that began the count."""
    sequences = Sequences()
    sequences.receive("a", 1, 1)
    noticed = False
    for number, is_received in enumerate(arrives, start=2):
        if is_received:
            noticed |= sequences.receive("a", 1, number)
    last = 1 + len(arrives)
    for _ in range(2):
        noticed |= bool(sequences.report("a", {1: last}))
    assert noticed is not all(arrives)
