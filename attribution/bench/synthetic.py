"""Pure: seeded rows of `otel_traces` for benchmarks: skew, orphans, async spans, overlaps.

A decision is one trace of four services whose clocks differ by up to 2 ms. Most calls follow one
another, some run beside each other; a few spans lost their parent or were not waited for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pyarrow as pa

from attribution.path.columns import Table
from collector.core.times import NS_PER_MS

_SERVICES = ("edge", "identity", "pricing", "fulfilment")
_SKEW_NS = 2 * NS_PER_MS
_SHAPES = 64  # traces repeat this many shapes, with ids and times of their own
_MAP = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True, slots=True)
class _Node:
    """One span of a shape; times are ns from the start of the decision, on its service's clock."""

    parent: int  # -1 for the root
    start_ns: int
    duration_ns: int
    kind: str
    service: int
    attributes: tuple[tuple[str, str], ...]
    is_orphan: bool


def otel_rows(count: int, spans_each: int, seed: int, start_ns: int) -> Table:
    """Return the spans of `count` decisions, 10 ms apart; one seed gives one answer."""
    rng = random.Random(seed)  # noqa: S311 - a benchmark needs repeatable input, not secrets
    shapes = [_shape(rng, spans_each) for _ in range(min(_SHAPES, count))]
    columns: dict[str, list[object]] = {
        name: []
        for name in (
            "Timestamp", "TraceId", "SpanId", "ParentSpanId", "SpanName", "SpanKind",
            "ServiceName", "Duration", "ResourceAttributes", "SpanAttributes", "received_ns",
        )
    }  # fmt: skip
    for number in range(count):
        began_ns = start_ns + number * 10 * NS_PER_MS
        trace_id = f"{rng.getrandbits(127) + 1:032x}"
        ids = [f"{rng.getrandbits(63) + 1:016x}" for _ in range(spans_each)]
        for index, node in enumerate(shapes[number % len(shapes)]):
            parent = "" if node.parent < 0 else ids[node.parent]
            attributes = node.attributes
            if node.parent < 0:
                attributes += _stamps(began_ns, node.duration_ns)
            service = _SERVICES[node.service]
            row = (
                began_ns + node.start_ns, trace_id, ids[index],
                "f" * 16 if node.is_orphan else parent, f"work {index % 10}", node.kind, service,
                node.duration_ns, [("host.name", service)], list(attributes),
                began_ns + 1_000 * NS_PER_MS,
            )  # fmt: skip
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    types = {
        "Timestamp": pa.timestamp("ns"), "Duration": pa.uint64(), "received_ns": pa.uint64(),
        "ResourceAttributes": _MAP, "SpanAttributes": _MAP,
    }  # fmt: skip
    return pa.table(
        {name: pa.array(each, types.get(name, pa.string())) for name, each in columns.items()}
    )


def _stamps(began_ns: int, duration_ns: int) -> tuple[tuple[str, str], ...]:
    return (
        ("decision.ts.ingress", str(began_ns)),
        ("decision.ts.transform", str(began_ns + duration_ns // 10)),
        ("decision.ts.decision", str(began_ns + duration_ns // 3)),
        ("decision.ts.egress", str(began_ns + duration_ns * 4 // 5)),
    )


def _shape(rng: random.Random, spans_each: int) -> list[_Node]:
    """Return one tree; children lie within their parents up to skew, on the services' clocks."""
    skews = [0, *(rng.randint(-_SKEW_NS, _SKEW_NS) for _ in _SERVICES[1:])]
    length = rng.randint(20, 200) * NS_PER_MS
    region = rng.choice(("eu", "us", "ap"))
    root = (("decision.action", "offer"), ("decision.region", region), ("decision.value_usd", "2"))
    nodes = [_Node(-1, 0, length, "Server", 0, root, is_orphan=False)]
    spare = [0]  # where each span's next child may begin
    while len(nodes) < spans_each:
        parent = rng.randrange(max(0, len(nodes) - 12), len(nodes))
        above = nodes[parent]
        room = above.start_ns + above.duration_ns - spare[parent]
        from_ns = spare[parent] + rng.randint(0, max(room // 8, 0))
        duration = rng.randint(0, max(room // 3, 1))
        if rng.random() < 0.2:
            from_ns -= duration // 2  # beside the one before it
        kind = rng.choice(("Internal", "Client", "Client", "Server"))
        service = rng.randrange(len(_SERVICES)) if kind == "Server" else above.service
        attributes = [] if kind != "Client" or rng.random() < 0.5 else [("db.system.name", "redis")]
        if rng.random() < 0.03:
            attributes.append(("latency.blocking", "false"))
        spare[parent] = from_ns + duration
        start_ns = from_ns + skews[service] - skews[above.service]
        nodes.append(
            _Node(parent, start_ns, duration, kind, service, tuple(attributes), rng.random() < 0.01)
        )
        spare.append(start_ns)
    return nodes
