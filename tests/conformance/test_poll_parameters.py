"""Section 3: the parameters and headers of a poll."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from support.api import ORDERS, Api, Json
from support.http1 import Answer

MALFORMED_TIMEOUTS = [
    "abc", "-1", "-0.5", "nan", "NaN", "inf", "-inf", "Infinity", "1e9", "1e3", "0x1e", "", "%20", "%2030", "30%20",
    "%2B30", "1_000", "1,5", "1.5.1", "30s", "PT30S", "null", "true", "%D9%A3%D9%A0", "1" * 400, "%00", "30%0A",
]  # fmt: skip
MALFORMED_TIMES = [
    "yesterday", "1769904000", "2026-01-01", "10:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
    "2026-01-01T25:00:00Z", "2026-01-01T10:00:00+25:00", "2026-01-01T10:00:00+01:60", "2026-01-01T10:00:00Zulu",
    "2026-01-01T10:00:00.Z", "0000-01-01T00:00:00Z", "26-01-01T00:00:00Z", "2026-W01-1T00:00:00Z", "null", "%FF",
]  # fmt: skip
MALFORMED_CURSORS = [
    "x", "1", ".", "a1b2.", ".1", "a1b2.-1", "a1b2.1.1", "a1b2.x", "a1b2.01", "A1B2.1", "a1b2.9223372036854775808",
    "a1b2%20.1", "a1b2.1%0A", "%F0%9F%8D%95.1", "a" * 33 + ".1", "W/%22a1b2.1%22",
]  # fmt: skip


def _ask(api: Api, order: Json, query: str) -> Answer:
    """Poll with this query string, unchanged."""
    with api.connect() as connection:
        return connection.ask("GET", f"{ORDERS}/{order['id']}/track?{query}")


def _spellings(time: str) -> dict[str, str]:
    """Return the same millisecond in all formats, percent-encoded."""
    at = datetime.fromisoformat(time)
    east, west = (at.astimezone(timezone(timedelta(hours=h, minutes=m))) for h, m in ((2, 0), (-3, -30)))
    milliseconds = at.microsecond // 1000
    plain = at.strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds:03d}"
    eastern = east.strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds:03d}"
    western = west.strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds:03d}"
    return {
        "as it was given": time,
        "a small z": plain + "z",
        "a small t": plain.replace("T", "t") + "Z",
        "no zone, which is UTC": plain,
        "an offset of nothing": plain + "%2B00:00",
        "an offset whose + became a space": plain + "+00:00",
        "a space for the T": plain.replace("T", "%20"),
        "a + for the T": plain.replace("T", "+") + "Z",
        "an eastern offset": eastern + "%2B02:00",
        "an eastern offset whose + became a space": eastern + "%2002:00",
        "an offset without a colon": eastern + "%2B0200",
        "an offset of hours only": eastern + "%2B02",
        "a western offset": western + "-03:30",
        "a comma in the fraction": plain.replace(".", ",") + "Z",
        "microseconds": plain + "999Z",
        "nanoseconds": plain + "000001Z",
    }


SPELLINGS = list(_spellings("2026-01-01T00:00:00.000Z"))


@pytest.fixture(scope="module")
def preparing(url: str) -> Json:
    """An order of two versions that no test changes, and that is held by none for long."""
    api = Api(url)
    order = api.at("preparing")
    api.close()
    return order


@pytest.mark.protocol("3.2")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_current_time_in_any_format_is_current(api: Api, preparing: Json, spelling: str):
    answer = _ask(api, preparing, f"timeout=0&last_update={_spellings(preparing['updated_at'])[spelling]}")
    assert (answer.status, answer.json()["reason"]) == (200, "timeout")


@pytest.mark.protocol("3.2", "3.8")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_older_time_in_any_format_is_behind(api: Api, preparing: Json, spelling: str):
    created = preparing["timeline"][0]["recorded_at"]
    answer = _ask(api, preparing, f"timeout=30&last_update={_spellings(created)[spelling]}")
    assert (answer.status, answer.json()["reason"]) == (200, "changed")
    assert [event["version"] for event in answer.json()["events"]] == [2]


@pytest.mark.protocol("3.2")
def test_times_are_compared_at_milliseconds(api: Api, preparing: Json):
    current = datetime.fromisoformat(preparing["updated_at"])
    just_before = (current - timedelta(milliseconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    assert _ask(api, preparing, f"timeout=0&last_update={just_before}").json()["reason"] == "changed"
    assert _ask(api, preparing, f"timeout=0&last_update={just_before[:-1]}999Z").json()["reason"] == "changed"


@pytest.mark.protocol("3.2")
@pytest.mark.parametrize("time", ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-23:59", "2100-01-01T00:00"])
def test_a_time_in_the_future_is_current(api: Api, preparing: Json, time: str):
    assert _ask(api, preparing, f"timeout=0&last_update={time}").json()["reason"] == "timeout"


@pytest.mark.protocol("3.2")
@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B23:59", "1970-01-01T00:00", "2000-02-29T12:00"]
)
def test_a_time_before_the_order_was_made_is_behind_everything(api: Api, preparing: Json, time: str):
    answer = _ask(api, preparing, f"timeout=30&last_update={time}").json()
    assert (answer["reason"], len(answer["events"])) == ("changed", 2)


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("timeout", MALFORMED_TIMEOUTS)
def test_a_malformed_timeout_is_400_at_once(api: Api, preparing: Json, timeout: str):
    answer = _ask(api, preparing, f"timeout={timeout}")
    assert (answer.status, answer.json()["error"], answer.json()["field"]) == (400, "invalid_parameter", "timeout")


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("name", ["timeout", "cursor", "last_update", "client_id"])
def test_a_parameter_that_is_given_twice_is_400_at_once(api: Api, preparing: Json, name: str):
    answer = _ask(api, preparing, f"timeout=30&{name}=1&{name}=1" if name != "timeout" else "timeout=1&timeout=1")
    assert (answer.status, answer.json()["error"], answer.json()["field"]) == (400, "invalid_parameter", name)


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("time", MALFORMED_TIMES)
def test_a_malformed_time_is_400_at_once(api: Api, preparing: Json, time: str):
    answer = _ask(api, preparing, f"timeout=30&last_update={time}")
    assert (answer.status, answer.json()["error"]) == (400, "invalid_parameter")


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("cursor", MALFORMED_CURSORS)
def test_a_malformed_cursor_is_400_at_once(api: Api, preparing: Json, cursor: str):
    answer = _ask(api, preparing, f"timeout=30&cursor={cursor}")
    assert (answer.status, answer.json()["error"], answer.json()["field"]) == (400, "invalid_parameter", "cursor")


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("client_id", ["x" * 65, "a%0Ab", "%00", "%7F"])
def test_a_malformed_client_id_is_400_at_once(api: Api, preparing: Json, client_id: str):
    answer = _ask(api, preparing, f"timeout=30&client_id={client_id}")
    assert (answer.status, answer.json()["field"]) == (400, "client_id")


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("query", ["timeout=30&x=%FF", "&".join(f"p{n}=1" for n in range(60))])
def test_a_malformed_query_is_400_at_once(api: Api, preparing: Json, query: str):
    assert _ask(api, preparing, query).status == 400


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("timeout", ["0", "0.0", "00", "0.000000001", "0.25", "000000000000"])
def test_a_timeout_may_be_an_integer_or_a_decimal(api: Api, preparing: Json, timeout: str):
    assert _ask(api, preparing, f"timeout={timeout}").json()["reason"] == "timeout"


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("timeout", ["121", "3601", "999999999999", "99999.5"])
def test_a_timeout_above_the_maximum_is_held_and_not_refused(api: Api, preparing: Json, timeout: str):
    held = api.hold(preparing["id"], timeout=timeout)
    api.until_held(1)
    assert held.silent()


@pytest.mark.protocol("3.4")
def test_unknown_parameters_are_ignored(api: Api, preparing: Json):
    answer = _ask(api, preparing, "_=1769904000&v=2&v=3&Timeout=x&timeout=0&%5B%5D=1")
    assert (answer.status, answer.json()["reason"]) == (200, "timeout")


@pytest.mark.protocol("3.3", "3.12")
@pytest.mark.parametrize(
    ("prefer", "applied"), [("wait=0", "wait=0"), ("respond-async, wait=0", "wait=0"), ('WAIT="0"', "wait=0")]
)
def test_prefer_wait_shortens_the_hold_and_is_acknowledged(api: Api, preparing: Json, prefer: str, applied: str):
    answer = api.poll(preparing["id"], {"Prefer": prefer}, timeout=30)
    assert (answer.status, answer.json()["reason"]) == (200, "timeout")
    assert answer.headers["preference-applied"] == applied


@pytest.mark.protocol("3.3", "3.11")
def test_prefer_wait_does_not_lengthen_the_hold(api: Api, preparing: Json):
    answer = api.poll(preparing["id"], {"Prefer": "wait=30"}, timeout=0.1)
    assert (answer.json()["reason"], answer.headers["preference-applied"]) == ("timeout", "wait=30")


@pytest.mark.protocol("3.3", "3.11")
def test_prefer_wait_alone_shortens_the_default_hold(api: Api, preparing: Json):
    cursor = api.cursor(preparing["id"])
    with api.connect() as connection:
        answer = connection.ask("GET", f"{ORDERS}/{preparing['id']}/track?cursor={cursor}", {"Prefer": "wait=1"})
    assert answer.json()["reason"] == "timeout"


@pytest.mark.protocol("3.3")
@pytest.mark.parametrize("prefer", ["wait", "wait=soon", "wait=-1", "return=minimal", ""])
def test_an_unknown_preference_is_ignored(api: Api, preparing: Json, prefer: str):
    answer = api.poll(preparing["id"], {"Prefer": prefer}, timeout=0)
    assert (answer.status, answer.headers.get("preference-applied")) == (200, None)


@pytest.mark.protocol("3.2")
def test_an_old_client_may_send_its_own_clock(api: Api, preparing: Json):
    """As `last_update=2025-01-12T20:30:00` of the original contract's example: no zone, no fraction."""
    now = datetime.now(UTC) + timedelta(hours=1)
    answer = _ask(api, preparing, f"timeout=0&last_update={now:%Y-%m-%dT%H:%M:%S}")
    assert answer.json()["reason"] == "timeout"
