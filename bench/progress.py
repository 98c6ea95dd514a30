"""Progress of a measurement, on standard error."""

from __future__ import annotations

import sys
import time

_STARTED_S = time.monotonic()


def say(text: str) -> None:
    print(f"    {time.monotonic() - _STARTED_S:6.0f} s  {text}", file=sys.stderr, flush=True)
