"""What `serve` says when it is ready: where the server is, and lines to paste that work with the orders it has."""

from __future__ import annotations

from collections.abc import Sequence

from ordertrack.cli.hints import TOKEN_VARIABLE, at
from ordertrack.core.errors import InternalError, OrderNotFound
from ordertrack.core.event import Status
from ordertrack.core.order import Order
from ordertrack.ports.store import OrderFilter, Store
from ordertrack.service.samples import SAMPLES

OFFERED = 3


async def orders_to_try(store: Store) -> list[Order]:
    """Orders that still go on and that no simulation moves, the sample orders first; without damaged ones.

    Raises: StoreUnavailable.
    """
    found: dict[int, Order] = {}
    for sample_id in SAMPLES:
        try:
            found[sample_id] = await store.order(sample_id)
        except (InternalError, OrderNotFound):
            continue
    active = tuple(status for status in Status if not status.ended)
    found |= {order.id: order for order in await store.orders(OrderFilter(limit=OFFERED, statuses=active))}
    simulated = await store.simulations()
    return [order for order in found.values() if not order.status.ended and order.id not in simulated][:OFFERED]


def banner(
    url: str,
    kept: str,
    orders: Sequence[Order],
    *,
    samples_loaded: bool,
    command: str,
    has_access_control: bool = False,
) -> str:
    """`kept` says where the orders are; `command` is how to call this program."""
    lines = [f"ordertrack is ready at {url}", f"Orders are kept {kept}."]
    if samples_loaded:
        samples = ", ".join(f"{id_} ({status})" for id_, (status, _) in SAMPLES.items())
        lines.append(f"Sample orders were loaded: {samples}.")
    if has_access_control:
        lines.append(f"Every request needs a token; the lines below take it from {TOKEN_VARIABLE}.")
    else:
        lines.append("There is no access control: every program on this machine may read and change every order.")
    signed = f' -H "Authorization: Bearer ${TOKEN_VARIABLE}"' if has_access_control else ""
    lines += ["", *_to_try(f"{url}/api/v1/orders", orders, command, at(url), signed)]
    lines += ["The API, with a button for everything:", f"  {url}/apidocs/", "", "Stop with Ctrl-C."]
    return "\n".join(lines)


def _to_try(api: str, orders: Sequence[Order], command: str, elsewhere: str, signed: str) -> list[str]:
    """`signed` is what curl needs besides."""
    if not orders:
        return ["No order is on its way. Make one:", f"  {command} create --customer-id 1 --restaurant-id 1{elsewhere}"]
    watched, simulated, slow = orders[0], orders[min(1, len(orders) - 1)], orders[-1]
    step = watched.legal_next()[0]
    return [
        f"Try it. In one terminal, wait for news of order {watched.id}:",
        f'  curl{signed} "{api}/{watched.id}/track?timeout=30"',
        "In another, be the kitchen; the first one answers at once:",
        f'  curl{signed} -X PUT "{api}/{watched.id}/status" -H "Content-Type: application/json"'
        f""" -d '{{"status": "{step}"}}'""",
        "Let an order go its way by itself, a minute a second, and watch it:",
        f"  {command} simulate {simulated.id} --speed 60{elsewhere}",
        f"  {command} watch {simulated.id}{elsewhere}",
        "The same in real time, and how the server is doing:",
        f'  curl{signed} -X POST "{api}/{slow.id}/simulate-workflow"',
        f'  curl{signed} "{api}/system/stats"',
    ]
