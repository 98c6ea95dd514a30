"""Energy of a phone's radio, calculated from the times at which it sent or received something.

The radio is idle, then promoted to a connection, active while it transmits and for a short time after, and then in its
tail: still connected, at nearly the same power, until a timer ends it. The energy is what these states cost above idle.
The energy of the bytes is left out: an answer of 1.5 KB costs 5 mJ in LTE (438 mW per Mbit/s), an isolated one 12.7 J.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

BATTERY_J = 5.0 * 3.85 * 3600
"""A battery of 5,000 mAh at 3.85 V."""

MOBISYS_2012 = "Huang et al., MobiSys 2012, tables 3 and 4"
SIGCOMM_2021 = "Narayanan et al., SIGCOMM 2021, table 2; timers from its published traces"


class Transmission(NamedTuple):
    """A time in which the radio sends or receives, in seconds. Both ends are equal for a single packet."""

    start_s: float
    end_s: float


class State(NamedTuple):
    """A duration and a power."""

    seconds: float
    watts: float

    @property
    def joules(self) -> float:
        return self.seconds * self.watts


class Span(NamedTuple):
    state: str
    start_s: float
    end_s: float
    watts: float

    @property
    def joules(self) -> float:
        return (self.end_s - self.start_s) * self.watts


@dataclass(frozen=True)
class Radio:
    """A radio profile. `active` is the state from the begin of a transmission until `active.seconds` after its end.

    `tails` follow in order. Their powers do not increase, and none is above that of `active`.
    """

    title: str
    source: str
    tails: tuple[State, ...]
    promotion: State = State(0, 0)
    active: State = State(0, 0)
    cellular: bool = True

    @property
    def tail_s(self) -> float:
        return sum(tail.seconds for tail in self.tails)


class Energy(NamedTuple):
    """`wakes`: how often the radio left the idle state."""

    wakes: int
    joules: float


def _unpublished(title: str, watts: float, seconds: float) -> Radio:
    """Return a profile of the 2021 study. It gives the tails alone: no energy of a promotion, and none of a single
    exchange, so a promotion costs nothing here and an active radio as much as in its tail."""
    return Radio(title, SIGCOMM_2021, (State(seconds, watts),), active=State(0, watts))


RADIOS: dict[str, Radio] = {
    "lte_2012": Radio(
        "LTE 2012",
        MOBISYS_2012 + "; AT&T Video Optimizer, lte.conf",
        (State(11.576, 1.060),),
        promotion=State(0.2601, 1.2107),
        active=State(0.1, 1.288),
    ),
    "3g_2012": Radio(
        "3G 2012",
        MOBISYS_2012,
        (State(8.088, 0.8039), State(0.824, 0.6013)),
        promotion=State(0.5821, 0.6594),
        active=State(0, 0.8179),
    ),
    "4g_2020_long": _unpublished("4G 2020, tail 10.2 s", 0.178, 10.2),
    "4g_2020_short": _unpublished("4G 2020, tail 5.0 s", 0.066, 5.0),
    "5g_nsa_low": _unpublished("5G NSA low band", 0.260, 10.2),
    "5g_sa_low": _unpublished("5G SA low band", 0.593, 10.2),
    "5g_mmwave": _unpublished("5G mmWave", 1.092, 10.6),
    "wifi": Radio(
        "WiFi",
        MOBISYS_2012,
        (State(0.2381, 0.1193),),
        promotion=State(0.0791, 0.1244),
        active=State(0, 0.1329),
        cellular=False,
    ),
}


def spans(radio: Radio, transmissions: Iterable[Transmission]) -> list[Span]:
    """Return the states above idle, in order. A promotion ends when its transmission starts; it may last 0 s."""
    found: list[Span] = []
    idle_s = float("-inf")
    for start_s, end_s in _active(radio, transmissions):
        _tail(found, radio, until_s=start_s)
        if start_s >= idle_s:
            found.append(Span("promotion", start_s - radio.promotion.seconds, start_s, radio.promotion.watts))
        found.append(Span("active", start_s, end_s, radio.active.watts))
        idle_s = end_s + radio.tail_s
    _tail(found, radio, until_s=idle_s)
    return found


def energy(radio: Radio, transmissions: Iterable[Transmission]) -> Energy:
    """Return the energy above idle, until the last tail has ended."""
    states = spans(radio, transmissions)
    return Energy(sum(span.state == "promotion" for span in states), sum(span.joules for span in states))


def _active(radio: Radio, transmissions: Iterable[Transmission]) -> list[tuple[float, float]]:
    """Return the times in which the radio is active, in order and without overlaps."""
    merged: list[tuple[float, float]] = []
    for start_s, end_s in sorted(transmissions):
        end_s += radio.active.seconds
        if merged and start_s <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end_s)
        else:
            merged.append((start_s, end_s))
    return merged


def _tail(found: list[Span], radio: Radio, *, until_s: float) -> None:
    """Add the tail after the last active state, up to the next one."""
    if not found:
        return
    at_s = found[-1].end_s
    for seconds, watts in radio.tails:
        end_s = min(at_s + seconds, until_s)
        if end_s > at_s:
            found.append(Span("tail", at_s, end_s, watts))
        at_s = end_s
