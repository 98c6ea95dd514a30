"""Each check passes a valid history and finds its violation, in histories written by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from cluster.checks import CHECKS, check_all
from cluster.history import Attempt, Fault, Feed, History, OrderState, Poll, Session, StoredEvent, StoredOrder

ORDER = 7
PREPARING_ACKNOWLEDGED_S, READY_ACKNOWLEDGED_S = 10.0, 20.0


def event(version: int, status: str, token: str | None, actor: str = "anonymous") -> StoredEvent:
    kind = "created" if version == 1 else "status_changed"
    return StoredEvent(version, kind, status, f"2026-11-22T10:15:{version:02}.000Z", actor, token, None)


EVENTS = (event(1, "confirmed", None), event(2, "preparing", "u2"), event(3, "ready", "u3"))
STORED = StoredOrder(ORDER, 3, "ready", "c1", "r1", "key", EVENTS)


def attempt(version: int, status: str, sent_s: float, done_s: float) -> Attempt:
    return Attempt(
        f"u{version}", "status", "n0", ORDER, sent_s, done_s, "acknowledged", 200, True, version, status
    )  # fmt: skip


def answer(position: int | None, version: int, sent_s: float, answered_s: float, reason: str, node: str = "n1") -> Poll:
    state = OrderState(ORDER, version, EVENTS[version - 1].status)
    return Poll(
        node, sent_s, position, answered_s, 200, "answered", reason=reason, version=version, states=(state,),
        events=() if position is None else EVENTS[position:version],
    )  # fmt: skip


def valid() -> History:
    """An order with two updates, a client that follows it over two nodes, and one that follows the restaurant."""
    history = History()
    history.attempts = [
        Attempt("key", "create", "n0", ORDER, 1.0, 1.1, "acknowledged", 201, True, 1, "confirmed"),
        attempt(2, "preparing", 9.9, PREPARING_ACKNOWLEDGED_S),
        attempt(3, "ready", 19.9, READY_ACKNOWLEDGED_S),
        Attempt("u4", "status", "n1", ORDER, 25.0, 25.1, "refused", 409),
    ]
    history.sessions = [
        Session(
            "client", Feed("order", str(ORDER)), polls=[
                answer(None, 1, 2.0, 2.1, "snapshot"),
                answer(1, 1, 2.1, 8.0, "timeout"),
                answer(1, 2, 8.0, 10.1, "changed"),
                answer(2, 3, 10.1, 20.1, "changed", "n2"),
                Poll("n2", 20.1, 3, 30.0, 0, "stopped"),
            ],
        ),
        Session(
            "board", Feed("restaurant", "r1"), polls=[
                replace(answer(None, 2, 12.0, 12.1, "snapshot"), version=5),
                replace(answer(None, 3, 12.1, 20.1, "changed"), position=5, version=6),
            ],
        ),
    ]  # fmt: skip
    history.final = {node: {ORDER: STORED} for node in ("n0", "n1")}
    return history


def lose_update(history: History) -> None:
    for orders in history.final.values():
        orders[ORDER] = replace_order(version=2, status="preparing", events=EVENTS[:2])


def replace_order(**fields: object) -> StoredOrder:
    return STORED._replace(**fields)  # type: ignore[arg-type]


def lose_order(history: History) -> None:
    history.final = {"n0": {}}


def make_refused_change(history: History) -> None:
    history.final["n1"][ORDER] = replace_order(version=4, events=(*EVENTS, event(4, "ready", "u4")))


def make_change_twice(history: History) -> None:
    history.final["n1"][ORDER] = replace_order(version=4, events=(*EVENTS, event(4, "ready", "u3")))


def acknowledge_version_twice(history: History) -> None:
    history.attempts.append(replace(history.attempts[2], token="other"))


def skip_version(history: History) -> None:
    history.final["n1"][ORDER] = replace_order(version=4, events=(*EVENTS, event(5, "ready", None)))


def repeat_time(history: History) -> None:
    last = EVENTS[-1]._replace(recorded_at=EVENTS[1].recorded_at)
    history.final["n1"][ORDER] = replace_order(events=(*EVENTS[:2], last))


def go_back(history: History) -> None:
    history.sessions[0].polls.insert(4, answer(3, 2, 20.1, 20.2, "changed"))


def leave_out_event(history: History) -> None:
    history.sessions[0].polls[3].events = ()


def change_event(history: History) -> None:
    history.sessions[0].polls[3].events = (EVENTS[2]._replace(status="picked_up"),)


def reset_position(history: History) -> None:
    history.sessions[0].polls[3].reason = "reset"


def refuse_position(history: History) -> None:
    history.sessions[0].polls.insert(3, Poll("n2", 10.1, 2, 10.2, 404, "answered", "order_not_found"))


def time_out_ahead(history: History) -> None:
    history.sessions[0].polls[2] = replace(answer(1, 2, 8.0, 10.1, "timeout"), events=())


def time_out_over_news(history: History) -> None:
    history.sessions[0].polls[3:3] = [answer(2, 2, 10.1, 20.3, "timeout"), answer(2, 2, 20.3, 20.5, "timeout")]


def wait_over_news(history: History) -> None:
    history.sessions[0].polls[2].answered_s = 10.3


def stop_over_news(history: History) -> None:
    history.sessions[0].polls[3:] = [Poll("n2", 10.1, 2, 30.0, 0, "stopped")]


def wait_over_news_of_party(history: History) -> None:
    history.sessions[1].polls[1].answered_s = 20.3


def read_old_state(history: History) -> None:
    history.sessions.append(Session("reader", Feed("order", str(ORDER)), follows=False))
    history.sessions[-1].polls.append(answer(None, 1, 10.35, 10.4, "snapshot"))


def end_with_old_state(history: History) -> None:
    history.sessions[0].polls[3:] = []


def differ_between_nodes(history: History) -> None:
    history.final["n0"][ORDER] = replace_order(status="delivered")


def break_poll_in_drain(history: History) -> None:
    history.faults.append(Fault("node_drain", "n1", 9.0, 12.0))
    history.sessions[0].polls.insert(2, Poll("n1", 8.0, 1, 9.5, 0, "broken"))


def refuse_poll_in_drain(history: History) -> None:
    history.faults.append(Fault("node_drain", "n1", 9.0, 12.0))
    history.sessions[0].polls.insert(2, Poll("n1", 8.0, 1, 9.5, 503, "answered", "not_ready"))


def fail_to_stop(history: History) -> None:
    history.faults.append(Fault("node_drain", "n0", 50.0, 60.0, "it did not stop"))


def break_poll(history: History) -> None:
    history.sessions[0].polls.insert(2, Poll("n1", 8.0, 1, 8.1, 0, "broken"))


def fail_with_500(history: History) -> None:
    history.faults.append(Fault("redis_kill", None, 8.0, 9.0))
    history.sessions[0].polls.insert(2, Poll("n1", 8.0, 1, 8.1, 500, "answered", "internal_error"))


def refuse_update(history: History) -> None:
    history.attempts.append(Attempt("u5", "status", "n1", ORDER, 25.0, 25.1, "refused", 503))


def create_twice(history: History) -> None:
    history.attempts.append(replace(history.attempts[0], order_id=8))


def skip_simulated_step(history: History) -> None:
    history.simulated.append(ORDER)


VIOLATIONS: list[tuple[str, Callable[[History], None]]] = [
    ("durable", lose_update), ("durable", lose_order), ("explained", make_refused_change),
    ("explained", make_change_twice), ("unique", acknowledge_version_twice), ("ordered", skip_version),
    ("ordered", repeat_time), ("ordered", go_back), ("reliable", leave_out_event), ("reliable", change_event),
    ("resumable", reset_position), ("resumable", refuse_position), ("bookmarkable", time_out_ahead),
    ("prompt", time_out_over_news), ("prompt", wait_over_news), ("prompt", stop_over_news),
    ("prompt", wait_over_news_of_party), ("fresh", time_out_over_news), ("fresh", read_old_state),
    ("converged", end_with_old_state), ("converged", differ_between_nodes), ("drained", break_poll_in_drain),
    ("drained", refuse_poll_in_drain), ("drained", fail_to_stop), ("answered", break_poll),
    ("answered", fail_with_500), ("answered", refuse_update), ("idempotent", create_twice),
    ("once", skip_simulated_step),
]  # fmt: skip


def found(history: History) -> set[str]:
    return {violation.check for violation in check_all(history)}


def test_valid_history_has_no_violation() -> None:
    assert check_all(valid()) == []


@pytest.mark.parametrize(("check", "violate"), VIOLATIONS, ids=lambda value: getattr(value, "__name__", value))
def test_check_finds_its_violation(check: str, violate: Callable[[History], None]) -> None:
    history = valid()
    violate(history)
    assert check in found(history)


def test_every_check_has_a_violation_here() -> None:
    assert {check.__name__.removeprefix("check_") for check in CHECKS} == {check for check, _ in VIOLATIONS}


@pytest.mark.parametrize(
    ("fault", "is_excused"),
    [
        (Fault("redis_kill", None, 4.0, 6.0), True),
        (Fault("redis_kill", None, 1.0, 4.0), False),
        (Fault("redis_kill", None, 10.1, math.inf), True),
        (Fault("node_stop", "n1", 4.0, 6.0), True),
        (Fault("node_stop", "n0", 4.0, 6.0), True),
        (Fault("node_stop", "n2", 4.0, 6.0), False),
    ],
)
def test_fault_excuses_a_wait_until_5_s_later(fault: Fault, is_excused: bool) -> None:
    """The news was acknowledged by n0 at 10 s, and the poll is held by n1."""
    history = valid()
    wait_over_news(history)
    history.faults.append(fault)
    assert ("prompt" not in found(history)) == is_excused


def test_wait_longer_than_excused_is_found() -> None:
    history = valid()
    history.faults.append(Fault("redis_kill", None, 4.0, 6.0))
    history.sessions[0].polls[2].answered_s = 11.1
    assert "prompt" in found(history)


def test_time_without_cpu_is_not_counted() -> None:
    history = valid()
    wait_over_news(history)
    history.starvation.add(10.1, 0.2)
    assert "prompt" not in found(history)


def test_unknown_change_may_be_made_or_not() -> None:
    for order in (STORED, replace_order(version=4, events=(*EVENTS, event(4, "ready", "u5")))):
        history = valid()
        history.faults.append(Fault("postgres_crash", None, 24.0, 26.0))
        history.attempts.append(Attempt("u5", "status", "n1", ORDER, 25.0, 25.1, "unknown"))
        history.final = {node: {ORDER: order} for node in ("n0", "n1")}
        history.sessions = []
        assert check_all(history) == []
