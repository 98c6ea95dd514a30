"""Tight loops get one answer a second; every other client is answered at once."""

from __future__ import annotations

from ordertrack.core.poll import PollRequest
from ordertrack.http.policy.loop_throttle import MAX_THROTTLES, PollThrottle, ThrottleTable, position_key

PATH = "/api/v1/orders/1/track"
KEY = position_key(PATH, PollRequest(last_update_ms=5))
assert KEY is not None


def pauses(throttle: PollThrottle, keys: list[int], every_s: float) -> list[float]:
    """Send requests with these keys, answer each after its pause, and return the pauses."""
    now_s, paused = 100.0, []
    for key in keys:
        paused.append(throttle.pause_s(key, now_s))
        now_s += paused[-1]
        throttle.record(key, now_s)
        now_s += every_s
    return paused


def test_the_third_answer_within_a_second_waits() -> None:
    assert pauses(PollThrottle(), [KEY] * 5, 0.01) == [0, 0, 1, 1, 1]


def test_a_client_that_waits_a_second_is_not_slowed() -> None:
    assert pauses(PollThrottle(), [KEY] * 5, 1.0) == [0] * 5


def test_another_position_is_another_key() -> None:
    keys = [position_key(PATH, PollRequest(last_update_ms=n)) for n in range(5)]
    assert pauses(PollThrottle(), [key for key in keys if key is not None], 0.01) == [0] * 5


def test_a_poll_without_position_or_hold_is_never_slowed() -> None:
    assert position_key(PATH, PollRequest()) is None
    assert position_key(PATH, PollRequest(last_update_ms=5, timeout_s=0)) is None


def test_the_table_keeps_the_latest_connections() -> None:
    table = ThrottleTable()
    for connection in range(MAX_THROTTLES + 5):
        table.put(connection, PollThrottle())
    assert [table.get(connection) is None for connection in (0, 4, 5)] == [True, True, False]
