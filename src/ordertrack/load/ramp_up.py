"""Opening polls no faster than the server accepts connections, and waiting until it holds them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from ordertrack.load.polls import Feed, PollPool
from ordertrack.load.target import CannotLoad

READ_EVERY = 200
MAX_UNACCEPTED = 1_000
"""Connections not yet accepted: below the server's backlog, or the kernel delays the next ones by a second."""
HELD_WITHIN_S = 60.0

CountHeld = Callable[[], int]
"""Return the number of polls the server says it holds."""


def open_polls(pool: PollPool, feeds: Sequence[Feed], per_feed: int, held: CountHeld) -> None:
    """Open `per_feed` polls for each feed and wait until all are held."""
    accepted = len(pool.polls)
    for _ in range(per_feed):
        for feed in feeds:
            pool.send_poll(pool.add(feed))
            if len(pool.polls) - accepted >= MAX_UNACCEPTED:
                accepted = wait_until_held(pool, len(pool.polls) - MAX_UNACCEPTED // 2, held)
    wait_until_held(pool, len(pool.polls), held)


def repoll_all(pool: PollPool, held: CountHeld) -> None:
    """Send every poll that is not waiting and return when the server holds all."""
    for n, poll in enumerate(pool.polls):
        if not poll.waiting:
            pool.send_poll(poll)
        if not n % READ_EVERY:
            pool.run_once(0)
    wait_until_held(pool, len(pool.polls), held)


def wait_until_held(pool: PollPool, polls: int, held: CountHeld) -> int:
    """Return the number of held polls once it is `polls` or more.

    Raises: CannotLoad, when the server does not hold them in time or answers one.
    """
    deadline_s, wrong = perf_counter() + HELD_WITHIN_S, pool.wrong.total()
    while (now := held()) < polls:
        if pool.wrong.total() > wrong:
            raise CannotLoad(f"The server answered polls instead of holding them: {dict(pool.wrong)}.")
        if perf_counter() > deadline_s:
            raise CannotLoad(f"The server holds {now:,} of {polls:,} polls after {HELD_WITHIN_S:g} s.")
        pool.run_once(0.005)
    return now
