"""Load generator for a server on this machine: thousands of held polls from one thread, and every answer checked.

`run` is `ordertrack bench`. The parts, which `bench/` in the repository combines for its own measurements:

    polls       PollPool: the polls, one epoll, and the checks of every answer
    updates     UpdateDriver: sends the updates that wake the polls
    ramp_up     open_polls: connects no faster than the server accepts
    protocol    ServerProtocol: requests and answers of a server; OrdertrackProtocol is that of PROTOCOL.md
    connection  RequestSender: sends one request after another

Uses the HTTP protocol only, no code of the server. Linux only: it needs epoll and all addresses of 127.0.0.0/8.
"""

from ordertrack.load.connection import RequestSender, send_all
from ordertrack.load.http_parser import HttpResponse
from ordertrack.load.orders import create_feeds, create_orders, fetch_statistics, poll_once
from ordertrack.load.percentile import milliseconds
from ordertrack.load.polls import Feed, PollPool
from ordertrack.load.protocol import OrdertrackProtocol, PollReply, ServerProtocol, WrongAnswer, build_request
from ordertrack.load.ramp_up import open_polls, repoll_all
from ordertrack.load.run import Report, run
from ordertrack.load.schedule import Schedule
from ordertrack.load.target import CannotLoad, LoadTarget, loopback_target
from ordertrack.load.updates import Result, UpdateDriver

__all__ = [
    "CannotLoad",
    "Feed",
    "HttpResponse",
    "LoadTarget",
    "OrdertrackProtocol",
    "PollPool",
    "PollReply",
    "Report",
    "RequestSender",
    "Result",
    "Schedule",
    "ServerProtocol",
    "UpdateDriver",
    "WrongAnswer",
    "build_request",
    "create_feeds",
    "create_orders",
    "fetch_statistics",
    "loopback_target",
    "milliseconds",
    "open_polls",
    "poll_once",
    "repoll_all",
    "run",
    "send_all",
]
