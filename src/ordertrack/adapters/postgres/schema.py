"""The schema of the database: its migrations, and its epoch."""

from __future__ import annotations

import secrets

import asyncpg

from ordertrack.adapters.postgres.sessions import ConnectionLost, Server, Session
from ordertrack.adapters.postgres.statements import SQL
from ordertrack.adapters.shared.sql_files import missing_migrations, read_migrations
from ordertrack.core.errors import StoreUnavailable
from ordertrack.ports.store import StoreCannotOpen

MIGRATION_LIMIT_S = 600.0
"""Seconds for a migration, and for the wait for another node that migrates."""


async def prepare_schema(server: Server, now_ms: int) -> str:
    """Apply the missing migrations, each in its own transaction, and return the epoch.

    Raises: StoreCannotOpen when the database is newer than this code, or cannot be used.
    """
    session = server.session()
    try:
        if not await _is_current(session):
            await _migrate(session, now_ms)
        await session.fetch(SQL["insert_epoch"], secrets.token_hex(4))
        ((epoch,),) = await session.fetch(SQL["epoch"])
    except (asyncpg.PostgresError, ConnectionLost, StoreUnavailable) as error:
        cause = error.__cause__ or error
        raise StoreCannotOpen(
            f"The database at {server.address} cannot be used: {str(cause) or repr(cause)}."
        ) from error
    else:
        return str(epoch)
    finally:
        await server.end(session)


async def _is_current(session: Session) -> bool:
    """Raises: StoreCannotOpen when the database is newer."""
    ((exists,),) = await session.fetch(SQL["schema_migrations_exist"])
    return bool(exists) and not missing_migrations(read_migrations(__package__), await _applied(session))


async def _applied(session: Session) -> dict[int, str]:
    return dict(await session.fetch(SQL["schema_migrations"]))


async def _migrate(session: Session, now_ms: int) -> None:
    """Several nodes may start at once: one migrates, and the others find nothing missing."""
    is_complete = False
    while not is_complete:
        async with session.transaction(limit_s=MIGRATION_LIMIT_S):
            await session.fetch(SQL["migration_lock"], limit_s=MIGRATION_LIMIT_S)
            await session.execute(SQL["create_schema_migrations"])
            missing = missing_migrations(read_migrations(__package__), await _applied(session))
            for number, name, body, digest in missing[:1]:
                await session.execute(body, MIGRATION_LIMIT_S)
                await session.fetch(SQL["insert_schema_migration"], number, name, digest, now_ms)
            is_complete = len(missing) <= 1
