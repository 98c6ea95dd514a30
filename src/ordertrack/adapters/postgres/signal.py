"""Signals through PostgreSQL: LISTEN and NOTIFY on one connection of its own.

LISTEN belongs to a session of the server, so the URL must lead to the server itself and not to a pooler. Messages are
sent outside of transactions of the store; the server drops one of two equal messages that are sent at the same time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

import asyncpg

from ordertrack.adapters.shared.reconnecting_signal import (
    PROBE,
    LinkLost,
    ReconnectingSignal,
    SignalLimits,
    describe_server,
)

SCHEMES = ("postgresql", "postgres")
MAX_NAME_BYTES = 63
_NOTIFY = "SELECT count(pg_notify(channel, message)) FROM unnest($1::text[], $2::text[]) AS m (channel, message)"


class _NotifiedConnection(asyncpg.Connection):  # type: ignore[misc]
    """Calls `notified`. A listener of asyncpg costs a round trip to add, and a turn of the event loop for a message."""

    __slots__ = ("notified",)
    notified: Callable[[str, str], None]

    def _process_notification(self, pid: int, channel: str, payload: str) -> None:
        self.notified(channel, payload)


class _PostgresLink:
    def __init__(self, connection: _NotifiedConnection, names: Sequence[str]) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._connection = connection
        self._names = names
        self._lock = asyncio.Lock()
        connection.add_termination_listener(self._end)

    def _end(self, _: object) -> None:
        if not self.ended.done():
            self.ended.set_result("the connection was lost")

    async def subscribe(self, channels: Collection[int]) -> None:
        await self._run(lambda: self._connection.execute(self._for_each("LISTEN", channels)))

    async def unsubscribe(self, channels: Collection[int]) -> None:
        await self._run(lambda: self._connection.execute(self._for_each("UNLISTEN", channels)))

    async def publish(self, messages: Sequence[tuple[int, str]]) -> None:
        channels = [self._names[channel] for channel, _ in messages]
        await self._run(lambda: self._connection.fetchval(_NOTIFY, channels, [text for _, text in messages]))

    async def ping(self) -> None:
        await self._run(lambda: self._connection.execute("SELECT 1"))

    def _for_each(self, command: str, channels: Collection[int]) -> str:
        return ";".join(f"{command} {_quote(self._names[channel])}" for channel in channels)

    async def _run(self, query: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run a query; when this is cancelled, leave it to `abort`. asyncpg would connect again to cancel it."""
        async with self._lock:
            self._query = asyncio.create_task(query())
            self._query.add_done_callback(lambda query: query.cancelled() or query.exception())  # else asyncio logs it
            await asyncio.shield(self._query)

    def abort(self) -> None:
        self._connection.remove_termination_listener(self._end)
        self._connection.terminate()


class PostgresSignal(ReconnectingSignal):
    name = "postgresql"
    busy_pause_s = 0.002

    def __init__(self, url: str, prefix: str, *, limits: SignalLimits | None = None) -> None:
        """Raises: SignalCannotOpen. The URL cannot be used."""
        super().__init__(describe_server("PostgreSQL", url, SCHEMES), limits or SignalLimits())
        self._url = url
        self._names = [_name(prefix, channel) for channel in range(PROBE + 1)]
        self._channels = {name: channel for channel, name in enumerate(self._names)}

    async def _connect(self) -> _PostgresLink:
        connection = await asyncpg.connect(
            self._url,
            connection_class=_NotifiedConnection,
            timeout=self._limits.connect_s,
            server_settings={"application_name": "ordertrack signal"},
        )
        connection.notified = self._notified
        try:
            if await connection.fetchval("SELECT pg_backend_pid()") != connection.get_server_pid():
                raise LinkLost("LISTEN does not work through a connection pooler, use the address of the server itself")
            await connection.execute("SET synchronous_commit = off")
            return _PostgresLink(connection, self._names)
        except BaseException:
            connection.terminate()
            raise

    def _notified(self, name: str, text: str) -> None:
        channel = self._channels.get(name)
        if channel is not None:
            self._receive(channel, text)

    def _cause(self, error: BaseException) -> str:
        if isinstance(error, asyncpg.PostgresError):
            return str(error).partition("\n")[0]  # without details and hints
        return "the URL is not valid" if isinstance(error, ValueError) else "the connection was lost"


def _name(prefix: str, channel: int) -> str:
    if len(f"{prefix}:{PROBE}".encode()) > MAX_NAME_BYTES:
        prefix = hashlib.sha256(prefix.encode()).hexdigest()[:32]
    return f"{prefix}:{channel}"


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
