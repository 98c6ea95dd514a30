"""The address of a client: only a trusted proxy can name another one than that of the connection."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.http.policy.client_address import UNKNOWN, Addresses, budget_key, parse_networks
from ordertrack.http.wire.message import Headers

PROXIES = Addresses(parse_networks("10.0.0.0/8, 2001:db8::1"))
NO_PROXY = Addresses(())


def forwarded(*values: str) -> Headers:
    return Headers.from_pairs((b"x-forwarded-for", value.encode()) for value in values)


def test_without_trusted_proxies_the_header_is_ignored() -> None:
    assert NO_PROXY.client("192.0.2.7", forwarded("198.51.100.1")) == "192.0.2.7"


def test_an_untrusted_peer_cannot_claim_an_address() -> None:
    assert PROXIES.client("192.0.2.7", forwarded("198.51.100.1")) == "192.0.2.7"


@pytest.mark.parametrize(
    ("values", "client"),
    [
        (("198.51.100.1",), "198.51.100.1"),
        (("203.0.113.9, 198.51.100.1",), "198.51.100.1"),
        (("203.0.113.9", "198.51.100.1"), "198.51.100.1"),
        (("203.0.113.9, 10.1.2.3",), "203.0.113.9"),
        (("10.1.2.3",), "10.1.2.3"),
        (("2001:db8::5",), "2001:db8::5"),
        (("::ffff:198.51.100.1",), "198.51.100.1"),
        (("198.51.100.1:5678",), "198.51.100.1"),
        (('"198.51.100.1:5678"',), "198.51.100.1"),
        (("203.0.113.9:1, 198.51.100.1:5678 , 10.1.2.3:80",), "198.51.100.1"),
        (("[2001:db8::5]:443",), "2001:db8::5"),
        (("[2001:db8::5]",), "2001:db8::5"),
        (('"[2001:db8::5%eth0]:443"',), "2001:db8::5"),
        (("[::ffff:198.51.100.1]:443",), "198.51.100.1"),
        (("203.0.113.9, [2001:db8::1]:443",), "203.0.113.9"),
        (("198.51.100.1:port",), "10.0.0.1"),
        (("198.51.100.1:",), "10.0.0.1"),
        (("198.51.100.1:123456",), "10.0.0.1"),
        (("[198.51.100.1]:80",), "10.0.0.1"),
        (("[2001:db8::5",), "10.0.0.1"),
        (("for=198.51.100.1",), "10.0.0.1"),
        (("rubbish",), "10.0.0.1"),
        (("rubbish, 198.51.100.1",), "198.51.100.1"),
        ((), "10.0.0.1"),
    ],
)
def test_the_last_untrusted_address_counts(values: tuple[str, ...], client: str) -> None:
    assert PROXIES.client("10.0.0.1", forwarded(*values)) == client


def test_the_forwarded_header_is_ignored() -> None:
    headers = Headers({b"forwarded": b"for=203.0.113.9"})
    assert PROXIES.client("10.0.0.1", headers) == "10.0.0.1"
    assert PROXIES.client("10.0.0.1", Headers({**headers, **forwarded("198.51.100.1")})) == "198.51.100.1"


@given(st.ip_addresses(), st.integers(0, 65_535), st.sampled_from(["", " ", "\t"]), st.booleans())
def test_an_address_may_have_a_port(address: IPv4Address | IPv6Address, port: int, space: str, quoted: bool) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    entry = f'"{host}:{port}"' if quoted else f"{host}:{port}"
    plain = PROXIES.client("10.0.0.1", forwarded(str(address)))
    assert PROXIES.client("10.0.0.1", forwarded(f"{space}{entry}{space}")) == plain


def test_the_scope_of_an_address_is_dropped() -> None:
    assert budget_key(NO_PROXY.client("fe80::1%eth0", Headers())) == budget_key("fe80::2")
    assert NO_PROXY.client("::ffff:192.0.2.7", Headers()) == "192.0.2.7"


def test_a_peer_without_an_address_is_unknown() -> None:
    assert NO_PROXY.client(None, Headers()) == NO_PROXY.client("", Headers()) == UNKNOWN


@given(st.text(max_size=60))
def test_any_header_gives_an_address(claimed: str) -> None:
    headers = Headers({b"x-forwarded-for": claimed.encode("utf-8", "ignore")})
    assert len(PROXIES.client("10.0.0.1", headers)) <= 45


def test_addresses_of_an_ipv6_network_share_a_budget() -> None:
    assert budget_key("2001:db8:1:2::7") == budget_key("2001:db8:1:2:ffff::1") != budget_key("2001:db8:1:3::7")
    assert budget_key("192.0.2.7") != budget_key("192.0.2.8")
    assert budget_key(UNKNOWN) == UNKNOWN
