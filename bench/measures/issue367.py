"""nchan's issue #367: "with larger numbers of channels, long-polling subscribers frequently do not receive published
messages until they are timed-out and reconnect". One poll per channel, messages to all channels in turn, and every
answered poll sent again at once.
"""

from __future__ import annotations

import time
from contextlib import closing

from bench.contenders import Contender
from bench.measures.load import Figures, Size
from ordertrack.load import Feed, PollPool, Result, UpdateDriver, milliseconds, open_polls
from ordertrack.load.polls import LATE_AFTER_S

CHANNELS = (1, 5_000, 10_000, 18_000)
PUBLISHERS = 8
ROUNDS = 4
"""An order of ordertrack ends after four steps; channels of nchan get as many messages. In the first half every poll
is held when its message comes; in the second half messages come in pairs, the second while the poll is sent again."""
HOLD_S = 30.0


def channels(size: Size) -> tuple[int, ...]:
    return tuple(number for number in CHANNELS if number <= size.polls)


def measure(contender: Contender, count: int) -> Figures:
    """Count the messages answered within two seconds; then wait for the end of the holds and count the rest."""
    with contender.running(hold_s=HOLD_S, polls=count) as running, running.pool() as pool:
        feeds = running.feeds(pool, count)
        opened_s = time.perf_counter()
        open_polls(pool, feeds, 1, lambda: running.held(pool))
        halves = [_rounds(pool, feeds, paired) for paired in (False, True)]
        missing, late = _unanswered(feeds), pool.late
        fan_out_s = [seconds for half in halves for seconds in half.fan_out_s]
        if missing:
            _turn_until(pool, opened_s + 2 * HOLD_S)
        return {
            "channels": count,
            "messages": sum(half.updates for half in halves),
            "answered_within_2_s": sum(half.updates for half in halves) - missing - late,
            "not_answered_within_2_s": missing + late,
            "never_answered": _unanswered(feeds),
            "p50_ms": milliseconds(fan_out_s, 0.5),
            "p99_ms": milliseconds(fan_out_s, 0.99),
            "max_ms": milliseconds(fan_out_s, 1.0),
            "wrong": dict(pool.wrong),
        }


def _rounds(pool: PollPool, feeds: list[Feed], paired: bool) -> Result:
    with closing(UpdateDriver(pool, feeds, connections=PUBLISHERS, paired=paired)) as driver:
        return driver.run(ROUNDS // 2 * len(feeds), stalled_after_s=LATE_AFTER_S)


def _unanswered(feeds: list[Feed]) -> int:
    """Return the number of messages without an answer to their poll."""
    return sum(feed.published - poll.version for feed in feeds for poll in feed.polls)


def _turn_until(pool: PollPool, end_s: float) -> None:
    while (left_s := end_s - time.perf_counter()) > 0 and pool.missing:
        pool.run_once(min(left_s, 1.0))
