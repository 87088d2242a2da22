"""I/O: structured logging for the service.

Events are constant `noun_verb` strings; the data is in fields. WARNING: someone may act. ERROR:
data was lost. Never a line per span or packet: those are counted in `collector.core.counters`.

A line that cannot be written is counted, and neither raised to whoever logs nor waited for: the
disk below standard error may be full, or the reader of its pipe gone or stuck, and none of that is
a reason to receive nothing. The first line that gets through again is followed by how many did not.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import TextIO, cast

import structlog

# How long a line waits for a pipe that is full: its reader may be busy, or stuck for good.
_WAIT_MS = 100


class Lines:
    """Lines to an output of the process: each is written, or counted as lost."""

    def __init__(self, output: Callable[[], TextIO | None]) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._is_cut = False  # a part of the last line is out, and not its end
        self._gap = 0  # lines lost since the last one that got through
        self.lost = 0

    def write(self, line: str) -> int:
        """Write one line, its end included; return how many before it were lost, told once."""
        with self._lock:
            try:
                self._put(line)
            except (OSError, ValueError):  # full, gone, stuck; or closed in this process
                self._gap += 1
                self.lost += 1
                return 0
            gap, self._gap = self._gap, 0
            return gap

    def _put(self, line: str) -> None:
        # Asked at each line: whoever replaced the output may have closed what it was before.
        output = self._output()
        if output is None:
            raise ValueError("the process was started without it")
        try:
            descriptor = output.fileno()
        except (OSError, ValueError):  # an output that a test or a program put in its place
            output.write(line)
            output.flush()
            return
        # Past the buffer of the stream, which keeps what it could not write and tries it again.
        room = select.poll()
        room.register(descriptor, select.POLLOUT)
        left = ("\n" * self._is_cut + line).encode(errors="backslashreplace")
        while left:
            if not room.poll(0 if self._gap else _WAIT_MS):
                raise TimeoutError("nobody reads it")
            # A pipe that has room takes so much without waiting.
            written = os.write(descriptor, left[: select.PIPE_BUF])
            left = left[written:]
            self._is_cut = bool(left)


_errors = Lines(lambda: sys.stderr)
_output = Lines(lambda: sys.stdout)


class _Logger:
    """What structlog hands rendered lines to."""

    def msg(self, message: str) -> None:
        """Write one line, and after a gap how many are missing."""
        if gap := _errors.write(message + "\n"):
            get_logger("collector").warning("log_lines_lost", lines=gap, since_start=_errors.lost)

    debug = info = warning = error = critical = exception = msg


def configure(level: str = "info", json: bool | None = None) -> None:
    """Set up logging to standard error.

    Args:
        level: debug, info, warning or error.
        json: one JSON object a line; by default only where standard error is no terminal.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    as_json = not is_terminal if json is None else json
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
        logger_factory=lambda *_: _Logger(),
        cache_logger_on_first_use=False,
    )


def get_logger(room: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of one room."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(room=room))


def lines_lost() -> int:
    """Return how many lines of the log could not be written since the start of the process."""
    return _errors.lost


def say(text: str) -> None:
    """Tell whoever started the service a line on standard output, if anybody still reads there."""
    _output.write(text + "\n")
