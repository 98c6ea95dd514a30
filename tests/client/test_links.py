"""Tracking links: created, listed, revoked, and used by their holders. The audit log."""

from __future__ import annotations

import logging

import pytest

from client.drivers import Driver
from client.servers import RealServer, answers, scripted
from client.wire_answers import order, update
from ordertrack.client import AccessDenied, NotFound, Order, OrdertrackClient, OrdertrackClientError
from ordertrack.client.link_url import split_link

TOKEN = "otl_abcdefghijklmnopqrstuv"
ORDER = answers(200, {"success": True, "data": order(3)})


@pytest.fixture
def created(client: OrdertrackClient) -> Order:
    return client.create(customer_id="secret-customer", restaurant_id=2, note="secret")


def test_links_are_created_listed_and_revoked(client: OrdertrackClient, created: Order) -> None:
    made = client.create_link(created.id)
    assert (made.order_id, made.path) == (created.id, f"/t/{made.token}")
    assert [(each.id, each.revoked_at) for each in client.links(created.id)] == [(made.id, None)]
    revoked = client.revoke_link(created.id, made.id)
    assert revoked.revoked_at is not None
    assert client.links(created.id) == [revoked] == [client.revoke_link(created.id, made.id)]
    with pytest.raises(NotFound):
        client.revoke_link(created.id, 987654)


@pytest.mark.parametrize("form", ["{token}", "{url}/t/{token}", "{url}/t/{token}/track", "{url}/t/{token}?lang=de#top"])
def test_holder_reads_and_follows_the_order(client: OrdertrackClient, created: Order, server: RealServer,
                                            driver: Driver, form: str) -> None:  # fmt: skip
    link = form.format(url=server.url, token=client.create_link(created.id).token)
    seen = driver.call(server.url, "order_by_link", link)
    assert (seen.id, seen.customer_id, seen.note) == (created.id, None, None)
    client.set_status(created.id, "delivered")
    (last,) = driver.take(1, server.url, "track_link", link)
    assert (last.order.status, last.terminal) == ("delivered", True)


def test_revoked_link_ends_its_tracking(client: OrdertrackClient, created: Order) -> None:
    made = client.create_link(created.id)
    updates = client.track_link(made.token)
    next(updates)
    client.revoke_link(created.id, made.id)
    with pytest.raises(AccessDenied, match=r"The tracking link was revoked\."):
        next(updates)
    with pytest.raises(AccessDenied, match=r"The tracking link was revoked\."):
        client.order_by_link(made.token)


@pytest.mark.parametrize("link", [TOKEN, "otl_x"], ids=["mistyped", "incomplete"])
def test_error_of_an_unknown_link_says_why(client: OrdertrackClient, link: str) -> None:
    with pytest.raises(AccessDenied, match=r"There is no such tracking link: it is incomplete or mistyped\."):
        client.order_by_link(link)


def test_own_token_is_not_sent_with_a_link() -> None:
    with (
        scripted(ORDER, answers(200, update(1, status="delivered")), ORDER) as server,
        OrdertrackClient(server.url, token="own") as client,
    ):
        client.order_by_link(f"{server.url}/t/{TOKEN}")
        list(client.track_link(TOKEN))
        client.order(101)
    assert [each.headers.get("authorization") for each in server.requests] == [None, None, "Bearer own"]
    assert [each.path for each in server.requests[:2]] == [f"/t/{TOKEN}", f"/t/{TOKEN}/track"]


@pytest.mark.parametrize("link", ["", "otl_", "7", f"http://127.0.0.1:1/x/{TOKEN}", f"ftp://h/t/{TOKEN}",
                                  "http://127.0.0.1:1/t/", "http:///t/x", f"{TOKEN} x", f"http://127.0.0.1:1/t/{TOKEN}/x",
                                  f"http://other.example/t/{TOKEN}"])  # fmt: skip
def test_what_is_no_link_of_the_server_is_refused(driver: Driver, link: str) -> None:
    for method in ("order_by_link", "track_link"):
        with pytest.raises(ValueError, match="link") as raised:
            driver.take(1, "http://127.0.0.1:1", method, link) if method == "track_link" else driver.call(
                "http://127.0.0.1:1", method, link
            )
        assert TOKEN not in str(raised.value)


def test_a_link_names_its_server() -> None:
    assert split_link(f"https://shop.example/track/t/{TOKEN}/") == ("https://shop.example/track", TOKEN)
    assert split_link(TOKEN) == ("", TOKEN)


def test_token_of_a_link_is_in_no_log(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted(ORDER, answers(503), answers(404)) as server:
        driver.call(server.url, "order_by_link", TOKEN)
        with pytest.raises(OrdertrackClientError):
            driver.take(2, server.url, "track_link", TOKEN)
    assert "/t/otl_*** " in caplog.text
    assert "Tracking the order of a link: " in caplog.text
    assert TOKEN not in caplog.text


def test_audit_has_the_address_of_each_change(client: OrdertrackClient, created: Order) -> None:
    client.set_status(created.id, "ready")
    assert [(each.version, each.status, each.origin) for each in client.audit(created.id)] == [
        (1, "confirmed", "127.0.0.1"), (2, "ready", "127.0.0.1")
    ]  # fmt: skip
