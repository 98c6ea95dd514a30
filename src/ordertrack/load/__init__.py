"""Load for a server on this machine: thousands of held polls from one thread, and every answer checked meanwhile.

`run` is `ordertrack bench`. The pieces, for measurements of one's own (`bench/` in the repository):

    Swarm                polls and an epoll; judges answers
    Kitchen              updates that wake them
    open_polls           connects at the pace of the server
    Dialect              how a server is spoken to; `OrdertrackDialect` is ours

Knows the protocol and nothing of the server's code. Linux only: it needs epoll and the whole of 127.0.0.0/8.
"""

from ordertrack.load.connection import Caller, call_all
from ordertrack.load.http_parser import Malformed, Reply, split
from ordertrack.load.orders import create_orders, make_orders, statistics
from ordertrack.load.percentile import milliseconds, percentile
from ordertrack.load.polls import Feed, Poll, Swarm
from ordertrack.load.protocol import Answer, Dialect, OrdertrackDialect, WrongAnswer, request
from ordertrack.load.ramp_up import Held, ask_again, open_polls, until_held
from ordertrack.load.run import Report, run
from ordertrack.load.target import CannotLoad, Target, loopback_target, room_for
from ordertrack.load.updates import Cooked, Kitchen

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
