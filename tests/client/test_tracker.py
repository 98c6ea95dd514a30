"""Each rule of the tracker alone, without network, clock and randomness."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from client.wire_answers import problem, update_body
from ordertrack.client import (
    AccessDenied,
    ConnectionLost,
    NotFound,
    Pace,
    PollRequest,
    ServerBusy,
    ServerUnreachable,
    Step,
    Tracker,
    UnexpectedAnswer,
)


class Session:
    """A tracker with a clock that tests advance. Random numbers are always `luck`, so waits are known."""

    def __init__(self, *, luck: float = 1.0, mode: str = "live", cursor: str | None = None, waits: bool = True) -> None:
        self.tracker = Tracker(random=lambda: luck, mode=mode, cursor=cursor, wait_for_server=waits)  # type: ignore[arg-type]
        self.now_s = 1000.0

    def send(self) -> PollRequest:
        return self.tracker.next_request(self.now_s)

    def answer(self, body: bytes, *, after_s: float = 0.0, status: int = 200, **headers: str) -> Step:
        self.now_s += after_s
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.tracker.received(status, named, body, self.now_s)

    def fail(self, error: ServerUnreachable, *, after_s: float = 0.0) -> Step:
        self.now_s += after_s
        return self.tracker.failed(error, self.now_s)

    def refuse(self, status: int, *, after_s: float = 0.0, **headers: str) -> Step:
        return self.answer(json.dumps(problem(status, "refused")).encode(), status=status, after_s=after_s, **headers)

    def connect(self, version: int = 1, **fields: object) -> None:
        self.send()
        self.answer(update_body(version, "snapshot", **fields))

    def hold_times_out(self, version: int = 1) -> Step:
        hold_s = float(self.send().params["timeout"])
        return self.answer(update_body(version, "timeout"), after_s=hold_s)

    def hold_s(self) -> float:
        """Send the next poll and return the hold it requests."""
        return float(self.send().params["timeout"])


LOST = ConnectionLost("cut")
UNREACHABLE = ServerUnreachable("refused")


def test_first_request_has_no_cursor_and_is_answered_at_once() -> None:
    session = Session()
    assert session.send() == PollRequest({}, 10.0)
    step = session.answer(update_body(3, "snapshot"))
    assert step.update is not None
    assert (step.update.order.version, step.wait_s) == (3, 0)


def test_every_later_request_names_the_cursor_and_is_held() -> None:
    session = Session()
    session.connect(3)
    assert session.send() == PollRequest({"cursor": "e.3", "timeout": "30"}, 40.0)


def test_a_client_id_goes_with_every_request() -> None:
    tracker = Tracker(random=lambda: 0.0, client_id="me")
    assert tracker.next_request(0).params == {"client_id": "me"}
    tracker.received(200, {}, update_body(1, "snapshot"), 0)
    assert tracker.next_request(0).params == {"client_id": "me", "cursor": "e.1", "timeout": "30"}


def test_change_is_delivered_and_next_poll_follows_at_once() -> None:
    session = Session()
    session.connect(1)
    session.send()
    step = session.answer(update_body(2, status="ready"), after_s=12)
    assert step.update is not None
    assert (step.update.order.status, step.update.events[0].status, step.wait_s) == ("ready", "ready", 0)
    assert session.send().params["cursor"] == "e.2"


def test_timeout_delivers_nothing_and_next_poll_follows_at_once() -> None:
    session = Session()
    session.connect()
    assert session.hold_times_out() == Step()


def test_news_with_the_reason_timeout_is_delivered() -> None:
    session = Session()
    session.connect(1)
    session.send()
    step = session.answer(update_body(2, "timeout"), after_s=30)
    assert step.update is not None
    assert step.update.order.version == 2


def test_hold_doubles_after_timeouts_up_to_the_servers_limit() -> None:
    session = Session()
    session.connect()
    holds = []
    for _ in range(4):
        holds.append(session.hold_s())
        session.answer(update_body(1, "timeout"), after_s=holds[-1])
    assert holds == [30, 60, 120, 120]


def test_server_limit_may_be_below_the_minimum_hold() -> None:
    session = Session()
    session.connect(1, max_timeout=13)
    assert session.send() == PollRequest({"cursor": "e.1", "timeout": "13"}, 23.0)


@pytest.mark.parametrize("nonsense", [0, -5, 1e300])
def test_invalid_server_limit_keeps_the_own_limits(nonsense: float) -> None:
    session = Session()
    session.connect(1, max_timeout=nonsense)
    for _ in range(6):
        session.hold_times_out()
    assert 15 <= session.hold_s() <= 240


@pytest.mark.parametrize("how", ["lost", 502, 504, 524])
def test_hold_halves_after_a_loss_but_not_below_15_seconds(how: str | int) -> None:
    session = Session()
    session.connect()
    session.hold_times_out()
    holds = []
    for _ in range(4):
        holds.append(session.hold_s())
        if isinstance(how, int):
            session.refuse(how, after_s=20)
        else:
            session.fail(LOST, after_s=20)
        session.send()
        session.answer(update_body(1, "timeout"))
    assert holds == [60, 30, 15, 15]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_refusals_do_not_shorten_the_hold(status: int) -> None:
    session = Session()
    session.connect()
    session.hold_times_out()
    session.send()
    session.refuse(status, after_s=20)
    if status == 500:
        session.send()
        session.answer(update_body(1, "timeout"))
    assert session.hold_s() == 60


def test_holds_that_keep_being_cut_are_tried_more_rarely() -> None:
    session = Session()
    session.connect()
    holds = []
    for _ in range(40):
        holds.append(session.hold_s())
        if holds[-1] > 60:
            session.fail(LOST, after_s=70)
            session.send()
            session.answer(update_body(1, "timeout"))
        else:
            session.answer(update_body(1, "timeout"), after_s=holds[-1])
    assert set(holds) == {30, 60, 120}
    tries = [index for index, hold in enumerate(holds) if hold == 120]
    assert [later - earlier for earlier, later in pairwise(tries)] == [3, 5, 9, 17]


def test_a_hold_that_ends_before_the_cut_proves_no_longer_one() -> None:
    """The path cuts at 57 s, and the server ends every second hold of 60 s at 55 s."""
    session = Session()
    session.connect()
    holds: list[float] = []
    for _ in range(200):
        holds.append(session.hold_s())
        took_s = 55 if holds[-1] == 60 and holds.count(60) % 2 else holds[-1]
        if took_s > 57:
            session.fail(LOST, after_s=67)
            session.send()
            session.answer(update_body(1, "timeout"))
        else:
            session.answer(update_body(1, "timeout"), after_s=took_s)
    assert 1 <= holds.count(120) <= 4


def test_single_loss_has_no_effect_after_a_longer_hold() -> None:
    session = Session()
    session.connect()
    session.hold_times_out()
    session.send()
    session.fail(LOST, after_s=3)
    session.send()
    session.answer(update_body(1, "timeout"))
    holds = []
    for _ in range(5):
        holds.append(session.hold_s())
        session.answer(update_body(1, "timeout"), after_s=holds[-1])
    assert holds == [30, 30, 60, 120, 120]


def test_hold_that_ended_early_does_not_lengthen_the_next() -> None:
    session = Session()
    session.connect()
    session.send()
    assert session.answer(update_body(1, "timeout"), after_s=5) == Step()
    assert session.hold_s() == 30


def test_request_after_a_loss_is_a_probe() -> None:
    session = Session()
    session.connect(1)
    session.send()
    step = session.fail(LOST, after_s=40)
    assert (step.error, step.failures, step.update) == (LOST, 1, None)
    assert session.send() == PollRequest({"cursor": "e.1", "timeout": "0"}, 10.0)
    step = session.answer(update_body(4))
    assert step.update is not None
    assert step.update.order.version == 4
    assert session.send().params["timeout"] == "15"


def test_loss_before_first_answer_requests_the_snapshot_again() -> None:
    session = Session()
    session.send()
    session.fail(UNREACHABLE)
    assert session.send().params == {}


def test_waits_double_from_one_second_to_thirty() -> None:
    session = Session()
    waits = []
    for _ in range(8):
        session.send()
        waits.append(session.fail(UNREACHABLE).wait_s)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_waits_are_fully_random_below_that() -> None:
    session = Session(luck=0.0)
    for _ in range(8):
        session.send()
        assert session.fail(UNREACHABLE).wait_s == 0


def test_random_wait_is_added_to_retry_after() -> None:
    session = Session(luck=0.5)
    session.send()
    assert session.refuse(503, retry_after="7").wait_s == 7.5


def test_retry_after_date_is_compared_with_the_answers_date() -> None:
    session = Session(luck=0.0)
    session.send()
    step = session.refuse(429, retry_after="Wed, 21 Oct 2015 07:28:09 GMT", date="Wed, 21 Oct 2015 07:28:00 GMT")
    assert step.wait_s == 9
    assert isinstance(step.error, ServerBusy)


def test_failure_count_is_reset_by_a_successful_hold() -> None:
    session = Session()
    session.connect()
    for _ in range(3):
        session.send()
        session.fail(UNREACHABLE)
    session.send()
    assert session.answer(update_body(1, "timeout")).failures == 0
    session.hold_times_out()
    session.send()
    assert session.fail(UNREACHABLE).wait_s == 1


def test_failure_count_is_not_reset_by_a_successful_probe() -> None:
    """Polls must back off on a path that passes every probe and cuts every hold."""
    session = Session()
    session.connect()
    waits = []
    for _ in range(6):
        session.send()
        waits.append(session.fail(LOST).wait_s)
        session.send()
        session.answer(update_body(1, "timeout"))
    assert waits == [1, 2, 4, 8, 16, 30]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 520, 524])
def test_temporary_errors_are_retried(status: int) -> None:
    session = Session()
    session.connect()
    session.send()
    step = session.refuse(status)
    assert step.error is not None
    assert (step.error.status, step.wait_s, session.tracker.ended) == (status, 1, False)


@pytest.mark.parametrize(("status", "error"), [(400, "InvalidRequest"), (401, "AccessDenied"), (403, "AccessDenied"),
                                               (404, "NotFound"), (410, "RequestRefused")])  # fmt: skip
def test_permanent_errors_are_raised_at_once(status: int, error: str) -> None:
    session = Session()
    session.connect()
    session.send()
    with pytest.raises(Exception, match=r"No\.") as raised:
        session.refuse(status)
    assert type(raised.value).__name__ == error
    assert session.tracker.ended


def test_raised_errors_carry_code_status_and_problem() -> None:
    session = Session()
    session.send()
    with pytest.raises(NotFound, match="There is no such order") as raised:
        session.answer(json.dumps(problem(404, "order_not_found", "There is no such order.", x=1)).encode(), status=404)
    assert (raised.value.code, raised.value.status, raised.value.problem["x"]) == ("order_not_found", 404, 1)
    assert not isinstance(raised.value, AccessDenied)


@pytest.mark.parametrize("body", [b"<html>Welcome to the hotel</html>", b"", b"[]", b'{"success": true}', b"\xff"])
def test_first_answer_of_another_server_is_a_wrong_url(body: bytes) -> None:
    session = Session()
    session.send()
    with pytest.raises(UnexpectedAnswer):
        session.answer(body)
    assert session.tracker.ended


def test_later_answer_of_another_server_is_retried() -> None:
    session = Session()
    session.connect(2)
    session.send()
    step = session.answer(b"<html>Welcome to the hotel</html>")
    assert (step.wait_s, step.update) == (1, None)
    assert session.send().params == {"cursor": "e.2", "timeout": "0"}


def test_a_redirect_names_its_target() -> None:
    session = Session()
    session.send()
    with pytest.raises(UnexpectedAnswer, match="https://elsewhere"):
        session.answer(b"", status=308, location="https://elsewhere")


def test_poll_after_drain_follows_within_a_random_second() -> None:
    session = Session(luck=0.4)
    session.connect()
    session.send()
    step = session.answer(update_body(1, "drain"), after_s=3)
    assert (step.wait_s, step.error) == (0.4, None)
    assert session.send().params["timeout"] == "30"


def test_repeated_drains_back_off() -> None:
    session = Session()
    session.connect()
    waits = []
    for _ in range(4):
        session.send()
        waits.append(session.answer(update_body(1, "drain")).wait_s)
    assert waits == [1, 1, 2, 4]


def test_drains_in_a_row_are_not_failures() -> None:
    session = Session()
    session.connect()
    for _ in range(8):
        session.send()
        step = session.answer(update_body(1, "drain"))
        assert (step.error, step.failures) == (None, 0)
    session.send()
    assert session.fail(UNREACHABLE).wait_s == 1


@pytest.mark.parametrize("drains", [1, 2, 6])
def test_reset_after_drains_is_delivered_at_once(drains: int) -> None:
    session = Session()
    session.connect(7)
    for _ in range(drains):
        session.send()
        session.answer(update_body(7, "drain"))
    session.send()
    step = session.answer(update_body(2, "reset", epoch="new"))
    assert step.update is not None
    assert (step.wait_s, step.error, step.failures) == (0, None, 0)


def test_resets_of_two_restarts_are_not_a_repetition() -> None:
    session = Session()
    session.connect(7)
    for epoch in ("second", "third"):
        session.send()
        session.fail(LOST, after_s=20)
        session.send()
        step = session.answer(update_body(1, "reset", epoch=epoch))
        assert (step.wait_s, step.error) == (0, None)
    session.send()
    assert session.answer(update_body(1, "reset", epoch="fourth"), after_s=20).error is None


def test_reset_is_delivered_and_may_lower_the_version() -> None:
    session = Session()
    session.connect(7)
    session.send()
    step = session.answer(update_body(2, "reset", epoch="new"))
    assert step.update is not None
    assert (step.update.reset, step.update.order.version, step.wait_s) == (True, 2, 0)
    assert session.send().params["cursor"] == "new.2"


def test_alternating_resets_of_two_servers_back_off() -> None:
    session = Session()
    session.connect(7)
    waits = []
    for turn in range(5):
        session.send()
        step = session.answer(update_body(2, "reset", epoch=f"epoch{turn}"))
        assert step.update is not None
        waits.append(step.wait_s)
    assert waits == [0, 1, 2, 4, 8]


def test_older_answer_is_not_delivered_and_keeps_the_cursor() -> None:
    session = Session()
    session.connect(5)
    session.send()
    step = session.answer(update_body(3), after_s=1)
    assert (step.update, step.wait_s) == (None, 1)
    assert session.send().params["cursor"] == "e.5"


@pytest.mark.parametrize("reason", ["timeout", "changed", "terminal", "something_new"])
def test_answers_without_hold_and_news_back_off(reason: str) -> None:
    session = Session()
    session.connect(2)
    waits = []
    for _ in range(5):
        session.send()
        step = session.answer(update_body(2, reason))
        assert step.update is None
        waits.append(step.wait_s)
    assert waits == [1, 2, 4, 8, 16]


def test_superseded_polls_back_off() -> None:
    session = Session()
    session.connect(2)
    waits = []
    for _ in range(3):
        session.send()
        waits.append(session.answer(update_body(2, "superseded"), after_s=2).wait_s)
    assert waits == [1, 2, 4]


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_tracking_ends_with_the_end_of_the_order(status: str) -> None:
    session = Session()
    session.connect(2)
    session.send()
    step = session.answer(update_body(3, status=status), after_s=1)
    assert step.update is not None
    assert step.update.terminal
    assert session.tracker.ended
    with pytest.raises(RuntimeError, match="ended"):
        session.send()


def test_ended_order_is_delivered_once() -> None:
    session = Session()
    session.send()
    step = session.answer(update_body(5, "snapshot", status="delivered"))
    assert step.update is not None
    assert session.tracker.ended


def test_an_interval_of_zero_means_stop() -> None:
    session = Session()
    session.send()
    session.answer(update_body(5, "snapshot", next_poll_interval=0))
    assert session.tracker.ended


def test_first_update_from_a_cursor_comes_at_once() -> None:
    session = Session(cursor="e.4")
    assert session.send().params == {"cursor": "e.4", "timeout": "0"}
    step = session.answer(update_body(4, "timeout"))
    assert step.update is not None
    assert not step.update.has_update
    assert session.send().params == {"cursor": "e.4", "timeout": "30"}


def test_saver_mode_never_holds_and_waits_as_advised() -> None:
    session = Session(mode="saver")
    assert session.send().params == {}
    assert session.answer(update_body(1, "snapshot", next_poll_interval=120)).wait_s == 120
    assert session.send() == PollRequest({"cursor": "e.1", "timeout": "0"}, 10.0)
    step = session.answer(update_body(1, "timeout", next_poll_interval=30))
    assert (step.update, step.wait_s) == (None, 30)
    session.send()
    session.answer(update_body(2, status="delivered"))
    assert session.tracker.ended


@pytest.mark.parametrize(("advised", "slept_s"), [(-3, 1), (0.001, 1), (1e9, 600), (None, 30)])
def test_saver_mode_limits_the_advised_pause(advised: float | None, slept_s: float) -> None:
    session = Session(mode="saver")
    session.send()
    assert session.answer(update_body(1, "snapshot", next_poll_interval=advised)).wait_s == slept_s


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="saver"):
        Session(mode="turbo")


def test_one_request_at_a_time() -> None:
    session = Session()
    session.send()
    with pytest.raises(RuntimeError, match="in progress"):
        session.send()
    session.fail(UNREACHABLE)
    with pytest.raises(RuntimeError, match="no poll"):
        session.fail(UNREACHABLE)


def test_unknown_fields_are_ignored() -> None:
    session = Session()
    session.send()
    step = session.answer(update_body(1, "snapshot", status="on_the_roof", next_poll_interval=60, surprise={"a": [1]}))
    assert step.update is not None
    assert step.update.order.status == "on_the_roof"


def test_the_pace_can_be_set() -> None:
    tracker = Tracker(random=lambda: 1.0, pace=Pace(first_hold_s=5, min_hold_s=2, margin_s=1, backoff_base_s=0.5),
                      wait_for_server=True)  # fmt: skip
    tracker.next_request(0)
    tracker.received(200, {}, update_body(1, "snapshot"), 0)
    assert tracker.next_request(0) == PollRequest({"cursor": "e.1", "timeout": "5"}, 6.0)
    assert tracker.failed(LOST, 6).wait_s == 0.5


def test_a_first_connection_that_fails_is_an_error() -> None:
    session = Session(waits=False, cursor="e.1")
    session.send()
    with pytest.raises(ServerUnreachable):
        session.fail(UNREACHABLE)
    assert session.tracker.ended


def test_the_third_first_connection_that_breaks_is_an_error() -> None:
    session = Session(waits=False)
    for _ in range(2):
        session.send()
        assert session.fail(LOST).wait_s > 0
    session.send()
    with pytest.raises(ConnectionLost):
        session.fail(LOST)


def test_a_server_that_has_answered_is_waited_for() -> None:
    session = Session(waits=False)
    session.send()
    session.refuse(503)
    for failures in range(2, 9):
        session.send()
        assert session.fail(UNREACHABLE).failures == failures
