"""Which requests the gate answers itself: complete, plain GETs of a poll's path without a body. All others are lent.

Being careful costs nothing here, because a lent poll is answered all the same: whatever is unusual (a body, an upgrade,
an absolute target, a version other than 1.0 and 1.1, a head that does not parse) goes to the ASGI side, which has one
strict parser for it and refuses what can be read in two ways.
"""

from __future__ import annotations

from typing import NamedTuple

import httptools

from ordertrack.http import names

MAX_HEAD_BYTES = 16 * 1024
"""As node's limit for all headers (16 KiB), and twice nginx's and Apache's for one line."""
END_OF_HEAD = b"\r\n\r\n"


class Bounds(NamedTuple):
    """How long a peer may take, in seconds: to say something, to finish a head, a body, and to read an answer."""

    idle_timeout_s: int
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    read_timeout_s: float = 30.0


_START = f"GET {names.API}/".encode()
_LEND_HEADERS = frozenset((b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"te", b"trailer"))


class PollHead(NamedTuple):
    """A poll's head. `length` is how many bytes it took; more may follow it (pipelining)."""

    path: str
    query_string: bytes
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    length: int


class Lend:
    """Not a poll, or not one to be sure of."""


class Incomplete:
    """More bytes are needed to tell."""


LEND, INCOMPLETE = Lend(), Incomplete()


def read_head(data: bytes) -> PollHead | Lend | Incomplete:
    """What `data`, the start of a request, is."""
    end = data.find(END_OF_HEAD)
    if end < 0:
        return INCOMPLETE
    if not data.startswith(_START):
        return LEND
    length = end + len(END_OF_HEAD)
    head = _Head()
    head.parser = parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(data[:length])
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return LEND
    if not head.complete or head.unusual or head.version not in ("1.1", "1.0"):
        return LEND
    target = httptools.parse_url(head.url)
    path = target.path.decode("ascii")
    if "%" in path or target.schema or target.fragment is not None:
        return LEND
    return PollHead(path, target.query or b"", head.headers, head.keep_alive, length)


def may_be_poll(data: bytes) -> bool:
    """Whether a request that starts with `data` could still turn out to be a poll."""
    return data.startswith(_START) or _START.startswith(data)


class _Head:
    """httptools' callbacks."""

    parser: httptools.HttpRequestParser

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.version = ""
        self.keep_alive = False
        self.unusual = False
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.unusual = self.unusual or name in _LEND_HEADERS
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        # Later the parser no longer knows. As with uvicorn, an HTTP/1.0 connection is not kept, whatever it asks.
        self.version = self.parser.get_http_version()
        self.keep_alive = self.version == "1.1" and self.parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.complete = True
