"""One HTTP request as a value, and the rules of RFC 9110 and RFC 9112 that hold on every transport.

`gate/framing.py` makes requests from bytes, `asgi/transport.py` from ASGI scopes. Faults that both show are refused
here, once. Faults that only the bytes show, such as a bare LF, are refused by the framing of the gate or ASGI server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

import msgspec

from ordertrack.http.wire import names
from ordertrack.http.wire.errors import (
    ExpectationFailed,
    MalformedRequest,
    UnknownMethod,
    UnsupportedTransferCoding,
    UnsupportedVersion,
)

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
"""Recognized methods. PATCH is recognized and allowed nowhere: 405 rather than 501 (RFC 9110, 15.6.2)."""
WHICH_METHODS = "WHICH"
"""Replaces OPTIONS in requests to the framework: no route has it, so the router refuses it and names the
methods of the path. (Litestar's own answer to OPTIONS names only the first of two handlers of a path.)"""
VERSIONS = frozenset(("1.1", "1.0"))
MAX_HEAD_BYTES = 16 * 1024
"""Request line and headers, with the empty line. As in Node.js, and twice the limit of nginx and Apache for a line."""
CHUNKED = -1
"""The body length of a message with a chunked body."""
HOST, CONTENT_LENGTH, EXPECT = names.HOST.encode(), names.CONTENT_LENGTH.encode(), names.EXPECT.encode()
TRANSFER_ENCODING = names.TRANSFER_ENCODING.encode()
_GIVEN_ONCE = (HOST, CONTENT_LENGTH)

_HOST = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+(?::[0-9]{0,5})?"  # reg-name or IPv4address, without commas
    rb"|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{0,5})?"  # IP-literal
)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_MAX_PORT = 65_535
_ABSOLUTE = re.compile(rb"https?://([^/?]*)", re.IGNORECASE)
_TRIPLET = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Headers(dict[bytes, bytes]):
    """Header fields by lower-case name. The values of a repeated field are one list (RFC 9110, 5.3)."""

    __slots__ = ("are_checked",)

    def __init__(self, fields: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(fields)
        self.are_checked = False
        """True once `check_message` has accepted them: the gate caches header blocks that clients repeat."""

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
        """`pairs` have lower-case names.

        Raises: MalformedRequest for a second Host or Content-Length.
        """
        headers = cls()
        for name, value in pairs:
            if name in headers:
                if name in _GIVEN_ONCE:
                    raise MalformedRequest(f"{name.decode().title()} must be given once.")
                value = headers[name] + b", " + value
            headers[name] = value
        return headers


class Request(msgspec.Struct, frozen=True, gc=False):
    """The head of a request.

    `path` is normalized (RFC 3986, 6.2.2): percent-encoded only where a character has to be; an encoded slash stays
    encoded. `version` is "1.1" or another protocol version; `peer` is the address of the client, if it has one.
    `authority` is that of an absolute target: it is checked, and has no other effect.
    """

    method: str
    path: str
    query_string: bytes
    headers: Headers
    version: str
    peer: str | None
    authority: bytes | None = None


class Target(NamedTuple):
    """A request target (RFC 9112, 3.2). `authority` is that of an absolute form, else None."""

    authority: bytes | None
    path: str
    query_string: bytes


def parse_target(target: bytes) -> Target:
    """Split a target of printable ASCII bytes.

    Raises: MalformedRequest.
    """
    authority = None
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/"):
        absolute = _ABSOLUTE.match(target)
        if absolute is not None:
            authority, path = absolute[1], path[absolute.end() :] or b"/"
        elif path != b"*":
            raise MalformedRequest("The request target must be a path, such as /api/v1/orders.")
    if b"#" in target:
        raise MalformedRequest("A request target must not have a fragment.")
    text = path.decode("ascii")
    return Target(authority, _normalized(text) if "%" in text else text, query)


def check_message(request: Request) -> None:
    """Check the rules of HTTP/1.1 and the limits of this server.

    Raises: UnsupportedVersion, MalformedRequest, UnknownMethod, ExpectationFailed.
    """
    if request.version not in VERSIONS:
        raise UnsupportedVersion(request.version)
    if not request.headers.are_checked:
        check_headers(request.headers, request.version)
    if request.authority is not None and not is_host(request.authority):
        raise MalformedRequest("The target must have a host, and may have a port.")
    if request.method not in METHODS:
        raise UnknownMethod(request.method)
    if request.path == "*" and request.method != "OPTIONS":
        raise MalformedRequest("The target * is allowed only for OPTIONS.")


def check_headers(headers: Headers, version: str) -> None:
    """Raises: MalformedRequest, ExpectationFailed."""
    host, expect = headers.get(HOST), headers.get(EXPECT)
    if host is None and version == "1.1":
        raise MalformedRequest("An HTTP/1.1 request must have one Host.")
    if host is not None and not is_host(host):
        raise MalformedRequest("Host must be a name or an address, and may have a port.")
    if expect is not None and expect.lower() != b"100-continue":
        raise ExpectationFailed(expect[:100].decode("latin-1"))
    headers.are_checked = host is not None  # without Host the version decides


def body_length(headers: Headers, version: str) -> int:
    """Return the length of a request's body in bytes, or CHUNKED (RFC 9112, 6.3).

    Raises: MalformedRequest, UnsupportedTransferCoding.
    """
    length, transfer_encoding = headers.get(CONTENT_LENGTH), headers.get(TRANSFER_ENCODING)
    if transfer_encoding is None:
        if length is None:
            return 0
        if not _LENGTH.fullmatch(length):
            raise MalformedRequest("Content-Length must be one decimal number.")
        return int(length)
    if length is not None:
        raise MalformedRequest("A request must not have both Content-Length and Transfer-Encoding.")
    if version != "1.1":
        raise MalformedRequest("Transfer-Encoding is allowed only in HTTP/1.1.")
    codings = [coding.strip().lower() for coding in transfer_encoding.split(b",")]
    if codings[-1] != b"chunked":
        raise MalformedRequest("The last transfer coding of a request must be chunked.")
    if codings.count(b"chunked") > 1:
        raise MalformedRequest("A request may be chunked only once.")
    if len(codings) > 1:
        raise UnsupportedTransferCoding(transfer_encoding[:100].decode("latin-1"))
    return CHUNKED


def is_host(value: bytes) -> bool:
    """Tell whether `value` is a `uri-host [ ":" port ]` (RFC 9110, 7.2) that is not empty."""
    if not _HOST.fullmatch(value):
        return False
    port = value.rpartition(b":")[2] if not value.endswith(b"]") and b":" in value else b""
    return not port or int(port) <= _MAX_PORT


def percent_decode(path: str) -> str:
    """Undo the percent-encoding of a normalized path, except for encoded slashes: those never separate segments."""
    return "/".join(unquote(part).replace("/", "%2F") for part in path.split("/")) if "%" in path else path


def percent_encode(path: str) -> str:
    """Percent-encode a decoded path, for ASGI servers that leave out `raw_path`."""
    return quote(path, safe="/!$&'()*+,;=:@-._~")


def _normalized(path: str) -> str:
    return _TRIPLET.sub(lambda match: _unreserved(match[1]), path)


def _unreserved(digits: str) -> str:
    character = chr(int(digits, 16))
    return character if character in _UNRESERVED else f"%{digits.upper()}"
