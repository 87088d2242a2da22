"""Spans, roots and links for the cores: valid by default, one keyword to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from attribution.core.segments import CLASSES, STAGES
from attribution.path.oracle import PlainSpan
from attribution.path.spans import KINDS, NONE, Links, Roots, Spans, addresses_of, machine_codes


@dataclass(frozen=True, slots=True)
class S:
    """One span; times are nanoseconds from zero."""

    span_id: int
    parent_id: int = 0
    start: int = 0
    end: int = 100
    kind: str = "Internal"
    service: str = "shop"
    name: str = "work"
    host: str = ""
    trace: int = 0
    latency_class: str = ""
    stage: str = ""
    blocking: bool | None = None
    is_store: bool = False
    is_receive: bool = False
    decision: int = NONE
    received: int = 0
    clock_error: int | None = None
    links: tuple[tuple[int, int], ...] = field(default=())

    def plain(self) -> PlainSpan:
        """Return the span as the oracle takes it."""
        return PlainSpan(
            self.span_id,
            self.parent_id,
            self.start,
            self.end,
            self.kind,
            self.host,
            self.service,
            self.blocking,
            self.received,
            self.clock_error,
        )


@dataclass(frozen=True, slots=True)
class R:
    """One decision; by default without stamps, from the start of its root."""

    span_id: int = 1
    start: int = 0
    end: int = 100
    trace: int = 0
    ingress: int | None = None
    transform: int = 0
    decision: int = 0
    egress: int = 0
    code: int = 0


def labels(spans: Sequence[S]) -> list[tuple[str, str]]:
    """Return (service, span name) of each label code."""
    return sorted({(s.service, s.name) for s in spans})


def columns(spans: Sequence[S]) -> Spans:
    """Return the columns of these spans."""
    known = labels(spans)
    services = sorted({s.service for s in spans})
    hosts = sorted({s.host for s in spans})

    def ints(values: list[int], kind: type[np.generic] = np.int64) -> np.ndarray:
        return np.array(values, kind)

    trace = ints([s.trace for s in spans])
    return Spans(
        trace=trace,
        span_id=ints([s.span_id for s in spans], np.uint64),
        parent_id=ints([s.parent_id for s in spans], np.uint64),
        start_ns=ints([s.start for s in spans]),
        end_ns=ints([s.end for s in spans]),
        kind=ints([KINDS.index(s.kind) for s in spans], np.int8),
        service=ints([services.index(s.service) for s in spans]),
        label=ints([known.index((s.service, s.name)) for s in spans]),
        host=machine_codes(hosts, ints([hosts.index(s.host) for s in spans]), trace),
        clock_error_ns=ints([NONE if s.clock_error is None else s.clock_error for s in spans]),
        latency_class=ints([_index(CLASSES, s.latency_class) for s in spans], np.int8),
        stage=ints([_index(STAGES, s.stage) for s in spans], np.int8),
        blocking=ints([NONE if s.blocking is None else int(s.blocking) for s in spans], np.int8),
        is_store=ints([s.is_store for s in spans], np.bool_),
        is_receive=ints([s.is_receive for s in spans], np.bool_),
        decision=ints([s.decision for s in spans]),
        received_ns=ints([s.received for s in spans]),
        content=ints([hash(replace(s, received=0)) & (2**63 - 1) for s in spans], np.uint64),
        addresses=addresses_of(hosts),
    )


def link_columns(spans: Sequence[S]) -> Links:
    """Return the links of these spans."""
    flat = [(row, *link) for row, span in enumerate(spans) for link in span.links]
    return Links(
        row=np.array([each[0] for each in flat], np.int64),
        trace=np.array([each[1] for each in flat], np.int64),
        span_id=np.array([each[2] for each in flat], np.uint64),
    )


def root_columns(roots: Sequence[R]) -> Roots:
    """Return the columns of these decisions."""
    return Roots(
        trace=np.array([r.trace for r in roots], np.int64),
        span_id=np.array([r.span_id for r in roots], np.uint64),
        decision=np.array([r.code for r in roots], np.int64),
        ingress_ns=np.array([r.start if r.ingress is None else r.ingress for r in roots], np.int64),
        start_ns=np.array([r.start for r in roots], np.int64),
        end_ns=np.array([r.end for r in roots], np.int64),
        transform_ns=np.array([r.transform for r in roots], np.int64),
        decision_ns=np.array([r.decision for r in roots], np.int64),
        egress_ns=np.array([r.egress for r in roots], np.int64),
    )


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name else NONE
