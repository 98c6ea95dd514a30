"""SQL in the files of a store's package: statements by name, and numbered migrations."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from ordertrack.ports.store import StoreCannotOpen

_NAMED_BLOCK = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


class Migration(NamedTuple):
    number: int
    name: str
    body: str
    sha256: str


def read_statements(package: str) -> dict[str, str]:
    """Return every statement of statements.sql by its name."""
    text = files(package).joinpath("statements.sql").read_text(encoding="utf-8")
    return {name: body.strip().rstrip(";") for name, body in _NAMED_BLOCK.findall(text)}


def read_migrations(package: str) -> list[Migration]:
    """Return the migrations by number."""
    migrations = []
    for file in files(package).joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            body = file.read_text(encoding="utf-8")
            digest = hashlib.sha256(body.encode()).hexdigest()
            migrations.append(Migration(int(file.name.split("_")[0]), file.name, body, digest))
    return sorted(migrations)


def missing_migrations(migrations: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """Return the migrations to apply, in order. `applied` has the SHA-256 of the applied ones by number.

    Raises: StoreCannotOpen when the database is newer than this code, or an applied migration differs from the one
    here.
    """
    by_number = {migration.number: migration for migration in migrations}
    if unknown := sorted(set(applied) - set(by_number)):
        raise StoreCannotOpen(
            f"The database was made by a newer ordertrack (it has schema {unknown[-1]}, this one knows up to "
            f"{max(by_number)}). Install that version or newer."
        )
    for number, digest in applied.items():
        if by_number[number].sha256 != digest:
            name = by_number[number].name
            raise StoreCannotOpen(f"The database was migrated with another {name} than this ordertrack has.")
    return [migration for migration in migrations if migration.number not in applied]
