"""A simple long poll with Flask: one thread per poll. Run with the peers' Python and a port as argument."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from flask import Flask, request  # type: ignore[import-not-found]
from werkzeug.serving import WSGIRequestHandler, make_server

sys.path.insert(0, str(Path(__file__).parents[2]))
from bench.peers.shared_orders import Order, Orders, position_of

orders = Orders()
changed: defaultdict[int, threading.Condition] = defaultdict(threading.Condition)
counting = threading.Lock()


def create() -> tuple[dict[str, Any], int]:
    with counting:
        return {"success": True, "data": orders.create(request.get_json()).view()}, 201


def track(order_id: int) -> dict[str, Any]:
    order: Order = orders[order_id]
    timeout_s = float(request.args.get("timeout", 30))
    news = changed[order_id]
    with news:
        position = position_of(request.args.get("cursor", ""), order)
        if order.version <= position and timeout_s > 0 and order.status != "delivered":
            _count(1)
            news.wait_for(lambda: order.version > position, timeout_s)
            _count(-1)
        return order.answer(position)


def set_status(order_id: int) -> dict[str, Any]:
    order = orders[order_id]
    news = changed[order_id]
    with news:
        order.set_status(request.get_json()["status"])
        news.notify_all()
    return {"success": True, "data": order.view(), "changed": True}


def statistics() -> dict[str, Any]:
    return orders.statistics()


def _count(change: int) -> None:
    with counting:
        orders.held += change


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive, off by default in werkzeug

    def log_request(self, *_: object) -> None:
        pass


app = Flask(__name__)
app.add_url_rule("/api/v1/orders", view_func=create, methods=["POST"])
app.add_url_rule("/api/v1/orders/system/stats", view_func=statistics)
app.add_url_rule("/api/v1/orders/<int:order_id>/track", view_func=track)
app.add_url_rule("/api/v1/orders/<int:order_id>/status", view_func=set_status, methods=["PUT"])

if __name__ == "__main__":
    server = make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True, request_handler=_Quiet)
    server.socket.listen(4096)  # werkzeug's 128 would delay most connections
    server.serve_forever()
