"""The URLs of the store of orders (`sqlite:`, `sqlite:///folder`, `memory:`, `postgresql://...`) and of Redis. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from ordertrack.adapters.sqlite.database import FILE_NAME

ALLOWED = "sqlite:, sqlite:///absolute/folder, memory: or postgresql://user:password@host:port/database"
HIDDEN = "***"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.%]+\]|[^\[\]:@/]*)(?::([0-9]{1,5}))?")
_SECRETS = frozenset({"password", "sslpassword"})


class DatabaseKind(StrEnum):
    SQLITE = "sqlite"
    MEMORY = "memory"
    POSTGRESQL = "postgresql"


class InvalidDatabaseUrl(ValueError):
    """The message completes "The URL": it says what is allowed, and repeats no password."""


@dataclass(frozen=True)
class DatabaseUrl:
    """`path` is set for SQLite alone: None is the data folder. `dsn` is set for PostgreSQL alone; it has the password.

    `shown` is the URL without passwords.
    """

    kind: DatabaseKind
    shown: str
    path: Path | None = None
    dsn: str = field(default="", repr=False)

    def data_dir(self, default: Path) -> Path:
        """Return the folder of the SQLite database. The URL may name the file in it too."""
        if self.path is None:
            return default
        return self.path.parent if self.path.name == FILE_NAME else self.path

    def without_password(self) -> tuple[str, str | None]:
        """Return the `dsn` without its password, and the password: for programs whose arguments others can read."""
        parts = urlsplit(self.dsn)
        login, at, hosts = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        options = [option.partition("=")[::2] for option in parts.query.split("&") if option]
        given = [unquote(value) for name, value in options if name == "password"]
        query = "&".join(f"{name}={value}" for name, value in options if name not in _SECRETS)
        dsn = f"postgresql://{user}{at}{hosts}{parts.path}{'?' if query else ''}{query}"
        return dsn, unquote(password) or (given[-1] if given else None)


def parse_database_url(text: str) -> DatabaseUrl:
    """Raises: InvalidDatabaseUrl."""
    if text in ("sqlite:", "memory:"):
        return DatabaseUrl(DatabaseKind(text[:-1]), text)
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else ""
    if scheme == "sqlite":
        return _sqlite(text)
    if scheme in ("postgresql", "postgres"):
        return _postgresql(text)
    found = f'; it begins with "{scheme}://"' if scheme else ""
    raise InvalidDatabaseUrl(f"must be {ALLOWED}{found}.")


def _sqlite(text: str) -> DatabaseUrl:
    path = Path(unquote(text[len("sqlite://") :]))
    if not path.is_absolute() or not str(path).isprintable() or "?" in text or "#" in text:
        raise InvalidDatabaseUrl(
            "must name an absolute folder behind sqlite://, such as sqlite:///var/lib/ordertrack, or be sqlite: for "
            "the data folder."
        )
    return DatabaseUrl(DatabaseKind.SQLITE, text, path=path)


def _postgresql(text: str) -> DatabaseUrl:
    try:
        parts = urlsplit(text)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:  # its text may have the password
        raise _malformed() from None
    userinfo, _, hosts = parts.netloc.rpartition("@")
    # A "/", "?" or "#" in a password ends the host too early: the "@" is then in another part.
    is_misread = "@" in userinfo + parts.path + parts.query or "#" in text or "/" in parts.path[1:]
    if is_misread or not text.isprintable() or " " in text or not _are_hosts(hosts):
        raise _malformed()
    user, has_password, _ = userinfo.partition(":")
    login = f"{user}:{HIDDEN}@" if has_password else f"{user}@" if user else ""
    query = "&".join(f"{name}={HIDDEN if name in _SECRETS else value}" for name, value in options)
    shown = f"postgresql://{login}{hosts}{parts.path}{'?' if query else ''}{query}"
    return DatabaseUrl(DatabaseKind.POSTGRESQL, shown, dsn="postgresql" + text[len(parts.scheme) :])


class RedisUrl(NamedTuple):
    """`url` has the password; `shown` has not."""

    url: str
    shown: str


def parse_redis_url(text: str) -> RedisUrl:
    """Raises: InvalidDatabaseUrl."""
    allowed = (
        "must be redis://host:port/database or rediss://host:port/database, with user:password@ in front of the host"
    )
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    userinfo, _, host = parts.netloc.rpartition("@") if is_valid else ("", "", "")
    is_misread = "@" in userinfo + parts.path + parts.query if is_valid else True
    if is_misread or not text.isprintable() or " " in text or "#" in text or parts.query:
        found = _SCHEME.match(text)
        scheme = (
            f'; it begins with "{found[1].lower()}://"' if found and found[1].lower() not in ("redis", "rediss") else ""
        )
        raise InvalidDatabaseUrl(f"{allowed}{scheme}.")
    user, has_password, _ = userinfo.partition(":")
    login = f"{user}:{HIDDEN}@" if has_password else f"{user}@" if user else ""
    return RedisUrl(text, f"{parts.scheme}://{login}{host}{parts.path}")


def _malformed() -> InvalidDatabaseUrl:
    return InvalidDatabaseUrl(
        "must be postgresql://user:password@host:port/database. Write special characters of the user and the password "
        "with %, such as %40 for @, %2F for / and %23 for #."
    )


def _are_hosts(hosts: str) -> bool:
    """Return True for one or several hosts, each with or without a port; none at all is PostgreSQL's default."""
    matches = [_HOST.fullmatch(host) for host in hosts.split(",")]
    return all(match is not None and (match[1] is None or 0 < int(match[1]) <= 65_535) for match in matches)
