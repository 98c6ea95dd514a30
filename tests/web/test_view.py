"""The view of an order in Python, by the vectors that hold for JavaScript too (`sdk/js/test/view.test.js`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ordertrack.core.timestamps import parse_time_ms
from ordertrack.web.view import customer_view

VECTORS = Path(__file__).parents[2] / "sdk/vectors/view"
CASES = [
    pytest.param(case, id=f"{file.stem}: {case['name']}")
    for file in sorted(VECTORS.glob("*.json"))
    for case in json.loads(file.read_text())
]


@pytest.mark.parametrize("case", CASES)
def test_view_is_that_of_the_vector(case: dict[str, Any]) -> None:
    assert customer_view(case["order"], parse_time_ms("now", case["now"])) == case["view"]
