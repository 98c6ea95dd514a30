"""The message of `serve` when it is ready: the server's address, and commands to paste for existing orders."""

from __future__ import annotations

from collections.abc import Sequence

from ordertrack.cli.hints import TOKEN_VARIABLE, url_option
from ordertrack.core.errors import InternalError, OrderNotFound
from ordertrack.core.event import Status
from ordertrack.core.order import Order
from ordertrack.ports.order_store import OrderFilter
from ordertrack.ports.store import Store
from ordertrack.service.samples import SAMPLES

OFFERED = 3


async def orders_to_try(store: Store) -> list[Order]:
    """Return up to OFFERED active, undamaged orders without a simulation, the sample orders first.

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
    """Return the message. `kept` says where orders are stored; `command` starts this program."""
    lines = [f"ordertrack is ready at {url}", f"Orders are stored {kept}."]
    if samples_loaded:
        samples = ", ".join(f"{id_} ({status})" for id_, (status, _) in SAMPLES.items())
        lines.append(f"Sample orders were loaded: {samples}.")
    if has_access_control:
        lines.append(f"Every request needs a token; the commands below read it from {TOKEN_VARIABLE}.")
    else:
        lines.append("Access control is off: every program on this machine can read and change every order.")
    signed = f' -H "Authorization: Bearer ${TOKEN_VARIABLE}"' if has_access_control else ""
    lines += ["", *_to_try(f"{url}/api/v1/orders", orders, command, url_option(url), signed)]
    lines += ["API documentation, with a form for every request:", f"  {url}/apidocs/", "", "Stop with Ctrl-C."]
    return "\n".join(lines)


def _to_try(api: str, orders: Sequence[Order], command: str, elsewhere: str, signed: str) -> list[str]:
    """Return the commands to try. `signed` is the curl option that sends the token."""
    if not orders:
        return [
            "There is no active order. Create one:",
            f"  {command} create --customer-id 1 --restaurant-id 1{elsewhere}",
        ]
    watched, simulated, slow = orders[0], orders[min(1, len(orders) - 1)], orders[-1]
    step = watched.legal_next()[0]
    return [
        f"Try it. In one terminal, wait for the next change of order {watched.id}:",
        f'  curl{signed} "{api}/{watched.id}/track?timeout=30"',
        "In another, change its status; the first terminal is answered at once:",
        f'  curl{signed} -X PUT "{api}/{watched.id}/status" -H "Content-Type: application/json"'
        f""" -d '{{"status": "{step}"}}'""",
        "Simulate a delivery, one minute of it per second, and watch it:",
        f"  {command} simulate {simulated.id} --speed 60{elsewhere}",
        f"  {command} watch {simulated.id}{elsewhere}",
        "Simulate one in real time, and show the statistics of the server:",
        f'  curl{signed} -X POST "{api}/{slow.id}/simulate-workflow"',
        f'  curl{signed} "{api}/system/stats"',
    ]
