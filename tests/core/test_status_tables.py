"""Every table that is kept by status has every status, so that a new one cannot be forgotten."""

from __future__ import annotations

from ordertrack.cli.output import COLOURS
from ordertrack.client import values
from ordertrack.core.access import GRANTS
from ordertrack.core.event import PROGRESSION, Status
from ordertrack.core.poll import NEXT_POLL_INTERVAL_S
from ordertrack.core.principal import Action, Role
from ordertrack.core.simulation import TIMINGS_S
from ordertrack.http.wire.bodies import TimingsBody

STEPS = {status for status in Status if status is not Status.CANCELLED}


def test_tables_have_every_status() -> None:
    assert set(PROGRESSION) == STEPS
    assert {right for (_, (action, right)) in GRANTS if action is Action.MOVE} == STEPS
    assert len(GRANTS) % len(Role) == 0
    assert set(NEXT_POLL_INTERVAL_S) == set(COLOURS) == set(Status)
    assert set(TIMINGS_S) == set(TimingsBody.__struct_fields__) == {status for status in STEPS if not status.ended}


def test_the_client_has_the_statuses_of_the_server() -> None:
    assert [status.value for status in values.Status] == [status.value for status in Status]
    assert [status.value for status in values.PROGRESSION] == [status.value for status in PROGRESSION]
