"""Polls opened at the pace the server takes them, and waiting until it holds them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from ordertrack.load.polls import Feed, Swarm
from ordertrack.load.target import CannotLoad

LOOK_EVERY = 200
AHEAD = 1_000
"""Connections the server has not taken yet: less than its backlog, or the kernel makes the next ones wait a second."""
HELD_WITHIN_S = 60.0

Held = Callable[[], int]
"""How many polls the server says it holds."""


def open_polls(swarm: Swarm, feeds: Sequence[Feed], per_feed: int, held: Held) -> None:
    """Connect and ask, `per_feed` times for every feed, and wait until all are held."""
    for _ in range(per_feed):
        for feed in feeds:
            swarm.ask(swarm.add(feed))
            if not len(swarm.polls) % LOOK_EVERY:
                until_held(swarm, len(swarm.polls) - AHEAD, held)
    until_held(swarm, len(swarm.polls), held)


def ask_again(swarm: Swarm, held: Held) -> None:
    """Every poll that does not wait asks; returns when the server holds them."""
    for n, poll in enumerate(swarm.polls):
        if not poll.waiting:
            swarm.ask(poll)
        if not n % LOOK_EVERY:
            swarm.turn(0)
    until_held(swarm, len(swarm.polls), held)


def until_held(swarm: Swarm, polls: int, held: Held) -> None:
    """Raises CannotLoad when the server does not get there, or answers what should have been held."""
    deadline_s, wrong = perf_counter() + HELD_WITHIN_S, swarm.wrong.total()
    while (now := held()) < polls:
        if swarm.wrong.total() > wrong:
            raise CannotLoad(f"Polls were to be held, and were answered: {dict(swarm.wrong)}.")
        if perf_counter() > deadline_s:
            raise CannotLoad(f"The server holds {now:,} polls of {polls:,} after {HELD_WITHIN_S:g} s.")
        swarm.turn(0.005)
