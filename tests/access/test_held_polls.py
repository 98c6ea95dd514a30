"""Held polls end with their token, link or assignment, and push out no poll of another principal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ordertrack.http.policy.loop_throttle import FREE_ANSWERS
from support.api import eventually
from support.callers import CLAIMS, Caller, token
from support.http1 import Connection

By = Callable[[str], Caller]
Make = Callable[[str | None], Caller]
ORDERS = "/api/v1/orders"
BUSY_S = 30.0
"""Far below a hold: an answer within it was immediate."""


def until_held(by: By, count: int) -> None:
    def held() -> int:
        active: int = by("admin").ask("GET", f"{ORDERS}/system/stats").json()["data"]["active_connections"]
        return active

    eventually(lambda: held() == count, f"{count} polls are held")


def set_status(by: By, role: str, order_id: int, status: str, **more: object) -> httpx.Response:
    return by(role).ask("PUT", f"{ORDERS}/{order_id}/status", json={"status": status, **more})


def link(by: By, order_id: int) -> dict[str, object]:
    made = by("service").ask("POST", f"{ORDERS}/{order_id}/links")
    assert made.status_code == 201, made.text
    data: dict[str, object] = made.json()["data"]
    return data


def test_all_held_polls_of_a_change_are_answered_at_once(by: By, order_id: int) -> None:
    polls = [by(role).hold(f"{ORDERS}/{order_id}/track?timeout=60") for role in CLAIMS]
    until_held(by, len(CLAIMS))
    assert set_status(by, "restaurant", order_id, "preparing").status_code == 200
    for poll in polls:
        assert poll.answer().json()["reason"] == "changed"


@pytest.mark.protocol("7.5")
def test_a_hold_ends_before_its_token_does(caller: Make, order_id: int) -> None:
    short = caller(token(CLAIMS["customer"], expires_in_s=-28))  # thirty seconds of leeway
    began_s = time.monotonic()
    answer = short.poll(f"{ORDERS}/{order_id}/track?timeout=60")
    assert (answer.status, answer.json()["reason"]) == (200, "timeout")
    assert time.monotonic() - began_s < BUSY_S


@pytest.mark.protocol("7.5")
def test_a_courier_who_lost_the_order_gets_no_more_of_it(by: By, order_id: int) -> None:
    poll = by("courier").hold(f"{ORDERS}/{order_id}/track?timeout=60")
    until_held(by, 1)
    by("admin").ask("PUT", f"{ORDERS}/{order_id}/courier", json={"courier_id": "8"})
    answer = poll.answer()
    assert (answer.status, answer.json()["error"]) == (404, "order_not_found")


# Links


@pytest.mark.protocol("7.7", "7.8")
def test_a_link_shows_no_personal_data(by: By, caller: Make, order_id: int) -> None:
    made = link(by, order_id)
    holder = caller(None)
    for answer in (
        holder.ask("GET", f"{made['path']}"),
        holder.ask("GET", f"{made['path']}/track"),
        caller(str(made["token"])).ask("GET", f"{ORDERS}/{order_id}"),
        caller(str(made["token"])).ask("GET", f"{ORDERS}/{order_id}/track"),
        caller(str(made["token"])).ask("GET", f"{ORDERS}/{order_id}/events"),
    ):
        assert answer.status_code == 200, answer.text
        for secret in ("1 Main St", "ring", "ann", '"7"', "root"):
            assert secret not in answer.text
    other = by("admin").ask("POST", ORDERS, json={"customer_id": "ann", "restaurant_id": "luigi"}).json()["data"]["id"]
    assert caller(str(made["token"])).ask("GET", f"{ORDERS}/{other}").status_code == 404
    for method, path in (("PUT", f"{ORDERS}/{order_id}/status"), ("PUT", f"{ORDERS}/{order_id}/courier")):
        body = {"status": "preparing"} if path.endswith("status") else {"courier_id": "8"}
        assert caller(str(made["token"])).ask(method, path, json=body).status_code == 403
    for path in (ORDERS, f"{ORDERS}/{order_id}/links", "/api/v1/customers/ann/track", f"{ORDERS}/system/stats"):
        assert caller(str(made["token"])).ask("GET", path).status_code == 403


@pytest.mark.protocol("7.8")
def test_the_courier_is_shown_between_pick_up_and_delivery(by: By, caller: Make, order_id: int) -> None:
    holder = caller(str(link(by, order_id)["token"]))
    seen = []
    for status in ("preparing", "picked_up", "delivered"):
        set_status(by, "service", order_id, status)
        seen.append(holder.ask("GET", f"{ORDERS}/{order_id}").json()["data"]["courier_id"])
    assert seen == [None, "7", None]


def test_a_held_poll_of_a_link_gets_the_view_of_a_link(by: By, caller: Make, order_id: int) -> None:
    made = link(by, order_id)
    polls = [
        caller(None).hold(f"{made['path']}/track?timeout=60"),
        by("customer").hold(f"{ORDERS}/{order_id}/track?timeout=60"),
        caller(None).hold(f"{made['path']}/track?timeout=60"),
    ]
    until_held(by, 3)
    set_status(by, "restaurant", order_id, "preparing")
    guest, owner, other = (poll.answer() for poll in polls)
    assert b"1 Main St" in owner.body
    assert b"1 Main St" not in guest.body + other.body
    assert guest.json()["cursor"] == owner.json()["cursor"]


@pytest.mark.protocol("7.5")
def test_revoking_a_link_ends_its_held_polls(by: By, caller: Make, order_id: int) -> None:
    made = link(by, order_id)
    poll = caller(None).hold(f"{made['path']}/track?timeout=60")
    until_held(by, 1)
    revoked = by("service").ask("DELETE", f"{ORDERS}/{order_id}/links/{made['id']}")
    assert revoked.status_code == 200, revoked.text
    assert poll.answer().status == 401
    assert caller(None).ask("GET", f"{made['path']}").status_code == 401
    assert "otl_" not in by("service").ask("GET", f"{ORDERS}/{order_id}/links").text


@pytest.mark.parametrize("path", ["/t/otl_AAAAAAAAAAAAAAAAAAAAAA", "/t/x", "/t/otl_AAAAAAAAAAAAAAAAAAAAAA/track"])
def test_an_unknown_link_is_refused(caller: Make, path: str) -> None:
    assert caller(None).ask("GET", path).status_code == 401


# Polls that are not pushed out


@pytest.mark.protocol("7.10")
def test_polls_of_links_do_not_push_out_the_owners(by: By, caller: Make, order_id: int) -> None:
    made = link(by, order_id)
    guests = [caller(None).hold(f"{made['path']}/track?timeout=60") for _ in range(5)]
    until_held(by, 5)
    sixth = caller(None).poll(f"{link(by, order_id)['path']}/track?timeout=60")
    assert (sixth.status, sixth.json()["error"]) == (429, "too_many_connections")
    assert int(sixth.headers["retry-after"]) >= 1
    owners = [by("customer").hold(f"{ORDERS}/{order_id}/track?timeout=60") for _ in range(5)]
    until_held(by, 10)
    eleventh = by("courier").poll(f"{ORDERS}/{order_id}/track?timeout=60")
    assert (eleventh.status, eleventh.json()["error"]) == (429, "too_many_connections")
    assert all(poll.silent() for poll in (*guests, *owners))


@pytest.mark.protocol("7.10", "3.33")
def test_one_principal_cannot_take_all_places_of_an_order(by: By, order_id: int) -> None:
    path = f"{ORDERS}/{order_id}/track?timeout=60"
    oldest = by("customer").hold(path)
    until_held(by, 1)
    customers = [by("customer").hold(path) for _ in range(6)]
    until_held(by, 7)
    customers.append(by("customer").hold(path))
    answer = oldest.answer()
    assert (answer.status, answer.json()["reason"], answer.json()["has_update"]) == (200, "superseded", False)
    others = [by(role).hold(path) for role in ("restaurant", "courier", "service", "admin", "admin", "admin", "admin")]
    until_held(by, 14)
    assert all(poll.silent() for poll in (*customers, *others))


@pytest.mark.protocol("3.33")
def test_the_oldest_poll_of_a_link_gives_way(by: By, caller: Make, order_id: int) -> None:
    made, other = link(by, order_id), link(by, order_id)
    oldest = caller(None).hold(f"{made['path']}/track?timeout=60")
    until_held(by, 1)
    guests = [caller(None).hold(f"{path}/track?timeout=60") for path in (made["path"], *[other["path"]] * 3)]
    until_held(by, 5)
    guests.append(caller(str(made["token"])).hold(f"{ORDERS}/{order_id}/track?timeout=60"))
    assert oldest.answer().json()["reason"] == "superseded"
    assert all(poll.silent() for poll in guests)


@pytest.mark.protocol("7.10")
def test_a_client_id_ends_only_polls_of_its_own_principal(by: By, caller: Make, order_id: int) -> None:
    query = "timeout=60&client_id=phone"
    owner = by("customer").hold(f"{ORDERS}/{order_id}/track?{query}")
    until_held(by, 1)
    guest = caller(None).hold(f"{link(by, order_id)['path']}/track?{query}")
    until_held(by, 2)
    newer = by("customer").hold(f"{ORDERS}/{order_id}/track?{query}")
    assert owner.answer().json()["reason"] == "superseded"
    until_held(by, 2)
    assert guest.silent()
    assert newer.silent()


@pytest.mark.protocol("7.11")
def test_a_tight_loop_is_slowed_and_never_refused(by: By, order_id: int) -> None:
    """A client that sends back a truncated time is always behind, so it is always answered at once."""
    set_status(by, "restaurant", order_id, "preparing")
    customer = by("customer")
    path = f"{ORDERS}/{order_id}/track?last_update=2020-01-01T00:00:00Z&timeout=30"
    began_s, answered = time.monotonic(), 0
    with Connection(customer.url) as connection:
        while time.monotonic() - began_s < 3.0:
            assert connection.ask("GET", path, customer.headers).status == 200
            answered += 1
    assert 3 <= answered <= 7


def test_other_clients_are_not_slowed_by_a_tight_loop(by: By, order_id: int) -> None:
    set_status(by, "restaurant", order_id, "preparing")
    path = f"{ORDERS}/{order_id}/track?last_update=2020-01-01T00:00:00Z&timeout=30"
    looping, over = by("customer"), threading.Event()

    def loop() -> int:
        answered = 0
        with Connection(looping.url) as connection:
            while not over.is_set():
                answered += connection.ask("GET", path, looping.headers).status == 200
        return answered

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(loop)
        began_s = time.monotonic()
        for _ in range(20):
            assert by("customer").poll(path).status == 200
        took_s = time.monotonic() - began_s
        over.set()
        assert answered.result(BUSY_S) >= 1
    assert took_s < 20, "none of them waited for the second that the loop has to"


# A client in a tight loop is slowed before anything of its poll is decided


def slowed(connection: Connection, path: str, headers: dict[str, str]) -> None:
    """Poll until the next answer waits for its pause."""
    for _ in range(FREE_ANSWERS):
        assert connection.ask("GET", path, headers).status == 200
    connection.request("GET", path, headers)


@pytest.mark.protocol("3.18", "7.5")
def test_a_slowed_poll_of_a_revoked_link_is_refused(by: By, order_id: int) -> None:
    made = link(by, order_id)
    with Connection(by("service").url) as connection:
        cursor = connection.ask("GET", f"{made['path']}/track").json()["cursor"]
        assert set_status(by, "restaurant", order_id, "preparing").status_code == 200
        slowed(connection, f"{made['path']}/track?cursor={cursor}&timeout=60", {})
        by("service").ask("DELETE", f"{ORDERS}/{order_id}/links/{made['id']}").raise_for_status()
        answer = connection.answer()
    assert (answer.status, answer.json()["why"]) == (401, "invalid")


@pytest.mark.protocol("3.18")
def test_a_slowed_poll_gets_the_state_after_its_pause(by: By, order_id: int) -> None:
    customer = by("customer")
    with Connection(customer.url) as connection:
        cursor = connection.ask("GET", f"{ORDERS}/{order_id}/track", customer.headers).json()["cursor"]
        path = f"{ORDERS}/{order_id}/track?cursor={cursor}&timeout=60"
        slowed(connection, path, {**customer.headers, "Prefer": "wait=0"})
        assert set_status(by, "restaurant", order_id, "preparing").status_code == 200
        assert connection.answer().json()["reason"] == "changed"
