"""Load for a server on this machine: thousands of held polls from one thread, and every answer checked meanwhile.

`run` is `ordertrack bench`. The pieces, for measurements of one's own (`bench/` in the repository):

    Swarm                polls and an epoll; judges answers
    Kitchen              updates that wake them
    open_polls           connects at the pace of the server
    Dialect              how a server is spoken to; `OrdertrackDialect` is ours

Knows the protocol and nothing of the server's code. Linux only: it needs epoll and the whole of 127.0.0.0/8.
"""

from ordertrack.client.load.caller import Caller, call_all
from ordertrack.client.load.crowd import Held, ask_again, open_polls, until_held
from ordertrack.client.load.dialect import Answer, Dialect, OrdertrackDialect, WrongAnswer, request
from ordertrack.client.load.kitchen import Cooked, Kitchen
from ordertrack.client.load.orders import create_orders, make_orders, statistics
from ordertrack.client.load.percentile import milliseconds, percentile
from ordertrack.client.load.reply import Malformed, Reply, split
from ordertrack.client.load.run import Report, run
from ordertrack.client.load.swarm import Feed, Poll, Swarm
from ordertrack.client.load.target import CannotLoad, Target, loopback_target, room_for

__all__ = [
    "Answer",
    "Caller",
    "CannotLoad",
    "Cooked",
    "Dialect",
    "Feed",
    "Held",
    "Kitchen",
    "Malformed",
    "OrdertrackDialect",
    "Poll",
    "Reply",
    "Report",
    "Swarm",
    "Target",
    "WrongAnswer",
    "ask_again",
    "call_all",
    "create_orders",
    "loopback_target",
    "make_orders",
    "milliseconds",
    "open_polls",
    "percentile",
    "request",
    "room_for",
    "run",
    "split",
    "statistics",
    "until_held",
]
