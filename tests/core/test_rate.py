"""Rate limits: the quota is kept, and a request succeeds after the retry time of its refusal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.rate import TOLERANCE_S, Quota, RateLimiter

gaps = st.lists(st.floats(0.0, 8.0), min_size=1, max_size=60)
costs = st.integers(1, 1_000)
quotas = st.builds(Quota, st.integers(1, 12), st.integers(1, 20))


def limiter(requests: int = 3, window_s: int = 6, max_keys: int = 100) -> RateLimiter:
    return RateLimiter(Quota(requests, window_s), max_keys=max_keys)


def test_a_full_budget_is_one_burst_and_refills_gradually() -> None:
    limit = limiter(3, 6)
    assert [limit.take("me", 10.0).remaining for _ in range(3)] == [2, 1, 0]
    refused = limit.take("me", 10.0)
    assert (refused.allowed, refused.remaining, refused.retry_after_s, refused.reset_s) == (False, 0, 2.0, 6.0)
    assert limit.take("me", 12.0).allowed
    assert not limit.take("me", 12.0).allowed
    assert limit.take("me", 18.0).remaining == 2


def test_keys_have_separate_budgets() -> None:
    limit = limiter(1)
    assert limit.take("me", 0.0).allowed
    assert limit.take("you", 0.0).allowed


def test_peek_takes_nothing_from_the_budget() -> None:
    limit = limiter(2)
    for _ in range(3):
        verdict = limit.peek("me", 0.0)
        assert verdict == limit.peek("me", 0.0)
        assert verdict == limit.take("me", 0.0)


def test_a_charge_delays_the_next_request() -> None:
    limit = limiter(3, 6)
    assert limit.take("me", 0.0).allowed
    limit.charge("me", 0.0, 1)
    assert limit.take("me", 0.0).remaining == 0
    limit.charge("me", 0.0, 2)
    refused = limit.take("me", 0.0)
    assert (refused.allowed, refused.retry_after_s, refused.reset_s) == (False, 6.0, 10.0)


def test_one_request_costs_at_most_the_quota() -> None:
    limit = limiter(3, 6)
    assert limit.take("me", 0.0).allowed
    limit.charge("me", 0.0, 1_000)
    assert limit.peek("me", 0.0).reset_s == 6.0


def test_the_least_recent_key_is_evicted() -> None:
    limit = limiter(1, 60, max_keys=2)
    for key in ("a", "b", "c"):
        assert limit.take(key, 0.0).allowed
    assert len(limit) == 2
    assert limit.take("a", 1.0).allowed, "it was evicted"
    assert not limit.take("c", 1.0).allowed


@given(quotas, gaps)
def test_a_window_admits_at_most_twice_the_quota(quota: Quota, gaps: list[float]) -> None:
    """A burst of the full budget, then the refill during the window: the bound of the algorithm."""
    limit, now_s, allowed = RateLimiter(quota, max_keys=9), 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        if limit.take("me", now_s).allowed:
            allowed.append(now_s)
    for start_s in allowed:
        assert sum(start_s <= at_s < start_s + quota.window_s for at_s in allowed) <= 2 * quota.requests
        assert sum(at_s == start_s for at_s in allowed) <= quota.requests


@given(quotas, st.integers(1, 100))
def test_requests_at_the_rate_are_never_refused(quota: Quota, count: int) -> None:
    limit = RateLimiter(quota, max_keys=9)
    assert all(limit.take("me", n * quota.interval_s).allowed for n in range(count))


@given(quotas, st.floats(0.0, 1e9), st.lists(st.tuples(st.floats(0.0, 8.0), costs), min_size=1, max_size=60))
def test_a_refused_request_succeeds_after_retry_after(
    quota: Quota, started_s: float, requests: list[tuple[float, int]]
) -> None:
    """Also for costs above the quota and after a long uptime."""
    limit, now_s = RateLimiter(quota, max_keys=9), started_s
    for gap_s, cost in requests:
        now_s += gap_s
        verdict = limit.take("me", now_s)
        if not verdict.allowed:
            assert 0 < verdict.retry_after_s <= quota.window_s + TOLERANCE_S
            now_s += verdict.retry_after_s
            assert limit.take("me", now_s).allowed
        limit.charge("me", now_s, cost - 1)


@given(quotas, st.lists(st.tuples(st.floats(0.0, 8.0), costs), min_size=1, max_size=60))
def test_charges_keep_the_rate_in_the_long_run(quota: Quota, requests: list[tuple[float, int]]) -> None:
    """Two quotas may be spent at once, one of them in advance; after that the rate holds."""
    limit, now_s, spent = RateLimiter(quota, max_keys=9), 0.0, 0
    for gap_s, cost in requests:
        now_s += gap_s
        if limit.take("me", now_s).allowed:
            limit.charge("me", now_s, cost - 1)
            spent += min(cost, quota.requests)
        assert spent * quota.interval_s <= now_s + 2 * quota.window_s
