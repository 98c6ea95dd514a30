"""Admission with a stopped clock: the budget that a request takes from, and the promise of `Retry-After`."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.core.errors import RateLimited, Unauthenticated
from ordertrack.core.principal import ANYONE, Principal, Role
from ordertrack.core.rate import Quota, RateLimiter
from ordertrack.http.policy.admission import Admission, Budget
from ordertrack.http.policy.client_address import UNKNOWN, Addresses, parse_networks
from ordertrack.http.wire.message import Headers
from ordertrack.service.links import Links

CUSTOMER = Principal(Role.CUSTOMER, "ann", customer_id="ann")
PROXY = "127.0.0.1"
NONE = Headers()


class StillClock:
    up_s = 1_000_000.0

    def now_ms(self) -> int:
        return 1_795_342_530_000

    def monotonic_s(self) -> float:
        return self.up_s


class OneToken:
    """Knows `good`, the customer's; any other token is invalid."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def peek(self, token: str) -> Principal | None:
        return CUSTOMER if token == "good" else None

    def verify_now(self, token: str) -> Principal | None:
        raise Unauthenticated("invalid")

    async def verify(self, token: str) -> Principal:
        raise Unauthenticated("invalid")


def admission(quota: Quota, clock: StillClock, *, is_open: bool, proxies: str = "") -> Admission:
    links = Links(MemoryStore("e", clock), clock, lambda: "", 0, lambda link: None)
    limiters = {budget: RateLimiter(quota, max_keys=9) for budget in Budget}
    return Admission(None if is_open else OneToken(), links, limiters, Addresses(parse_networks(proxies)), clock)


def forwarded(address: str) -> Headers:
    return Headers({b"x-forwarded-for": address.encode()})


def refusals(of: Admission, peer: str | None, headers: Headers = NONE, tries: int = 3) -> int:
    refused = 0
    for _ in range(tries):
        try:
            caller = of.now(Budget.WRITES, headers, peer)
            assert caller is not None
            assert caller.principal.role is Role.ANYONE
        except RateLimited:
            refused += 1
    return refused


@pytest.mark.protocol("7.9")
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", None])
def test_open_server_does_not_limit_this_machine(peer: str | None) -> None:
    assert refusals(admission(Quota(1, 60), StillClock(), is_open=True), peer, tries=1_000) == 0


@pytest.mark.protocol("7.9")
def test_open_server_limits_by_forwarded_address() -> None:
    behind = admission(Quota(2, 60), StillClock(), is_open=True, proxies=PROXY)
    assert refusals(behind, PROXY, forwarded("198.51.100.1")) == 1
    assert refusals(behind, PROXY, forwarded("198.51.100.1:5678")) == 3
    assert refusals(behind, PROXY, forwarded("198.51.100.2")) == 1
    assert refusals(behind, PROXY, forwarded("2001:db8:1:2::3")) == 1
    assert refusals(behind, PROXY, forwarded("2001:db8:1:2::4")) == 3, "one household"
    assert refusals(behind, PROXY) == 0


def test_open_server_limits_direct_peers() -> None:
    assert refusals(admission(Quota(2, 60), StillClock(), is_open=True), "192.0.2.7") == 1


def test_client_cannot_claim_to_be_this_machine() -> None:
    behind = admission(Quota(2, 60), StillClock(), is_open=True, proxies=PROXY)
    assert refusals(behind, PROXY, forwarded("127.0.0.1, 198.51.100.1")) == 1
    direct = admission(Quota(2, 60), StillClock(), is_open=True, proxies="10.0.0.1")
    assert refusals(direct, "192.0.2.7", forwarded("127.0.0.1")) == 1


def test_charges_go_to_the_admitted_caller() -> None:
    clock = StillClock()
    behind = admission(Quota(4, 60), clock, is_open=True, proxies=PROXY)
    caller = behind.now(Budget.WRITES, forwarded("198.51.100.1"), PROXY)
    assert caller is not None
    behind.charge(Budget.WRITES, caller.principal, 2, caller.address)
    assert refusals(behind, PROXY, forwarded("198.51.100.1"), tries=2) == 1
    behind.charge(Budget.WRITES, ANYONE, 100, UNKNOWN)
    assert refusals(behind, PROXY, tries=9) == 0


@pytest.mark.anyio
@pytest.mark.protocol("7.12")
@example(quota=Quota(1, 60), requests=[(0.0, 1, "no"), (1.0, 1, "wrong")])
@given(
    quota=st.builds(Quota, st.integers(1, 700), st.just(60)),
    requests=st.lists(
        st.tuples(st.floats(0, 40), st.integers(1, 1_000), st.sampled_from(["good", "wrong", "no"])), max_size=30
    ),
)
async def test_a_refused_request_succeeds_after_retry_after(
    quota: Quota, requests: list[tuple[float, int, str]]
) -> None:
    """A good request and one with a bad token, which succeeds by failing with 401. Others may have been sent before."""
    clock = StillClock()
    guarded = admission(quota, clock, is_open=False)

    async def outcome(token: str) -> RateLimited | None:
        headers = Headers() if token == "no" else Headers({b"authorization": f"Bearer {token}".encode()})
        try:
            await guarded.later(Budget.WRITES, headers, "192.0.2.7")
        except RateLimited as error:
            return error
        except Unauthenticated:
            pass
        return None

    for gap_s, cost, token in requests:
        clock.up_s += gap_s
        if (refused := await outcome(token)) is not None:
            assert 1 <= refused.retry_after_s <= quota.window_s
            clock.up_s += refused.retry_after_s
            assert await outcome(token) is None
        if token == "good":
            guarded.charge(Budget.WRITES, CUSTOMER, cost - 1)
