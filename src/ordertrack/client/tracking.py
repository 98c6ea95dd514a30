"""The orders and feeds that a client can follow, each written once as a function that returns a `Tracking`: the path of
its polls, the type of their answers, and the options. The methods of both clients have these signatures and docstrings.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypedDict, Unpack

import msgspec

from ordertrack.client.backoff import Random
from ordertrack.client.calls import feed_path, track_path
from ordertrack.client.errors import OrdertrackClientError
from ordertrack.client.hold import LearnedHold, Pace
from ordertrack.client.link_url import link_path
from ordertrack.client.tracker import Tracker, U
from ordertrack.client.values import FeedUpdate, Mode, Update


class Connection(msgspec.Struct, frozen=True):
    """The state of a `track`, passed to `on_connection` at every failure and when the connection is back.

    While `online` is False, `attempts` counts the failures in a row, the next try is in `wait_s` seconds, and `error`
    is the last failure.
    """

    online: bool
    attempts: int = 0
    wait_s: float = 0.0
    error: OrdertrackClientError | None = None


OnConnection = Callable[[Connection], None]


class TrackOptions(TypedDict, total=False):
    """The options of `track`, with its defaults."""

    cursor: str | None
    mode: Mode
    client_id: str | None
    on_connection: OnConnection | None
    pace: Pace | None
    wait_for_server: bool


@dataclass(frozen=True)
class Tracking(Generic[U]):
    """One order or feed to follow. `subject` names it in the log."""

    path: str
    subject: str
    answers: type[U]
    cursor: str | None = None
    mode: Mode = "live"
    client_id: str | None = None
    on_connection: OnConnection | None = None
    pace: Pace | None = None
    wait_for_server: bool = False

    def tracker(self, random: Random, learned_hold: LearnedHold | None) -> Tracker[U]:
        """Return a tracker with a client id, so that its polls replace one the server still holds after a loss."""
        return Tracker(
            self.answers,
            random=random,
            mode=self.mode,
            cursor=self.cursor,
            client_id=self.client_id or secrets.token_hex(8),
            pace=self.pace,
            wait_for_server=self.wait_for_server,
            learned_hold=learned_hold,
        )


def track(order_id: int, **options: Unpack[TrackOptions]) -> Tracking[Update]:
    """Follow an order: yield its state at once, then every change when it happens, until the order has ended.

    After the first answer it survives restarts of the server and loss of the network: it retries without limit and
    continues from the last cursor, without a gap. Each retry is logged (`ordertrack.client`, a warning) and passed
    to `on_connection`.

    * `cursor`: continue from the cursor of an earlier update. The first update still comes at once.
    * `mode`: "live" delivers changes within milliseconds; "saver" polls every 30 to 120 seconds, as the server
      advises.
    * `client_id`: at most 64 characters; a poll ends an older one with the same id. Random by default.
    * `on_connection`: a plain function that is called with a `Connection`, also by the asyncio client.
    * `pace`: the durations of live tracking, to replace the defaults.
    * `wait_for_server`: retry even before the first answer, instead of raising ServerUnreachable.

    When you leave the loop of the asyncio client early, `contextlib.aclosing` ends the poll at once.

    Raises: ServerUnreachable and UnexpectedAnswer before the first answer only; NotFound, AccessDenied and other
    refusals that a retry cannot cure; ClientClosed; errors of `on_connection`.
    """
    return Tracking(track_path(order_id), f"order {order_id}", Update, **options)


def track_link(link: str, **options: Unpack[TrackOptions]) -> Tracking[Update]:
    """Follow the order of a tracking link, as `track` does. `link` is the URL of its page, or only its token.

    The client's own token is not sent. The holder of a link is not shown the customer, the address and notes.

    Raises: as `track`, and ValueError, when it is no link or one of another server; NotFound or AccessDenied, also
    later, when the link is revoked or too old.
    """
    return Tracking(f"{link_path(link)}/track", "the order of a link", Update, **options)


def track_customer(customer_id: str | int, **options: Unpack[TrackOptions]) -> Tracking[FeedUpdate]:
    """Follow all orders of a customer: yield those that have not ended at once, then every change when it happens.

    Each update has the changed orders in their current state; an order may have changed several times since. Options,
    retries and errors are those of `track`, and `cursor` continues without a gap: save that of the last update. A feed
    never ends. A customer without orders has an empty feed.

    Raises: as `track`; AccessDenied, for the feed of another principal; InvalidRequest, for an invalid id.
    """
    return _track_feed("customer", customer_id, options)


def track_restaurant(restaurant_id: str | int, **options: Unpack[TrackOptions]) -> Tracking[FeedUpdate]:
    """Follow all orders of a restaurant, as `track_customer` does for a customer."""
    return _track_feed("restaurant", restaurant_id, options)


def track_courier(courier_id: str | int, **options: Unpack[TrackOptions]) -> Tracking[FeedUpdate]:
    """Follow all orders of a courier, as `track_customer` does for a customer.

    `left` in an update has the ids of the orders that another courier has now.
    """
    return _track_feed("courier", courier_id, options)


def _track_feed(party: str, party_id: str | int, options: TrackOptions) -> Tracking[FeedUpdate]:
    return Tracking(f"{feed_path(party, party_id)}/track", f"the feed of {party} {party_id}", FeedUpdate, **options)
