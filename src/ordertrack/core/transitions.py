"""The table of status transitions: all 36 cells, and what each needs."""

from __future__ import annotations

from enum import StrEnum

from ordertrack.core.enum_members import plain_members
from ordertrack.core.event import Status


@plain_members
class Move(StrEnum):
    """The kind of a transition."""

    SAME = "same"
    NEXT = "next"
    SKIP = "skip"
    CANCEL = "cancel"
    CANCEL_WITH_REASON = "cancel_with_reason"
    BACK = "back"
    RESTORE = "restore"
    NO = "no"


S, N, K, C, R, B, U, _ = Move
_TABLE = {
    # from \ to        confirmed preparing ready picked_up delivered cancelled
    Status.CONFIRMED: (S, N, K, K, K, C),
    Status.PREPARING: (B, S, N, K, K, C),
    Status.READY:     (B, B, S, N, K, C),
    Status.PICKED_UP: (B, B, B, S, N, R),
    Status.DELIVERED: (B, B, B, B, S, _),
    Status.CANCELLED: (U, U, U, U, _, S),
}  # fmt: skip
TRANSITIONS: dict[tuple[Status, Status], Move] = {
    (start, to): move for start in Status for to, move in zip(Status, _TABLE[start], strict=True)
}
"""`BACK` and `RESTORE` need `undo`; every other move refuses it."""
FORWARD_MOVES = frozenset({Move.NEXT, Move.SKIP, Move.CANCEL, Move.CANCEL_WITH_REASON})
