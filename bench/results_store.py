"""The files bench/results/*.json, written after every measurement and read for the documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.measures.load import Figures

Entries = dict[str, dict[str, Any]]
"""By contender: `run`, `machine` and `figures`."""


class Results:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, run: str, where: dict[str, object], results: dict[str, Figures], *, keep: bool) -> None:
        """Write results of the run with this id. With `keep`, contenders that were not measured keep their figures,
        with their own run and date."""
        self._folder.mkdir(exist_ok=True)
        entries = self.entries(name) if keep else {}
        entries |= {who: {"run": run, "machine": where, "figures": figures} for who, figures in results.items()}
        text = json.dumps({"contenders": entries}, indent=2, ensure_ascii=False)
        (self._folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")

    def entries(self, name: str) -> Entries:
        path = self._folder / f"{name}.json"
        if not path.exists():
            return {}
        entries: Entries = json.loads(path.read_text(encoding="utf-8"))["contenders"]
        return entries

    def figure(self, name: str, who: str, key: str) -> Any:
        """Return a figure; None when it was not measured."""
        entry = self.entries(name).get(who)
        return None if entry is None else entry["figures"].get(key)

    def run(self, name: str, who: str) -> str | None:
        """Return the id of the run that measured this; None when it was not measured, or before runs had ids."""
        run: str | None = self.entries(name).get(who, {}).get("run")
        return run
