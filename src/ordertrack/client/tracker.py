"""Following one order: what to ask next and how long to wait, decided without touching network, clock or random source.

    tracker = Tracker(random=random.random)
    while not tracker.ended:
        request = tracker.next_request(now_s)
        ... send it ...
        step = tracker.received(status, headers, body, now_s)  # or tracker.failed(error, now_s)
        ... hand out step.update if there is one, then wait step.wait_s seconds ...

`now_s` is any clock that only goes forward, in seconds. The rules, and where each is:

* The first request names neither position nor timeout: the order comes at once. Every later one names the cursor.
* The *hold* is the interval: after an answer the next request goes out at once and waits at the server (`_next_live`).
* The hold fits the path (`hold.py`): longer after each clean timeout, shorter after a loss.
* After a loss the next request is a *probe*, answered at once: the radio is awake anyway, and nobody has to wait for a
  whole hold to learn that the line is back and what was missed.
* Whatever comes back without news and too soon to have been held counts as trouble: no server can make us spin.
* A planned stop is no trouble: a `drain` is waited out (`_drain_wait_s`), and the `reset` after it is handed out at
  once. A `reset` that follows at once on another one is trouble: two histories answer under one address.
* Trouble is waited out with full jitter and `Retry-After` (`_trouble`). Its count starts again only when a hold worked
  or news came; a probe that worked proves too little.
* The position never goes back, except when the server says `reset`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

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
from ordertrack.client.hold import HoldLength, Pace, seconds_text
from ordertrack.client.values import Mode, Update

MIN_SAVER_PAUSE_S, MAX_SAVER_PAUSE_S = 1.0, 600.0
FIRST_TRIES = 3
"""How often a first connection may be accepted and broken off before something other than a server is assumed there."""
_UPDATE = msgspec.json.Decoder(Update)
_PATH_CUTS_HOLDS = frozenset({502, 504, 524})
"""What proxies answer when a request took longer than they allow (524 is Cloudflare's)."""
_MAY_PASS = frozenset({408, 425, 429})
"""The 4xx that say nothing against the request itself."""


class _Asked(Enum):
    SNAPSHOT = auto()
    PROBE = auto()
    HOLD = auto()


class PollRequest(msgspec.Struct, frozen=True):
    """Query parameters of the poll to send, and how many seconds of silence to bear before giving it up."""

    params: dict[str, str]
    read_timeout_s: float


class Step(msgspec.Struct, frozen=True):
    """What follows from an answer or a failure: hand out `update`, then wait `wait_s` seconds before the next request.

    `error` is set when there was trouble; `failures` counts it in a row, and 0 means the line is fine.
    """

    update: Update | None = None
    wait_s: float = 0.0
    error: OrdertrackClientError | None = None
    failures: int = 0


class Tracker:
    """One order, one request at a time. `cursor` is where to go on from; None starts with a snapshot.
    `wait_for_server`: a server that has never answered is trouble that passes, not an error.

    Raises ValueError for an unknown mode.
    """

    def __init__(
        self,
        *,
        random: Random,
        mode: Mode = "live",
        cursor: str | None = None,
        client_id: str | None = None,
        pace: Pace | None = None,
        wait_for_server: bool = False,
    ) -> None:
        if mode not in ("live", "saver"):
            raise ValueError(f'mode is "live" or "saver", not {mode!r}')
        self._random = random
        self._saver = mode == "saver"
        self._pace = pace or Pace()
        self._hold = HoldLength(self._pace)
        self._client_id = client_id
        self._wait_for_server = wait_for_server
        self._reached = False
        self._cursor = cursor
        self._version: int | None = None
        """What the consumer has; None until the first answer, also when a cursor was given."""
        self._failures = 0
        self._probe_next = True
        self._latest_reason: str | None = None
        """The reason of the latest good answer; None after a refusal or a failure."""
        self._reason_before: str | None = None
        self._repetitions = 0
        """How many answers in a row gave the reason of the answer before them."""
        self._asked: _Asked | None = None
        self._asked_at_s = 0.0
        self.ended = False
        """True when there is nothing more to ask: the order has ended, or an error was raised."""

    def next_request(self, now_s: float) -> PollRequest:
        """The poll to send now. Raises RuntimeError while one is under way, or after the end."""
        if self._asked is not None or self.ended:
            raise RuntimeError("a poll is still under way" if self._asked is not None else "tracking has ended")
        params = {} if self._client_id is None else {"client_id": self._client_id}
        timeout_s = 0.0
        if self._cursor is None:
            self._asked = _Asked.SNAPSHOT
        else:
            self._asked = _Asked.PROBE if self._saver or self._probe_next else _Asked.HOLD
            timeout_s = self._hold.length_s if self._asked is _Asked.HOLD else 0.0
            params |= {"cursor": self._cursor, "timeout": seconds_text(timeout_s)}
        self._probe_next = False
        self._asked_at_s = now_s
        return PollRequest(params, timeout_s + self._pace.margin_s)

    def received(self, status: int, headers: Mapping[str, str], body: bytes, now_s: float) -> Step:
        """An answer came. `headers` has lower-case names, or does not mind the case.

        Raises a RequestRefused that no repetition will cure, and UnexpectedAnswer when the very first answer is not an
        ordertrack server's: the URL is wrong. Later ones are a proxy's trouble, and pass.
        """
        asked, took_s = self._take(now_s)
        self._reached = True
        try:
            update = read(_UPDATE, status, headers, body)
        except RequestRefused as error:
            if error.status < 500 and error.status not in _MAY_PASS:
                self.ended = True
                raise
            if asked is _Asked.HOLD and error.status in _PATH_CUTS_HOLDS:
                self._hold.lost()
            return self._trouble(error, retry_after_s=error.retry_after_s, probe=not isinstance(error, ServerBusy))
        except UnexpectedAnswer as error:
            if self._version is None:
                self.ended = True
                raise
            return self._trouble(error, probe=True)
        return self._answered(update, asked, took_s)

    def failed(self, error: ServerUnreachable, now_s: float) -> Step:
        """No answer came: not connected, cut off, or silent for longer than the request's `read_timeout_s`.

        Raises the error when no answer has ever come and `wait_for_server` is False: at once when there is no
        connection, after FIRST_TRIES when connections break. That is a wrong address, or a server that does not run.
        """
        asked, _ = self._take(now_s)
        if not self._reached and not self._wait_for_server:
            tries = FIRST_TRIES if isinstance(error, ConnectionLost) else 1
            if self._failures + 1 >= tries:
                self.ended = True
                raise error
        if asked is _Asked.HOLD and isinstance(error, ConnectionLost):
            self._hold.lost()
        return self._trouble(error, probe=True)

    def _take(self, now_s: float) -> tuple[_Asked, float]:
        if self._asked is None:
            raise RuntimeError("no poll is under way")
        asked, self._asked = self._asked, None
        self._reason_before, self._latest_reason = self._latest_reason, None
        return asked, now_s - self._asked_at_s

    def _answered(self, update: Update, asked: _Asked, took_s: float) -> Step:
        self._hold.allow(update.max_timeout_s)
        first, version = self._version is None, update.order.version
        if self._version is not None and version < self._version and not update.reset:
            return self._trouble(UnexpectedAnswer("The answer is older than one before it", status=200))
        news = update.reset or self._version is None or version > self._version
        self._version = version
        if news:
            self._cursor = update.cursor
        if update.terminal or update.next_poll_interval_s == 0:
            self.ended = True
            return Step(update)
        step = self._next_saver(update) if self._saver else self._next_live(update, asked, took_s, news=news)
        return msgspec.structs.replace(step, update=update) if news or first else step

    def _next_saver(self, update: Update) -> Step:
        self._failures = 0
        advised_s = update.next_poll_interval_s
        pause_s = self._pace.backoff_cap_s if advised_s is None else advised_s
        return Step(wait_s=min(max(pause_s, MIN_SAVER_PAUSE_S), MAX_SAVER_PAUSE_S))

    def _next_live(self, update: Update, asked: _Asked, took_s: float, *, news: bool) -> Step:
        self._latest_reason = "reset" if update.reset else update.reason
        repeated = self._latest_reason == self._reason_before
        self._repetitions = self._repetitions + 1 if repeated else 0
        if self._latest_reason == "drain":
            return Step(wait_s=self._drain_wait_s())
        if update.reset and repeated and took_s < self._pace.quick_s:
            return self._trouble(UnexpectedAnswer("The server repeats 'reset'", status=200))
        if update.reason == "superseded":
            return self._trouble(UnexpectedAnswer("Another poll uses the same client_id", status=200))
        if news:
            self._failures = 0
        elif asked is _Asked.HOLD:
            if took_s < min(self._pace.quick_s, self._hold.length_s / 2):
                return self._trouble(UnexpectedAnswer("The server neither holds nor has news", status=200))
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

    def _trouble(self, error: OrdertrackClientError, *, retry_after_s: float = 0.0, probe: bool = False) -> Step:
        self._failures += 1
        self._probe_next = probe
        base_s, cap_s = self._pace.backoff_base_s, self._pace.backoff_cap_s
        wait_s = backoff_s(self._failures, self._random, base_s=base_s, cap_s=cap_s, retry_after_s=retry_after_s)
        return Step(wait_s=wait_s, error=error, failures=self._failures)
