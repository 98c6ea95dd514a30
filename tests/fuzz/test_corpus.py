"""Inputs that caused failures, the seeds, and some mutations: `python -m fuzz` tries more."""

from __future__ import annotations

import asyncio
import random

import pytest

from fuzz.__main__ import CORPUS, mutated
from fuzz.targets import GOOD_TOKEN, TARGETS, seeds, token

MUTATIONS = 2_000


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_corpus_break_nothing(name: str) -> None:
    assert any(asyncio.run(TARGETS[name](data)) for data in seeds(name))
    for file in CORPUS.glob(f"{name}-*"):
        asyncio.run(TARGETS[name](file.read_bytes()))


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_break_nothing(name: str) -> None:
    draw, inputs = random.Random(name), seeds(name)

    async def tried() -> None:
        for _ in range(MUTATIONS):
            await TARGETS[name](mutated(draw.choice(inputs), draw))

    asyncio.run(tried())


def test_the_token_that_was_signed_is_accepted() -> None:
    assert asyncio.run(token(GOOD_TOKEN.encode()))
