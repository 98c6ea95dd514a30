"""`--database-url`: its kinds, its errors, and the text without the password."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.database_url import DatabaseKind, InvalidDatabaseUrl, parse_database_url

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("sqlite:", "data"),
        ("sqlite:///var/lib/ordertrack", "/var/lib/ordertrack"),
        ("sqlite:///var/lib/ordertrack/ordertrack.sqlite3", "/var/lib/ordertrack"),
        ("sqlite:///srv/my%20orders/", "/srv/my orders"),
    ],
)
def test_sqlite_url_names_a_folder(text: str, folder: str) -> None:
    url = parse_database_url(text)
    assert url.kind is DatabaseKind.SQLITE
    assert url.data_dir(Path("data")) == Path(folder)


def test_memory_is_a_kind() -> None:
    assert parse_database_url("memory:").kind is DatabaseKind.MEMORY


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgresql://shop:{SECRET}@db.example:5432/orders", "postgresql://shop:***@db.example:5432/orders"),
        (f"postgres://shop:{SECRET}@[::1]/orders", "postgresql://shop:***@[::1]/orders"),
        (f"postgresql:///orders?host=/run/pg&password={SECRET}", "postgresql:///orders?host=/run/pg&password=***"),
        ("postgresql://one:5432,two/orders?ssl=no", "postgresql://one:5432,two/orders?ssl=no"),
        ("POSTGRESQL://shop@localhost", "postgresql://shop@localhost"),
    ],
)
def test_postgresql_url_is_shown_without_password(text: str, shown: str) -> None:
    url = parse_database_url(text)
    assert url.kind is DatabaseKind.POSTGRESQL
    assert url.shown == shown
    assert SECRET not in repr(url)
    assert url.dsn.partition("://")[::2] == ("postgresql", text.partition("://")[2])


@pytest.mark.parametrize(
    ("text", "dsn"),
    [
        ("postgresql://shop:h%40ter@db:1/orders?sslmode=require", "postgresql://shop@db:1/orders?sslmode=require"),
        ("postgresql:///orders?host=/run/pg&password=h%40ter", "postgresql:///orders?host=/run/pg"),
    ],
)
def test_password_is_given_apart_from_the_url(text: str, dsn: str) -> None:
    assert parse_database_url(text).without_password() == (dsn, "h@ter")


@pytest.mark.parametrize("text", ["", "data", "mysql://shop:hunter2@db/orders", "sqlite3:", "redis://h", "host=db"])
def test_other_schemes_get_the_list(text: str) -> None:
    with pytest.raises(
        InvalidDatabaseUrl, match="sqlite:, sqlite:///absolute/folder, memory: or postgresql://"
    ) as caught:
        parse_database_url(text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["sqlite://", "sqlite://orders", "sqlite:///a?mode=ro", "sqlite:///a\nb"])
def test_sqlite_url_needs_an_absolute_folder(text: str) -> None:
    with pytest.raises(InvalidDatabaseUrl, match="must name an absolute folder"):
        parse_database_url(text)


@given(st.text(st.sampled_from("@/?#[]: %\n&="), max_size=3), st.sampled_from(["h", "h:70000", "h:x", "[::1", "h/a/b"]))
def test_malformed_urls_repeat_no_password(special: str, rest: str) -> None:
    try:
        said = parse_database_url(f"postgresql://shop:{SECRET}{special}{SECRET}@{rest}").shown
    except InvalidDatabaseUrl as error:
        said = str(error)
    assert SECRET not in said
