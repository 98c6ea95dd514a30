"""The rules of the expected arrival: which window an event carries, and when a window does not hold any more. Pure.

An estimator says when orders arrive; these rules decide what an order shows. The window of each event is kept in the
log, so every node shows the same, and a new estimator changes no window that was given.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from ordertrack.core.eta.stages import entered_at_ms
from ordertrack.core.event import PROGRESSION, STATUS_EVENTS, Eta, Status
from ordertrack.core.order import Order
from ordertrack.core.simulation import TIMINGS_S
from ordertrack.core.window import Window

ACTOR = "server"
"""The actor of a new window that no change of status made."""
MAX_VERSION = 250
"""From this version on an order gets no window without a change of status: half of its log is for people."""
LATE_SHARE = 4
"""An order that is overdue gets a new window only when it moves by this part of the delay: few for a forgotten one."""
STAGE_SHARES = {
    status: seconds / sum(TIMINGS_S[later] for later in PROGRESSION[i:-1])
    for i, (status, seconds) in enumerate(TIMINGS_S.items())
}
"""The part of the time until the arrival that an order spends in a status."""


class Estimator(Protocol):
    """Estimates arrivals. `window` and `learn` may be called by two threads at once."""

    def window(self, restaurant_id: str, status: Status, since_ms: int, now_ms: int) -> Window:
        """Return the window in which 80 % of the orders arrive that have `status` since `since_ms`, as seen at `now_ms`
        (milliseconds since 1970). It never ends in the past, and is later when the status lasts longer than usual."""

    def learn(self, order: Order) -> None:
        """Learn from a delivered order; once for each id, however often it is given. Orders come in about the order of
        their deliveries."""


class EtaRules(msgspec.Struct, frozen=True):
    """`threshold_ms`: by how much a window has to move to be told. Without an estimator no order has an ETA."""

    estimator: Estimator | None
    threshold_ms: int = 300_000

    def promise(self, restaurant_id: str, now_ms: int) -> Eta | None:
        """Return the ETA of a new order."""
        if self.estimator is None:
            return None
        window = self.estimator.window(restaurant_id, Status.CONFIRMED, now_ms, now_ms)
        return self._eta(window, window, now_ms, STAGE_SHARES[Status.CONFIRMED])

    def after_status(self, order: Order, to: Status, at_ms: int, now_ms: int, *, is_undo: bool) -> Eta | None:
        """Return the ETA after a change of status that happened at `at_ms`."""
        promised = order.promised
        if promised is None or self.estimator is None or to is Status.CANCELLED:
            return None
        if to is Status.DELIVERED:
            return Eta(Window(at_ms, at_ms), at_ms > promised.to_ms + self.threshold_ms, 0)
        since_ms = at_ms
        if is_undo:
            since_ms = entered_at_ms(order).get(to, at_ms)
        else:  # not before the statuses before it, as a clock that is behind would have it
            for event in order.timeline:
                if event.type in STATUS_EVENTS and event.at_ms > since_ms:
                    since_ms = event.at_ms
        window = self.estimator.window(order.restaurant_id, to, since_ms, now_ms)
        return self._eta(window, promised, now_ms, STAGE_SHARES[to])

    def moved(self, order: Order, now_ms: int) -> Eta | None:
        """Return the ETA that takes the place of the current one; None while that holds, and for an ended order."""
        promised, current, status = order.promised, order.eta, order.status
        if promised is None or current is None or self.estimator is None or status.ended:
            return None
        if order.version >= MAX_VERSION:
            return None
        since_ms = entered_at_ms(order).get(status, order.updated_at_ms)
        window = self.estimator.window(order.restaurant_id, status, since_ms, now_ms)
        if window.to_ms - current.window.to_ms <= self._least_move_ms(promised, now_ms):
            return None
        return self._eta(Window(max(window.from_ms, current.window.from_ms), window.to_ms), promised, now_ms)

    def _eta(self, window: Window, promised: Window, now_ms: int, stage_share: float = 0.0) -> Eta:
        """`stage_share` is the part of the time until the window in which no news are expected."""
        check_at_ms = now_ms + round((window.from_ms - now_ms) * stage_share) + self._least_move_ms(promised, now_ms)
        return Eta(window, window.to_ms > promised.to_ms + self.threshold_ms, check_at_ms)

    def _least_move_ms(self, promised: Window, now_ms: int) -> int:
        """Return by how much a window has to move later to be told."""
        return max(self.threshold_ms, (now_ms - promised.to_ms) // LATE_SHARE)


NO_ETA = EtaRules(None)
