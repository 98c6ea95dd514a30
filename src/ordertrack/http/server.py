"""Runs the ASGI application under uvicorn, from the first byte to a clean end.

The order of the end matters: held polls are answered first, because uvicorn waits for running requests, and a poll that
nobody answers would run until its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import structlog
import uvicorn

from ordertrack.http.app import HttpApp
from ordertrack.http.gate.gate import Gate
from ordertrack.http.gate.head import Bounds
from ordertrack.http.gate.lent import BoundedProtocol, UvicornLender

BACKLOG = 4096
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger("ordertrack.server")


class _Uvicorn(uvicorn.Server):
    """uvicorn without its own signal handlers, which end the process by the signal instead of with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError.

    The protocol is named on purpose: asyncio turns Nagle's algorithm off only on sockets that say they are TCP, and
    with it on, an answer's body waits up to 40 ms for the other side to acknowledge its head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def run(
    app: HttpApp,
    listener: socket.socket,
    *,
    gate: Gate | None,
    ready: Callable[[], None],
    drain: Callable[[], Awaitable[None]],
    bounds: Bounds,
    shutdown_grace_s: int,
) -> None:
    """Serve until SIGTERM or SIGINT, then answer the held polls, finish what runs and return.

    With a gate, that has the listener and lends connections to uvicorn, which then listens to nothing.

    A second signal ends the process at once, with 128 + its number. `ready` is called once signals are heard: whoever
    was told that the server runs may stop it in the same moment.
    """
    stopping = asyncio.Event()

    def stop(number: int) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        log.info("stopping: answering held polls, finishing running requests", signal=signal.Signals(number).name)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    ready()
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, bounds),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # uvicorn's is of the request; ours is of the answer
        proxy_headers=False,  # nobody is believed about where a request came from
        backlog=BACKLOG,
        timeout_keep_alive=bounds.idle_timeout_s,
        timeout_graceful_shutdown=shutdown_grace_s,
    )
    server = _Uvicorn(config)
    if gate is not None:
        gate.start(UvicornLender(server, gate))
    serving = asyncio.create_task(server.serve(sockets=[] if gate else [listener]))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    await drain()
    config.timeout_graceful_shutdown = await _finish_running(server, shutdown_grace_s)
    server.should_exit = True
    if gate is not None:
        gate.stop_accepting()
    await serving
    if gate is not None:
        await gate.close(config.timeout_graceful_shutdown)


async def _finish_running(server: uvicorn.Server, grace_s: int) -> int:
    """Wait for the requests that run now, while /readyz can still say that this process is going: uvicorn's own end
    begins with not listening any more. Returns what is left of the grace, in whole seconds as uvicorn wants them."""
    loop = asyncio.get_running_loop()
    ends_at_s = loop.time() + grace_s
    if running := set(server.server_state.tasks):
        await asyncio.wait(running, timeout=grace_s)
    return math.ceil(max(0.0, ends_at_s - loop.time()))
