"""PgBouncer in front of a PostgreSQL server: transaction pooling."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from servers.child import Child, answers, free_port, needed, other_user


class PgBouncer:
    """`url` is that of the same database through the pooler. Raises: NotInstalled, DidNotStart."""

    def __init__(self, folder: Path, database_url: str, *, pool_mode: str = "transaction", pool_size: int = 5) -> None:
        found = needed("pgbouncer", "pgbouncer")
        parts = urlsplit(database_url)
        self.port = free_port()
        self.url = f"postgresql://{parts.username}@127.0.0.1:{self.port}{parts.path}"
        user = other_user("postgres")
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "pgbouncer.ini"
        config.write_text(
            f"""[databases]
* = host=127.0.0.1 port={parts.port} user={parts.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
default_pool_size = {pool_size}
max_client_conn = 500
"""
        )
        if user is not None:
            shutil.chown(folder, user)
        self.child = Child([str(found), str(config)], folder / "log", user=user)
        self.child.wait_until(lambda: answers(self.port), "PgBouncer")

    def close(self) -> None:
        self.child.close()
