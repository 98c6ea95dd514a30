"""The energy of a phone's radio."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.radio import RADIOS, Radio, State, Transmission, energy, spans

LTE = RADIOS["lte_2012"]
PLAIN = Radio("plain", "", (State(10, 1),), promotion=State(1, 2), active=State(0.5, 3))
TWO_TAILS = Radio("two tails", "", (State(4, 2), State(6, 1)), active=State(0, 3))
CHANGES_S = (180.0, 1080.0, 1380.0, 1980.0)
"""The changes of a simulated order."""
INTERVALS_S = (120.0, 60.0, 30.0, 30.0, 0.0)
"""The pauses of the original client after each status."""
RE_POLL_S = 0.05
"""From an answer to the next request."""

times = st.lists(st.floats(0, 200), min_size=1, max_size=20).map(lambda found: [at(each) for each in found])
radios = st.sampled_from(list(RADIOS.values()))


def at(*moments_s: float) -> Transmission:
    return Transmission(moments_s[0], moments_s[-1])


def test_isolated_packet_costs_promotion_active_and_tail():
    assert energy(PLAIN, [at(100)]) == (1, pytest.approx(1 * 2 + 0.5 * 3 + 10 * 1))


def test_long_transmission_is_active_throughout():
    assert energy(PLAIN, [at(100, 104)]) == (1, pytest.approx(1 * 2 + 4.5 * 3 + 10 * 1))


def test_transmission_in_the_tail_needs_no_promotion():
    assert energy(PLAIN, [at(100), at(106)]) == (1, pytest.approx(2 + 2 * 1.5 + 5.5 + 10))


def test_transmission_after_the_tail_wakes_again():
    assert energy(PLAIN, [at(100), at(111)]) == (2, pytest.approx(2 * 13.5))


def test_transmissions_at_the_same_time_count_once():
    assert energy(PLAIN, [at(100), at(100), at(100, 100.2), at(100.2)]) == (1, pytest.approx(2 + 0.7 * 3 + 10))


@pytest.mark.parametrize(("gap_s", "joules"), [(3, 3 * 2), (7, 4 * 2 + 3), (10, 4 * 2 + 6)])
def test_tail_of_two_powers_is_cut_by_the_next(gap_s: float, joules: float):
    assert energy(TWO_TAILS, [at(100), at(100 + gap_s)]).joules == pytest.approx(joules + 14)


def test_nothing_sent_costs_nothing():
    assert energy(LTE, []) == (0, 0)


@given(radios, times)
def test_states_follow_one_another_without_overlap(radio: Radio, found: list[Transmission]):
    states = [span for span in spans(radio, found) if span.state != "promotion"]
    assert all(before.end_s <= after.start_s for before, after in pairwise(states))


@given(radios, times, times)
def test_two_records_together_cost_at_most_their_sum(
    radio: Radio, ours: list[Transmission], others: list[Transmission]
):
    both = energy(radio, ours + others)
    assert both.joules <= energy(radio, ours).joules + energy(radio, others).joules + 1e-9


@given(radios, times, times)
def test_records_a_tail_apart_cost_their_sum(radio: Radio, ours: list[Transmission], others: list[Transmission]):
    later = [Transmission(start_s + 300, end_s + 300) for start_s, end_s in others]
    together, alone, after = (energy(radio, found) for found in (ours + later, ours, later))
    assert together == (alone.wakes + after.wakes, pytest.approx(alone.joules + after.joules))


@given(times, st.floats(0, 1e4))
def test_energy_does_not_depend_on_the_time_of_day(found: list[Transmission], shift_s: float):
    moved = [Transmission(start_s + shift_s, end_s + shift_s) for start_s, end_s in found]
    assert energy(TWO_TAILS, moved).joules == pytest.approx(energy(TWO_TAILS, found).joules)


@pytest.mark.parametrize(("name", "joules"), [("lte_2012", 12.71), ("3g_2012", 7.38), ("wifi", 0.038)])
def test_published_energy_of_one_packet(name: str, joules: float):
    """The sums that the study of 2012 is quoted with: 12.76, 7.38 and 0.04 J."""
    assert energy(RADIOS[name], [at(0)]).joules == pytest.approx(joules, rel=0.01)


def _short_poll(every_s: int) -> Iterator[float]:
    yield from range(0, 1981, every_s)


def _live(hold_s: float) -> Iterator[float]:
    at_s, changed = 0.0, 0
    yield at_s
    while changed < len(CHANGES_S):
        at_s = min(at_s + hold_s, CHANGES_S[changed])
        changed += at_s == CHANGES_S[changed]
        yield from (at_s, at_s + RE_POLL_S)


def _original() -> Iterator[float]:
    """The first request is answered at once; later ones are held for 30 s, each followed by a pause."""
    at_s, seen = 0.0, 0
    yield at_s
    while INTERVALS_S[seen]:
        at_s += INTERVALS_S[seen]
        yield at_s
        if CHANGES_S[seen] > at_s:
            at_s = min(at_s + 30, CHANGES_S[seen])
            yield at_s
        seen = sum(change_s <= at_s for change_s in CHANGES_S)


@pytest.mark.parametrize(
    ("schedule", "joules"),
    [
        (_short_poll(5), 2_163),
        (_short_poll(30), 852),
        (_original(), 661),
        (_live(30), 864),
        (_live(55), 503),
        (_live(120), 245),
        (_live(240), 142),
        (CHANGES_S, 51),
    ],
    ids=["poll 5 s", "poll 30 s", "original", "live 30 s", "live 55 s", "live 120 s", "live 240 s", "push"],
)
def test_energies_of_the_design(schedule: Iterator[float], joules: float):
    """The table that the design was based on, to 2 %.

    Its model added the active time to the tail; here it takes the place of the tail, and overlapping ones count once.
    """
    assert energy(LTE, [at(moment_s) for moment_s in schedule]).joules == pytest.approx(joules, rel=0.021)
