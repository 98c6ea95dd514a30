"""`ordertrack link`: the tracking links of an order."""

from __future__ import annotations

from datetime import UTC, datetime

import rich_click as click
from rich import box
from rich.console import Group
from rich.table import Table

from ordertrack.cli.hints import command
from ordertrack.cli.numbers import WholeNumber
from ordertrack.cli.output import clock_time, connected, remote_options
from ordertrack.cli.qr import check_can_draw, qr_code
from ordertrack.cli.terminal import say, show

_ID = WholeNumber(1)


@click.group("link")
def link() -> None:
    """Create, list and revoke tracking links, which show an order without an account."""


@link.command("create")
@click.argument("order_id", type=_ID)
@click.option("--qr", "with_qr", is_flag=True, help="Print the link as a QR code too.")
@remote_options
def create_link(order_id: int, with_qr: bool, url: str, as_json: bool) -> None:
    """Create a link and print its URL.

    It shows the order without personal data, and without an account. The server shows the URL only once. Standard
    output has only the URL, and the QR code.
    """
    if with_qr:
        check_can_draw()
    with connected(url, as_json) as (client, remote):
        made = client.create_link(order_id)
        remote.print_answer()
        if as_json:
            return
        page = f"{url.rstrip('/')}{made.path}"
        say(page)
        if with_qr:
            show(Group(*qr_code(page)))
        say(
            f"The link shows order {order_id} without an account. Send it to the customer: it is shown only once.",
            f"Open it in a browser, or watch it: {command()} watch {page}",
            remote.hint("Revoke it:", f"link revoke {order_id} {made.id}"),
            err=True,
        )


@link.command("list")
@click.argument("order_id", type=_ID)
@remote_options
def list_links(order_id: int, url: str, as_json: bool) -> None:
    """List the links of an order, revoked ones too. Their URLs are not stored."""
    with connected(url, as_json) as (client, remote):
        links = client.links(order_id)
        remote.print_answer()
        if as_json:
            return
        if not links:
            remote.say(f"Order {order_id} has no links.", remote.hint("Create one:", f"link create {order_id}"))
            return
        table, now = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False), datetime.now(UTC)
        for name in ("Link", "Created", "By", "Revoked"):
            table.add_column(name, overflow="fold")
        for each in links:
            revoked = "" if each.revoked_at is None else clock_time(each.revoked_at, now)
            table.add_row(str(each.id), clock_time(each.created_at, now), each.created_by or "", revoked)
        show(table)
        valid = [each.id for each in links if each.revoked_at is None]
        if valid:
            remote.say(remote.hint("Revoke one:", f"link revoke {order_id} {valid[-1]}"))


@link.command("revoke")
@click.argument("order_id", type=_ID)
@click.argument("link_id", type=_ID)
@remote_options
def revoke(order_id: int, link_id: int, url: str, as_json: bool) -> None:
    """Revoke a link: it shows nothing from now on, and held polls of its holders end."""
    with connected(url, as_json) as (client, remote):
        client.revoke_link(order_id, link_id)
        remote.print_answer()
        remote.say(f"Link {link_id} of order {order_id} is revoked.")
