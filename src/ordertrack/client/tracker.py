"""The protocol of tracking one order or one feed, without I/O: the next request, and the time to wait before it.

    tracker = Tracker(random=random.random)
    while not tracker.ended:
        request = tracker.next_request(now_s)
        ... send it ...
        step = tracker.received(status, headers, body, now_s)  # or tracker.failed(error, now_s)
        ... deliver step.update if there is one, then wait step.wait_s seconds ...

`now_s` is a monotonic clock in seconds. The rules:

1. The first request has no cursor and no timeout, so the answer comes at once. Every later one has the cursor.
2. After an answer the next request is sent at once and held by the server (`_next_live`).
3. The hold adapts to the network path (`hold.py`): longer after regular timeouts, shorter after a loss.
4. After a loss the next request is a *probe*, answered at once: it shows without a whole hold that the connection is
   back, and brings the missed events.
5. An answer without news that was not held is a failure, so that no server can cause a busy loop.
6. A planned stop is no failure: after `drain` the client waits (`_drain_wait_s`), and a `reset` after it is delivered
   at once. A `reset` right after another one is a failure: two histories answer at one address.
7. Failures back off with full jitter and `Retry-After` (`_back_off`). Their count returns to 0 only when a hold worked
   or news came; a successful probe is not enough.
8. The position never goes back, except by `reset`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from functools import cache
from typing import Generic, TypeVar

import msgspec

from ordertrack.client.answers import read
from ordertrack.client.backoff import Random, backoff_s
from ordertrack.client.errors import (
    ConnectionLost,
    OrdertrackClientError,
    RequestRefused,
    ServerBusy,
    ServerUnreachable,
    UnexpectedAnswer,
)
from ordertrack.client.hold import HoldLength, LearnedHold, Pace, seconds_text
from ordertrack.client.values import FeedUpdate, Mode, Update

U = TypeVar("U", Update, FeedUpdate)
MIN_SAVER_PAUSE_S, MAX_SAVER_PAUSE_S = 1.0, 600.0
FIRST_TRIES = 3
"""Number of broken connections before the first answer after which the address counts as wrong."""
_decoder = cache(msgspec.json.Decoder)
_PATH_CUTS_HOLDS = frozenset({502, 504, 524})
"""The answers of proxies after their timeout (524 is Cloudflare's)."""
_TEMPORARY_4XX = frozenset({408, 425, 429})
"""The 4xx after which the same request may succeed."""


class _PollKind(Enum):
    SNAPSHOT = auto()
    PROBE = auto()
    HOLD = auto()


class PollRequest(msgspec.Struct, frozen=True):
    """Query parameters of the poll to send, and the seconds without data after which it has failed."""

    params: dict[str, str]
    read_timeout_s: float


class Step(msgspec.Struct, Generic[U], frozen=True):
    """The reaction to an answer or a failure: deliver `update`, then wait `wait_s` seconds before the next request.

    `error` is set after a failure; `failures` counts failures in a row.
    """

    update: U | None = None
    wait_s: float = 0.0
    error: OrdertrackClientError | None = None
    failures: int = 0


class Tracker(Generic[U]):
    """Tracks one order (`answers` is Update) or one feed (FeedUpdate) with one request at a time, from `cursor`; None
    starts with a snapshot. With `wait_for_server`, failures before the first answer are retried, not raised.
    `learned_hold` comes from an earlier tracker.

    Raises: ValueError, for an unknown mode.
    """

    def __init__(
        self,
        answers: type[U] = Update,  # type: ignore[assignment]  # mypy has no defaults of type variables
        *,
        random: Random,
        mode: Mode = "live",
        cursor: str | None = None,
        client_id: str | None = None,
        pace: Pace | None = None,
        wait_for_server: bool = False,
        learned_hold: LearnedHold | None = None,
    ) -> None:
        if mode not in ("live", "saver"):
            raise ValueError(f'mode must be "live" or "saver", not {mode!r}')
        self._decoder: msgspec.json.Decoder[U] = _decoder(answers)
        self._random = random
        self._saver = mode == "saver"
        self._pace = pace or Pace()
        self._hold = HoldLength(self._pace, learned_hold)
        self._client_id = client_id
        self._wait_for_server = wait_for_server
        self._reached = False
        self._cursor = cursor
        self._version: int | None = None
        """The version delivered last; None until the first answer, also when a cursor was given."""
        self._failures = 0
        self._probe_next = True
        self._latest_reason: str | None = None
        """The reason of the last successful answer; None after a refusal or a failure."""
        self._reason_before: str | None = None
        self._repetitions = 0
        """Number of answers in a row with the same reason as the one before."""
        self._pending: _PollKind | None = None
        self._sent_at_s = 0.0
        self.ended = False
        """True when the order has ended or an error was raised."""

    @property
    def learned_hold(self) -> LearnedHold:
        return self._hold.learned

    def next_request(self, now_s: float) -> PollRequest:
        """Return the poll to send now.

        Raises: RuntimeError, while a poll is in progress or after the end.
        """
        if self._pending is not None or self.ended:
            raise RuntimeError("a poll is still in progress" if self._pending is not None else "tracking has ended")
        params = {} if self._client_id is None else {"client_id": self._client_id}
        timeout_s = 0.0
        if self._cursor is None:
            self._pending = _PollKind.SNAPSHOT
        else:
            self._pending = _PollKind.PROBE if self._saver or self._probe_next else _PollKind.HOLD
            timeout_s = self._hold.length_s if self._pending is _PollKind.HOLD else 0.0
            params |= {"cursor": self._cursor, "timeout": seconds_text(timeout_s)}
        self._probe_next = False
        self._sent_at_s = now_s
        return PollRequest(params, timeout_s + self._pace.margin_s)

    def received(self, status: int, headers: Mapping[str, str], body: bytes, now_s: float) -> Step[U]:
        """Process an answer. `headers` has lower-case names or ignores case.

        Raises: RequestRefused, when a retry cannot help; UnexpectedAnswer, without `wait_for_server`, when the first
        answer is not from an ordertrack server. Later ones come from a proxy and are retried.
        """
        kind, took_s = self._end_poll(now_s)
        self._reached = True
        try:
            update = read(self._decoder, status, headers, body)
        except RequestRefused as error:
            if error.status < 500 and error.status not in _TEMPORARY_4XX:
                self.ended = True
                raise
            if kind is _PollKind.HOLD and error.status in _PATH_CUTS_HOLDS:
                self._hold.lost(took_s)
            # The server itself refused to hold; it would answer a probe.
            busy = isinstance(error, ServerBusy) and error.code != f"http_{error.status}"
            return self._back_off(error, retry_after_s=error.retry_after_s, probe=not busy)
        except UnexpectedAnswer as error:
            if self._version is None and not self._wait_for_server:
                self.ended = True
                raise
            return self._back_off(error, probe=True)
        return self._process_update(update, kind, took_s)

    def failed(self, error: ServerUnreachable, now_s: float) -> Step[U]:
        """Process a request without an answer: not connected, connection lost, or silent for `read_timeout_s`.

        Raises: `error`, before the first answer and without `wait_for_server`: at once when there is no connection,
        after FIRST_TRIES when connections break.
        """
        kind, took_s = self._end_poll(now_s)
        if not self._reached and not self._wait_for_server:
            tries = FIRST_TRIES if isinstance(error, ConnectionLost) else 1
            if self._failures + 1 >= tries:
                self.ended = True
                raise error
        if kind is _PollKind.HOLD and isinstance(error, ConnectionLost):
            self._hold.lost(took_s)
        return self._back_off(error, probe=True)

    def _end_poll(self, now_s: float) -> tuple[_PollKind, float]:
        if self._pending is None:
            raise RuntimeError("no poll is in progress")
        kind, self._pending = self._pending, None
        self._reason_before, self._latest_reason = self._latest_reason, None
        return kind, now_s - self._sent_at_s

    def _process_update(self, update: U, kind: _PollKind, took_s: float) -> Step[U]:
        self._hold.allow(update.max_timeout_s)
        first, version = self._version is None, update.version_after(self._version)
        if self._version is not None and version < self._version and not update.reset:
            return self._back_off(UnexpectedAnswer("The answer is older than one before it", status=200))
        news = update.reset or self._version is None or version > self._version
        self._version = version
        if news:
            self._cursor = update.cursor
        if update.terminal or update.next_poll_interval_s == 0:
            self.ended = True
            return Step(update)
        step = self._next_saver(update) if self._saver else self._next_live(update, kind, took_s, news=news)
        return msgspec.structs.replace(step, update=update) if news or first else step

    def _next_saver(self, update: U) -> Step[U]:
        self._failures = 0
        if update.more:
            return Step()
        advised_s = update.next_poll_interval_s
        pause_s = self._pace.backoff_cap_s if advised_s is None else advised_s
        return Step(wait_s=min(max(pause_s, MIN_SAVER_PAUSE_S), MAX_SAVER_PAUSE_S))

    def _next_live(self, update: U, kind: _PollKind, took_s: float, *, news: bool) -> Step[U]:
        self._latest_reason = "reset" if update.reset else update.reason
        repeated = self._latest_reason == self._reason_before
        self._repetitions = self._repetitions + 1 if repeated else 0
        if self._latest_reason == "drain":
            return Step(wait_s=self._drain_wait_s())
        if update.reset and repeated and took_s < self._pace.quick_s:
            return self._back_off(UnexpectedAnswer("The server repeats 'reset'", status=200))
        if update.reason == "superseded":
            return self._back_off(UnexpectedAnswer("Another poll uses the same client_id", status=200))
        if news:
            self._failures = 0
        elif kind is _PollKind.HOLD:
            if took_s < min(self._pace.quick_s, self._hold.length_s / 2):
                return self._back_off(UnexpectedAnswer("The server neither holds nor has news", status=200))
            self._failures = 0
            if update.reason == "timeout":
                self._hold.worked(took_s)
        return Step()

    def _drain_wait_s(self) -> float:
        """Return a short random wait after a first `drain`; after each further one in a row, up to twice as long."""
        if self._repetitions == 0:
            return self._random() * self._pace.drain_spread_s
        base_s, cap_s = self._pace.backoff_base_s, self._pace.backoff_cap_s
        return backoff_s(self._repetitions, self._random, base_s=base_s, cap_s=cap_s)

    def _back_off(self, error: OrdertrackClientError, *, retry_after_s: float = 0.0, probe: bool = False) -> Step[U]:
        self._failures += 1
        self._probe_next = probe
        base_s, cap_s = self._pace.backoff_base_s, self._pace.backoff_cap_s
        wait_s = backoff_s(self._failures, self._random, base_s=base_s, cap_s=cap_s, retry_after_s=retry_after_s)
        return Step(wait_s=wait_s, error=error, failures=self._failures)
