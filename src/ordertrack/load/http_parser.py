"""HTTP/1.1 answers, cut out of what was read: status, head, body. Only answers that say how long they are."""

from __future__ import annotations

from typing import NamedTuple

_BLANK = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_WITHOUT_BODY = (204, 304)


class Malformed(ValueError):
    """These bytes are no answer that this reader understands."""


class Reply(NamedTuple):
    """`head` without the blank line; `rest` is what came behind the answer, and nobody asked for it."""

    status: int
    head: bytes
    body: bytes
    rest: bytes

    def header(self, name: bytes) -> bytes:
        """Its value, or nothing. `name` in lower case."""
        at = self.head.lower().find(b"\r\n" + name + b":")
        if at < 0:
            return b""
        end = self.head.find(b"\r\n", at + 2)
        return self.head[at + len(name) + 3 : end if end >= 0 else None].strip()

    @property
    def closing(self) -> bool:
        return self.header(b"connection").lower() == b"close"


def split(data: bytes) -> Reply | None:
    """The first answer in `data`, or None while it is not complete. Raises Malformed."""
    head_end = data.find(_BLANK)
    if head_end < 0:
        return None
    if not data.startswith(b"HTTP/1.") or not data[9:12].isdigit():
        raise Malformed(f"no HTTP answer: {data[:40]!r}")
    status = int(data[9:12])
    end = head_end + len(_BLANK)
    if status not in _WITHOUT_BODY:
        end += _length(data[:head_end].lower())
    if len(data) < end:
        return None
    return Reply(status, data[:head_end], data[head_end + len(_BLANK) : end], data[end:])


def _length(head: bytes) -> int:
    at = head.find(_LENGTH)
    if at < 0:
        raise Malformed("an answer without Content-Length")
    end = head.find(b"\r\n", at + 2)
    text = head[at + len(_LENGTH) : end if end >= 0 else None].strip()
    if not text.isdigit():
        raise Malformed(f"an answer with Content-Length {text!r}")
    return int(text)
