"""The output of `ordertrack demo`: a live view in a terminal, lines of text elsewhere, or JSON."""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ordertrack.cli.hints import command
from ordertrack.cli.output import COLOURS, clock_time
from ordertrack.cli.qr import qr_code
from ordertrack.cli.terminal import Screen, is_interactive, print_data, say
from ordertrack.client import Order, Status
from ordertrack.demo.lunch_hour import PlannedOrder, PlannedStep

SHOWN_STEPS = 6
TITLE = "Orders of a sample city move. Open a tracking page and watch it change:"
END = "Ctrl-C ends the demo."


class RunningDemo(NamedTuple):
    """The running demo. `is_local`: only this machine can open its pages. `taken_port`: a port that was in use."""

    url: str
    seed: int
    is_local: bool
    taken_port: int | None = None


class Page(NamedTuple):
    """The tracking page of an order."""

    order: Order
    restaurant: str
    url: str


class Board:
    """The state of the lunch hour: the pages of orders under way, the latest steps in words, and counts of orders."""

    def __init__(self) -> None:
        self.pages: dict[int, Page] = {}
        self.steps: deque[str] = deque(maxlen=SHOWN_STEPS)
        self.counts: Counter[str] = Counter()

    def record(self, planned: PlannedOrder, step: PlannedStep | None, order: Order) -> None:
        self.steps.append(f"{clock_time(order.updated_at, datetime.now(UTC))}  {step_words(planned, step, order)}")
        self.counts["under way"] += step is None
        if order.ended:
            self.counts["under way"] -= 1
            self.counts[order.status] += 1
            self.pages.pop(order.id, None)
        elif order.id in self.pages:
            self.pages[order.id] = self.pages[order.id]._replace(order=order)

    def counts_line(self) -> str:
        counted = (f"{self.counts[name]} {name}" for name in ("under way", Status.DELIVERED, Status.CANCELLED))
        return f"Orders: {', '.join(counted)}. {END}"


def step_words(planned: PlannedOrder, step: PlannedStep | None, order: Order) -> str:
    """Return what happened: `Trattoria Bella: order 113 is ready`."""
    courier = step.courier.name if step is not None and step.courier is not None else ""
    if step is None:
        what = f"order {order.id} is new"
    elif step.to is None:
        is_replaced = sum(event.courier_id is not None for event in order.timeline) > 1
        what = f"{courier} {'takes over' if is_replaced else 'will deliver'} order {order.id}"
    else:
        again = " again" if step.undo else ""
        by = f" by {courier}" if courier else ""
        late = ", later than planned" if order.ended and order.eta is not None and order.eta.late else ""
        what = f"order {order.id} is {_plain(step.to)}{again}{by}{late}"
    reason = f": {step.reason}" if step is not None and step.reason else ""
    return f"{planned.restaurant.name}: {what}{reason}"


class Lines:
    """One line for each step and each new page, for an output that is no terminal."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def close(self) -> None:
        """Do nothing."""

    def start(self, running: RunningDemo) -> None:
        say(TITLE)
        for page in self._board.pages.values():
            self.show_page(page)
        say(_address_words(running), END, "")

    def show_page(self, page: Page) -> None:
        say(f"  order {page.order.id}, {page.restaurant}, {_plain(page.order.status)}: {page.url}")

    def show_step(self, order: Order) -> None:
        say(self._board.steps[-1])

    def finish(self) -> None:
        say(f"All orders have ended. {self._board.counts_line()}")


class Json(Lines):
    """One object when the demo is ready, and one for each step and each new page."""

    def start(self, running: RunningDemo) -> None:
        print_data(
            {"url": running.url, "seed": running.seed, "links": list(map(_page_data, self._board.pages.values()))}
        )

    def show_page(self, page: Page) -> None:
        print_data({"link": _page_data(page)})

    def show_step(self, order: Order) -> None:
        event = order.timeline[-1]
        print_data({"order_id": order.id, "version": event.version, "type": event.type, "status": event.status})

    def finish(self) -> None:
        print_data({"orders": dict(self._board.counts)})


class View(Lines):
    """The QR code of the first page, and below it a view that is drawn again at each step: what is marked in a terminal
    with the mouse stays marked until then."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._screen = Screen()
        self._address = ""
        self._live = Live(console=self._screen, auto_refresh=False, get_renderable=self._picture)

    def close(self) -> None:
        self._live.stop()

    def start(self, running: RunningDemo) -> None:
        first, *_ = self._board.pages.values()
        self._address = _address_words(running)
        lines: list[str | Text] = [TITLE]
        if not self._screen.options.ascii_only:
            lines += ["", *qr_code(first.url), *_qr_words(first, running)]
        for line in lines:
            self._screen.print(line)
        self._live.start(refresh=True)

    def show_page(self, page: Page) -> None:
        self._live.refresh()

    def show_step(self, order: Order) -> None:
        self._live.refresh()

    def finish(self) -> None:
        self._live.refresh()

    def _picture(self) -> RenderableType:
        pages = Table.grid(padding=(0, 2, 0, 0))
        for page in self._board.pages.values():
            status = page.order.status
            pages.add_row(str(page.order.id), Text(_plain(status), COLOURS.get(status, "")), Text(page.url, "bold"))
        steps = [Text(step, no_wrap=True, overflow="ellipsis") for step in self._board.steps]
        last = (Text(line, "dim") for line in (self._address, self._board.counts_line()))
        return Group(Text(), pages, Text(), *steps, Text(), *last)


def output_for(board: Board, as_json: bool) -> Lines:
    return Json(board) if as_json else View(board) if is_interactive() else Lines(board)


def _address_words(running: RunningDemo) -> str:
    taken = "" if running.taken_port is None else f"Port {running.taken_port} is in use. "
    return f"{taken}The server is at {running.url}; its API needs tokens, which only the demo has."


def _qr_words(page: Page, running: RunningDemo) -> list[str]:
    if not running.is_local:
        return [f"The code opens order {page.order.id} on a phone in the same network."]
    return [f"The code opens order {page.order.id} on this machine. For a phone: {command()} demo --lan"]


def _page_data(page: Page) -> dict[str, object]:
    return {"order_id": page.order.id, "restaurant": page.restaurant, "status": page.order.status, "url": page.url}


def _plain(status: str) -> str:
    return status.replace("_", " ")
