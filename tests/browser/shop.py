"""A server with access control, and what a shop does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.callers import AUDIENCE, CLAIMS, SECRET, Caller, token
from support.ports import unused
from support.server import Server

_PARTIES = {"customer_id": "ann", "restaurant_id": "luigi", "courier_id": "7", "restaurant_name": "Trattoria Luigi"}
_ITEMS = {"items": [{"name": "Margherita", "quantity": 2, "price": 9.5}], "total": 19, "currency": "EUR"}
_NO_BUDGETS = ["--polls-per-minute", "0", "--reads-per-minute", "0", "--writes-per-minute", "0"]


class Shop:
    """A server that keeps its port and its data when it is started again."""

    def __init__(self, folder: Path, *flags: str) -> None:
        secret, self.port, self.data = folder / "secret", unused(), folder / "data"
        secret.write_text(SECRET + "\n")
        access = ["--token-secret-file", str(secret), "--token-audience", AUDIENCE]
        self._flags = ["--port", str(self.port), *access, *_NO_BUDGETS, *flags]
        self._callers: list[Caller] = []
        self.start()
        self.admin = self.by("admin")

    def start(self) -> None:
        self.server = Server(self.data, *self._flags)
        self.url = self.server.url

    def stop(self) -> None:
        code = self.server.stop()
        self.server.close()
        assert code == 0, self.server.log
        assert "Traceback" not in self.server.log, self.server.log
        assert "otl_" not in self.server.log, "a link was logged"

    def close(self) -> None:
        for caller in self._callers:
            caller.close()
        self.stop()

    def by(self, role: str) -> Caller:
        self._callers.append(Caller(self.url, token(CLAIMS[role])))
        return self._callers[-1]

    def order(self, **more: Any) -> int:
        """Create an order of ann and return its id."""
        created = self.admin.ask("POST", "/api/v1/orders", json={**_PARTIES, **_ITEMS, **more})
        assert created.status_code == 201, created.text
        id_: int = created.json()["data"]["id"]
        return id_

    def set_status(self, order_id: int, status: str, **more: Any) -> None:
        path = f"/api/v1/orders/{order_id}/status"
        changed = self.admin.ask("PUT", path, json={"status": status, **more})
        assert changed.status_code == 200, changed.text

    def assign(self, order_id: int, courier_id: str) -> None:
        assigned = self.admin.ask("PUT", f"/api/v1/orders/{order_id}/courier", json={"courier_id": courier_id})
        assert assigned.status_code == 200, assigned.text

    def link(self, order_id: int) -> str:
        """Make a tracking link and return its URL."""
        made = self.admin.ask("POST", f"/api/v1/orders/{order_id}/links")
        assert made.status_code == 201, made.text
        return f"{self.url}{made.json()['data']['path']}"

    def revoke_links(self, order_id: int) -> None:
        path = f"/api/v1/orders/{order_id}/links"
        for link in self.admin.ask("GET", path).json()["data"]["links"]:
            assert self.admin.ask("DELETE", f"{path}/{link['id']}").status_code == 200
