"""Which requests the gate serves itself: polls, and changes of one order's status. All others are lent.

Being careful costs nothing here, because a lent request is answered all the same: whatever is unusual (an upgrade, an
absolute target, a chunked or large body, a version other than 1.0 and 1.1, a head that does not parse) goes to the
ASGI side, which has one strict parser for it and refuses what can be read in two ways.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import httptools

from ordertrack.http import names

MAX_HEAD_BYTES = 16 * 1024
"""As node's limit for all headers (16 KiB), and twice nginx's and Apache's for one line."""
MAX_BODY_BYTES = 4 * 1024
"""A change of status has some 30 bytes; longer ones are lent."""
END_OF_HEAD = b"\r\n\r\n"


class Bounds(NamedTuple):
    """How long a peer may take, in seconds: to say something, to finish a head, a body, and to read an answer."""

    idle_timeout_s: int
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    read_timeout_s: float = 30.0


_GET, _PUT = b"GET", b"PUT"
_STARTS = (f"GET {names.API}/".encode(), f"PUT {names.ORDERS}/".encode(), f"GET {names.LINKS}/".encode())
_LEND_HEADERS = frozenset((b"transfer-encoding", b"upgrade", b"expect", b"te", b"trailer"))
_CONTENT_LENGTH, _HOST = names.CONTENT_LENGTH.encode(), names.HOST.encode()
_REQUEST_LINE = re.compile(rb"[A-Z]+ [!-\"$-~]+ HTTP/1\.[01]\r\n")
"""Stricter than the parser, which puts up with more than one space, and with other bytes in a target."""
_LENGTH = re.compile(rb"[0-9]{1,5}")


class Head(NamedTuple):
    """The head of a request that may be one of ours. It took `length` bytes, and `body_length` follow it that belong
    to it; there may be more after that (pipelining)."""

    method: bytes
    path: str
    query_string: bytes
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    length: int
    body_length: int


class Lend:
    """Not ours, or not one to be sure of."""


class Incomplete:
    """More bytes of the head are needed to tell."""


LEND, INCOMPLETE = Lend(), Incomplete()


def read_head(data: bytes) -> Head | Lend | Incomplete:
    """What `data`, the start of a request, is."""
    end = data.find(END_OF_HEAD)
    if end < 0:
        return INCOMPLETE
    if not data.startswith(_STARTS) or not _REQUEST_LINE.match(data):
        return LEND
    length = end + len(END_OF_HEAD)
    head = _Head()
    head.parser = parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(data[:length])
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return LEND
    finally:
        del head.parser  # or each request would be a cycle, left to the garbage collector
    method = data[:3]
    if not head.complete or head.unusual or (head.body_length and method == _GET):
        return LEND
    path, _, query = head.url.partition(b"?")
    if b"%" in path:
        return LEND
    return Head(method, path.decode("ascii"), query, head.headers, head.keep_alive, length, head.body_length)


def may_be_ours(data: bytes) -> bool:
    """Whether a request that starts with `data` could still turn out to be one for the gate."""
    return data.startswith(_STARTS) or any(start.startswith(data) for start in _STARTS)


class _Head:
    """httptools' callbacks."""

    parser: httptools.HttpRequestParser

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.keep_alive = False
        self.unusual = False
        self.complete = False
        self.body_length = 0
        self.hosts = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == _HOST:
            self.hosts += 1
        elif name in _LEND_HEADERS:
            self.unusual = True
        elif name == _CONTENT_LENGTH:
            if _LENGTH.fullmatch(value) and int(value) <= MAX_BODY_BYTES:
                self.body_length = int(value)
            else:
                self.unusual = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        # Later the parser no longer knows. As with uvicorn, an HTTP/1.0 connection is not kept, whatever it asks.
        version = self.parser.get_http_version()
        self.keep_alive = version == "1.1" and self.parser.should_keep_alive()
        self.unusual = self.unusual or self.hosts != 1 or version not in ("1.1", "1.0")
        self.complete = True
