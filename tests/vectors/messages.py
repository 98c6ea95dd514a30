"""Requests to our endpoints as bytes, well formed unless a part is replaced.

What should be served repeats a status that order 101 has already, so it can be sent any number of times. What should be
refused would change order 103, so a refusal that came too late shows in its version.
"""

from __future__ import annotations

from support.api import BULK, ORDERS

ORDER = f"{ORDERS}/101".encode()
TRACK = ORDER + b"/track"
POLL_TARGET = TRACK + b"?timeout=0"
"""Answered at once, and never slowed however often a connection sends it."""
STATUS = ORDER + b"/status"
VICTIM_ID = 103
VICTIM_STATUS = f"{ORDERS}/{VICTIM_ID}/status".encode()
CREATE = ORDERS.encode()
BULK_PATH = BULK.encode()
HEALTH = b"/healthz"

SAME = b'{"status": "confirmed"}'
"""The status that order 101 has: 200, and nothing changes."""
HARM = b'{"status": "picked_up"}'
"""A status that order 103 may get. No vector may make it so."""
NEW = b'{"customer_id": "v", "restaurant_id": "v"}'

HOST = b"Host: t"
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"


def lines(*parts: bytes) -> bytes:
    """A head: each part is a line, and an empty line ends it."""
    return b"".join(part + b"\r\n" for part in (*parts, b""))


def get(
    *fields: bytes,
    target: bytes = ORDER,
    method: bytes = b"GET",
    version: bytes = b"HTTP/1.1",
    host: bytes | None = HOST,
) -> bytes:
    """A request without a body. `host` None leaves the field out."""
    hosts = () if host is None else (host,)
    return lines(b"%b %b %b" % (method, target, version), *hosts, *fields)


def length(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


def put(*fields: bytes, body: bytes = SAME, target: bytes = STATUS, version: bytes = b"HTTP/1.1") -> bytes:
    """A change of status that changes nothing. The caller gives the fields that frame the body."""
    return get(JSON, *fields, method=b"PUT", target=target, version=version) + body


def create(*fields: bytes, body: bytes = NEW, version: bytes = b"HTTP/1.1") -> bytes:
    """A new order. The caller gives the fields that frame the body."""
    return get(JSON, *fields, method=b"POST", target=CREATE, version=version) + body


def harm(*fields: bytes, body: bytes = HARM, version: bytes = b"HTTP/1.1") -> bytes:
    """A change of order 103, for vectors that are refused."""
    return put(*fields, body=body, target=VICTIM_STATUS, version=version)


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    """A body in chunks, with its last one."""
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + b"\r\n"


def marked(name: bytes) -> bytes:
    """A request whose answer names it: 400, `field` is this parameter."""
    return get(target=CREATE + b"?" + name + b"=1")


SMUGGLED = marked(b"smuggled")
"""Stands where a lenient parser would see a second request. It must never be answered."""
CANARY = marked(b"canary")
"""Follows a vector. Its answer shows that the server read exactly one request before it."""
POLL = get(target=POLL_TARGET)
BEFORE = POLL + get(target=HEALTH) + put(length(SAME))
BEFORE_STATUSES = [200, 200, 200]
