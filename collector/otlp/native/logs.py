"""Pure: log records as a block of the compiled module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from collector.otlp.native.spans import numbers_of

with suppress(ImportError):  # `collector.otlp.native.spans.IS_THERE` says so
    from collector.otlp.native import _native


@dataclass(frozen=True, slots=True)
class LogBlock:
    """Rows of `otel_logs` in ClickHouse's format Native, in the order in which they came."""

    rows: bytes
    count: int


def make_log_block(
    content: bytes, places: Iterable[tuple[int, int, int]]
) -> LogBlock | Sequence[int]:
    """Return the block of requests, or the numbers of those that the official parser has to see.

    Arguments and errors are those of `collector.otlp.native.spans.make_blocks`.
    """
    rows, count, unreadable = _native.log_block(content, numbers_of(places))
    return sorted(set(unreadable)) if unreadable else LogBlock(rows, count)
