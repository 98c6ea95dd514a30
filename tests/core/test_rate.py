"""Rate limits: never more than the quota in any window, and never less for who keeps to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.rate import Quota, RateLimiter

gaps = st.lists(st.floats(0.0, 8.0), min_size=1, max_size=60)
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
        looked = limit.look("me", 0.0)
        assert looked == limit.look("me", 0.0)
        assert looked == limit.take("me", 0.0)


def test_many_are_taken_all_or_none_and_more_than_the_quota_never() -> None:
    limit = limiter(3, 6)
    assert limit.take("me", 0.0, 2).remaining == 1
    assert not limit.take("me", 0.0, 2).allowed
    assert limit.take("me", 0.0, 1).allowed
    assert not limit.take("you", 0.0, 4).allowed
    assert limit.take("you", 0.0, 3).allowed


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


@given(quotas, gaps)
def test_whoever_waits_as_told_is_allowed(quota: Quota, gaps: list[float]) -> None:
    limit, now_s = RateLimiter(quota, max_keys=9), 0.0
    for gap_s in gaps:
        now_s += gap_s
        verdict = limit.take("me", now_s)
        if not verdict.allowed:
            now_s += verdict.retry_after_s
            assert limit.take("me", now_s).allowed
