"""Read the usual poll of an order by one pattern: a client that polls again changes nothing but its cursor.

The result is what `HeadReader`, `match_path`, `PollTarget.feed` and `parse_poll` make of the same bytes.
Any other request is left to them. `tests/http/test_usual_polls.py` compares the two ways.
"""

from __future__ import annotations

import re

import msgspec

from ordertrack.core.cursor import Cursor
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.poll import PollRequest
from ordertrack.http.gate.framing import HeadReader
from ordertrack.http.wire import names
from ordertrack.http.wire.message import MAX_HEAD_BYTES, Request
from ordertrack.http.wire.parameters import MAX_CLIENT_ID

POLL_START = f"GET {names.ORDERS}/".encode()
_BLANK_LINE = b"\r\n\r\n"
_USUAL_POLL = re.compile(
    (
        rf"GET ({names.ORDERS}/([1-9][0-9]{{0,17}}){names.TRACK_SUFFIX})"
        rf"\?({names.CURSOR}=([0-9a-z]{{1,32}})\.([1-9][0-9]{{0,17}})&{names.TIMEOUT}=([0-9]{{1,6}})"
        rf"(?:&{names.CLIENT_ID}=([A-Za-z0-9_.:-]{{1,{MAX_CLIENT_ID}}}))?)"
        r" HTTP/1\.1\r\n"
    ).encode()
)


class UsualPoll(msgspec.Struct, frozen=True, gc=False):
    request: Request
    feed: FeedKey
    poll: PollRequest


class PollReader:
    """`heads` has the cached header blocks."""

    def __init__(self, heads: HeadReader) -> None:
        self._heads = heads

    def read(self, data: bytes, peer: str | None) -> UsualPoll | None:
        """Return the poll when `data` is exactly a usual one, else None.

        Raises: MalformedRequest, UnsupportedTransferCoding, as `HeadReader.read`.
        """
        line = _USUAL_POLL.match(data)
        if line is None or data.find(_BLANK_LINE) != len(data) - len(_BLANK_LINE) or len(data) > MAX_HEAD_BYTES:
            return None
        block = self._heads.block(data[line.end() : -2])
        if not block.is_usual:
            return None
        path, order_id, query, epoch, version, timeout_s, client_id = line.groups()
        request = Request("GET", path.decode(), query, block.headers, "1.1", peer)
        poll = PollRequest(
            cursor=Cursor(epoch.decode(), int(version)),
            timeout_s=float(timeout_s),
            client_id=None if client_id is None else client_id.decode(),
        )
        return UsualPoll(request, FeedKey(FeedKind.ORDER, order_id.decode()), poll)
