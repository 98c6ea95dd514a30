"""Request lines and header fields (RFC 9112, 2.2 to 5; RFC 9110, 5 and 9)."""

from __future__ import annotations

from vectors.messages import (
    CREATE,
    HARM,
    HEALTH,
    NEW,
    ORDER,
    POLL_TARGET,
    SAME,
    SMUGGLED,
    STATUS,
    TRACK,
    create,
    get,
    harm,
    length,
    put,
)
from vectors.outcomes import Vector, declined, refused, served, served_last

MAX_HEAD_BYTES = 16_384


def _padded(size: int, method: bytes = b"GET", target: bytes = ORDER) -> bytes:
    """A request whose head has this many bytes, all of one field."""
    empty = get(b"X-Pad: ", method=method, target=target)
    return get(b"X-Pad: " + b"p" * (size - len(empty)), method=method, target=target)


PLAIN = [
    Vector("order", get(), served()),
    Vector("HEAD order", get(method=b"HEAD"), served()),
    Vector("poll", get(target=POLL_TARGET), served()),
    Vector("HEAD poll", get(target=TRACK, method=b"HEAD"), served()),
    Vector("health", get(target=HEALTH), served()),
    Vector("list", get(target=CREATE + b"?limit=1"), served()),
    Vector("update", put(length(SAME)), served()),
    Vector("create", create(length(NEW)), served(201)),
    Vector("DELETE simulation", get(method=b"DELETE", target=ORDER + b"/simulate-workflow"), served(404)),
    Vector("OPTIONS order", get(method=b"OPTIONS"), served(204)),
    Vector("OPTIONS update", get(method=b"OPTIONS", target=STATUS), served(204)),
]

LINES = [
    Vector("CRLF before the request line", b"\r\n" + get(), served()),
    Vector("three CRLF before the request line", b"\r\n\r\n\r\n" + get(), served()),
    Vector("LF before the request line", b"\n" + get(), refused(400)),
    Vector("CR before the request line", b"\r" + get(), refused(400)),
    Vector("space before the request line", b" " + get(), refused(400)),
    Vector("empty line of one space", b" \r\n" + get(), refused(400)),
    Vector("LF after the request line", b"GET /healthz HTTP/1.1\nHost: t\r\n\r\n", refused(400)),
    Vector("LF after a field", b"GET /healthz HTTP/1.1\r\nHost: t\n\r\n", refused(400)),
    Vector("LF instead of the empty line", b"GET /healthz HTTP/1.1\r\nHost: t\r\n\n", refused(400)),
    Vector("only LF", b"GET /healthz HTTP/1.1\nHost: t\n\n", refused(400)),
    Vector("only CR", b"GET /healthz HTTP/1.1\rHost: t\r\r", refused(400)),
    Vector("CR CR LF", b"GET /healthz HTTP/1.1\r\r\nHost: t\r\n\r\n", refused(400)),
    Vector("CR within the request line", b"GET /healthz\r HTTP/1.1\r\nHost: t\r\n\r\n", refused(400)),
    Vector("LF between the parts", b"GET\n/healthz\nHTTP/1.1\r\nHost: t\r\n\r\n", refused(400)),
    Vector("two spaces after the method", get(method=b"GET ", target=HEALTH), refused(400)),
    Vector("two spaces before the version", get(target=HEALTH, version=b" HTTP/1.1"), refused(400)),
    Vector("tab after the method", b"GET\t/healthz HTTP/1.1\r\nHost: t\r\n\r\n", refused(400)),
    Vector("tab before the version", b"GET /healthz\tHTTP/1.1\r\nHost: t\r\n\r\n", refused(400)),
    Vector("space after the version", get(target=HEALTH, version=b"HTTP/1.1 "), refused(400)),
    Vector("a fourth part", get(target=HEALTH, version=b"HTTP/1.1 x"), refused(400)),
    Vector("no target", b"GET HTTP/1.1\r\nHost: t\r\n\r\n", refused(400)),
    Vector("empty target", get(target=b""), refused(400)),
    Vector("no version", b"GET /healthz\r\n\r\n", refused(400)),
    Vector("no version, with a Host", b"GET /healthz\r\nHost: t\r\n\r\n", refused(400)),
    Vector("method only", b"GET\r\n\r\n", refused(400)),
    Vector("field before the request line", b"Host: t\r\n" + get(), refused(400)),
    Vector("TLS ClientHello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(32), refused(400), alone=True),
    Vector("NUL", b"\x00", refused(400), alone=True),
    Vector("PROXY line", b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" + get(), refused(400)),
    Vector("PROXY signature", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + get(), refused(400)),
    Vector("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refused(505)),
]

VERSIONS = [
    Vector("HTTP/1.0", get(version=b"HTTP/1.0"), served_last()),
    Vector("HTTP/1.0 without Host", get(version=b"HTTP/1.0", host=None), served_last()),
    Vector("HTTP/1.0 poll without Host", get(target=TRACK, version=b"HTTP/1.0", host=None), served_last()),
    Vector("HTTP/1.0 update", put(length(SAME), version=b"HTTP/1.0"), served_last()),
    Vector("HTTP/1.0 HEAD", get(version=b"HTTP/1.0", method=b"HEAD"), served_last()),
    *(
        Vector(f"{version.decode()} {name}", get(target=target, version=version), declined(505))
        for version in (b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/3.0", b"HTTP/5.6")
        for name, target in (("health", HEALTH), ("poll", TRACK))
    ),
    *(
        Vector(f"version {version!r}", get(target=HEALTH, version=version), refused(400))
        for version in (
            b"http/1.1", b"Http/1.1", b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/11", b"HTTP/1.10", b"HTTP/01.1",
            b"HTTP/0.99", b"HTTP/1.1.1", b"HTTP/+1.1", b"HTTP/-1.1", b"HTTP/1,1", b"HTTP/1.x", b"HTTP1.1", b"HTTP/",
            b"HTTP//1.1", b"HTTPS/1.1", b"IHTTP/1.0", b"ICE/1.0", b"RTSP/1.0", b"FTP/1.1", b"1.1",
            b"HTTP/" + b"1" * 100 + b".1", b"HTTP/1.1\x00", "HTTP/１.1".encode(),
        )
    ),
]  # fmt: skip

METHODS = [
    *(
        Vector(f"{method.decode()} {name}", get(target=target, method=method), declined(501))
        for method in (b"TRACE", b"CONNECT", b"get", b"Get", b"PUTT", b"GE", b"QUERY", b"PROPFIND", b"M-SEARCH", b"PRI")
        for name, target in (("order", ORDER), ("poll", TRACK))
    ),
    *(
        Vector(f"method {method!r}", get(target=HEALTH, method=method), declined(501))
        for method in (b"!#$%&'*+-.^_`|~09azAZ", b"-bl", b"x" * 200)
    ),
    Vector(
        "unknown method with a body",
        get(length(SMUGGLED), method=b"FOO") + SMUGGLED,
        declined(501),
    ),
    *(
        Vector(f"{method.decode()} not allowed for {target.decode()}", get(target=target, method=method), served(405))
        for method, target in (
            (b"DELETE", ORDER), (b"POST", TRACK), (b"PUT", HEALTH), (b"PATCH", ORDER), (b"PATCH", STATUS),
            (b"GET", STATUS),
        )
    ),
    *(
        Vector(f"method {method!r}", get(target=HEALTH, method=method), refused(400))
        for method in (
            b"GET:", b"G@T", b"GE(T", b'"GET"', b"bla:rgh", b"GET/", b"GET,", b"G\x00T", b"GET\x00", b"G\x01T",
            b"G\x7fT", b"GET\xff", "GETß".encode(),
        )
    ),
]  # fmt: skip

_OBS_TEXT = "X-Name: café".encode()
FIELDS = [
    Vector("empty value", get(b"X-Empty:"), served()),
    Vector("value of spaces and tabs", get(b"X-Empty: \t \t "), served()),
    Vector("no space after the colon", get(b"X-Name:value"), served()),
    Vector("tabs around a value", get(b"X-Name:\tvalue\t"), served()),
    Vector("tab within a value", get(b"X-Name: a\tb"), served()),
    Vector("colons in a value", get(b"X-Name: a:b: c"), served()),
    Vector("obs-text in a value", get(_OBS_TEXT, b"X-Byte: \xff\x80"), served()),
    Vector("all token characters in a name", get(b"!#$%&'*+-.^_`|~09azAZ: x"), served()),
    Vector("repeated field", get(b"X-Name: a", b"X-Name: b", b"Accept: */*", b"Accept: text/*"), served()),
    Vector("names in any case", put(b"cONTENT-lENGTH: %d" % len(SAME)), served()),
    Vector("300 fields", get(*(b"X-%d: x" % number for number in range(300))), served()),
    Vector("Transfer_Encoding", put(length(SAME), b"Transfer_Encoding: chunked", b"Content_Length: -1"), served()),
    *(
        Vector(f"field {field!r}", get(field), refused(400))
        for field in (
            b"X-Name : value", b"X-Name\t: value", b" X-Name: value", b"\tX-Name: value", b": value", b"X-Name",
            b"X Name: value", b"Fo@: value", b"X(Name): value", b'"X": value', b"X-Name\x00: value", b"X\x01Name: x",
            b"X\rName: x", b"X-\x7f: x", b"X-\xff: x", "X-Größe: x".encode(), b"X[0]: x", b"X/Y: x", b"{}: x",
            b"X-Name: a\x00b", b"X-Name: a\rb", b"X-Name: a\nb", b"X-Name: \n", b"X-Name: a\r\r", b"X-Name: a\n",
            b"X-Name:\r X-Other: b", b"X-Name: a\rX-Other: b", b"X-Name: a\nX-Other: b", b"\r", b"\x00",
        )
    ),
    *(
        Vector(f"byte {byte:#04x} in a value", get(b"X-Name: a%cb" % byte), refused(400))
        for byte in (*range(1, 9), *range(11, 13), *range(14, 32), 127)
    ),
    *(
        Vector(f"byte {byte:#04x} in a poll's Prefer", get(b"Prefer: a%cb" % byte, target=TRACK), refused(400))
        for byte in (0, 1, 127)
    ),
    *(
        Vector(f"folded field {fold!r}", get(b"X-Name: a\r\n%bfolded" % fold), refused(400))
        for fold in (b" ", b"\t", b"   ", b" \t")
    ),
    Vector("folded name", get(b"X-Name\r\n : value"), refused(400)),
    Vector("folded empty value", get(b"X-Name:\r\n value"), refused(400)),
    Vector("line of one space", get(b"X-Name: a", b" "), refused(400)),
    Vector("folded first field", b"GET /healthz HTTP/1.1\r\n Host: t\r\n\r\n", refused(400)),
    Vector("folded Content-Length", harm(b"X-Name: a\r\n Content-Length: %d" % len(HARM)), refused(400)),
    Vector("a request hidden by LF", get(b"X-Name: a\nContent-Length: %d" % len(SMUGGLED)) + SMUGGLED, refused(400)),
    Vector("a request behind CR", get(b"X: a\r\rGET %b HTTP/1.1" % TRACK), refused(400)),
]  # fmt: skip

SIZES = [
    Vector("head of 16,384 bytes", _padded(MAX_HEAD_BYTES), served()),
    Vector("poll of 16,384 bytes", _padded(MAX_HEAD_BYTES, target=TRACK), served()),
    Vector("head of 16,385 bytes", _padded(MAX_HEAD_BYTES + 1), refused(431)),
    Vector("poll of 16,385 bytes", _padded(MAX_HEAD_BYTES + 1, target=TRACK), refused(431)),
    Vector("head of 20,000 bytes", _padded(20_000), refused(431)),
    Vector("head of 70,000 bytes", _padded(70_000), refused(431)),
    Vector("target of 20,000 bytes", get(target=HEALTH + b"?" + b"x" * 20_000), refused(431)),
    Vector("method of 20,000 bytes", get(target=HEALTH, method=b"X" * 20_000), refused(400, 431, 501)),
    Vector("field name of 20,000 bytes", get(b"X" * 20_000 + b": x"), refused(431)),
    Vector("3,000 fields", get(*(b"X: x" for _ in range(3_000))), refused(431)),
    Vector("head without end", b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 40_000, refused(431), alone=True),
    Vector("line without end", b"GET /" + b"x" * 40_000, refused(431), alone=True),
]
"""The limit holds for a head as a whole, its empty line included, in any pieces."""

HEADS = [*PLAIN, *LINES, *VERSIONS, *METHODS, *FIELDS, *SIZES]
