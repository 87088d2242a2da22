"""I/O: the decisions of a trace file, split, without a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from attribution.files.collected import Collected
from attribution.files.detect import read_traces
from attribution.files.refused import Refused
from attribution.files.tables import Names, tables_of
from attribution.path.split import Attributed, attribute_columns
from collector.core.errors import InputError
from dashboard.settings.settings import Settings

_CHUNK_BYTES = 2**18


@dataclass(frozen=True, slots=True)
class SplitFile:
    """What a file held."""

    spans: int
    done: Attributed | None  # None of a file without a decision
    names: Names
    refused: Refused  # what could not be used


def split_trace_file(
    file: Path, settings: Settings, progress: Callable[[int], object] = lambda _: None
) -> SplitFile:
    """Read a trace file and split its decisions.

    Args:
        file: OTLP JSON or Protobuf, Jaeger JSON, Zipkin JSON v2; the content tells.
        settings: how decisions are found and classes are given.
        progress: takes the number of bytes that were read, again and again.

    Raises:
        InputError: the file cannot be read, or nothing of it can be used.
    """
    try:
        return split_traces(str(file), _chunks(file, progress), settings)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; name a file that can be read") from error


def split_traces(name: str, chunks: Iterable[bytes], settings: Settings) -> SplitFile:
    """Split the decisions of a trace file that comes in pieces.

    Raises:
        DecodeError: nothing of it can be used; names the file, what is wrong and the remedy.
    """
    days = settings.collector.retention_days
    collected = Collected(settings.attributes, settings.decisions, days)
    found = read_traces(name, chunks, collected)
    refused = found.refused
    tables = tables_of(collected, refused.by_trace)
    for why, trace_id in tables.refused:
        refused.add("a decision", why, (trace_id,))
    if not len(tables.flags):
        return SplitFile(found.spans, None, tables.names, refused)
    done = attribute_columns(tables.inputs, settings.attribution)
    done = replace(done, flags=done.flags | tables.flags)
    return SplitFile(found.spans, done, tables.names, refused)


def _chunks(file: Path, progress: Callable[[int], object]) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            progress(len(chunk))
            yield chunk
