"""The vectors that the JavaScript tracker is tested with too (`sdk/vectors/tracker/README.md`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordertrack.client import ConnectionLost, LearnedHold, Pace, RequestRefused, Step, Tracker

FOLDER = Path(__file__).parents[2] / "sdk" / "vectors" / "tracker"
VECTORS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
LOST = ConnectionLost("cut")
INPUTS = frozenset({"event", "after_s", "status", "headers", "body", "text", "cancel"})
"""The keys of a step that are given, and `cancel`, which is the task of the caller here."""


class Run:
    """Pass the events of a vector to a tracker."""

    def __init__(self, vector: dict[str, Any]) -> None:
        options = dict(vector["options"])
        pace, learned = Pace(**options.pop("pace", {})), options.pop("learned_hold", None)
        self._draws = iter(vector["random"])
        self._draw = 0.0
        self._tracker = Tracker(
            random=self._random,
            pace=pace,
            learned_hold=None if learned is None else LearnedHold(**learned),
            wait_for_server=True,
            **options,
        )
        self._now_s = 0.0
        self._waits = True
        self._connection = "connecting"

    def _random(self) -> float:
        self._draw = next(self._draws, self._draw)
        return self._draw

    def outcome(self, step: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs of a step."""
        self._now_s += step.get("after_s", 0.0)
        outcome = dict(self._outputs(step))
        return {**outcome, "connection": self._connection}

    def _outputs(self, step: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        if self._waits:
            assert step["event"] in ("start", "timer")
            yield "send", self._send()
            return
        self._waits = True
        try:
            done = self._process(step)
        except RequestRefused as error:
            self._connection = "refused"
            yield "end", {"status": error.status, "code": error.code}
            return
        self._connection = "live" if done.error is None else "reconnecting"
        if done.update is not None:
            yield "deliver", done.update.order.version
        if self._tracker.ended:
            self._connection = "ended"
            yield "end", {}
        elif done.wait_s > 0 or done.error is not None:
            yield "wait_s", pytest.approx(done.wait_s)
        else:
            yield "send", self._send()

    def _process(self, step: dict[str, Any]) -> Step:
        if step["event"] != "answer":  # `failure`, or `timer`: the deadline of the poll has passed
            return self._tracker.failed(LOST, self._now_s)
        body = step["text"] if "text" in step else json.dumps(step["body"])
        return self._tracker.received(step.get("status", 200), step.get("headers", {}), body.encode(), self._now_s)

    def _send(self) -> dict[str, Any]:
        self._waits = False
        request = self._tracker.next_request(self._now_s)
        return {"query": request.params, "deadline_s": request.read_timeout_s}


@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if not vector.get("javascript_only")])
def test_tracker_follows_the_vector(name: str) -> None:
    run = Run(VECTORS[name])
    for number, step in enumerate(VECTORS[name]["steps"]):
        outputs = {key: value for key, value in step.items() if key not in INPUTS}
        assert run.outcome(step) == outputs, f"step {number}: {step['event']}"
