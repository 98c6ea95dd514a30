"""Clients generated from /openapi.json compile, call a server and decode its answers.

Each of `clients/` makes the same calls and prints the same summary of the answers, read through the generated types.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.callers import CLAIMS, token
from support.generators import Tools
from support.server import Server

ANSWERED = {
    "health": "ok",
    "created": ["confirmed", "ann", ["Lemonade", "Pizza"], None],
    "changed": [True, True, "preparing", "status_changed"],
    "refused": [False, 409, "illegal_transition", 2, ["ready", "picked_up", "delivered", "cancelled"]],
    "assigned": "7",
    "polls": ["snapshot", True, "timeout", False, 60],
    "feed": [False, True],
    "linked": [None, "preparing", "snapshot", None],
    "links": True,
    "revoked": True,
    "bulk": [[True, None], [False, "order_not_found"]],
    "simulated": [["picked_up", "delivered"], 2],
    "listed": [True],
    "events": [3, 4],
    "stranger": ["unauthenticated", "missing"],
    "stats": 0,
}


@pytest.fixture(scope="session")
def compiled(node_tools: Tools) -> Tools:
    """Both TypeScript clients, generated and compiled with strict checks."""
    node_tools.node("openapi-typescript", "openapi.json", "--output", "generated/schema.d.ts")
    node_tools.node("openapi-ts")
    node_tools.node("tsc", "--project", ".")
    return node_tools


def caller_environment(server: Server) -> dict[str, str]:
    return {"ORDERTRACK_URL": server.url, "ORDERTRACK_TOKEN": token(CLAIMS["admin"])}


def last_line(output: str) -> Any:
    return json.loads(output.splitlines()[-1])


@pytest.mark.parametrize("client", ["openapi_fetch", "hey_api"])
def test_typescript_client(compiled: Tools, server: Server, client: str) -> None:
    assert last_line(compiled.node(f"out/{client}.js", env=caller_environment(server))) == ANSWERED


def test_python_client(python_tools: Tools, server: Server) -> None:
    (python_tools.folder / "config.yaml").write_text("post_hooks: []\n")  # the code is run, not formatted
    generate = ("generate", "--path", "openapi.json", "--meta", "none", "--output-path", "generated_python/generated")
    python_tools.python("-m", "openapi_python_client", *generate, "--fail-on-warning", "--config", "config.yaml")
    env = {**caller_environment(server), "PYTHONPATH": "generated_python"}
    assert last_line(python_tools.python("python_client.py", env=env)) == ANSWERED
