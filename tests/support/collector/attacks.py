"""What several tests of attacks share."""

from __future__ import annotations

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.provenance.event import Event
from tests.support.builders import key_values
from tests.support.collector.provenance_scene import span_of


def with_attributes(event: Event, **changes: object) -> Span:
    """Return the span of an event with more attributes, or others."""
    made = span_of(event)
    names = {name.replace("__", "."): value for name, value in changes.items()}
    kept = [pair for pair in made.attributes if pair.key not in names]
    del made.attributes[:]
    made.attributes.extend([*kept, *key_values(names)])
    return made
