"""nchan's issue #367: "with larger numbers of channels, long-polling subscribers frequently do not receive published
messages until they are timed-out and reconnect". One poller a channel, every channel published to in turn, everybody
asks again at once.
"""

from __future__ import annotations

import time

from bench.contenders import Contender
from bench.measures.common import Figures, Size
from ordertrack.load import Cooked, Feed, Kitchen, Swarm, milliseconds, open_polls
from ordertrack.load.polls import LATE_AFTER_S

CHANNELS = (1, 5_000, 10_000, 18_000)
PUBLISHERS = 8
ROUNDS = 4
"""Four steps take an order of ours to its end; channels of nchan get as many messages. In the first half every poller
waits when its message comes; in the second half messages come in pairs, and the second meets it while it asks again."""
HOLD_S = 30.0


def channels(size: Size) -> tuple[int, ...]:
    return tuple(number for number in CHANNELS if number <= size.polls)


def measure(contender: Contender, count: int) -> Figures:
    """Who has been answered two seconds after the last message; then, who gets the rest when the hold has timed out."""
    with contender.running(hold_s=HOLD_S, polls=count) as running, Swarm(running.target, running.dialect) as swarm:
        feeds = running.feeds(swarm, count)
        opened_s = time.perf_counter()
        open_polls(swarm, feeds, 1, lambda: running.held(swarm))
        cooked = [_rounds(swarm, feeds, twice) for twice in (False, True)]
        missing, late = _unanswered(feeds), swarm.late
        whole_s = [seconds for each in cooked for seconds in each.whole_s]
        if missing:
            _turn_until(swarm, opened_s + 2 * HOLD_S)
        return {
            "channels": count,
            "messages": sum(each.updates for each in cooked),
            "answered_within_2_s": sum(each.updates for each in cooked) - missing - late,
            "not_answered_within_2_s": missing + late,
            "never_answered": _unanswered(feeds),
            "p50_ms": milliseconds(whole_s, 0.5),
            "p99_ms": milliseconds(whole_s, 0.99),
            "max_ms": milliseconds(whole_s, 1.0),
            "wrong": dict(swarm.wrong),
        }


def _rounds(swarm: Swarm, feeds: list[Feed], twice: bool) -> Cooked:
    kitchen = Kitchen(swarm, feeds, callers=PUBLISHERS, twice=twice)
    try:
        return kitchen.cook(ROUNDS // 2 * len(feeds), patience_s=LATE_AFTER_S)
    finally:
        kitchen.close()


def _unanswered(feeds: list[Feed]) -> int:
    """Messages that a poller has not been told of."""
    return sum(feed.published - poll.version for feed in feeds for poll in feed.polls)


def _turn_until(swarm: Swarm, end_s: float) -> None:
    while (left_s := end_s - time.perf_counter()) > 0 and swarm.missing:
        swarm.turn(min(left_s, 1.0))
