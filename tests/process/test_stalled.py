"""A disk that does not answer: every request is answered, and the process ends in time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ordertrack.cli.serve import EXIT_UNFINISHED
from support.api import ORDERS, Api
from support.server import Server

STALLS = {"reads": "SELECT", "everything": "SELECT\nCOMMIT\nBEGIN"}
WINDOW_S, GRACE_S = 1, 2
EXIT_S = WINDOW_S + GRACE_S + 6
"""Less than a store waits for its statements, 10 s, and generous for a machine with other work."""
Stall = Callable[[str], None]


@pytest.fixture
def stall(tmp_path: Path) -> Stall:
    """Stall the statements that begin so; "" ends it."""
    (tmp_path / "stalled").write_text("")
    return lambda beginnings: (tmp_path / "stalled").write_text(beginnings) and None


@pytest.fixture
def started(start, tmp_path: Path, stall: Stall) -> Callable[[], Server]:
    folder = Path(__file__).parent / "stalled_disk"
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    env = {"PYTHONPATH": path, "STALLED_STATEMENTS": str(tmp_path / "stalled")}
    return lambda: start("--drain-window-s", str(WINDOW_S), "--shutdown-grace-s", str(GRACE_S), env=env)


@pytest.fixture
def server(started: Callable[[], Server]) -> Server:
    return started()


@pytest.mark.protocol("5.2", "6.2", "3.12", "3.13")
@pytest.mark.parametrize("what", STALLS)
def test_a_stalled_disk_delays_no_answer_and_no_exit(server: Server, api_of, stall: Stall, what: str) -> None:
    api: Api = api_of(server)
    cold = [f"/api/v1/couriers/cold-{n}/track?timeout=1" for n in range(4)]
    held = [api.hold(101, timeout=1), api.hold(102, timeout=100)]
    api.until_held(2)
    stall(STALLS[what])
    connections = [api.connect() for _ in cold]
    for connection, target in zip(connections, cold, strict=True):
        connection.request("GET", target)
    lists = api.connect()
    lists.request("GET", ORDERS)
    assert held[0].answer().json()["reason"] == "timeout"
    updated = api.set(103, "picked_up")
    assert updated.status_code == (200 if what == "reads" else 503)
    assert what == "reads" or updated.json()["error"] == "outcome_unknown"
    for connection in [*connections, lists]:
        answer = connection.answer()
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
    assert api.http.get("/readyz").json()["why"] == "waiting for its disk"
    assert api.http.get("/healthz").status_code == 200
    api.connect().request("GET", cold[0])
    api.connect().request("PUT", f"{ORDERS}/103/status", {"Content-Type": "application/json"}, b'{"status": "ready"}')
    signalled_at = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - signalled_at < EXIT_S
    assert held[1].answer().json()["reason"] == "drain"
    assert "Traceback" not in server.log


@pytest.mark.protocol("5.1", "1.6")
def test_update_left_unconfirmed_by_a_stall_can_be_retried(server: Server, api_of, stall: Stall) -> None:
    api: Api = api_of(server)
    held = api.hold(101, timeout=60)
    api.until_held(1)
    stall("COMMIT")
    unknown = api.set(101, "preparing")
    assert (unknown.status_code, unknown.json()["error"]) == (503, "outcome_unknown")
    stall("")
    assert held.answer().json()["data"]["version"] == 2, "it was made after all, and announced"
    again = api.set(101, "preparing").json()
    assert (again["data"]["version"], again["changed"]) == (2, False)
    assert api.http.get("/readyz").status_code == 200
    assert server.stop() == 0


@pytest.mark.protocol("5.2")
def test_thread_that_does_not_end_does_not_block_the_exit(started: Callable[[], Server], stall: Stall) -> None:
    stall("EXIT")
    server = started()
    signalled_at = time.monotonic()
    assert server.stop() == EXIT_UNFINISHED
    assert time.monotonic() - signalled_at < EXIT_S
    assert "did not end in time" in server.log
