"""I/O: structured logging for the service.

Events are constant `noun_verb` strings; the data is in fields. WARNING: someone may act.
ERROR: data was lost. Never a line per span or packet: those are counted in `collector.counters`.
"""

from __future__ import annotations

import logging
import sys
from typing import cast

import structlog


def configure(level: str = "info", json: bool | None = None) -> None:
    """Set up logging to standard error.

    Args:
        level: debug, info, warning or error.
        json: one JSON object a line; by default only where standard error is no terminal.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # Asked at each line: whoever replaced standard error may have closed what it was before.
        logger_factory=lambda *_: structlog.PrintLogger(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger(room: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of one room."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(room=room))
