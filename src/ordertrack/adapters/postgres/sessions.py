"""Connections to the server, and if it can be reached.

Failures of a statement, and what follows:

1. The server refuses it: asyncpg's error. The connection stays in use.
2. The connection breaks, or the server ends it: ConnectionLost. The next statement opens another connection.
3. No answer within the client's limit, though the server ends each statement before: the network or the server is dead
   without a word. ConnectionLost, and all connections are given up.
4. The server takes no changes any more, after a failover: all connections are given up, since the address leads to the
   new primary. StoreUnavailable.
5. No connection can be opened: the server is down. Until one can be opened, tried with growing, random pauses,
   every statement fails at once with StoreUnavailable.

Behind a pooler (PgBouncer in transaction mode), consecutive transactions may be on different sessions of the server:
every statement is in a transaction, is prepared without a name, and nothing is set for the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import structlog

from ordertrack.adapters.postgres.statements import SQL
from ordertrack.core.errors import StoreUnavailable
from ordertrack.ports.store import StoreCannotOpen

DEFAULT_PORT = 5432
CONNECT_LIMIT_S = 5.0
STATEMENT_LIMIT_S = 5.0
"""Seconds until the server ends a statement."""
ANSWER_LIMIT_S = STATEMENT_LIMIT_S + 2.0
"""Seconds until this process gives up a statement and its connection."""
PROBE_LIMIT_S = 3.0
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
"""Between attempts to connect. Each is longer than the one before it by a random part."""
DOWN_RETRY_AFTER_S = 2
APPLICATION_NAME = "ordertrack"

# A generic plan is made once for a statement and a connection: that of the write statement takes milliseconds. Every
# statement reads ranges of indexes in their order, also before the server knows how large the tables are.
_SESSION = {
    "application_name": APPLICATION_NAME,
    "statement_timeout": str(round(STATEMENT_LIMIT_S * 1000)),
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}
_BROKEN = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # the server shuts down, or an operator ended the session
)
log = structlog.get_logger("ordertrack.postgresql")


class ConnectionLost(Exception):
    """The connection broke during a statement: the server may have executed it."""


class Server:
    """The state that all sessions share: if the server can be reached."""

    def __init__(self, url: str, *, is_pooled: bool) -> None:
        self.is_pooled = is_pooled
        self._up = asyncio.Event()
        self._url = url
        self._sessions: list[Session] = []
        self._prober: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    async def wait_until_up(self) -> None:
        await self._up.wait()

    @property
    def address(self) -> str:
        """The host and the port, for messages."""
        parts = urlsplit(self._url)
        host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", ["localhost"])[0]
        return host if ":" in host else f"{host}:{DEFAULT_PORT}"

    async def open(self) -> None:
        """Raises: StoreCannotOpen."""
        try:
            connection = await self.connect()
        except ValueError:  # asyncpg's message may have a part of the password
            raise StoreCannotOpen(
                "The database URL cannot be read. Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special "
                "characters of the password in percent encoding."
            ) from None
        except (asyncpg.PostgresError, *_BROKEN) as error:
            cause = "it did not answer in time" if isinstance(error, TimeoutError) else str(error) or repr(error)
            raise StoreCannotOpen(f"The database at {self.address} cannot be reached: {cause}.") from error
        await _close(connection)
        self._up.set()

    async def close(self, limit_s: float) -> None:
        self._up.clear()
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.wait([self._prober])
        await asyncio.gather(*(session.close(limit_s) for session in self._sessions))

    def session(self, *, reconnects: bool = True) -> Session:
        session = Session(self, reconnects=reconnects)
        self._sessions.append(session)
        return session

    async def end(self, session: Session) -> None:
        self._sessions.remove(session)
        await session.close(PROBE_LIMIT_S)

    async def connect(self) -> asyncpg.Connection:
        """Raises: asyncpg.PostgresError, OSError, TimeoutError, ValueError for a bad URL."""
        async with asyncio.timeout(CONNECT_LIMIT_S):
            connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_LIMIT_S,
                statement_cache_size=0 if self.is_pooled else 100,
                max_cached_statement_lifetime=0,
                max_cacheable_statement_size=0,
                server_settings=None if self.is_pooled else _SESSION,
            )
        if getattr(connection.get_settings(), "in_hot_standby", "off") == "on":
            connection.terminate()
            raise OSError("it is a standby, which takes no changes")
        return connection

    def mark_down(self, cause: BaseException, *, of_all: bool = False) -> None:
        """Refuse statements until a connection can be opened. `of_all`: give up all connections."""
        if of_all:
            for session in self._sessions:
                session.terminate()
        if not self.is_up:
            return
        self._up.clear()
        log.error("the database cannot be reached", address=self.address, error=str(cause) or repr(cause))
        self._prober = asyncio.ensure_future(self._probe())

    async def _probe(self) -> None:
        pause_s = SHORTEST_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                await _close(await self.connect())
            except Exception:  # noqa: BLE001 - the cause was logged, and this task must go on
                pause_s = min(LONGEST_PAUSE_S, pause_s * random.uniform(1.2, 2.0))
            else:
                self._up.set()
                log.warning("the database can be reached again", address=self.address)
                return


class Session:
    """One connection at a time, for one statement at a time. It is opened when it is needed, and `reconnects`, or by
    `connect`."""

    def __init__(self, server: Server, *, reconnects: bool) -> None:
        self._server = server
        self._reconnects = reconnects
        self._connection: asyncpg.Connection | None = None
        self._in_transaction = False

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def connect(self) -> bool:
        """Return True when a new connection was opened. Raises: StoreUnavailable."""
        if not self._server.is_up:
            raise StoreUnavailable(retry_after_s=DOWN_RETRY_AFTER_S)
        if self.is_connected:
            return False
        try:
            self._connection = await self._server.connect()
        except (asyncpg.PostgresError, *_BROKEN) as error:
            if isinstance(error, asyncpg.TooManyConnectionsError):  # the other sessions go on
                log.error("the server admits no more connections: lower --database-connections", error=str(error))
            else:
                self._server.mark_down(error)
            raise StoreUnavailable(retry_after_s=DOWN_RETRY_AFTER_S) from error
        return True

    async def fetch(self, statement: str, *parameters: Any, limit_s: float = ANSWER_LIMIT_S) -> list[asyncpg.Record]:
        """Execute a statement, in a transaction of its own unless one has begun.

        Raises: StoreUnavailable when it was not sent, ConnectionLost, and asyncpg.PostgresError.
        """
        if self._in_transaction or not self._server.is_pooled:
            return await self._fetch(statement, parameters, limit_s)
        async with self.transaction():
            return await self._fetch(statement, parameters, limit_s)

    @contextlib.asynccontextmanager
    async def transaction(self, limit_s: float = STATEMENT_LIMIT_S) -> AsyncIterator[None]:
        """Run a block in a transaction, committed at its end. The server ends its statements after `limit_s` seconds.

        Raises: as `fetch`.
        """
        await self.execute(SQL["begin"].format(statement_ms=round(limit_s * 1000)))
        self._in_transaction = True
        try:
            yield
            await self.execute("COMMIT")
        except BaseException:
            if self.is_connected:
                with contextlib.suppress(ConnectionLost, asyncpg.PostgresError):
                    await self.execute("ROLLBACK")
            raise
        finally:
            self._in_transaction = False

    async def _fetch(self, statement: str, parameters: tuple[Any, ...], limit_s: float) -> list[asyncpg.Record]:
        connection = await self._connected()
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *parameters, timeout=limit_s)
        except BaseException as error:
            self._give_up(error)
            raise
        return rows

    async def execute(self, statement: str, limit_s: float = ANSWER_LIMIT_S) -> None:
        """Execute one or more statements without parameters. Raises: as `fetch`."""
        connection = await self._connected()
        try:
            await connection.execute(statement, timeout=limit_s)
        except BaseException as error:
            self._give_up(error)
            raise

    async def _connected(self) -> asyncpg.Connection:
        """Raises: StoreUnavailable; ConnectionLost in a transaction, which another connection knows nothing of."""
        if not self.is_connected:
            if self._in_transaction or not self._reconnects:
                raise ConnectionLost
            await self.connect()
        return self._connection

    def _give_up(self, error: BaseException) -> None:
        """Terminate a connection that cannot be used again.

        Raises: ConnectionLost for an error that broke it; StoreUnavailable for a server that takes no changes.
        """
        is_lost = isinstance(error, _BROKEN) and not isinstance(error, asyncpg.QueryCanceledError | ValueError)
        is_read_only = isinstance(error, asyncpg.ReadOnlySQLTransactionError)
        if isinstance(error, Exception) and not (is_lost or is_read_only):
            return
        self.terminate()
        if is_read_only or isinstance(error, TimeoutError):
            self._server.mark_down(error, of_all=True)
        if is_lost:
            raise ConnectionLost from error
        if is_read_only:
            raise StoreUnavailable(retry_after_s=DOWN_RETRY_AFTER_S) from error

    def terminate(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self, limit_s: float) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await _close(connection, limit_s)


async def _close(connection: asyncpg.Connection, limit_s: float = PROBE_LIMIT_S) -> None:
    with contextlib.suppress(asyncpg.PostgresError, *_BROKEN):
        await connection.close(timeout=limit_s)
