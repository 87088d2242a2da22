"""Spans and outcomes put into a real store, and what the job made of them, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from attribution.core.segments import SEGMENTS
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS

BASE_NS = NOW_NS // NS_PER_MINUTE * NS_PER_MINUTE
MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """One span of otel_traces; times in ms from BASE_NS."""

    span_id: str
    parent: str = ""
    start_ms: float = 0
    duration_ms: float = 100
    kind: str = "Internal"
    trace: str = "a"
    service: str = "shop"
    name: str = "work"
    attributes: dict[str, str] = field(default_factory=dict)
    resource: dict[str, str] = field(default_factory=dict)
    status: str = "Unset"
    received_s: float = 1.0
    links: tuple[tuple[str, str], ...] = ()  # short names, as trace and span_id


def trace_id(name: str) -> str:
    """Return 32 hex digits for a short name."""
    return name.encode().hex().rjust(32, "0")


def span_id(name: str) -> str:
    """Return 16 hex digits for a short name, none for none."""
    return name.encode().hex().rjust(16, "0") if name else ""


def put_spans(store: Connections, spans: Sequence[Stored]) -> None:
    """Insert spans; the views of the store make decisions of them."""
    store.client().insert(
        "otel_traces_in",
        [
            [
                BASE_NS + round(s.start_ms * MS), trace_id(s.trace), span_id(s.span_id),
                span_id(s.parent), s.name, s.kind, s.service, s.resource, s.attributes,
                round(s.duration_ms * MS), s.status,
                [trace_id(trace) for trace, _ in s.links], [span_id(each) for _, each in s.links],
                [""] * len(s.links), [{} for _ in s.links],
                BASE_NS + round(s.received_s * NS_PER_S),
            ]
            for s in spans
        ],
        column_names=[
            "Timestamp", "TraceId", "SpanId", "ParentSpanId", "SpanName", "SpanKind",
            "ServiceName", "ResourceAttributes", "SpanAttributes", "Duration", "StatusCode",
            "Links.TraceId", "Links.SpanId", "Links.TraceState", "Links.Attributes",
            "received_ns",
        ],
    )  # fmt: skip


def decision(
    trace: str = "a",
    start_ms: float = 0,
    duration_ms: float = 100,
    received_s: float = 1.0,
    **attributes: str,
) -> list[Stored]:
    """Return a decision of three spans: the root, a call to a store, a call over the network."""
    named = {"decision.action": "offer", "decision.region": "eu"} | {
        key.replace("__", "."): value for key, value in attributes.items()
    }
    return [
        Stored("root", "", start_ms, duration_ms, "Server", trace, attributes=named,
               received_s=received_s),
        Stored("get", "root", start_ms + 10, 20, "Client", trace,
               attributes={"db.system.name": "redis"}, received_s=received_s),
        Stored("post", "root", start_ms + 40, 30, "Client", trace, received_s=received_s),
    ]  # fmt: skip


def tcp_attributes(
    min_rtt_ms: int = 4,
    retransmits: int = 0,
    segments_out: int = 1,
    rto_ms: int | None = None,
    *,
    is_shared: bool = False,
) -> dict[str, str]:
    """Return what a client hook sets: what the kernel knew of the connection of a span."""
    told = {
        "network.tcp.min_rtt_ns": min_rtt_ms * MS,
        "network.tcp.retransmits": retransmits,
        "network.tcp.segments_out": segments_out,
        "network.tcp.rto_ns": None if rto_ms is None else rto_ms * MS,
    }
    found = {name: str(value) for name, value in told.items() if value is not None}
    return found | ({"network.tcp.shared": "true"} if is_shared else {})


def outcome(
    outcome_id: str,
    *,
    decision_id: str = "",
    key: str = "",
    kind: str = "sale",
    converted: bool = True,
    margin: str | None = None,
    revenue: str | None = None,
    currency: str = "USD",
    event_s: float = 2.0,
    received_s: float = 2.0,
) -> list[object]:
    """Return one revision of one outcome, for `put_outcomes`."""
    return [
        outcome_id, kind, decision_id, key, int(converted),
        None if revenue is None else Decimal(revenue),
        None if margin is None else Decimal(margin),
        currency, "", BASE_NS + round(event_s * NS_PER_S), "otlp",
        BASE_NS + round(received_s * NS_PER_S),
    ]  # fmt: skip


def put_outcomes(store: Connections, outcomes: Sequence[list[object]]) -> None:
    """Insert outcomes in one request: a request costs as much as thousands of rows."""
    store.client().insert(
        "outcomes",
        outcomes,
        column_names=[
            "outcome_id", "kind", "decision_id", "outcome_key", "converted", "revenue", "margin",
            "currency", "channel", "event_ns", "source", "received_ns",
        ],
    )  # fmt: skip


def put_outcome(store: Connections, outcome_id: str, **fields: Any) -> None:  # noqa: ANN401  as `outcome`
    """Insert one revision of one outcome, of the fields that `outcome` takes."""
    put_outcomes(store, [outcome(outcome_id, **fields)])


def put_sales(store: Connections, traces: Sequence[str], margin: str, told_s: float = 2.0) -> None:
    """Insert a sale of each of these decisions."""
    put_outcomes(
        store,
        [
            outcome(f"sale-{each}", decision_id=trace_id(each), margin=margin,
                    event_s=told_s, received_s=told_s)
            for each in traces
        ],
    )  # fmt: skip


def rows(store: Connections, sql: str) -> list[dict[str, Any]]:
    """Return the answer of a query, one dict a row."""
    return list(store.client().query(sql).named_results())


def attributions(store: Connections) -> list[dict[str, Any]]:
    """Return the attributions, with the segments that are not 0 under `parts`, in ms."""
    found = rows(store, "SELECT * FROM attributions FINAL ORDER BY ingress_ns, decision_id")
    for row in found:
        parts = {(s, c): row.pop(f"{s}_{c}_ns") for s, c in SEGMENTS}
        assert sum(parts.values()) == row["total_ns"]
        row["parts"] = {f"{s}/{c}": ns / MS for (s, c), ns in parts.items() if ns}
    return found


def cells(store: Connections) -> list[dict[str, Any]]:
    """Return the revenue cells without their revision."""
    found = rows(store, "SELECT * FROM revenue_cells FINAL ORDER BY second_ns, action, region")
    return [{k: v for k, v in row.items() if k != "revision"} for row in found]
