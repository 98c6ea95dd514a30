"""`ordertrack demo`: a server with a sample city, in which orders move until the command ends."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
import threading
import webbrowser
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rich_click as click

from ordertrack.adapters.jwt.signing import new_secret, sign
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.app.token_keys import signing_key, token_rules
from ordertrack.cli.demo_output import Board, Lines, Page, RunningDemo, output_for
from ordertrack.cli.logs import configure_logging
from ordertrack.cli.numbers import Number, WholeNumber
from ordertrack.cli.output import ended_by_signals
from ordertrack.cli.serve import refusing_to_listen, refusing_to_start, run_server
from ordertrack.cli.terminal import end_refused, is_interactive, say
from ordertrack.client import AsyncOrdertrackClient, Order
from ordertrack.core.principal import ALL, Principal, Role
from ordertrack.demo.driver import Driver
from ordertrack.demo.lunch_hour import STAGES_S, CityRole, PlannedOrder, PlannedStep, lunch_hour
from ordertrack.http.listener import listen
from ordertrack.loopback import is_loopback
from ordertrack.settings import Settings, is_time_zone

LOCAL, EVERY_ADDRESS = "127.0.0.1", ("0.0.0.0", "::")
FIRST_PORT, PORTS = 5001, 20
"""Without --port the first free port of these is used."""
SPEED = 12.0
"""The default: an order takes about 165 s instead of 33 min."""
MAX_ORDERS_AT_ONCE = 12
PAGES = 3
LOCAL_TIME = Path("/etc/localtime")
ETA_THRESHOLD_S = 300.0
"""The server's default for orders in real time."""
TOKEN_LIFETIME_S = 30 * 86_400
DRAIN_S, GRACE_S = 0.2, 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_UNSENT = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}
"""Addresses of documentation (RFC 5737, RFC 3849): a route is chosen for them, and nothing is sent."""


@click.command()
@click.option("--host", help=f"Address to listen on. Default: {LOCAL}.")
@click.option("--lan", is_flag=True, help="Listen on the local network, for a phone: the same as --host 0.0.0.0.")
@click.option(
    "--port",
    type=WholeNumber(0, 65_535),
    help=f"Port to listen on; 0 selects a free one. Default: {FIRST_PORT}, or the next one that is free.",
)
@click.option("--open/--no-open", "opens", default=None, help="Open a page in the browser. Default: on a desktop.")
@click.option(
    "--orders", type=WholeNumber(1, 10_000), default=200, show_default=True, help="Number of orders to create."
)
@click.option(
    "--speed",
    type=Number(1, 600),
    default=SPEED,
    show_default=True,
    help="Speed relative to real time, in which an order takes about 33 minutes.",
)
@click.option("--seed", type=WholeNumber(0, 2**32 - 1), default=1, show_default=True, help="Seed of orders and times.")
@click.option("--minutes", type=Number(0.01, 10_000), help="End after this time. Default: run until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def demo(
    host: str | None,
    lan: bool,
    port: int | None,
    opens: bool | None,
    orders: int,
    speed: float,
    seed: int,
    minutes: float | None,
    as_json: bool,
) -> None:
    """Start a server with a sample city and a lunch hour in which orders move.

    It prints tracking pages to open in a browser. The server requires tokens, signed with a secret that exists only in
    this process, and keeps its data in a temporary folder, which is removed at the end.

    The demo has settings of its own: the variables and the configuration file of `serve` do not change them. Times on
    pages are those of this machine's time zone, or UTC if it is not known.
    """
    if lan and host is not None:
        raise click.UsageError("Use --lan or --host, not both.")
    host = EVERY_ADDRESS[0] if lan else host or LOCAL
    shown_host = _shown_host(host, as_json)
    opens = _has_desktop() if opens is None else opens
    with suppress(KeyboardInterrupt), ended_by_signals():
        with refusing_to_listen(host, FIRST_PORT if port is None else port, as_json):
            listener = _listen(host, port)
        with listener, TemporaryDirectory(prefix="ordertrack-demo-") as folder:
            bound = listener.getsockname()[1]
            settings = Settings(
                host=host,
                port=bound,
                data_dir=Path(folder),
                sample_orders=False,
                token_secret=new_secret(),
                drain_window_s=DRAIN_S,
                shutdown_grace_s=GRACE_S,
                log_level="error",
                time_zone=_local_time_zone(),
                **_eta_settings(speed),
            )
            configure_logging(settings.log_level, settings.log_format)
            url = f"http://{_in_url(shown_host)}:{bound}"
            taken_port = FIRST_PORT if port is None and bound != FIRST_PORT else None
            running = RunningDemo(url, seed, is_loopback(shown_host), taken_port)
            board = Board()
            with closing(output_for(board, as_json)) as output, refusing_to_start(as_json):
                clients = _Clients(settings)
                show = _Show(clients, board, output, running, orders=orders, speed=speed, opens=opens)
                asyncio.run(_run(settings, listener, show, clients, minutes))
    if not as_json:
        say("Stopped. The data of the demo have been removed.")


async def _run(
    settings: Settings, listener: socket.socket, show: _Show, clients: _Clients, minutes: float | None
) -> None:
    """Serve and play the lunch hour until a signal, or for `minutes`."""
    loop = asyncio.get_running_loop()
    ending, ready = asyncio.Event(), asyncio.Event()
    channel, server_side = socket.socketpair()

    def handle_signals() -> None:
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, ending.set)

    def announce(message: object) -> None:
        handle_signals()  # instead of the server's, of which a second one ends the process at once
        ready.set()

    async def play() -> None:
        await ready.wait()
        async with asyncio.timeout(None if minutes is None else minutes * 60):
            await show.play()
            await ending.wait()

    handle_signals()
    with channel, server_side:
        server = asyncio.create_task(run_server(settings, listener, announce, server_side))
        playing = asyncio.create_task(play())
        ended = asyncio.create_task(ending.wait())
        await asyncio.wait({server, playing, ended}, return_when=asyncio.FIRST_COMPLETED)
        playing.cancel()
        ended.cancel()
        try:
            with suppress(asyncio.CancelledError, TimeoutError):
                await playing
        finally:
            await clients.aclose()
            channel.close()
            await server


class _Show(Driver):
    """The lunch hour, and its output. The first PAGES orders under way have tracking pages."""

    def __init__(
        self,
        clients: _Clients,
        board: Board,
        output: Lines,
        running: RunningDemo,
        *,
        orders: int,
        speed: float,
        opens: bool,
    ) -> None:
        super().__init__(clients, speed=speed, at_once=MAX_ORDERS_AT_ONCE)
        self._clients = clients
        self._board = board
        self._output = output
        self._running = running
        self._orders = orders
        self._opens = opens
        self._is_started = False

    async def play(self) -> None:
        """Raises: OSError, when the output cannot be written."""
        try:
            await self.run(islice(lunch_hour(self._running.seed), self._orders))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        self._output.finish()

    async def begun(self, planned: PlannedOrder, order: Order) -> None:
        if len(self._board.pages) == PAGES:
            return
        link = await self._clients(CityRole.SHOP, "").create_link(order.id)
        page = Page(order, planned.restaurant.name, f"{self._running.url}{link.path}")
        self._board.pages[order.id] = page
        if self._is_started:
            self._output.show_page(page)
        elif len(self._board.pages) == min(PAGES, self._orders):
            self._is_started = True
            self._output.start(self._running)
            if self._opens:
                _open(next(iter(self._board.pages.values())).url)

    def happened(self, planned: PlannedOrder, step: PlannedStep | None, order: Order) -> None:
        self._board.record(planned, step, order)
        if self._is_started:
            self._output.show_step(order)


class _Clients:
    """A client for each party, with a token of its role, made when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        key = signing_key(settings)
        assert key is not None
        self._key = key
        self._rules = token_rules(settings)
        host = LOCAL if settings.host in EVERY_ADDRESS else settings.host
        self._url = f"http://{_in_url(host)}:{settings.port}"
        self._clients: dict[tuple[CityRole, str], AsyncOrdertrackClient] = {}

    def __call__(self, party: CityRole, party_id: str) -> AsyncOrdertrackClient:
        if (party, party_id) not in self._clients:
            self._clients[party, party_id] = AsyncOrdertrackClient(self._url, token=self._token(party, party_id))
        return self._clients[party, party_id]

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    def _token(self, party: CityRole, party_id: str) -> str:
        match party:
            case CityRole.SHOP:
                principal = Principal(Role.SERVICE, name="shop", restaurants=ALL)
            case CityRole.CUSTOMER:
                principal = Principal(Role.CUSTOMER, name=party_id, customer_id=party_id)
            case CityRole.RESTAURANT:
                principal = Principal(Role.RESTAURANT, name=party_id, restaurant_id=party_id)
            case CityRole.COURIER:
                principal = Principal(Role.COURIER, name=party_id, courier_id=party_id)
        now_s = SystemClock().now_ms() // 1000
        return sign(principal, self._key, self._rules, now_s, now_s + TOKEN_LIFETIME_S)


def _eta_settings(speed: float) -> dict[str, Any]:
    """Return the settings of the expected arrival for a lunch hour at this speed."""
    usual_s = {f"eta_{status}_s": max(1.0, seconds / speed) for status, seconds in STAGES_S.items()}
    return {**usual_s, "eta_change_threshold_s": max(1.0, ETA_THRESHOLD_S / speed)}


def _local_time_zone() -> str:
    """Return the name of this machine's time zone; UTC if it is not known."""
    name = os.environ.get("TZ") or str(LOCAL_TIME.resolve()).rpartition("/zoneinfo/")[2]
    return name if is_time_zone(name) else "UTC"


def _listen(host: str, port: int | None) -> socket.socket:
    """Return a listening socket, without `port` on the first free one of PORTS. Raises: OSError."""
    if port is not None:
        return listen(host, port)
    for candidate in range(FIRST_PORT, FIRST_PORT + PORTS):
        try:
            return listen(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return listen(host, 0)


def _shown_host(host: str, as_json: bool) -> str:
    """Return the host of the printed links: for every address, that of this machine in its network."""
    if host not in EVERY_ADDRESS:
        return host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as chosen:
            chosen.connect(_UNSENT[family])  # chooses the route and sends nothing
            return str(chosen.getsockname()[0])
    except OSError:
        why = "This machine has no route to a network. Name an address of it with --host."
        end_refused("no_network", why, as_json)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _has_desktop() -> bool:
    """Return True in a terminal of a desktop, where a browser can open a window."""
    if not is_interactive() or "CI" in os.environ or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ


def _open(url: str) -> None:
    """Open the browser. In a thread, since some browsers are waited for."""
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
