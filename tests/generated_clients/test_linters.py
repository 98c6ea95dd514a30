"""The OpenAPI document passes common linters without a warning."""

from __future__ import annotations

import json

from support.generators import HERE, Tools

QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
"""Redocly sends no data and asks no questions."""


def test_redocly_finds_nothing(node_tools: Tools) -> None:
    config = ("--config", str(HERE / "redocly.yaml"))
    found = json.loads(node_tools.node("redocly", "lint", "openapi.json", *config, "--format", "json", env=QUIET))
    assert found["problems"] == []


def test_spectral_finds_nothing(node_tools: Tools) -> None:
    rules = ("--ruleset", str(HERE / "spectral.yaml"))
    found = json.loads(node_tools.node("spectral", "lint", "openapi.json", *rules, "--format", "json", "--quiet"))
    assert found == []
