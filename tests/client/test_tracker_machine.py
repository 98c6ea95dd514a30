"""Following one order through everything a network can do: hypothesis looks for an order of events that breaks a
promise.

The world is a server with a log that grows, is sometimes restored from a backup (a new epoch), and is reached through a
path that loses, repeats and invents answers.
"""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from client.wire_answers import problem, update_body
from ordertrack.client import ConnectionLost, PollRequest, ServerUnreachable, Step, Tracker, Update


class Following(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.luck = 0.0
        self.tracker = Tracker(random=lambda: self.luck, wait_for_server=True)
        self.now_s = 0.0
        self.epoch, self.version, self.max_timeout_s = 0, 1, 120.0
        self.handed_out: list[Update] = []
        self.has: tuple[int, int] | None = None
        """Return the epoch and version of the tracker."""
        self.told_max_s = 240.0
        self.quick_without_news = 0
        self.just_reset = False
        """True after a reset."""

    def ask(self) -> PollRequest:
        request = self.tracker.next_request(self.now_s)
        if self.has is None:
            assert request.params == {}, "the first answer is a snapshot"
            return request
        epoch, version = self.has
        assert request.params["cursor"] == f"{epoch}.{version}", "the position is lost"
        timeout_s = float(request.params["timeout"])
        limit_s = min(240.0, max(self.told_max_s, 1.0))
        assert timeout_s == 0 or min(15.0, limit_s) - 0.001 <= timeout_s <= limit_s + 0.001
        assert abs(request.read_timeout_s - timeout_s - 10) < 0.001
        return request

    def took(self, step: Step, seconds: float, *, retry_after_s: float = 0.0, news: bool = False) -> None:
        assert 0 <= step.wait_s <= 30 + retry_after_s
        assert step.wait_s >= retry_after_s
        calm = seconds >= 0.5 or news or step.wait_s > 0 or self.luck == 0
        self.quick_without_news = 0 if calm else self.quick_without_news + 1
        assert self.quick_without_news <= 1, "two answers in a row without news, hold or pause: it spins"
        self.now_s += step.wait_s
        if step.update is not None:
            self.handed_out.append(step.update)

    def receive(self, body: bytes, seconds: float, *, accepted: bool, status: int = 200) -> Step:
        self.now_s += seconds
        self.just_reset = False
        step = self.tracker.received(status, {}, body, self.now_s)
        if accepted:
            self.told_max_s = self.max_timeout_s
            before, self.has = self.has, (self.epoch, self.version)
            assert (step.update is not None) == (before != self.has), "news is handed out once, and only news"
        else:
            assert step.update is None
        self.took(step, seconds, news=step.update is not None)
        return step

    @rule(luck=st.floats(0, 1))
    def chance(self, luck: float) -> None:
        self.luck = luck

    @rule(limit_s=st.sampled_from([0.01, 1.0, 13.0, 30.0, 58.0, 120.0, 3600.0]))
    def the_server_is_set_to_another_limit(self, limit_s: float) -> None:
        self.max_timeout_s = limit_s

    @rule(steps=st.integers(1, 3))
    def the_order_moves(self, steps: int) -> None:
        self.version += steps

    @rule(seconds=st.floats(0, 240))
    def an_honest_answer(self, seconds: float) -> None:
        """Answer by the decision table, after a hold of any length, also a short one or none."""
        request = self.ask()
        if self.has is None:
            reason = "snapshot"
        elif self.has[0] != self.epoch:
            reason = "reset"
        else:
            reason = "changed" if self.has[1] < self.version else "timeout"
        if reason != "timeout":
            seconds = 0.0
        seconds = min(seconds, float(request.params.get("timeout", "0")), self.max_timeout_s)
        body = update_body(self.version, reason, epoch=str(self.epoch), max_timeout=self.max_timeout_s)
        was_reset = self.just_reset
        step = self.receive(body, seconds, accepted=True)
        if reason == "reset" and not was_reset:
            assert (step.error, step.wait_s, step.failures) == (None, 0, 0), "a reset is delivered at once"
        self.just_reset = reason == "reset"

    @precondition(lambda self: self.has is not None and self.has[0] == self.epoch)
    @rule(seconds=st.floats(0, 30))
    def the_server_drains(self, seconds: float) -> None:
        self.ask()
        assert self.has is not None
        self.version = self.has[1]
        body = update_body(self.version, "drain", epoch=str(self.epoch), max_timeout=self.max_timeout_s)
        step = self.receive(body, seconds, accepted=True)
        assert (step.error, step.failures) == (None, 0), "a drain is not a failure"

    @precondition(lambda self: self.has is not None and self.has[0] == self.epoch)
    @rule(reason=st.sampled_from(["superseded", "unheard_of"]), seconds=st.floats(0, 30))
    def an_answer_without_news(self, reason: str, seconds: float) -> None:
        self.ask()
        assert self.has is not None
        self.version = self.has[1]
        body = update_body(self.version, reason, epoch=str(self.epoch), max_timeout=self.max_timeout_s)
        self.receive(body, seconds, accepted=True)

    @precondition(lambda self: self.has is not None and self.has[1] > 1)
    @rule(back=st.integers(1, 5), seconds=st.floats(0, 30))
    def an_answer_from_the_past(self, back: int, seconds: float) -> None:
        self.ask()
        assert self.has is not None
        body = update_body(max(1, self.has[1] - back), "changed", epoch=str(self.has[0]), max_timeout=self.told_max_s)
        self.receive(body, seconds, accepted=False)

    @precondition(lambda self: self.has is not None)
    @rule(version=st.integers(1, 9))
    def the_server_is_restored_from_a_backup(self, version: int) -> None:
        self.epoch, self.version = self.epoch + 1, version

    @precondition(lambda self: self.has is not None)
    @rule(body=st.sampled_from([b"", b"<html>", b"{}", b'{"success": true, "data": null}', b"\x00"]))
    def a_stranger_answers(self, body: bytes) -> None:
        self.ask()
        self.receive(body, 0.0, accepted=False)

    @rule(status=st.sampled_from([408, 425, 429, 500, 502, 503, 504, 524]), seconds=st.floats(0, 130),
          retry_after_s=st.none() | st.integers(0, 3600))  # fmt: skip
    def a_refusal(self, status: int, seconds: float, retry_after_s: int | None) -> None:
        self.ask()
        self.now_s += seconds
        headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
        step = self.tracker.received(status, headers, json.dumps(problem(status, "no")).encode(), self.now_s)
        assert step.failures > 0
        self.took(step, seconds, retry_after_s=retry_after_s or 0.0)

    @rule(connected=st.booleans(), seconds=st.floats(0, 130))
    def no_answer(self, connected: bool, seconds: float) -> None:
        self.ask()
        self.now_s += seconds
        error = ConnectionLost("cut") if connected else ServerUnreachable("refused")
        step = self.tracker.failed(error, self.now_s)
        assert step.error is error
        self.took(step, seconds)

    @invariant()
    def nothing_is_handed_out_twice_or_backwards(self) -> None:
        for earlier, later in pairwise(self.handed_out):
            assert later.reset or later.order.version > earlier.order.version

    def teardown(self) -> None:
        """After any history one correct answer brings the newest state. Then the order ends."""
        self.an_honest_answer(0.0)
        assert self.handed_out[-1].order.version == self.version
        self.ask()
        self.version += 1
        body = update_body(self.version, epoch=str(self.epoch), status="delivered")
        step = self.tracker.received(200, {}, body, self.now_s)
        assert self.tracker.ended
        assert step.update is not None
        assert step.update.terminal


TestFollowing = Following.TestCase
TestFollowing.settings = settings(stateful_step_count=40)
