"""The messages that nodes send each other, as JSON arrays. The first element names the kind, in four letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ordertrack.ports.signal import MAX_MESSAGE_BYTES
from ordertrack.service.monitoring.monitor import NodeStats


class _Message(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", gc=False):
    """`node` is the sender's id, drawn when it started; `number` counts its messages on this channel from 1."""

    node: str
    number: int


class News(_Message, frozen=True, tag="news", array_like=True):
    """Feeds by name, with their versions after a commit."""

    feeds: list[tuple[str, int]]


class Beat(_Message, frozen=True, tag="beat", array_like=True):
    """Sent every second: the numbers of the sender's last messages by channel, how many messages it dropped, and its
    figures. `reads_windows` is false for a node of an earlier version, which cannot read an event `eta_changed`."""

    numbers: dict[int, int]
    dropped: int
    stats: NodeStats
    reads_windows: bool = False


class HeldPolls(_Message, frozen=True, tag="held", array_like=True):
    """Feeds by name, with the polls that the sender holds, and whether there were fewer a moment ago."""

    feeds: list[tuple[str, int, bool]]


class Revoked(_Message, frozen=True, tag="gone", array_like=True):
    """A tracking link was revoked."""

    order_id: int
    link_id: int


class Bye(_Message, frozen=True, tag="over", array_like=True):
    """The sender has stopped."""


Message = News | Beat | HeldPolls | Revoked | Bye
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_encode = msgspec.json.Encoder().encode
_OVERHEAD_BYTES = 200
ALWAYS_FIT = 16
"""Entries that fit even with the longest ids: 64 characters of up to 6 bytes each."""


def encode_message(message: Message) -> str:
    return _encode(message).decode()


def decode_message(text: str) -> Message:
    """Raises: ValueError for a message of another version."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("too many levels") from None


def parts(entries: Iterable[tuple[Any, ...]]) -> Iterable[Sequence[tuple[Any, ...]]]:
    """Divide entries, each of a name and a few numbers, so that each part fits into one message."""
    entries = list(entries)
    if len(entries) <= ALWAYS_FIT:
        return [entries] if entries else []
    return _divided(entries)


def _divided(entries: Iterable[tuple[Any, ...]]) -> Iterable[Sequence[tuple[Any, ...]]]:
    part: list[tuple[Any, ...]] = []
    size = 0
    for entry in entries:
        entry_bytes = len(_encode(entry)) + 1
        if part and size + entry_bytes > MAX_MESSAGE_BYTES - _OVERHEAD_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += entry_bytes
    if part:
        yield part
