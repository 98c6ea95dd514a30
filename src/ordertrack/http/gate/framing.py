"""Message framing: find requests and their bodies in the bytes of a connection (RFC 9112). No I/O.

It is strict: it refuses bytes that two implementations could read in two ways, since one of them may be a proxy in
front of this server. `Upgrade` is ignored (RFC 9110, 7.8), so the bytes after a head are always its body, and the next
request begins after them.
"""

from __future__ import annotations

import contextlib
import re

import msgspec
from msgspec.structs import replace

from ordertrack.core.errors import OrdertrackError
from ordertrack.http.wire import names
from ordertrack.http.wire.errors import BodyTooLarge, HeadTooLarge, MalformedRequest
from ordertrack.http.wire.message import (
    CHUNKED,
    EXPECT,
    MAX_HEAD_BYTES,
    Headers,
    Request,
    body_length,
    check_headers,
    parse_target,
)

MAX_CHUNK_LINE_BYTES = 256
MAX_CHUNK_EXTENSIONS_BYTES = 4 * 1024
"""Limit for all chunks and trailers of a body together. They are not used."""
_END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_REQUEST_LINE = re.compile(rb"(%b++) ([!-~]++) HTTP/([0-9]\.[0-9])\r\n" % _TOKEN)
_PLAIN_LINE = re.compile(rb"([A-Z]++) (/[A-Za-z0-9/_.~-]*+)(?:\?([!-\"$-~]*+))? HTTP/1\.1\r\n")
"""Most request lines: nothing of the path is encoded."""
_FIELD = rb"%b++:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n" % _TOKEN
_FIELDS = re.compile(rb"(?:%b)*+" % _FIELD)
_FIELD_PARTS = re.compile(rb"(%b++):([^\x00-\x08\x0a-\x1f\x7f]*+)\r\n" % _TOKEN)
_NEVER_IN_A_HEAD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
_EMPTY_LINES = re.compile(rb"(?:\r\n)*+")
_STARTS_A_METHOD = re.compile(_TOKEN)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})((?:[ \t]*;[\t -~\x80-\xff]*)?)\r\n")
_CONNECTION = names.CONNECTION.encode()

KEPT_BLOCKS = 1024
"""Header blocks that are cached in parsed form: clients send the same ones repeatedly."""
MAX_KEPT_BLOCK_BYTES = 1024
_PER_CLIENT = tuple(
    (f"\r\n{name}: ".encode(), name.lower().encode())
    for name in (
        "Authorization", "authorization", "X-Forwarded-For", "x-forwarded-for", "X-Real-IP", "x-real-ip",
        "X-Request-ID", "x-request-id", "Traceparent", "traceparent",
    )
)  # fmt: skip
"""Headers that differ between clients or requests, as they begin their line. The rest of a block is cached without
them."""
_PLAIN_VALUE = re.compile(rb"[!-~]+(?: [!-~]+)*+")
_CHANGE_A_POLL = (names.IF_NONE_MATCH.encode(), names.PREFER.encode())
_SECRET = tuple(name.encode() for name in (names.AUTHORIZATION, names.COOKIE, names.PROXY_AUTHORIZATION))
"""Headers that are not kept after their request."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """The head of a request. `length` is the size of the head in bytes, `body_length` that of the body, or CHUNKED."""

    request: Request
    length: int
    body_length: int
    keep_alive: bool
    expects_continue: bool


class Block(msgspec.Struct, frozen=True, gc=False):
    """The parsed header fields, without the request line.

    `is_usual` is True for a poll when no field changes it, its framing or the connection: see `poll_reader.py`.
    """

    headers: Headers
    body_length: int
    keep_alive: bool
    expects_continue: bool
    is_usual: bool = False


class HeadReader:
    """Reads heads. Caches the parsed header blocks of HTTP/1.1 that hold no secrets."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, Block] = {}

    def read(self, data: bytes, peer: str | None) -> Head | None:
        """Return the head that `data` begins with, or None when more bytes are needed.

        `data` does not begin with an empty line. Raises: MalformedRequest, HeadTooLarge, UnsupportedTransferCoding.
        """
        end = data.find(_END)
        if end < 0:
            _check_beginning(data)
            if len(data) >= MAX_HEAD_BYTES:
                raise HeadTooLarge(MAX_HEAD_BYTES)
            return None
        length = end + len(_END)
        if length > MAX_HEAD_BYTES:
            raise HeadTooLarge(MAX_HEAD_BYTES)
        version, authority = "1.1", None
        line = _PLAIN_LINE.match(data)
        if line is not None:
            method, plain_path, query = line.groups(b"")
            path = plain_path.decode()
        else:
            line = _REQUEST_LINE.match(data)
            if line is None:
                raise MalformedRequest("The request line must be a method, a target and HTTP/1.1, ended by CR LF.")
            method, target, version = line[1], line[2], line[3].decode()
            authority, path, query = parse_target(target)
        fields = data[line.end() : end + 2]
        block = (self._blocks.get(fields) or self.block(fields)) if version == "1.1" else parse_block(fields, version)
        request = Request(method.decode(), path, query, block.headers, version, peer, authority)
        return Head(request, length, block.body_length, block.keep_alive, block.expects_continue)

    def block(self, fields: bytes) -> Block:
        """Return the parsed header fields of an HTTP/1.1 request, cached if possible.

        The headers of `_PER_CLIENT` are added to the others, which many requests share.
        Raises: MalformedRequest, UnsupportedTransferCoding.
        """
        block = self._blocks.get(fields)
        if block is not None:
            return block
        shared, own = b"\r\n" + fields, []
        for start, name in _PER_CLIENT:
            at = shared.find(start)
            if at >= 0:
                end = shared.find(b"\r\n", at + 2)
                value = shared[at + len(start) : end]
                if not _PLAIN_VALUE.fullmatch(value):
                    return parse_block(fields)
                own.append((name, value))
                shared = shared[:at] + shared[end:]
        shared = shared[2:]
        block = self._blocks.get(shared) or self._parse_and_keep(shared)
        if not own:
            return block
        headers = Headers(block.headers)
        headers.update(own)
        if len(headers) < len(block.headers) + len(own):  # one is repeated: its values are a list
            return parse_block(fields)
        headers.are_checked = block.headers.are_checked
        return replace(block, headers=headers)

    def _parse_and_keep(self, fields: bytes) -> Block:
        block = parse_block(fields)
        if len(fields) <= MAX_KEPT_BLOCK_BYTES and not any(name in block.headers for name in _SECRET):
            with contextlib.suppress(OrdertrackError):
                check_headers(block.headers, "1.1")
                block = replace(block, is_usual=_is_usual(block))
            if len(self._blocks) >= KEPT_BLOCKS:
                self._blocks.clear()
            self._blocks[fields] = block
        return block


def parse_block(fields: bytes, version: str = "1.1") -> Block:
    """Raises: MalformedRequest, UnsupportedTransferCoding."""
    if not _FIELDS.fullmatch(fields):
        raise MalformedRequest("A header must be `Name: value` on one line, without control characters.")
    pairs = _FIELD_PARTS.findall(fields)
    headers = Headers.from_pairs((name.lower(), value.strip(b" \t")) for name, value in pairs)
    options = [option.strip() for option in headers.get(_CONNECTION, b"").lower().split(b",")]
    is_1_1 = version == "1.1"
    return Block(
        headers, body_length(headers, version), is_1_1 and b"close" not in options, is_1_1 and EXPECT in headers
    )


def _is_usual(block: Block) -> bool:
    return (
        block.body_length == 0
        and block.keep_alive
        and not block.expects_continue
        and not any(name in block.headers for name in _CHANGE_A_POLL)
    )


def without_empty_lines(data: bytes) -> bytes:
    """Drop empty lines before a request line (RFC 9112, 2.2)."""
    return data[_EMPTY_LINES.match(data).end() :]  # type: ignore[union-attr] # it matches anything


def _check_beginning(data: bytes) -> None:
    """Refuse an incomplete head that no more bytes can make valid, such as TLS. Raises: MalformedRequest."""
    if _NEVER_IN_A_HEAD.search(data):
        raise MalformedRequest("A head is text, and each of its lines ends with CR LF. A TLS client needs a TLS port.")
    if not _STARTS_A_METHOD.match(data) and data != b"\r":
        raise MalformedRequest("A request begins with a method.")


class BodyReader:
    """Reads a body of a known length or in chunks, piece by piece."""

    __slots__ = ("_chunked", "_extensions", "_in_chunk", "_limit", "_missing", "_trailers", "data", "is_complete")

    def __init__(self, length: int, limit_bytes: int) -> None:
        """`length` is in bytes, or CHUNKED. Raises: BodyTooLarge."""
        if length > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        self.data = bytearray()
        self.is_complete = length == 0
        self._chunked = length == CHUNKED
        self._missing = 0 if self._chunked else length
        self._limit = limit_bytes
        self._in_chunk = False
        self._trailers = False
        self._extensions = 0

    def receive(self, data: bytes) -> int:
        """Take from `data` what belongs to the body, and return how many bytes that was.

        Raises: MalformedRequest, BodyTooLarge.
        """
        if not self._chunked:
            taken = self._take(data, 0)
            self.is_complete = self._missing == 0
            return taken
        at = 0
        while not self.is_complete:
            after = self._take_chunk(data, at)
            if after == at:
                break
            at = after
        return at

    def _take(self, data: bytes, at: int) -> int:
        taken = data[at : at + self._missing]
        self.data += taken
        self._missing -= len(taken)
        return at + len(taken)

    def _take_chunk(self, data: bytes, at: int) -> int:
        """Take the next line or piece of a chunk; return where it ends, or `at` when more bytes are needed."""
        if self._missing:
            return self._take(data, at)
        if self._in_chunk:
            if len(data) - at < 2:
                return at
            if data[at : at + 2] != b"\r\n":
                raise MalformedRequest("A chunk ends with CR LF.")
            self._in_chunk = False
            return at + 2
        end = data.find(b"\n", at, at + MAX_CHUNK_LINE_BYTES) + 1
        if not end:
            if len(data) - at >= MAX_CHUNK_LINE_BYTES:
                raise MalformedRequest(f"A line of a chunked body has at most {MAX_CHUNK_LINE_BYTES} bytes.")
            return at
        line = data[at:end]
        if self._trailers:
            self._read_trailer(line)
        else:
            self._read_size(line)
        return end

    def _read_size(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise MalformedRequest("A chunk begins with its size as a hexadecimal number, ended by CR LF.")
        self._count_extension(len(match[2]))
        size = int(match[1], 16)
        if len(self.data) + size > self._limit:
            raise BodyTooLarge(self._limit)
        self._missing = size
        self._in_chunk = size > 0
        self._trailers = size == 0

    def _read_trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.is_complete = True
        elif not _FIELD_PARTS.fullmatch(line):
            raise MalformedRequest("A trailer must be `Name: value` on one line, without control characters.")
        else:
            self._count_extension(len(line))

    def _count_extension(self, length: int) -> None:
        self._extensions += length
        if self._extensions > MAX_CHUNK_EXTENSIONS_BYTES:
            raise MalformedRequest(
                f"Chunk extensions and trailers have at most {MAX_CHUNK_EXTENSIONS_BYTES} bytes together."
            )
