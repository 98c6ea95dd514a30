"""Back up a PostgreSQL database with its own tool, `pg_dump`."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from ordertrack.ports.records import RecordsUnusable

PROGRAM = "pg_dump"


async def dump_database(url: str, password: str | None, copy: Path) -> None:
    """Write a dump in the custom format of `pg_dump` into a new file. `url` has no password: other users can see
    arguments of programs.

    Raises: RecordsUnusable. There is no new file then.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise RecordsUnusable(f"{PROGRAM} is not installed. Install the client programs of PostgreSQL.")
    try:
        output = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise RecordsUnusable(f"{copy} exists already. Name a new file.") from None
    except OSError as error:
        raise RecordsUnusable(f"{copy} cannot be written: {error.strerror or error}.") from None
    is_complete = False
    try:
        await _run(program, url, password, output)
        os.fsync(output)
        is_complete = True
    finally:
        os.close(output)
        if not is_complete:
            os.unlink(copy)  # noqa: PTH108 - a call that does not wait


async def _run(program: str, url: str, password: str | None, output: int) -> None:
    environment = {**os.environ, "PGCONNECT_TIMEOUT": "10"}
    if password is not None:
        environment["PGPASSWORD"] = password
    arguments = ("--format=custom", "--no-owner", "--no-privileges", "--no-password", f"--dbname={url}")
    pipe, closed = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdin=closed, stdout=output, stderr=pipe, env=environment
    )
    try:
        _, errors = await process.communicate()
    except BaseException:
        process.terminate()
        await process.wait()
        raise
    if process.returncode:
        said = " ".join(errors.decode(errors="replace").split())
        raise RecordsUnusable(f"{PROGRAM} failed: {said or f'exit status {process.returncode}'}")
