"""A node for the checker: `ordertrack` with a clock that is wrong, and with a defect on request.

    python -m cluster.node --clock-ms=-2000 --break=NAME -- serve --port 0 ...

Neither belongs into the product, so both are patched in here, before the command starts.
"""

from __future__ import annotations

import argparse
import sys
import time

from cluster.defects import DEFECTS
from ordertrack.adapters.system.clock import SystemClock


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clock-ms", type=int, default=0, help="difference to the clock of the machine")
    parser.add_argument("--break", dest="defect", choices=tuple(DEFECTS), help="a defect to have")
    parser.add_argument("arguments", nargs="+", help="of ordertrack, after --")
    options = parser.parse_args()
    if options.clock_ms:
        SystemClock.now_ms = lambda self: time.time_ns() // 1_000_000 + options.clock_ms  # type: ignore[method-assign]
    if options.defect:
        DEFECTS[options.defect]()
    sys.argv = ["ordertrack", *options.arguments]
    from ordertrack.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
