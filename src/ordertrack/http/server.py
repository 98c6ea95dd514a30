"""Run the server until a signal stops it: with the gate, or with uvicorn where there is no gate.

The order of a shutdown: 1. Held polls are answered, while the server still listens and `/readyz` says that it is
draining. 2. No new connection is accepted, and running requests finish within the grace.
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
from typing import Any

import structlog
import uvicorn

from ordertrack.http.asgi.protocol import BoundedProtocol
from ordertrack.http.asgi.transport import AsgiApp
from ordertrack.http.gate.acceptor import ignore_new_connections
from ordertrack.http.gate.gate import Gate
from ordertrack.http.gate.timeouts import LAST_REQUEST_S, Timeouts
from ordertrack.http.listener import BACKLOG, RETIRE
from ordertrack.http.wire.message import MAX_HEAD_BYTES

SIGNALS = (signal.SIGTERM, signal.SIGINT)

Drain = Callable[[], Awaitable[None]]

log = structlog.get_logger("ordertrack.server")


async def run_gate(
    gate: Gate,
    *,
    ready: Callable[[], None],
    drain: Drain,
    shutdown_grace_s: float,
    supervisor: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then answer the held polls, finish running requests and return.

    A second signal ends the process at once, with status 128 + its number. `ready` is called once signals are handled.
    A worker also stops when its supervisor sends RETIRE or ends.
    """
    stopping = _stopping(supervisor)
    ready()
    gate.start()
    if await stopping == RETIRE:
        gate.stop_accepting()
    await drain()
    await gate.stop(shutdown_grace_s)


async def run_uvicorn(
    app: AsgiApp,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    drain: Drain,
    timeouts: Timeouts,
    shutdown_grace_s: int,
    supervisor: socket.socket | None = None,
) -> None:
    """Serve like `run_gate`, with uvicorn's h11 protocol, which is more lenient where RFC 9112 allows it."""
    stopping = _stopping(supervisor)
    ready()
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, timeouts, app.clock, app.refusals),  # type: ignore[arg-type]
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,  # for heads in pieces; the others: asgi/transport.py
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # uvicorn's is the time of the request, not of the answer
        proxy_headers=False,  # only trusted proxies count: policy/client_address.py
        backlog=BACKLOG,
        timeout_keep_alive=round(timeouts.idle_s),
        timeout_graceful_shutdown=shutdown_grace_s,
    )
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    either: set[asyncio.Future[Any]] = {serving, stopping}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done() and stopping.result() == RETIRE:
        await _stop_accepting([listener])
        for listening in server.servers:
            listening.close()
    await drain()
    config.timeout_graceful_shutdown = await _finish_running(server, shutdown_grace_s)
    server.should_exit = True
    await serving


class _Uvicorn(uvicorn.Server):
    """uvicorn without its own signal handlers, which end the process by the signal instead of with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, give idle connections LAST_REQUEST_S to send a last request, as the gate does, and end."""
        await _stop_accepting(sockets or [])
        waiting = [connection for listener in sockets or () for connection in _accepted(listener)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)
        ends_at_s = loop.time() + LAST_REQUEST_S
        while self.server_state.connections and loop.time() < ends_at_s:  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(LAST_REQUEST_S / 10)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection, as uvicorn makes it."""
        return self.config.http_protocol_class(  # type: ignore[call-arg] # uvicorn's annotation leaves them out
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


async def _stop_accepting(listeners: list[socket.socket]) -> None:
    """Accept no more, and let asyncio set up the connections that it has accepted: once its server is closed, it drops
    them."""
    for listener in listeners:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(listener)
    await asyncio.sleep(0)


def _accepted(listener: socket.socket) -> list[socket.socket]:
    """Accept the connections in the backlog: closing the listener would reset them."""
    ignore_new_connections(listener)
    accepted: list[socket.socket] = []
    with contextlib.suppress(OSError):
        while len(accepted) < BACKLOG:
            accepted.append(listener.accept()[0])
    return accepted


def _stopping(supervisor: socket.socket | None) -> asyncio.Future[bytes]:
    """Return a future that the first reason to stop completes: with RETIRE, or empty."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[bytes] = loop.create_future()

    def stop(why: str, order: bytes = b"") -> None:
        log.info("stopping: answering held polls, finishing running requests", signal=why)
        stopping.set_result(order)

    def on_signal(number: int) -> None:
        if stopping.done():
            os._exit(128 + number)
        stop(signal.Signals(number).name)

    def on_supervisor(channel: socket.socket) -> None:
        loop.remove_reader(channel)
        try:
            order = channel.recv(len(RETIRE))
        except OSError:
            order = b""
        if not stopping.done():
            stop("retired" if order else "the supervisor has ended", order)

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    if supervisor is not None:
        loop.add_reader(supervisor, on_supervisor, supervisor)
    return stopping


async def _finish_running(server: uvicorn.Server, grace_s: int) -> int:
    """Wait for the running requests while /readyz is still served: uvicorn's shutdown begins by closing the listener.
    Return the rest of the grace in whole seconds, as uvicorn needs it."""
    loop = asyncio.get_running_loop()
    ends_at_s = loop.time() + grace_s
    if running := set(server.server_state.tasks):
        await asyncio.wait(running, timeout=grace_s)
    return math.ceil(max(0.0, ends_at_s - loop.time()))
