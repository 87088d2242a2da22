"""Trace files read into spans, and split, as the command does it."""

from __future__ import annotations

from dataclasses import dataclass

from attribution.files.detect import read_traces
from attribution.files.explain import DecisionShare, explain
from attribution.files.refused import Refused
from attribution.files.span import FileSpan
from dashboard.cli.files.trace_file import split_traces
from dashboard.settings.settings import Settings
from tests.support.attribution.trace_files import F, otlp_json


class Kept(list[FileSpan]):
    """Spans in the order in which they were read."""

    add = list[FileSpan].append


@dataclass(frozen=True, slots=True)
class Read:
    """What a file held."""

    format: str
    spans: list[FileSpan]
    refused: list[str]


SPANS = [
    F(1, 0, 0, 100, "Server", "shop", "offer", "10.0.0.1"),
    F(2, 1, 10, 40, "Client", "shop", "get", "10.0.0.1", attributes={"db.system": "redis"}),
    F(3, 1, 50, 90, "Client", "shop", "post", "10.0.0.1"),
    F(4, 3, 60, 80, "Server", "stock", "post", "10.0.0.2"),
]


def parse(name: str, body: bytes, chunk_bytes: int = 2**18) -> Read:
    """Read a file from pieces of this size."""
    kept = Kept()
    pieces = [body[index : index + chunk_bytes] for index in range(0, len(body), chunk_bytes)]
    found = read_traces(name, pieces, kept)
    # How a file spells a span is no part of what is read of it.
    spans = [each._replace(raw=None, scope=None) for each in kept]
    return Read(found.format, spans, found.refused.lines)


def read(body: bytes) -> Read:
    """Read a file of which every span can be used."""
    read = parse("traces", body)
    assert read.refused == []
    return read


def answer(body: bytes, settings: Settings | None = None) -> tuple[list[DecisionShare], Refused]:
    """Return the decisions of a file, and what could not be used."""
    found = split_traces("traces", [body], settings or Settings())
    if found.done is None:
        return [], found.refused
    shares = explain(found.done, found.names, found.refused.by_trace, found.refused.count)
    return list(shares), found.refused


def split_file(body: bytes, settings: Settings | None = None) -> list[DecisionShare]:
    """Return the decisions of a file of which every span can be used."""
    shares, refused = answer(body, settings)
    assert refused.lines == []
    return shares


def split(spans: list[F], settings: Settings | None = None) -> list[DecisionShare]:
    """Return the decisions of these spans, by way of OTLP/JSON."""
    return split_file(otlp_json(spans), settings)
