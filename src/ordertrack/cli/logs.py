"""Logging of the server: one line per event on standard error, as text or JSON, uvicorn's events included."""

from __future__ import annotations

import io
import logging
import sys
from textwrap import indent
from typing import TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, ExcInfo

from ordertrack.client.escape import escape


def configure_logging(level: str, format_: str) -> None:
    """Set up logging. Tracebacks omit local variables: they hold customers' addresses, and printing them is slow."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor]
    if format_ == "json":
        tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        render = [tracebacks, structlog.processors.JSONRenderer()]
    else:
        console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_traceback)
        render = [_escaped, console]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, root.level))
    # At lower levels uvicorn logs a line for every malformed request, which any client can send.
    logging.getLogger("uvicorn.error").setLevel(max(logging.ERROR, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _escaped(logger: object, method: str, event: EventDict) -> EventDict:
    """Escape the strings of an event. Other values are written by `repr`, which escapes too."""
    return {name: escape(value) if isinstance(value, str) else value for name, value in event.items()}


def _traceback(out: TextIO, exc_info: ExcInfo) -> None:
    """Write a traceback whose lines are indented, so that no text in it looks like an event."""
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    lines = map(escape, plain.getvalue().rstrip("\n").split("\n"))
    out.write(indent("\n".join(lines), "  "))
