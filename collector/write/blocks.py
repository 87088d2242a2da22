"""I/O: who reads the requests of a signal into blocks, where the compiled module is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from clickhouse_connect.driver.client import Client

from collector.otlp.check import Signal
from collector.wal.frames import Frame
from collector.write.declared import WantedSpans
from collector.write.reading import ReadBlocks, read_logs, read_spans

# Takes bytes and their frames; the store may say which spans are wanted.
BlockReader: TypeAlias = Callable[[Client, bytes, Sequence[Frame]], ReadBlocks]


def block_readers(wanted_spans: WantedSpans) -> Mapping[Signal, BlockReader]:
    """Return the readers by signal; metrics have none.

    Args:
        wanted_spans: which spans the views of decisions are asked about.
    """

    def spans(client: Client, content: bytes, frames: Sequence[Frame]) -> ReadBlocks:
        return read_spans(content, frames, wanted_spans.now(client))

    def logs(_: Client, content: bytes, frames: Sequence[Frame]) -> ReadBlocks:
        return read_logs(content, frames)

    return {Signal.TRACES: spans, Signal.LOGS: logs}
