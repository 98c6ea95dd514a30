"""The redacted order of a tracking link: progress without personal data."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.event import PROGRESSION, Status
from ordertrack.core.link_view import REDACTED_ID, redact_for_link
from ordertrack.core.order import Details, Item, NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, ChangeStatus, advance
from ordertrack.core.simulation import ACTOR as SIMULATOR

SECRETS = ("c-secret", "A-secret", "Elm-secret", "note-secret", "item-secret", "name-secret", "addr-secret")


def order(status: Status, courier_id: str | None = "k-secret") -> Order:
    details = Details((Item("Pizza", 2, 9.5, "item-secret"),), 19, "EUR", "Elm-secret", "note-secret", "Aurora")
    new = NewOrder("c-secret", "r1", courier_id, "A-secret", details, "service:name-secret", "addr-secret")
    made = create(7, new, 1_000)
    for to in PROGRESSION[1 : PROGRESSION.index(status) + 1]:
        made = _after(made, ChangeStatus(7, to, "restaurant:name-secret", origin="addr-secret"))
    return made


def _after(order: Order, change: ChangeStatus | AssignCourier) -> Order:
    event = advance(order, change, order.updated_at_ms + 1)
    assert event is not None
    return evolve(order, event)


@pytest.mark.parametrize("status", PROGRESSION)
def test_private_data_is_removed(status: Status) -> None:
    text = msgspec.json.encode(redact_for_link(order(status))).decode()
    assert [secret for secret in SECRETS if secret in text] == []
    assert ("k-secret" in text) is (status is Status.PICKED_UP)
    assert "Aurora" in text


def test_only_the_current_courier_is_shown_after_pick_up() -> None:
    replaced = _after(order(Status.PICKED_UP), AssignCourier(7, "k-2", "service:name-secret"))
    shown = redact_for_link(replaced)
    assert shown.courier_id == "k-2"
    assert [event.courier_id for event in shown.timeline if event.courier_id is not None] == [REDACTED_ID, "k-2"]
    assert "k-secret" not in msgspec.json.encode(shown).decode()


def test_actors_are_roles_or_anonymous() -> None:
    made = order(Status.CONFIRMED)
    for to, actor in (
        (PROGRESSION[1], "courier:7"),
        (PROGRESSION[2], SIMULATOR),
        (PROGRESSION[3], "Mary"),
        (PROGRESSION[4], "boss:1"),
    ):
        made = _after(made, ChangeStatus(7, to, actor))
    shown = [event.actor for event in redact_for_link(made).timeline]
    assert shown == ["service", "courier", SIMULATOR, "anonymous", "anonymous"]


@given(status=st.sampled_from(PROGRESSION), courier_id=st.none() | st.just("k-secret"))
def test_positions_times_and_statuses_stay(status: Status, courier_id: str | None) -> None:
    made = order(status, courier_id)
    shown = redact_for_link(made)
    assert (shown.id, shown.version, shown.status, shown.updated_at_ms) == (7, made.version, status, made.updated_at_ms)
    for one, other in zip(shown.timeline, made.timeline, strict=True):
        assert (one.version, one.type, one.status, one.at_ms) == (other.version, other.type, other.status, other.at_ms)
    assert shown.details.total == 19
    assert [item.name for item in shown.details.items] == ["Pizza"]
    assert redact_for_link(shown) == redact_for_link(redact_for_link(shown))
