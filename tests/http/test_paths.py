"""Parse request targets, paths and hosts."""

from __future__ import annotations

import pytest

from ordertrack.core.errors import InvalidInput, OrderNotFound
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.http.wire.errors import MalformedRequest
from ordertrack.http.wire.message import is_host, parse_target, percent_decode
from ordertrack.http.wire.paths import (
    Content,
    LinkTarget,
    OrderPageTarget,
    OtherTarget,
    PollTarget,
    StatusTarget,
    match_path,
)


@pytest.mark.parametrize(
    ("path", "kind", "id_"),
    [
        ("/api/v1/orders/101/track", "order", "101"),
        ("/api/v1/orders/%31%30%31/tr%61ck", "order", "101"),
        ("/api/v1/customers/c1/track", "customer", "c1"),
        ("/api/v1/restaurants/%c3%bc%20%F0%9F%8D%95/track", "restaurant", "ü 🍕"),
        ("/api/v1/couriers/a/b/track", "courier", "a/b"),
        ("/api/v1/couriers/a%2Fb/track", "courier", "a/b"),
        ("/api/v1/couriers//track/track", "courier", "/track"),
        ("/api/v1/couriers/" + "x" * 64 + "/track", "courier", "x" * 64),
        ("/api/v1/customers/%2541/track", "customer", "%41"),
    ],
)
def test_a_poll_path_names_a_feed(path: str, kind: str, id_: str) -> None:
    target = match_path(parse_target(path.encode()).path)
    assert isinstance(target, PollTarget)
    assert target.feed() == FeedKey(FeedKind(kind), id_)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/orders/101",
        "/api/v1/orders/101%2ftrack",
        "/api/v1/orders%2F101/track",
        "/api/v1/orders/track",
        "/api/v1/orders//track",
        "/api/v1/orders/1/2/track",
        "/api/v1/orders/101/track/",
        "/api/v1/orders/101/Track",
        "/x/api/v1/orders/101/track",
        "/api/v1/customers/track",
        "/api/v1/shops/c1/track",
        "/t/",
        "/t/a/b",
        "/orders/1/2",
    ],
)
def test_other_paths_go_to_the_framework(path: str) -> None:
    normalized = parse_target(path.encode()).path
    assert match_path(normalized) == OtherTarget(normalized)


def test_a_link_and_its_poll_are_told_apart() -> None:
    assert match_path("/t/abc") == LinkTarget("abc", False)
    assert match_path("/t/abc/track") == LinkTarget("abc", True)
    assert match_path("/t/abc%20).") == LinkTarget("abc%20).", False)


def test_a_status_path_keeps_its_id_encoded() -> None:
    assert match_path("/api/v1/orders/x%2Fy/status") == StatusTarget("x%2Fy")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/", "apidocs"), ("/apidocs", "apidocs"), ("/apidocs/x.js", "apidocs"), ("/healthz", "data"),
        ("/readyz", "data"), ("/openapi.json", "data"), ("/sdk/index.js", "sdk"), ("/sdk/words/de.js", "sdk"),
        ("/sdk/..%2Fx", "sdk"), ("/pages/page.js", "data"), ("/service-worker.js", "service_worker"),
    ],
)  # fmt: skip
def test_public_paths_need_no_caller(path: str, content: str) -> None:
    assert match_path(path) == OtherTarget(path, True, Content(content))


@pytest.mark.parametrize(
    "path", ["/sdk", "/pages", "/service-worker.js/x", "/x/service-worker.js", "/orders", "/orders/"]
)
def test_paths_beside_public_ones_need_a_caller(path: str) -> None:
    assert match_path(path) == OtherTarget(path)


def test_an_order_and_a_link_have_a_page() -> None:
    assert [match_path(path) for path in ("/orders/101", "/orders/x%2Fy")] == [
        OrderPageTarget("101"),
        OrderPageTarget("x%2Fy"),
    ]
    has_page = {path: match_path(path).has_page for path in ("/orders/101", "/t/abc", "/t/abc/track", "/sdk/x.js")}
    assert has_page == {"/orders/101": True, "/t/abc": True, "/t/abc/track": False, "/sdk/x.js": False}


def test_an_encoded_slash_never_separates_segments() -> None:
    assert percent_decode("/a%2Fb/c%20d") == "/a%2Fb/c d"


@pytest.mark.parametrize("id_", ["0", "x", "-1", "1.5", "01", str(2**63), "%2531", "%201"])
def test_text_that_is_not_an_id_is_not_found(id_: str) -> None:
    with pytest.raises(OrderNotFound):
        PollTarget(FeedKind.ORDER, id_).feed()


@pytest.mark.parametrize("kind", [FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER])
@pytest.mark.parametrize("id_", ["", "x" * 65, "a%00b", "a%0Ab", "%7F", "a%ff", "%C3%A9" * 65])
def test_a_malformed_party_id_is_refused(kind: FeedKind, id_: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        PollTarget(kind, id_).feed()
    assert refused.value.field == f"{kind}_id"


def test_an_absolute_target_has_an_authority() -> None:
    assert parse_target(b"HTTP://h:80/a%41?b=/?c") == (b"h:80", "/aA", b"b=/?c")
    assert parse_target(b"http://h") == (b"h", "/", b"")


@pytest.mark.parametrize("target", [b"/a#b", b"host:80", b"a/b", b"?x", b"ftp://h/", b"**"])
def test_other_forms_of_a_target_are_refused(target: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_target(target)


@pytest.mark.parametrize("host", [b"h", b"h:80", b"127.0.0.1:5001", b"[::1]", b"[::1]:80", b"a-b.c_d", b"h:", b"%41"])
def test_hosts_are_names_or_addresses(host: bytes) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host", [b"", b"###", b"a b", b"u@h", b"[::1", b"::1", b"<x>", b"h:99999", b"h:x", b"h/p", b"\xe4", b"h,h"]
)
def test_other_hosts_are_refused(host: bytes) -> None:
    assert not is_host(host)
