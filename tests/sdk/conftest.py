"""A server with access control behind a proxy that breaks connections, both controlled over HTTP, for `node --test`."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from client.servers import RealServer
from servers.fault_proxy import FaultProxy
from support import missing
from support.callers import AUDIENCE, CLAIMS, SECRET, token
from support.server import environment

SDK = Path(__file__).parents[2] / "sdk" / "js"
BOUND_S = 120.0
LONGEST_OUTPUT = 8_000
Actions = dict[str, Callable[[], object]]


@pytest.fixture(scope="session")
def node() -> str:
    """The command of Node.js."""
    missing.needs("node")
    return str(shutil.which("node"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of the tests in Node: addresses and tokens."""
    secret, data = tmp_path / "secret", tmp_path / "data"
    secret.write_text(SECRET + "\n")
    server = RealServer(data, "--token-secret-file", str(secret), "--token-audience", AUDIENCE)
    server.start()
    port = int(server.url.rpartition(":")[2])

    def replace() -> None:
        """Start again with an empty store."""
        server.stop()
        shutil.rmtree(data)
        server.start()

    def gateway_answer(status: int) -> Callable[[], None]:
        page = b"<html>A proxy</html>"
        head = f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
        return lambda: proxy.answer(head.encode() + page)

    with closing(FaultProxy(port)) as proxy:
        actions: Actions = {
            name: getattr(proxy, name) for name in ("cut", "hold", "go_on", "refuse", "accept")
        } | {"delay": lambda: proxy.delay(0.05), "no_delay": lambda: proxy.delay(0)}  # fmt: skip
        actions |= {f"answer_{status}": gateway_answer(status) for status in (200, 502, 504)}
        actions |= {"stop": server.stop, "kill": lambda: server.stop(signal.SIGKILL), "start": server.start}
        actions["replace"] = replace
        try:
            with _controlled(actions) as control:
                yield {
                    "ORDERTRACK_SDK_SERVER": server.url,
                    "ORDERTRACK_SDK_PROXY": f"http://127.0.0.1:{proxy.port}",
                    "ORDERTRACK_SDK_CONTROL": control,
                    **{f"ORDERTRACK_SDK_{role.upper()}": token(CLAIMS[role]) for role in ("admin", "customer")},
                }
        finally:
            server.stop()


@contextmanager
def _controlled(actions: Actions) -> Iterator[str]:
    """Run `actions[name]` for each `POST /name`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            actions[self.path[1:]]()
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as control:
        thread = threading.Thread(target=control.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{control.server_port}"
        control.shutdown()
        thread.join(BOUND_S)


def run(*command: str, folder: Path = SDK, env: dict[str, str] | None = None) -> str:
    """Return the output of a command; fail with it if the command fails."""
    done = subprocess.run(
        command, cwd=folder, env=environment(env), capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    output = (done.stdout + done.stderr)[-LONGEST_OUTPUT:]  # a report of tests ends with the failed ones
    assert done.returncode == 0, f"{' '.join(command)}\n{output}"
    return done.stdout


def node_modules() -> Path:
    """Return the folder of installed packages; skip the test without it."""
    modules = SDK / "node_modules"
    if not (modules / ".installed").exists():
        missing.skip("needs `make generators`, which needs npm")
    return modules
