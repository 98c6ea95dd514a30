"""Targets and Host (RFC 9112, 3.2; RFC 9110, 4.2 and 7.2; RFC 3986)."""

from __future__ import annotations

from vectors.messages import CREATE, HEALTH, JSON, ORDER, POLL_TARGET, SAME, STATUS, TRACK, get, length, put
from vectors.outcomes import Vector, declined, refused, served, served_last

TARGETS = [
    *(
        Vector(f"absolute form {prefix.decode()} {name}", get(target=prefix + target), served())
        for prefix in (b"http://t", b"https://t", b"HTTP://T", b"http://shop:8080", b"http://[::1]:80", b"http://t:")
        for name, target in (("order", ORDER), ("poll", POLL_TARGET))
    ),
    Vector("absolute form of an update", put(length(SAME), target=b"http://t" + STATUS), served()),
    Vector("absolute form without a path", get(target=b"http://t"), served(302)),
    Vector("absolute form with a query alone", get(target=b"http://t?x=1"), served(302)),
    Vector("absolute form in HTTP/1.0", get(target=b"http://t/healthz", version=b"HTTP/1.0", host=None), served_last()),
    Vector("OPTIONS *", get(target=b"*", method=b"OPTIONS"), served(204)),
    Vector("query with a question mark", get(target=HEALTH + b"?a=b?c"), served()),
    Vector("query with quotes", get(target=HEALTH + b"""?a="b"|'c'<d>`e`{f}\\g^h"""), served()),
    Vector("empty query", get(target=ORDER + b"/track?"), served()),
    Vector("encoded digits", get(target=b"/api/v1/orders/%31%30%31"), served()),
    Vector("encoded digits of a poll", get(target=b"/api/v1/orders/%31%30%31/track"), served()),
    Vector("encoded letters of a poll", get(target=ORDER + b"/tr%61ck?time%6fut=0"), served()),
    *(
        Vector(f"no such path {target.decode()}", get(target=target), served(404))
        for target in (
            ORDER + b"%2ftrack", ORDER + b"%2Ftrack", b"/api/v1%2Forders/101", b"/api/v1/orders%2f101/track",
            b"/api/v1/orders/101%00", b"/api/v1/orders/101%20", b"/api/v1/orders/%2e%2e/101",
            b"/api/v1/x/../orders/101", b"//healthz", b"/./healthz", b"/%zz", b"/%", b"/api/v1/orders/101/%74rac",
            b"/\\healthz", b"/healthz;x", b"/%EF%BC%8Fhealthz", b"/api/v1/orders/101%252ftrack",
        )
    ),
    *(
        Vector(f"no status path {target.decode()}", put(length(SAME), target=target), served(status))
        for target, status in ((ORDER + b"%2fstatus", 405), (b"/api/v1/orders%2F101/status", 404))
    ),
    *(
        Vector(f"target {target!r}", get(target=target), declined(400))
        for target in (
            b"*", b"healthz", b"?x=1", b"example.com:443", b"t", b".", b"api/v1/orders/101", b"ftp://t/healthz",
            b"s://]ufd/:", b"file:///healthz", b"javascript:1", b"http:/healthz", b"http:healthz", b"http:///healthz",
            b"http://u@t/healthz", b"http://u:p@t/healthz", b"http://t:99999/healthz", b"http://[::1/healthz",
            b"http://<x>/healthz", b"http://:80/healthz",
            HEALTH + b"#", HEALTH + b"#part", HEALTH + b"?x=1#part", TRACK + b"#part", b"http://t/healthz#part", b"#",
        )
    ),
    Vector("* for an update", put(length(SAME), target=b"*"), declined(400)),
    *(
        Vector(f"target {target!r}", get(target=target), refused(400))
        for target in (
            b"/healthz\x00", b"/health\x01z", b"/healthz\x7f", b"/healthz\x80", b"/healthz\xff",
            "/größe".encode(), "/healthz?q=é".encode(), b"/health z", b"/healthz ", b"/healthz?x=\ty",
            TRACK + b"\x00", TRACK + b"\xe9", TRACK + b"?x=\xe9",
        )
    ),
    *(
        Vector(f"CONNECT {target.decode()}", get(target=target, method=b"CONNECT"), declined(400, 501))
        for target in (b"example.com:443", b"[::1]:443", b"*")
    ),
]  # fmt: skip

_BAD_HOSTS = (
    b"", b"###", b"a b", b"u@h", b"u:p@h", b"[::1", b"::1]", b"[::1]x", b"[::1]:x", b"[zz]", b"[]", b"<x>", b"h:99999",
    b"h:65536", b"h:-1", b"h:8a", b"h:80:80", b"h: 80", b":80", b"http://t", b"t/", b"t?x", b"t#x", b"t\\x", b"%",
    b"%4", b"%zz", b'"t"', b"{t}", b"t|x", b"t\tx", b"\xe9", "größe.example".encode(), b"::1",
)  # fmt: skip
_GOOD_HOSTS = (
    b"t", b"T.EXAMPLE", b"shop.example", b"shop.example.", b"shop.example:80", b"shop.example:", b"h:0", b"h:65535",
    b"127.0.0.1", b"127.0.0.1:5001", b"[::1]", b"[::1]:5001", b"[2001:db8::1]:80", b"a_b.example",
    b"xn--gre-6ka8i.example", b"a%20b.example", b"0.0.0.0=5000",
)  # fmt: skip
_ENDPOINTS = (
    ("health", b"GET", HEALTH),
    ("readiness", b"GET", b"/readyz"),
    ("poll", b"GET", POLL_TARGET),
    ("order", b"GET", ORDER),
    ("pages", b"GET", b"/"),
    ("OPTIONS", b"OPTIONS", ORDER),
    ("OPTIONS *", b"OPTIONS", b"*"),
    ("unknown path", b"GET", b"/nowhere"),
    ("list", b"GET", CREATE),
)

HOSTS = [
    *(Vector(f"Host {host!r}", get(host=b"Host: " + host, target=HEALTH), served()) for host in _GOOD_HOSTS),
    *(
        Vector(f"Host {host!r} of a poll", get(host=b"Host: " + host, target=POLL_TARGET), served())
        for host in _GOOD_HOSTS
    ),
    *(Vector(f"Host {host!r}", get(host=b"Host: " + host, target=HEALTH), declined(400)) for host in _BAD_HOSTS),
    *(
        Vector(f"Host {host!r} of a poll", get(host=b"Host: " + host, target=TRACK), declined(400))
        for host in _BAD_HOSTS
    ),
    *(
        Vector(f"{what} for {name}", get(*fields, host=None, target=target, method=method), declined(400))
        for name, method, target in _ENDPOINTS
        for what, fields in (
            ("no Host", ()),
            ("two equal Hosts", (b"Host: t", b"Host: t")),
            ("two Hosts", (b"Host: t", b"host: u")),
            ("invalid Host", (b"Host: <x>",)),
        )
    ),
    Vector("no Host for an update", put(length(SAME)).replace(b"Host: t\r\n", b""), declined(400)),
    Vector("two Hosts for an update", put(b"Host: u", length(SAME)), declined(400)),
    Vector("HTTP/1.0 with two Hosts", get(b"Host: u", version=b"HTTP/1.0"), declined(400)),
    Vector("HTTP/1.0 with an invalid Host", get(host=b"Host: u@h", version=b"HTTP/1.0"), declined(400)),
    Vector("absolute form without Host", get(target=b"http://t" + ORDER, host=None), declined(400)),
    Vector("absolute form with an invalid Host", get(target=b"http://t" + ORDER, host=b"Host: <x>"), declined(400)),
    Vector("absolute form with an empty Host", get(target=b"http://t" + ORDER, host=b"Host:"), declined(400)),
    Vector("absolute form with two Hosts", get(b"Host: t", target=b"http://t" + ORDER), declined(400)),
    Vector("absolute form with another Host", get(target=b"http://t" + ORDER, host=b"Host: elsewhere"), served()),
    Vector("space before Host's colon", get(host=b"Host : t"), refused(400)),
    Vector("folded Host", get(host=b"Host:\r\n t"), refused(400)),
    Vector("a second Host by folding", get(b"X: a\r\n Host: u", JSON), refused(400)),
]
