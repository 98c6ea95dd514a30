"""Rate limits: the quota is kept, and a refusal names a time after which the same request is admitted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.rate import TOLERANCE_S, Quota, RateLimiter

gaps = st.lists(st.floats(0.0, 8.0), min_size=1, max_size=60)
costs = st.integers(1, 1_000)
quotas = st.builds(Quota, st.integers(1, 12), st.integers(1, 20))


def limiter(requests: int = 3, window_s: int = 6, max_keys: int = 100) -> RateLimiter:
    return RateLimiter(Quota(requests, window_s), max_keys=max_keys)


def test_a_whole_budget_may_be_spent_at_once_and_comes_back_bit_by_bit() -> None:
    limit = limiter(3, 6)
    assert [limit.take("me", 10.0).remaining for _ in range(3)] == [2, 1, 0]
    refused = limit.take("me", 10.0)
    assert (refused.allowed, refused.remaining, refused.retry_after_s, refused.reset_s) == (False, 0, 2.0, 6.0)
    assert limit.take("me", 12.0).allowed
    assert not limit.take("me", 12.0).allowed
    assert limit.take("me", 18.0).remaining == 2


def test_one_key_spends_nothing_of_another() -> None:
    limit = limiter(1)
    assert limit.take("me", 0.0).allowed
    assert limit.take("you", 0.0).allowed


def test_looking_at_a_budget_takes_nothing_of_it() -> None:
    limit = limiter(2)
    for _ in range(3):
        looked = limit.peek("me", 0.0)
        assert looked == limit.peek("me", 0.0)
        assert looked == limit.take("me", 0.0)


def test_a_costly_request_delays_the_next_one_not_itself() -> None:
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


def test_memory_is_bounded_by_forgetting_who_asked_least_recently() -> None:
    limit = limiter(1, 60, max_keys=2)
    for key in ("a", "b", "c"):
        assert limit.take(key, 0.0).allowed
    assert len(limit) == 2
    assert limit.take("a", 1.0).allowed, "it was forgotten"
    assert not limit.take("c", 1.0).allowed


@given(quotas, gaps)
def test_no_window_ever_sees_more_than_twice_the_quota_and_no_second_more_than_once(
    quota: Quota, gaps: list[float]
) -> None:
    """A burst of the whole budget, then what trickles back while the window lasts: the bound of the algorithm."""
    limit, now_s, allowed = RateLimiter(quota, max_keys=9), 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        if limit.take("me", now_s).allowed:
            allowed.append(now_s)
    for start_s in allowed:
        assert sum(start_s <= at_s < start_s + quota.window_s for at_s in allowed) <= 2 * quota.requests
        assert sum(at_s == start_s for at_s in allowed) <= quota.requests


@given(quotas, st.integers(1, 100))
def test_who_keeps_to_the_rate_is_never_refused(quota: Quota, count: int) -> None:
    limit = RateLimiter(quota, max_keys=9)
    assert all(limit.take("me", n * quota.interval_s).allowed for n in range(count))


@given(quotas, st.floats(0.0, 1e9), st.lists(st.tuples(st.floats(0.0, 8.0), costs), min_size=1, max_size=60))
def test_a_refused_request_succeeds_after_retry_after(
    quota: Quota, started_s: float, requests: list[tuple[float, int]]
) -> None:
    """Whatever requests cost, above the quota too, and however long the machine has been up."""
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
def test_costs_in_the_long_run_keep_to_the_rate(quota: Quota, requests: list[tuple[float, int]]) -> None:
    """Two quotas may be spent at once, one of them in advance; from then on it is the rate."""
    limit, now_s, spent = RateLimiter(quota, max_keys=9), 0.0, 0
    for gap_s, cost in requests:
        now_s += gap_s
        if limit.take("me", now_s).allowed:
            limit.charge("me", now_s, cost - 1)
            spent += min(cost, quota.requests)
        assert spent * quota.interval_s <= now_s + 2 * quota.window_s
