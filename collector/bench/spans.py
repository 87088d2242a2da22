"""Pure: the load of `millworth bench ingest`: requests as a service's OpenTelemetry SDK sends them.

The SDK's own encoder makes them. Traces have eight spans; a span has ten attributes and an event,
one in twenty a link; a resource has nine attributes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.util.types import Attributes

from collector.core.times import NS_PER_MS, NS_PER_S

SPANS_PER_TRACE = 8
SPANS_PER_S = 30_000
_SCOPE = InstrumentationScope("bench", "1.0")


def make_requests(
    seed: int, size: int, spans: int, now_ns: int, *, decisions: bool = False
) -> Iterator[bytes]:
    """Yield export requests of `size` spans each.

    Args:
        seed: the same gives the same requests at one instant.
        size: spans a request.
        spans: in all.
        now_ns: when the last request is sent; spans began in the second before their request, and
            requests follow one another as 30,000 spans a second do.
        decisions: whether the root of each trace is a decision, stamped four times.
    """
    draw = random.Random(seed)  # noqa: S311 - a repeatable load, not a secret
    for number in range(spans // size):
        resource = Resource(
            {"service.name": f"shop-{number % 5}"}
            | {f"resource.key.{key}": f"value-{key}" for key in range(8)}
        )
        batch: list[ReadableSpan] = []
        sent_ns = now_ns - (spans - number * size) * NS_PER_S // SPANS_PER_S
        while len(batch) < size:
            batch += _trace(draw, resource, sent_ns, has_decision=decisions)
        yield encode_spans(batch[:size]).SerializeToString()


def _trace(
    draw: random.Random, resource: Resource, sent_ns: int, *, has_decision: bool
) -> Iterator[ReadableSpan]:
    trace_id = draw.getrandbits(128) | 1
    began_ns = sent_ns - draw.randrange(NS_PER_S)
    root: SpanContext | None = None
    for _ in range(SPANS_PER_TRACE):
        context = SpanContext(
            trace_id, draw.getrandbits(64) | 1, is_remote=False, trace_flags=TraceFlags(1)
        )
        start_ns = began_ns + draw.randrange(5 * NS_PER_MS)
        duration_ns = draw.randrange(1, 200 * NS_PER_MS)
        is_decision = has_decision and root is None
        yield ReadableSpan(
            name=f"operation-{draw.randrange(40)}",
            context=context,
            parent=root,
            resource=resource,
            attributes=_decision(draw, start_ns) if is_decision else _attributes(draw),
            events=[
                Event(
                    "priced", {"offer.id": f"o-{draw.randrange(500)}"}, start_ns + duration_ns // 2
                )
            ],
            links=[_link(draw)] if draw.randrange(20) == 0 else [],
            kind=SpanKind.CLIENT,
            instrumentation_scope=_SCOPE,
            start_time=start_ns,
            end_time=start_ns + duration_ns,
        )
        root = root or context


def _link(draw: random.Random) -> Link:
    return Link(SpanContext(draw.getrandbits(128) | 1, draw.getrandbits(64) | 1, is_remote=True))


def _attributes(draw: random.Random) -> Attributes:
    return {
        "http.request.method": "POST",
        "url.path": f"/offer/{draw.randrange(1000)}",
        "server.address": "127.0.0.1",
        "network.protocol.name": "http",
        "session.ref": f"{draw.getrandbits(64):016x}",
        "server.port": 8080,
        "http.response.status_code": 200,
        "item.count": draw.randrange(50),
        "item.score": draw.random(),
        "cache.hit": bool(draw.randrange(2)),
    }


def _decision(draw: random.Random, start_ns: int) -> Attributes:
    return {
        "decision.action": "offer",
        "decision.region": "eu-west",
        "decision.channel": "web",
        "decision.route": "r1",
        "decision.value_usd": "4.20",
        "outcome.key": f"{draw.getrandbits(64):016x}",
        "decision.ts.ingress": start_ns,
        "decision.ts.transform": start_ns + NS_PER_MS // 10,
        "decision.ts.decision": start_ns + NS_PER_MS // 5,
        "decision.ts.egress": start_ns + NS_PER_MS // 2,
    }
