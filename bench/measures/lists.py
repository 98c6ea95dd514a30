"""Reads of a large store: lists that match nothing, and the first snapshot of a restaurant with many active orders.

A list that matches nothing is the dearest one, since it has to look everywhere. It must not grow with the store, so
each is read twice: among few ended orders, and among many, with as many active orders.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import order_file
from bench.contenders import FOLDERS, Contender, Ordertrack, Running, Skipped
from bench.measures.load import Figures, Size, median
from bench.progress import say
from ordertrack.load import CannotLoad, HttpResponse, PollPool, build_request, send_all

LISTS = {
    "cancelled_or_ready": "status=cancelled&status=ready",
    "restaurant_cancelled": f"restaurant_id={order_file.CHAIN}&status=cancelled",
    "restaurant_and_customer": f"restaurant_id={order_file.CHAIN}&customer_id={order_file.CUSTOMER}",
}
_CURSOR = re.compile(rb'"cursor":"([^"]+)"')
REPEATS = 15
STARTS = 3
FEW_ENDED = 10_000


def measure(contender: Contender, size: Size) -> Figures:
    """Medians in milliseconds. Each snapshot is the first request that a server gets after its start."""
    if not isinstance(contender, Ordertrack):
        raise Skipped("it has no lists")
    with TemporaryDirectory(prefix=FOLDERS) as name:
        few, many = Path(name) / "few", Path(name) / "many"
        for folder, ended in ((few, FEW_ENDED), (many, size.ended)):
            say(f"writing {ended:,} ended and {size.orders:,} active orders")
            order_file.write(folder / "data", ended=ended, active=size.orders)
        pages, all_pages_ms = 0, []
        for _ in range(STARTS):
            with contender.serving(many, 1, 100) as running:
                say("reading the first snapshot of a restaurant")
                pages, seconds = _snapshot(running, size.orders // 4)
                all_pages_ms.append(seconds * 1000)
        with contender.serving(few, 1, 100) as running:
            of_few = _lists_ms(running)
        with contender.serving(many, 1, 100) as running:
            of_many = _lists_ms(running)
        return {
            "orders": size.ended + size.orders,
            **{f"{name}_ms": of_many[name] for name in LISTS},
            "few_orders": FEW_ENDED + size.orders,
            **{f"{name}_among_few_ms": of_few[name] for name in LISTS},
            "snapshot_orders": size.orders // 4,
            "snapshot_pages": pages,
            "all_pages_ms": round(median(all_pages_ms), 1),
        }


def _lists_ms(running: Running) -> dict[str, float]:
    with running.pool() as pool:
        return {name: _list_ms(pool, query) for name, query in LISTS.items()}


def _list_ms(pool: PollPool, query: str) -> float:
    times_s: list[float] = []
    sent_s = time.perf_counter()

    def answered(response: HttpResponse) -> None:
        nonlocal sent_s
        now_s = time.perf_counter()
        times_s.append(now_s - sent_s)
        sent_s = now_s
        if response.status != 200 or json.loads(response.body)["data"]["orders"]:
            raise CannotLoad(f"The list of {query} answered {response.status}: {response.body[:200]!r}")

    send_all(pool, 1, [build_request("GET", f"/api/v1/orders?{query}")] * REPEATS, answered)
    ms = round(median(times_s) * 1000, 2)
    say(f"{query}: {ms} ms")
    return ms


def _snapshot(running: Running, orders: int) -> tuple[int, float]:
    """Read all pages; return their number and the seconds it took. Only the cursor of a page is read meanwhile: parsing
    its JSON takes this program about as long as the server needs for the page."""
    answers: list[bytes] = []

    def requests() -> Iterator[bytes]:
        path, query, more = f"/api/v1/restaurants/{order_file.CHAIN}/track", "", True
        while more:
            yield build_request("GET", path + query)
            end = answers[-1][-1000:]
            query, more = f"?cursor={_CURSOR.findall(end)[-1].decode()}&timeout=0", b'"more":true' in end

    with running.pool() as pool:
        started_s = time.perf_counter()
        send_all(pool, 1, requests(), lambda response: answers.append(response.body))
        seconds = time.perf_counter() - started_s
    found = sum(len(json.loads(answer)["data"]["orders"]) for answer in answers)
    if found != orders:
        raise CannotLoad(f"The snapshot had {found:,} orders instead of {orders:,}.")
    return len(answers), seconds
