"""What every test shares: the event loop it runs on, and how hard hypothesis tries.

`HYPOTHESIS_PROFILE=thorough` takes minutes and is for a change of the core; the default takes seconds.
"""

from __future__ import annotations

import os
import signal

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell without job control, and nohup, start programs with these ignored; the programs of a test would inherit that.
for number, default in (
    (signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL), (signal.SIGQUIT, signal.SIG_DFL),
):  # fmt: skip
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)

# Tracebacks without the values of every variable: those take most of a second each to print.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
