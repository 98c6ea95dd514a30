"""Requests of a client that follows an order from `confirmed` to `delivered`, recorded outside it.

Each client is a process of its own and follows an order of its own through a recording proxy, all at the same time. The
orders are simulated by the server: 33 minutes, divided by `speed`, which the clocks of the clients are multiplied by.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.contenders import Ordertrack, Skipped
from bench.radio import Transmission
from bench.wire_record import Exchange, WireRecord, exchanges, transmissions
from ordertrack.client import Order, OrdertrackClient
from servers.fault_proxy import FaultProxy

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "bench" / "order_client.mjs"
SOURCES = {
    "original": ROOT / "tests" / "conformance" / "original_client.mjs",
    "sdk": ROOT / "sdk" / "js" / "src" / "index.js",
}
HOLD_LIMITS_S = (120.0, 240.0)
"""`max_timeout_s` of the servers: the default, and a setting."""
CONNECTIONS = 100
AGREE_S = 5.0
"""The client and the proxy note the start of a request at the same time, but for delays on a busy machine."""


class Disagreement(Exception):
    """The client and the proxy saw different requests."""


@dataclass(frozen=True)
class Strategy:
    """A client and its path. `names` has a name for each order that it follows, one after another."""

    names: tuple[str, ...]
    client: str = "sdk"
    options: dict[str, object] = field(default_factory=dict)
    hold_limit_s: float = HOLD_LIMITS_S[0]
    path_forgets_after_s: float | None = None
    phone: dict[str, object] = field(default_factory=dict)
    """`visible_s`: the page is visible for the first number of seconds of each period of the second number;
    `low_battery_after_s`: the battery is below 20 % from then on."""


class Followed(NamedTuple):
    """One order that a client followed. Times are in seconds of an order of 33 minutes."""

    transmissions: list[Transmission]
    exchanges: list[Exchange]
    statuses: dict[int, int]
    """Answers by HTTP status, as the client saw them."""
    late_s: list[float]
    """From the recording of each change to the time at which the client showed it, or a later state."""


class _Client:
    """The process of a client."""

    def __init__(self, strategy: Strategy, url: str, speed: float) -> None:
        settings = {
            "client": strategy.client,
            "source": str(SOURCES[strategy.client]),
            "url": url,
            "speed": speed,
            "limit": strategy.hold_limit_s,
            "options": strategy.options,
            "phone": strategy.phone,
        }
        command = ["node", str(CLIENT), json.dumps(settings)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self._lines_until("ready")
        except BaseException:
            self.close()
            raise

    def follow(self, order_id: int) -> list[dict[str, Any]]:
        """Follow an order to its end and return what the client printed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order_id}\n")
        self._process.stdin.flush()
        return self._lines_until("ended")

    def _lines_until(self, last: str) -> list[dict[str, Any]]:
        assert self._process.stdout is not None
        lines: list[dict[str, Any]] = []
        for text in self._process.stdout:
            lines.append(json.loads(text))
            if last in lines[-1]:
                return lines
        raise Skipped(f"the client ended with status {self._process.wait()}")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class _Run:
    """A strategy with its client and its recorded path, ready to follow orders."""

    def __init__(self, strategy: Strategy, port: int, speed: float, stack: ExitStack) -> None:
        self._strategy, self._speed = strategy, speed
        forgets_after_s = strategy.path_forgets_after_s
        self._record = WireRecord(None if forgets_after_s is None else forgets_after_s / speed)
        proxy = stack.enter_context(closing(FaultProxy(port, self._record.note)))
        self._client = stack.enter_context(closing(_Client(strategy, f"http://127.0.0.1:{proxy.port}", speed)))
        self._api = stack.enter_context(OrdertrackClient(f"http://127.0.0.1:{port}"))

    def follow(self) -> dict[str, Followed]:
        return {name: self._follow_one(name) for name in self._strategy.names}

    def _follow_one(self, name: str) -> Followed:
        order = self._api.create(customer_id="phone", restaurant_id="kitchen")
        before = len(self._record.pieces)
        self._api.simulate(order.id, speed=self._speed)
        started_s = time.time()
        lines = self._client.follow(order.id)
        found = exchanges(self._record.pieces[before:])
        requests = [line["request"] for line in lines if "request" in line]
        check_agreement(name, found, sorted(request["start"] / 1000 for request in requests))
        updates = [(line["update"]["version"], line["at"] / 1000) for line in lines if "update" in line]
        return Followed(
            transmissions=transmissions(found, started_s=started_s, speed=self._speed),
            exchanges=found,
            statuses=Counter(request["status"] for request in requests if "status" in request),
            late_s=[late_s * self._speed for late_s in _late_s(self._api.order(order.id), updates)],
        )


def follow_all(strategies: Sequence[Strategy], speed: float) -> dict[str, Followed]:
    """Follow an order by each strategy at the same time; return by name what was seen.

    Raises: Skipped, Disagreement.
    """
    for source in {SOURCES[each.client] for each in strategies}:
        if not source.exists():
            raise Skipped(f"{source.relative_to(ROOT)} does not exist")
    if shutil.which("node") is None:
        raise Skipped("node is not installed")
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(strategies)))  # ends last: after an error, clients end first
        ports = {limit_s: _serve(limit_s, stack) for limit_s in {each.hold_limit_s for each in strategies}}
        runs = [_Run(strategy, ports[strategy.hold_limit_s], speed, stack) for strategy in strategies]
        return {name: order for orders in pool.map(_Run.follow, runs) for name, order in orders.items()}


def _serve(limit_s: float, stack: ExitStack) -> int:
    contender = Ordertrack("ordertrack", "--max-timeout-s", f"{limit_s:g}", durable=True)
    return stack.enter_context(contender.running(hold_s=limit_s, polls=CONNECTIONS)).target.port


def check_agreement(name: str, found: Sequence[Exchange], starts_s: Sequence[float]) -> None:
    """Raises: Disagreement, when the client does not name the requests that the proxy saw."""
    if len(found) != len(starts_s):
        raise Disagreement(f"{name}: {len(found)} requests on the wire, {len(starts_s)} in the client")
    for number, (exchange, start_s) in enumerate(zip(found, starts_s, strict=True), start=1):
        if abs(exchange.start_s - start_s) > AGREE_S:
            raise Disagreement(f"{name}: request {number} is {exchange.start_s - start_s:.2f} s apart")


def _late_s(order: Order, updates: Iterable[tuple[int, float]]) -> list[float]:
    """Return for each change of status the time until the client showed it, or a later state."""
    shown = list(updates)
    late_s: list[float] = []
    for event in order.timeline:
        if event.type == "status_changed" and event.recorded_at is not None:
            shown_s = min(at_s for version, at_s in shown if version >= event.version)
            late_s.append(max(0.0, shown_s - event.recorded_at.timestamp()))
    return late_s
