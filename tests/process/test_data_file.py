"""Changes to the database of a running process: a damaged order, a deleted file."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from ordertrack.adapters.sqlite.database import FILE_NAME
from support.api import BULK, ORDERS, Api, encoded, eventually
from support.server import COMMAND, Server, environment


def _damage(folder: Path, order_id: int) -> None:
    with sqlite3.connect(folder / FILE_NAME) as database:
        database.execute("UPDATE orders SET details = '{' WHERE id = ?", (order_id,))
    database.close()


@pytest.mark.protocol("5.3")
def test_a_damaged_order_fails_alone(start, api_of, tmp_path: Path):
    data_dir = tmp_path / "data"
    start().stop()
    _damage(data_dir, 103)
    server: Server = start()
    api: Api = api_of(server)
    feed = api.connect()
    feed.request("GET", "/api/v1/customers/1/track")
    answer = feed.answer().json()
    assert [order["id"] for order in answer["data"]["orders"]] == [101]
    listed = api.http.get(ORDERS).raise_for_status().json()["data"]["orders"]
    assert [order["id"] for order in listed] == [102, 101]
    for refused in (api.http.get(f"{ORDERS}/103"), api.set(103, "picked_up"), api.http.get(f"{ORDERS}/103/track")):
        assert (refused.status_code, refused.json()["error"]) == (500, "internal_error")
    bulk = api.bulk([{"order_id": id_, "status": "picked_up"} for id_ in (101, 103, 102)]).json()["data"]["results"]
    assert [result["success"] for result in bulk] == [True, False, True]
    held = api.connect()
    held.request("GET", "/api/v1/customers/1/track?timeout=1")
    assert held.answer().json()["reason"] == "timeout"
    drained = api.connect()
    drained.request("GET", "/api/v1/customers/1/track?timeout=60")
    api.until_held(1)
    assert server.stop() == 0
    assert drained.answer().json()["reason"] == "drain"
    assert '"order_id": 103' in server.log or "order_id=103" in server.log


@pytest.mark.protocol("5.4", "6.2", "2.3")
def test_a_deleted_data_folder_ends_acknowledgements(start, api_of, tmp_path: Path):
    api: Api = api_of(start())
    order = api.made(101, "preparing")
    shutil.rmtree(tmp_path / "data")
    refused = api.set(101, "ready")
    assert (refused.status_code, refused.json()["error"]) == (503, "store_unavailable")
    assert api.http.post(BULK, content=encoded({"updates": [{"order_id": 101, "status": "ready"}]}),
                         headers={"Content-Type": "application/json"}).status_code == 503  # fmt: skip
    eventually(lambda: api.http.get("/readyz").status_code == 503, "it says that it is not ready")
    assert "deleted or replaced" in api.http.get("/readyz").json()["why"]
    assert api.order(101) == order, "what was acknowledged is still told"
    other = api_of(start())
    assert other.made(101, "ready")["version"] == 2, "on the same path, with a database of its own"
    assert api.set(101, "ready").status_code == 503


def test_a_kill_during_the_first_start_loses_no_sample(start, api_of, tmp_path: Path):
    """The file has all sample orders or none."""
    data_dir = tmp_path / "data"
    command = [*COMMAND, "serve", "--port", "0", "--json", "--data-dir", str(data_dir)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: _orders_in(data_dir / FILE_NAME) > 0, "an order is in the file")
    finally:
        process.kill()
        process.wait()
    api = api_of(start())
    assert [api.order(order_id)["status"] for order_id in (101, 102, 103)] == ["confirmed", "preparing", "ready"]


def _orders_in(file: Path) -> int:
    if not file.exists():
        return 0
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=0)
    try:
        (count,) = database.execute("SELECT count(*) FROM orders").fetchone()
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()
    return int(count)
