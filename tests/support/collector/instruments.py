"""Instruments whose clock, exporter and thread a test holds, and what they exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from collector.instrument import DecisionInstrument, StageProcessor
from tests.conftest import NOW_NS


@dataclass
class TickingAnchor:
    """An anchor that moves a microsecond at each reading."""

    ns: int = NOW_NS
    anchor_id: str = "first"
    bracket_ns: int = 100

    def now_ns(self) -> int:
        """Return the next microsecond."""
        self.ns += 1000
        return self.ns


class FaultyExporter(SpanExporter):
    """An exporter that fails in the way it is told."""

    def __init__(self, *, raises: bool) -> None:
        self._raises = raises

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Fail."""
        if self._raises:
            raise ConnectionRefusedError("nobody listens")
        return SpanExportResult.FAILURE


class Bench:
    """An instrument whose thread exports only when a test says so."""

    def __init__(self, exporter: SpanExporter | None = None, **options: Any) -> None:  # noqa: ANN401  # passed on as they are
        self.memory = InMemorySpanExporter()
        self.instrument = DecisionInstrument(
            exporter or self.memory,
            Resource({"service.name": "shop"}),
            export_every_s=3600,
            **{"kernel": lambda: None, **options},
        )
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(StageProcessor())
        self.children = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self.children))
        self.tracer = self.provider.get_tracer("tests")

    def roots(self) -> tuple[ReadableSpan, ...]:
        """Export what is queued and return every root so far."""
        assert self.instrument.flush()
        return self.memory.get_finished_spans()

    def root(self) -> ReadableSpan:
        """Return the only one."""
        (root,) = self.roots()
        return root


def context_of(span: ReadableSpan) -> SpanContext:
    """Return the ids of a finished span."""
    context = span.get_span_context()
    assert context is not None
    return context


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a finished span."""
    return dict(span.attributes or {})
