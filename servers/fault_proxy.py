"""A TCP proxy that breaks connections: it cuts, holds, refuses and delays them."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

Passes = Callable[[int, bool, bytes], bool]
"""Gets each piece before it is forwarded: the number of the connection, True when the client sent it, and the bytes,
which are empty at the end of the direction. Return False to drop it."""

ANSWER_S = 10.0
CHUNK_BYTES = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of 0 seconds: close sends RST


class FaultProxy:
    """Forwards connections from 127.0.0.1:`port` to 127.0.0.1:`target_port`, on a thread of its own.

    The methods may be called from any thread. They return when the change is in effect. `passes` is called on the
    proxy's thread.
    """

    def __init__(self, target_port: int, passes: Passes = lambda connection, is_sent, data: True) -> None:
        self.target_port = target_port
        self._passes = passes
        self._connections = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._refusing = False
        self._delay_s = 0.0
        self._forwarding = asyncio.Event()
        self._forwarding.set()
        listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        self.port: int = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._thread.start()
        serving = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, sock=listener), self._loop)
        self._server = serving.result(ANSWER_S)

    def cut(self) -> None:
        """Close all connections with RST. New ones are forwarded."""
        self._run(self._cut)

    def answer(self, response: bytes) -> None:
        """Send `response` to all clients, as if the server had, and close their connections. New ones are forwarded."""
        self._run(lambda: self._answer(response))

    def hold(self) -> None:
        """Stop forwarding in both directions and close nothing, as half-open connections do. New ones are held too."""
        self._run(self._forwarding.clear)

    def go_on(self) -> None:
        """End `hold`: forward what was held back."""
        self._run(self._forwarding.set)

    def refuse(self) -> None:
        """Close new connections with RST at once. Those that are open stay."""
        self._run(lambda: setattr(self, "_refusing", True))

    def accept(self) -> None:
        """End `refuse`."""
        self._run(lambda: setattr(self, "_refusing", False))

    def delay(self, seconds: float) -> None:
        """Forward each piece `seconds` later, and pieces that arrive meanwhile as one; 0 ends it."""
        self._run(lambda: setattr(self, "_delay_s", seconds))

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(ANSWER_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_S)
        self._loop.close()

    def _run(self, change: Callable[[], object]) -> None:
        done = threading.Event()

        def make() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(make)
        if not done.wait(ANSWER_S):
            raise TimeoutError("the proxy does not answer")

    async def _stop(self) -> None:
        self._server.close()
        self._cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _cut(self) -> None:
        for writer in tuple(self._writers):
            self._reset(writer)

    def _answer(self, response: bytes) -> None:
        for client in tuple(self._clients):
            client.write(response)
            client.close()

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        self._clients.discard(writer)
        if not writer.transport.is_closing():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refusing:
            self._reset(client)
            return
        self._writers.add(client)
        self._clients.add(client)
        with suppress(asyncio.CancelledError):  # of `close`; asyncio would print it
            try:
                server_reader, server = await asyncio.open_connection("127.0.0.1", self.target_port)
            except OSError:
                self._reset(client)
                return
            self._writers.add(server)
            if client not in self._writers:  # cut while the connection was made
                self._reset(server)
            number = next(self._connections)
            await asyncio.gather(
                self._forward(reader, server, number, True), self._forward(server_reader, client, number, False)
            )
        self._reset(client)
        self._reset(server)

    async def _forward(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, connection: int, is_sent: bool
    ) -> None:
        """Forward one direction until its end, and pass the end on: FIN as FIN, RST as RST."""
        try:
            while data := await source.read(CHUNK_BYTES):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                await self._forwarding.wait()
                if self._passes(connection, is_sent, data):
                    target.write(data)
                    await target.drain()
            await self._forwarding.wait()
            if self._passes(connection, is_sent, b""):
                target.write_eof()
        except OSError:
            self._reset(target)
