"""I/O: the decisions of a trace file, split, without a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from attribution.files.detect import Track, parse
from attribution.files.tables import tables_of
from attribution.path.rows import Attributed, attribute
from collector.core.errors import InputError
from dashboard.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class SplitFile:
    """What a file held."""

    spans: int
    done: Attributed | None  # None of a file without a decision
    refused: list[str]  # one line for each span that could not be used


def split_trace_file(file: Path, settings: Settings, track: Track = iter) -> SplitFile:
    """Read a trace file and split its decisions.

    Args:
        file: OTLP JSON or Protobuf, Jaeger JSON, Zipkin JSON v2; the content tells.
        settings: how decisions are found and classes are given.
        track: passes on what is read, so that a caller can show how far it is.

    Raises:
        InputError: the file cannot be read, or is none of these.
    """
    try:
        body = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; name a file that can be read") from error
    found = parse(str(file), body, track)
    tables = tables_of(found.spans, settings.attributes, settings.decisions)
    refused = found.refused + tables.refused
    if len(tables.decisions) == 0:
        return SplitFile(len(found.spans), None, refused)
    done = attribute(tables.decisions, tables.spans, settings.attribution)
    return SplitFile(len(found.spans), done, refused)
