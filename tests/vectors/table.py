"""Well-formed requests: each endpoint with good and bad input, and the headers of browsers.

`EPOCH` in a target, a header or a body stands for the epoch of the server that is asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from support.api import BULK, ORDERS, STATS, track
from support.callers import CLAIMS, SECRET, STRANGERS, bearer, token

JSON = {"Content-Type": "application/json"}
SHOP, OTHER = "https://shop.example", "https://evil.example"
API = "/api/v1"
LINK = "/t/otl_AAAAAAAAAAAAAAAAAAAAAA"
ORDER = f"{ORDERS}/101"
UNUSED = f"{ORDERS}/{2**63 - 1}"


class Row(NamedTuple):
    """One request. `headers` has neither Host nor Content-Length."""

    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None

    @property
    def name(self) -> str:
        fields = " ".join(f"{name}={value}" for name, value in self.headers.items() if name != "Authorization")
        return f"{self.method} {self.target[:60]} {fields[:60]} {(self.body or b'')[:40]!r}"


def _json(method: str, target: str, value: object, **headers: str) -> Row:
    fields = {name.replace("_", "-"): text for name, text in headers.items()}
    return Row(method, target, {**JSON, **fields}, json.dumps(value).encode())


PATHS = (
    ORDERS, f"{ORDERS}/", ORDER, f"{ORDER}/", f"{ORDER}/events", track(101, timeout=0), f"{ORDER}/status",
    f"{ORDER}/courier", f"{ORDER}/simulate-workflow", f"{ORDER}/links", f"{ORDER}/links/x", f"{ORDER}/audit",
    BULK, f"{API}/customers/1/track?timeout=0", f"{API}/restaurants/1/track?timeout=0",
    f"{API}/couriers/1/track?timeout=0", f"{API}/customers/a%2Fb/track?timeout=0", f"{API}/customers//track", LINK,
    f"{LINK}/track", STATS, "/metrics", "/healthz", "/readyz", "/openapi.json", "/apidocs/", "/apidocs",
    "/apidocs/swagger-ui.css", "/apidocs/no", "/", "/nowhere", API, UNUSED,
    f"{UNUSED}/track?timeout=0", f"{UNUSED}/status", f"{ORDERS}/abc", f"{ORDERS}/abc/track",
    f"{ORDERS}/1%30%31/tr%61ck?timeout=0", f"{ORDER}%2Ftrack", f"{ORDERS}/%F0%9F%8D%95/status", f"{ORDER}/track/",
    "/api/v1/../v1/orders", "/%2e%2e/", "/favicon.ico", "/orders/101", "/orders/x", "/t/x%20y", "/sdk/index.js",
    "/sdk/..%2Findex.js", "/pages/page.js", "/pages/no", "/service-worker.js",
)  # fmt: skip
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "get")
EVERYWHERE = [Row(method, path) for path in PATHS for method in METHODS]

SITES: tuple[Mapping[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site", "Origin": OTHER},
    {"Sec-Fetch-Site": "same-site", "Origin": OTHER},
    {"Sec-Fetch-Site": "cross-site", "Origin": SHOP},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-origin", "Origin": OTHER},
    {"Sec-Fetch-Site": "none"},
    {"Origin": OTHER},
    {"Origin": SHOP},
)
CHANGES = (
    _json("PUT", f"{ORDER}/status", {"status": "confirmed"}),
    _json("PUT", f"{ORDER}/courier", {"courier_id": "7"}),
    _json("POST", BULK, {"updates": [{"order_id": 101, "status": "confirmed"}]}),
    _json("POST", ORDERS, {"customer_id": "sites", "restaurant_id": "r"}),
    Row("DELETE", f"{ORDER}/simulate-workflow"),
)
READS = (
    Row("GET", track(101, timeout=0)), Row("GET", ORDER), Row("GET", "/healthz"), Row("GET", ORDERS + "?limit=1"),
    Row("GET", track("abc")), Row("HEAD", track(101)), Row("GET", f"{API}/customers/1/track?timeout=0"),
)  # fmt: skip
BROWSERS = [
    *(row._replace(headers={**row.headers, **site}) for row in (*CHANGES, *READS) for site in SITES),
    *(
        Row("OPTIONS", path, {"Origin": origin, "Access-Control-Request-Method": method, **asked})
        for path in (track(101), f"{ORDER}/status", ORDERS, BULK, "/healthz", "/nowhere", LINK, f"{LINK}/track", "*")
        for origin in (SHOP, OTHER)
        for method, asked in (
            ("PUT", {"Access-Control-Request-Headers": "authorization, content-type"}),
            ("GET", {}),
            ("BREW", {}),
        )
    ),
]
"""Changes and reads by pages of this site and of others, and preflights."""

_BAD_BODIES = (
    b"", b"{", b"[]", b"null", b"{}", b"[" * 5_000, b"\xff\xfe", b'{"status": "confirmed"} x', b'{"status": 7}',
    b'{"status": "cooking"}', b'{"status": "confirmed", "colour": "red"}', b'{"status": "confirmed", "`": 1}',
    b'{"status": "confirmed", "expected_version": 0}', b'{"status": "confirmed", "expected_version": 9}',
    b'{"status": "confirmed", "undo": "yes"}', b'{"status": "confirmed", "occurred_at": "soon"}',
    b'{"status": "delivered", "undo": true}', b" " * 70_000,
    b'{"customer_id": ""}', b'{"updates": []}', b'{"updates": [{"order_id": 101}]}', b'{"courier_id": 1.5}',
    b'{"speed": 0}',
)  # fmt: skip
_WRITES = (
    ("PUT", f"{ORDER}/status"), ("PUT", f"{ORDER}/courier"), ("POST", ORDERS), ("POST", BULK),
    ("POST", f"{ORDER}/simulate-workflow"), ("PUT", f"{UNUSED}/status"), ("PUT", f"{ORDERS}/abc/status"),
)  # fmt: skip
WRITES = [
    *(Row(method, target, JSON, body) for method, target in _WRITES for body in _BAD_BODIES),
    *(
        Row(method, target, {"Content-Type": declared} if declared else {}, b'{"status": "confirmed"}')
        for method, target in _WRITES[:4]
        for declared in ("", "text/plain", "application/json; charset=utf-8", "APPLICATION/JSON", "application/jsonx")
    ),
    *(_json(method, f"{target}?undo=true", {"status": "confirmed"}) for method, target in _WRITES),
    *(
        _json("PUT", f"{ORDER}/status", {"status": "confirmed"}, If_Match=tag)
        for tag in ('"EPOCH.1"', '"EPOCH.99"', 'W/"EPOCH.1"', '"x.1"', "*", "x", '"a", "b"', "")
    ),
    _json("PUT", f"{ORDER}/status", {"status": "confirmed", "expected_version": 1}),
    _json("PUT", f"{ORDERS}/102/status", {"status": "ready", "reason": "café", "occurred_at": "2026-11-22T10:15:30Z"}),
    _json("PUT", f"{ORDERS}/102/status", {"status": "confirmed"}),
    _json("PUT", f"{ORDERS}/102/status", {"status": "preparing", "undo": True}),
    _json("PUT", f"{ORDERS}/102/status", {"status": "picked_up"}),
    _json("PUT", f"{ORDERS}/102/status", {"status": "cancelled"}),
    _json("PUT", f"{ORDERS}/102/status", {"status": "cancelled", "reason": "lost"}),
    _json("PUT", f"{ORDERS}/102/courier", {"courier_id": "8"}),
    _json("PUT", f"{ORDER}/courier", {"courier_id": 7}),
    _json("POST", ORDERS, {"customer_id": 1, "restaurant_id": "r", "reference": "A-1", "items": [{"name": "Soup"}]}),
    _json("POST", ORDERS, {"customer_id": 1, "restaurant_id": "r", "reference": "A-1"}),
    _json("POST", ORDERS, {"customer_id": "k", "restaurant_id": "r"}, Idempotency_Key="key"),
    _json("POST", ORDERS, {"customer_id": "k", "restaurant_id": "r"}, Idempotency_Key="key"),
    _json("POST", ORDERS, {"customer_id": "l", "restaurant_id": "r"}, Idempotency_Key="key"),
    _json("POST", ORDERS, {"customer_id": "l", "restaurant_id": "r"}, Idempotency_Key="x" * 256),
    _json("POST", BULK, {"updates": [{"order_id": i, "status": "ready"} for i in (103, 999, 102)]}),
    _json("POST", BULK, {"updates": [{"order_id": 103, "status": "ready"}] * 1_001}),
    _json("POST", f"{ORDERS}/103/simulate-workflow", {"speed": 1, "timings": {"ready": 3000}}),
    _json("POST", f"{ORDERS}/103/simulate-workflow", {}),
    Row("DELETE", f"{ORDERS}/103/simulate-workflow"),
    Row("DELETE", f"{ORDERS}/103/simulate-workflow", {}, b"{}"),
    Row("PUT", f"{ORDER}/status", {**JSON, "Expect": "200-ok"}, b'{"status": "confirmed"}'),
    Row("PUT", f"{ORDER}/status", {**JSON, "Content-Encoding": "gzip"}, b'{"status": "confirmed"}'),
]

_QUERIES = (
    "", "timeout=0", "cursor=EPOCH.1&timeout=0", "cursor=EPOCH.0", "cursor=unknown.1", "cursor=&timeout=0",
    "cursor=x&timeout=0", "cursor=EPOCH.99999999999999999999", "last_update=2020-01-01T00:00:00Z",
    "last_update=2099-01-01&timeout=0", "last_update=2020-01-01T00:00:00+01:00", "last_update=soon",
    "last_update=&timeout=0", "timeout=-1", "timeout=NaN",
    "timeout=soon", "timeout=", "timeout=1e1", "timeout=0&timeout=1", "timeout=0.0", "client_id=&timeout=0",
    "client_id=a&timeout=0", "client_id=" + "x" * 65, "client_id=%00", "x=1&timeout=0", "&&timeout=0", "time%6Fut=0",
    "%", "timeout=%ff", "timeout=0;x", "a=1&" * 60 + "timeout=0",
)  # fmt: skip
_PREFERENCES: tuple[Mapping[str, str], ...] = (
    {"Prefer": "wait=0"}, {"Prefer": "WAIT=0"}, {"Prefer": "respond-async, wait=0"}, {"Prefer": "wait=x"},
    {"Prefer": ""}, {"If-None-Match": 'W/"EPOCH.1"'}, {"If-None-Match": '"EPOCH.1"'}, {"If-None-Match": 'W/"EPOCH.0"'},
    {"If-None-Match": "*"}, {"If-None-Match": "x"}, {"If-None-Match": '"a", W/"EPOCH.1"'},
    {"If-None-Match": 'W/"EPOCH.1"', "Prefer": "wait=3"}, {"Accept": "text/html"}, {"Accept-Encoding": "gzip"},
)  # fmt: skip
POLLS = [
    *(Row("GET", f"{path}/track?{query}") for path in (ORDER, f"{API}/customers/1") for query in _QUERIES),
    *(Row("GET", track(101, timeout=0), fields) for fields in _PREFERENCES),
    *(Row("GET", f"{API}/restaurants/1/track?timeout=0", fields) for fields in _PREFERENCES),
    *(Row("HEAD", f"{ORDER}/track?{query}") for query in _QUERIES[:4]),
    Row("GET", track(102)),
    Row("GET", track(102, timeout=30, cursor="EPOCH.9")),
    *(Row("GET", f"{API}/couriers/{id_}/track?timeout=0") for id_ in ("%20", "x" * 65, "%C3%28", "%0A", "%C3%A9")),
    Row("GET", track(101, timeout=0), JSON, b'{"a": 1}'),
]
READS_AND_PAGES = [
    *(Row("GET", ORDER, fields) for fields in _PREFERENCES),
    *(
        Row("GET", f"{ORDERS}?{query}")
        for query in (
            "limit=1", "limit=0", "limit=101", "limit=x", "status=ready", "status=cooking", "customer_id=1",
            "customer_id=", "cursor=o102", "cursor=x", "colour=red", "limit=1&limit=2", "restaurant_id=1&limit=2",
        )
    ),
    *(Row("GET", f"{ORDER}/events?{query}") for query in ("after=0", "after=1", "after=-1", "after=x", "before=1")),
    *(
        Row("GET", path, fields)
        for path in (
            "/openapi.json", "/apidocs/", "/apidocs/swagger-ui.css", "/", "/orders/101", "/orders/999", LINK,
            "/sdk/index.js", "/pages/page.js", "/service-worker.js",
        )
        for fields in (
            {"Range": "bytes=0-10"}, {"If-None-Match": "*"}, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
            {"Accept-Encoding": "gzip, br"}, {"Accept": "application/xml"},
            {"Accept": "text/html", "Accept-Language": "de"}, {"Accept": "text/html", "Accept-Encoding": "gzip"},
        )
    ),
]  # fmt: skip

OPEN = {
    "everywhere": EVERYWHERE,
    "browsers": BROWSERS,
    "writes": WRITES,
    "polls": POLLS,
    "reads and pages": READS_AND_PAGES,
}
"""For servers without access control, in this order: some change what later ones see."""

_ADMIN = bearer(token(CLAIMS["admin"], expires_in_s=3_600))
TOKENS: tuple[Mapping[str, str], ...] = (
    {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"},
    {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer otl_AAAAAAAAAAAAAAAAAAAAAA"},
    {"Authorization": "bearer " + token(CLAIMS["admin"])},
    bearer(token(CLAIMS["admin"], expires_in_s=-100)), bearer(token(CLAIMS["admin"], key=SECRET[::-1])),
    bearer(token(CLAIMS["admin"]) + "x"), bearer("a.b.c"),
    *(bearer(token(claims, expires_in_s=3_600)) for claims in (*CLAIMS.values(), *STRANGERS.values())),
)  # fmt: skip
WITH_TOKENS = {
    "tokens": [
        row._replace(headers={**row.headers, **who})
        for row in (*CHANGES, *READS, *(Row("GET", path) for path in PATHS))
        for who in TOKENS
    ],
    "browsers": [row._replace(headers={**_ADMIN, **row.headers}) for row in BROWSERS],
    "the shop's pages": [row._replace(headers={**row.headers, "Origin": SHOP}) for row in READS],
}
"""For servers with access control and a shop's origin."""
