"""Tracking links: the holder of a link, and how long it may follow the order."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.core.errors import (
    Forbidden,
    LinkNotFound,
    OrderNotFound,
    OrdertrackError,
    StoreUnavailable,
    TooManyLinks,
    Unauthenticated,
)
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.core.principal import ALL, ANYONE, Action, Principal, Role
from ordertrack.core.tracking_link import MAX_LINKS, Link
from ordertrack.ports.commits import Applied
from ordertrack.service import links as service_links
from ordertrack.service.links import CACHE_TTL_S, PREFIX, Links, is_link_token, new_link_token

pytestmark = pytest.mark.anyio

NOW_MS = 1_795_342_530_000
KEPT_S = 3_600
SHOP = Principal(Role.SERVICE, "shop", restaurants=frozenset({"r1"}))
TOKENS = st.binary(min_size=16, max_size=16).map(new_link_token)


class SetClock:
    """Both clocks go forward together; the wall clock can be put elsewhere by itself."""

    def __init__(self) -> None:
        self.wall_ms = NOW_MS
        self.at_s = 1_000.0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_s(self) -> float:
        return self.at_s

    def pass_s(self, seconds: float) -> None:
        self.wall_ms += round(seconds * 1000)
        self.at_s += seconds


class Shop:
    """A store, its links, and two orders: number 1 is the shop's own, number 2 another restaurant's."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.store = CountingStore(self.clock)
        self.revoked: list[Link] = []
        self.drawn = 0
        self.links = Links(self.store, self.clock, self.draw, KEPT_S, self.revoked.append)

    def draw(self) -> str:
        self.drawn += 1
        return new_link_token(self.drawn.to_bytes(16, "big"))

    async def open(self) -> Shop:
        await self.store.open(self.links.committed)
        for restaurant_id in ("r1", "r2"):
            await self.store.create(NewOrder("c1", restaurant_id), self.clock.now_ms())
        return self

    async def become(self, status: str, undo: bool = False) -> Order:
        change = ChangeStatus(1, Status(status), "cook", reason="so", undo=undo)
        result = await self.apply(change)
        assert isinstance(result, Applied), result
        return result.order

    async def apply(self, change: ChangeStatus) -> Applied | OrdertrackError:
        (result,) = await self.store.apply([change], self.clock.now_ms())
        return result

    async def made(self) -> tuple[Link, str]:
        return await self.links.make(1, SHOP)


class CountingStore(MemoryStore):
    """Counts how often a link was looked for. `meanwhile` happens once, between a read and its return."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__("a1b2", clock)
        self.looked = 0
        self.meanwhile: dict[str, Callable[[], Awaitable[object]]] = {}

    async def find_link(self, token_hash: bytes) -> Link | None:
        self.looked += 1
        link = await super().find_link(token_hash)
        await self._happens("find_link")
        return link

    async def order(self, order_id: int) -> Order:
        order = await super().order(order_id)
        await self._happens("order")
        return order

    async def _happens(self, read: str) -> None:
        if read in self.meanwhile:
            await self.meanwhile.pop(read)()


@pytest.fixture
async def shop() -> Shop:
    return await Shop().open()


async def why(links: Links, token: str) -> str:
    """Return the reason why the token is refused."""
    with pytest.raises(Unauthenticated) as refused:
        await links.resolve(token)
    assert links.peek(token) is None
    return refused.value.why


# Tokens


@given(st.binary(min_size=16, max_size=16))
@example(b"\xff" * 16)
@example(bytes(16))
def test_a_token_has_all_of_its_128_bits_and_looks_like_one(random_bytes: bytes) -> None:
    token = new_link_token(random_bytes)
    assert re.fullmatch(r"otl_[A-Za-z0-9_-]{22}", token)
    assert is_link_token(token)
    assert token.startswith(PREFIX)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_other_bits_make_another_token(one: bytes, other: bytes) -> None:
    assert (new_link_token(one) == new_link_token(other)) is (one == other)


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_too_few_or_too_many_random_bytes_make_no_token(length: int) -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        new_link_token(bytes(length))


@given(st.text(max_size=40) | st.from_regex(r"otl_[\w-]{20,24}\n?"))
@example("otl_" + "A" * 21)
@example("otl_" + "A" * 23)
@example("otl_" + "A" * 22 + "\n")
@example("otl_" + "٣" * 22)
@example("OTL_" + "A" * 22)
@example("otl_" + "A" * 21 + "=")
def test_only_the_prefix_and_22_characters_look_like_a_token(text: str) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    expected = len(text) == 26 and text[:4] == "otl_" and all(character in alphabet for character in text[4:])
    assert is_link_token(text) is expected


# Giving links away


async def test_only_the_token_of_a_link_identifies_its_holder(shop: Shop) -> None:
    link, token = await shop.made()
    assert link == Link(1, 1, NOW_MS, "service:shop", None)
    assert shop.links.peek(token) is None
    holder = await shop.links.resolve(token)
    assert holder == Principal(Role.LINK, "1", order_id=1)
    assert holder.actor == "link:1"
    assert shop.links.peek(token) == holder


async def test_the_token_is_kept_nowhere(shop: Shop) -> None:
    _, token = await shop.made()
    await shop.links.resolve(token)
    for kept in (vars(shop.links), vars(shop.store)):
        assert token not in repr(kept)
        assert token.removeprefix(PREFIX) not in repr(kept)


async def test_links_are_listed_without_tokens(shop: Shop) -> None:
    first, token = await shop.made()
    second, _ = await shop.made()
    revoked = await shop.links.revoke(1, first.id, SHOP)
    listed = await shop.links.all(1, SHOP)
    assert listed == [revoked, second]
    assert token not in repr(listed)


async def test_an_order_has_only_so_many_links(shop: Shop) -> None:
    for _ in range(MAX_LINKS):
        await shop.made()
    with pytest.raises(TooManyLinks):
        await shop.made()


ASKED: list[Callable[[Links, int, Principal], Awaitable[object]]] = [
    lambda links, order_id, by: links.make(order_id, by),
    lambda links, order_id, by: links.all(order_id, by),
    lambda links, order_id, by: links.revoke(order_id, 1, by),
]


@pytest.mark.parametrize("asked", ASKED, ids=["make", "all", "revoke"])
async def test_the_order_of_another_restaurant_is_not_there(shop: Shop, asked: Any) -> None:
    await shop.made()
    for order_id in (2, 404):
        with pytest.raises(OrderNotFound):
            await asked(shop.links, order_id, SHOP)
    stranger = Principal(Role.CUSTOMER, "9", customer_id="c9")
    with pytest.raises(OrderNotFound):
        await asked(shop.links, 1, stranger)
    assert shop.drawn == 1
    assert [link.revoked_at_ms for link in await shop.store.links(1)] == [None]


@pytest.mark.parametrize("asked", ASKED, ids=["make", "all", "revoke"])
@pytest.mark.parametrize(
    "by",
    [
        Principal(Role.CUSTOMER, "1", customer_id="c1"),
        Principal(Role.LINK, "1", order_id=1),
    ],
    ids=lambda by: by.role,
)
async def test_customers_and_holders_may_not_make_links(shop: Shop, asked: Any, by: Principal) -> None:
    await shop.made()
    with pytest.raises(Forbidden) as refused:
        await asked(shop.links, 1, by)
    assert refused.value.action is Action.LINK
    assert [link.revoked_at_ms for link in await shop.store.links(1)] == [None]


@pytest.mark.parametrize(
    "by",
    [
        ANYONE,
        Principal(Role.ADMIN, "a"),
        Principal(Role.SERVICE, "s", restaurants=ALL),
        Principal(Role.RESTAURANT, "r", restaurant_id="r2"),
    ],
    ids=lambda by: by.role,
)
async def test_a_link_bears_the_name_of_its_maker(shop: Shop, by: Principal) -> None:
    link, _ = await shop.links.make(2, by)
    assert link.created_by == by.actor


# Revoked


async def test_a_revoked_link_is_worth_nothing_at_once(shop: Shop) -> None:
    link, token = await shop.made()
    _, other = await shop.made()
    holders = [await shop.links.resolve(token), await shop.links.resolve(other)]
    revoked = await shop.links.revoke(1, link.id, SHOP)
    assert revoked.revoked_at_ms == NOW_MS
    assert shop.revoked == [revoked]
    assert shop.links.peek(token) is None
    assert await why(shop.links, token) == "invalid"
    assert shop.links.peek(other) == holders[1] == await shop.links.resolve(other)


async def test_revocation_refuses_requests_before_it_ends_polls(shop: Shop) -> None:
    link, token = await shop.made()
    await shop.links.resolve(token)
    peeked: list[Principal | None] = []
    shop.links._revoked = lambda link: peeked.append(shop.links.peek(token))
    await shop.links.revoke(1, link.id, SHOP)
    assert peeked == [None]


async def test_a_link_can_be_revoked_again(shop: Shop) -> None:
    link, _ = await shop.made()
    revoked = await shop.links.revoke(1, link.id, SHOP)
    shop.clock.pass_s(5)
    assert await shop.links.revoke(1, link.id, SHOP) == revoked


async def test_a_link_that_is_not_there_cannot_be_revoked(shop: Shop) -> None:
    with pytest.raises(LinkNotFound):
        await shop.links.revoke(1, 404, SHOP)
    assert shop.revoked == []


@pytest.mark.parametrize("read", ["find_link", "order"])
async def test_a_link_revoked_while_it_is_read_is_refused(shop: Shop, read: str) -> None:
    link, token = await shop.made()
    shop.store.meanwhile[read] = lambda: shop.links.revoke(1, link.id, SHOP)
    assert await why(shop.links, token) == "invalid"
    assert len(shop.revoked) == 1


async def test_revoking_one_link_keeps_another_that_is_being_read(shop: Shop) -> None:
    other, _ = await shop.made()
    link, token = await shop.made()
    shop.store.meanwhile["order"] = lambda: shop.links.revoke(1, other.id, SHOP)
    assert (await shop.links.resolve(token)).name == str(link.id)


async def test_a_revocation_is_complete_though_its_caller_has_gone(shop: Shop) -> None:
    link, token = await shop.made()
    await shop.links.resolve(token)
    going = asyncio.Event()
    original = shop.store.revoke_link

    async def slow(order_id: int, link_id: int, now_ms: int) -> Link:
        revoked = await original(order_id, link_id, now_ms)
        going.set()
        await asyncio.sleep(1)
        return revoked

    shop.store.revoke_link = slow  # type: ignore[method-assign]
    caller = asyncio.create_task(shop.links.revoke(1, link.id, SHOP))
    await going.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await asyncio.gather(*shop.links._revoking)
    assert [revoked.id for revoked in shop.revoked] == [link.id]
    assert shop.links.peek(token) is None


async def test_a_revocation_that_failed_has_revoked_nothing(shop: Shop) -> None:
    link, token = await shop.made()
    holder = await shop.links.resolve(token)

    async def failing(order_id: int, link_id: int, now_ms: int) -> Link:
        raise StoreUnavailable(5)

    shop.store.revoke_link = failing  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await shop.links.revoke(1, link.id, SHOP)
    assert shop.revoked == []
    assert shop.links.peek(token) == holder


# How long a link is good


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
async def test_a_link_outlives_its_order_by_so_long_and_no_longer(shop: Shop, status: str) -> None:
    _, token = await shop.made()
    shop.clock.pass_s(100_000)
    assert (await shop.links.resolve(token)).expires_at_s is None
    ended = await shop.become(status)
    assert shop.links.peek(token) is None
    holder = await shop.links.resolve(token)
    assert holder.expires_at_s == ended.updated_at_ms / 1000 + KEPT_S
    shop.clock.pass_s(KEPT_S - 1)
    assert await shop.links.resolve(token) == shop.links.peek(token) == holder
    shop.clock.pass_s(1)
    assert shop.links.peek(token) is None
    assert await why(shop.links, token) == "expired"


async def test_an_order_that_goes_on_after_its_end_has_its_links_back(shop: Shop) -> None:
    _, token = await shop.made()
    await shop.become("cancelled")
    assert (await shop.links.resolve(token)).expires_at_s is not None
    await shop.become("confirmed", undo=True)
    assert shop.links.peek(token) is None
    assert (await shop.links.resolve(token)).expires_at_s is None
    await shop.become("cancelled")
    shop.clock.pass_s(KEPT_S + 1)
    assert await why(shop.links, token) == "expired"
    await shop.become("confirmed", undo=True)
    assert (await shop.links.resolve(token)).expires_at_s is None


async def test_a_step_on_the_way_leaves_links_at_hand(shop: Shop) -> None:
    _, token = await shop.made()
    holder = await shop.links.resolve(token)
    await shop.become("preparing")
    assert shop.links.peek(token) == holder


async def test_an_order_that_ends_while_its_link_is_read_limits_it(shop: Shop) -> None:
    _, token = await shop.made()

    shop.store.meanwhile["order"] = lambda: shop.become("delivered")
    assert (await shop.links.resolve(token)).expires_at_s == NOW_MS // 1000 + KEPT_S + 1
    assert shop.links.peek(token) is not None


async def test_an_expiry_is_in_whole_seconds_and_never_early(shop: Shop) -> None:
    _, token = await shop.made()
    shop.clock.pass_s(0.25)
    ended = await shop.become("delivered")
    assert ended.updated_at_ms % 1000 == 250
    holder = await shop.links.resolve(token)
    assert holder.expires_at_s == math.ceil(ended.updated_at_ms / 1000) + KEPT_S
    shop.clock.pass_s(KEPT_S)
    assert await shop.links.resolve(token) == holder


# What is at hand


async def test_a_verified_link_is_cached_for_a_time(shop: Shop) -> None:
    _, token = await shop.made()
    holder = await shop.links.resolve(token)
    shop.clock.pass_s(CACHE_TTL_S - 0.001)
    assert shop.links.peek(token) == holder
    assert shop.store.looked == 1
    shop.clock.pass_s(0.001)
    assert shop.links.peek(token) is None
    assert await shop.links.resolve(token) == shop.links.peek(token) == holder
    assert shop.store.looked == 2


async def test_putting_the_clock_back_prolongs_no_belief(shop: Shop) -> None:
    _, token = await shop.made()
    await shop.links.resolve(token)
    shop.clock.pass_s(CACHE_TTL_S)
    shop.clock.wall_ms -= 100_000
    assert shop.links.peek(token) is None


async def test_the_least_recently_used_link_leaves_a_full_cache(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_links, "MAX_VERIFIED", 2)
    tokens = [(await shop.made())[1] for _ in range(2)] + [(await shop.links.make(2, ANYONE))[1]]
    for token in tokens[:2]:
        await shop.links.resolve(token)
    assert shop.links.peek(tokens[0]) is not None
    await shop.links.resolve(tokens[2])
    assert [shop.links.peek(token) is not None for token in tokens] == [True, False, True]
    for token in tokens:
        await shop.links.resolve(token)
    assert len(shop.links._verified) == sum(map(len, shop.links._verified_of.values())) == 2
    await shop.become("delivered")
    assert set(shop.links._verified_of) <= {2}


# Other clients


@pytest.mark.parametrize("token", ["", "otl_", "x", "otl_" + "A" * 21, "otl_" + "A" * 22 + " ", "eyJ.a.b", "é" * 26])
async def test_what_is_no_token_is_not_looked_for(shop: Shop, token: str) -> None:
    assert await why(shop.links, token) == "malformed"
    assert shop.store.looked == 0


@given(token=TOKENS, place=st.integers(4, 25), other=st.sampled_from("AQgwBz09-_"))
@settings(max_examples=50)
def test_no_token_that_was_not_made_is_ever_accepted(token: str, place: int, other: str) -> None:
    """However near it is to one that was: also one whose 128 bits are the same and whose spare bits are not."""

    near = token[:place] + other + token[place + 1 :]
    assume(near != token)

    async def ask() -> None:
        shop = await Shop().open()
        shop.links._draw_token = lambda: token
        await shop.made()
        await shop.links.resolve(token)
        assert await why(shop.links, near) == "invalid"
        assert shop.links.peek(token) is not None

    asyncio.run(ask())


class Followers(RuleBasedStateMachine):
    """Random steps with an order and its links: `resolve` always says what the store says,
    and `peek` says the same or nothing."""

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.shop = self.runner.run(Shop().open())
        self.tokens: dict[str, Link] = {}
        self.order = self.runner.run(self.shop.store.order(1))

    @rule()
    def make(self) -> None:
        if len(self.tokens) < 6:
            link, token = self.runner.run(self.shop.made())
            self.tokens[token] = link

    @rule(which=st.integers(0, 5))
    def revoke(self, which: int) -> None:
        if self.tokens:
            token = list(self.tokens)[which % len(self.tokens)]
            self.tokens[token] = self.runner.run(self.shop.links.revoke(1, self.tokens[token].id, SHOP))

    @rule(status=st.sampled_from(["preparing", "delivered", "cancelled"]), undo=st.booleans())
    def step(self, status: str, undo: bool) -> None:
        change = ChangeStatus(1, Status.PREPARING if undo else Status(status), "cook", reason="so", undo=undo)
        result = self.runner.run(self.shop.apply(change))
        if isinstance(result, Applied):
            self.order = result.order

    @rule(seconds=st.sampled_from([0.001, 0.999, 10, CACHE_TTL_S, KEPT_S - 1, KEPT_S]))
    def time_passes(self, seconds: float) -> None:
        self.shop.clock.pass_s(seconds)

    @rule(seconds=st.sampled_from([-KEPT_S, -1, 1, KEPT_S]))
    def the_wall_clock_jumps(self, seconds: int) -> None:
        self.shop.clock.wall_ms += seconds * 1000

    @rule(which=st.integers(0, 5))
    def resolve(self, which: int) -> None:
        if not self.tokens:
            return
        token = list(self.tokens)[which % len(self.tokens)]
        expected = self.expected(token)
        if isinstance(expected, str):
            with pytest.raises(Unauthenticated) as refused:
                self.runner.run(self.shop.links.resolve(token))
            assert refused.value.why == expected
        else:
            assert self.runner.run(self.shop.links.resolve(token)) == expected

    def expected(self, token: str) -> Principal | str:
        link, order = self.tokens[token], self.order
        if link.revoked_at_ms is not None:
            return "invalid"
        if not order.status.ended:
            return Principal(Role.LINK, str(link.id), order_id=1)
        expires_at_s = math.ceil(order.updated_at_ms / 1000) + KEPT_S
        if self.shop.clock.now_ms() >= expires_at_s * 1000:
            return "expired"
        return Principal(Role.LINK, str(link.id), order_id=1, expires_at_s=expires_at_s)

    @invariant()
    def what_is_at_hand_is_so(self) -> None:
        for token in getattr(self, "tokens", ()):
            known = self.shop.links.peek(token)
            assert known is None or known == self.expected(token)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()


def test_no_revoked_or_expired_link_is_ever_accepted() -> None:
    run_state_machine_as_test(Followers, settings=settings(max_examples=60, stateful_step_count=30))
