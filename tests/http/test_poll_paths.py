"""From a path to a feed."""

from __future__ import annotations

import pytest

from ordertrack.core.errors import InvalidInput, OrderNotFound
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.http.parameters import is_poll_path, parse_feed


@pytest.mark.parametrize(
    ("path", "kind", "id_"),
    [
        ("/api/v1/orders/101/track", "order", "101"),
        ("/api/v1/customers/c1/track", "customer", "c1"),
        ("/api/v1/restaurants/ü 🍕/track", "restaurant", "ü 🍕"),
        ("/api/v1/couriers/a/b/track", "courier", "a/b"),
        ("/api/v1/couriers//track/track", "courier", "/track"),
        ("/api/v1/couriers/" + "x" * 64 + "/track", "courier", "x" * 64),
        ("/api/v1/customers/%41/track", "customer", "%41"),
    ],
)
def test_a_poll_path_names_a_feed(path: str, kind: str, id_: str):
    assert is_poll_path(path)
    assert parse_feed(path) == FeedKey(FeedKind(kind), id_)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/orders/101",
        "/api/v1/orders/track",
        "/api/v1/orders//track",
        "/api/v1/orders/1/2/track",
        "/api/v1/orders/101/track/",
        "/api/v1/orders/101/Track",
        "/x/api/v1/orders/101/track",
        "/api/v1/customers/track",
        "/api/v1/customers/c1",
        "/api/v1/shops/c1/track",
        "/api/v1/customersX/c1/track",
        "",
    ],
)
def test_another_path_is_none(path: str):
    assert not is_poll_path(path)


@pytest.mark.parametrize("id_", ["0", "x", "-1", "1.5", "01", str(2**63), "%31", " 1"])
def test_what_is_not_an_order_id_is_no_order(id_: str):
    assert is_poll_path(f"/api/v1/orders/{id_}/track")
    with pytest.raises(OrderNotFound):
        parse_feed(f"/api/v1/orders/{id_}/track")


@pytest.mark.parametrize("kind", ["customer", "restaurant", "courier"])
@pytest.mark.parametrize("id_", ["", "x" * 65, "a\x00", "a\nb", "\x7f", "a\N{REPLACEMENT CHARACTER}"])
def test_what_is_not_a_partys_id_is_refused_by_its_name(kind: str, id_: str):
    assert is_poll_path(f"/api/v1/{kind}s/{id_}/track")
    with pytest.raises(InvalidInput) as refused:
        parse_feed(f"/api/v1/{kind}s/{id_}/track")
    assert refused.value.field == f"{kind}_id"
