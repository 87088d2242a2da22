"""I/O: `/api/v1/waterfall`: a decision over time, what is normal for it, each of its spans."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from collector.core.times import NS_PER_MS
from dashboard.api.context import Services
from dashboard.read.decision.chosen_span import ChosenSpan, read_span
from dashboard.read.decision.detail import read_shared
from dashboard.read.decision.normal import Normal, NormalTimes
from dashboard.read.decision.waterfall import Waterfall, waterfall
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import DecisionFacts
from dashboard.read.workers import SharedReads

# Kept packets of a connection this far outside of the decision are still read: its handshake.
_MARGIN_NS: Final = 5 * NS_PER_MS

DecisionId = Annotated[str, Query(min_length=1, max_length=1_000, description="Of the decision")]


def waterfall_router(services: Services) -> APIRouter:
    """Return the routes. An id is a parameter, since it may hold what no path may."""
    context = services.context
    reader, listing, shared = context.reader, context.decisions, context.shared
    normal = NormalTimes(reader, context.reference)
    workers, clock = services.workers, services.clock
    router = APIRouter(prefix="/api/v1", tags=["decisions"])

    @router.get("/waterfall")
    async def get_waterfall(decision_id: DecisionId) -> Waterfall:
        """Return one decision over time as columns: spans, critical path, packets, gaps."""
        return await workers.run(_waterfall, reader, shared, decision_id, clock.now_ns())

    @router.get("/waterfall/normal")
    async def get_normal_times(decision_id: DecisionId) -> Normal:
        """Return the mean of the decisions like one that met their target in the day up to it."""
        return await workers.run(lambda: normal.normal_for(_facts(reader, decision_id)))

    @router.get("/waterfall/span")
    async def get_span(
        decision_id: DecisionId,
        span_id: Annotated[str, Query(min_length=1, max_length=64)],
        trace_id: Annotated[
            str, Query(max_length=64, description="Where it was sent; empty: the decision's")
        ] = "",
    ) -> ChosenSpan:
        """Return one span of a decision with all that is known of it."""
        return await workers.run(_span, reader, listing, decision_id, span_id, trace_id)

    return router


def _waterfall(reader: Reader, shared: SharedReads, decision_id: str, now_ns: int) -> Waterfall:
    read = read_shared(reader, shared, decision_id, now_ns)
    if read is None:
        raise _unknown(decision_id)
    detail, sent = read
    facts = detail.facts
    packets = reader.packets(
        [flow.flow_hash for flow in detail.flows],
        max(0, facts.ingress_ns - _MARGIN_NS),
        facts.end_ns + _MARGIN_NS,
    )
    return waterfall(detail, sent, packets)


def _span(
    reader: Reader, listing: DecisionList, decision_id: str, span_id: str, trace_id: str
) -> ChosenSpan:
    facts = _facts(reader, decision_id)
    span = read_span(reader, listing, facts, trace_id or facts.trace_id, span_id)
    if span.sent is None and span.placed is None:
        raise HTTPException(
            404,
            f"decision {decision_id[:100]!r} has no span {span_id!r}; GET /api/v1/waterfall "
            "lists the ids of its spans",
        )
    return span


def _facts(reader: Reader, decision_id: str) -> DecisionFacts:
    facts = reader.decision(decision_id)
    if facts is None:
        raise _unknown(decision_id)
    return facts


def _unknown(decision_id: str) -> HTTPException:
    return HTTPException(
        404,
        f"no decision has the id {decision_id[:100]!r}; a decision is a span that carries "
        "decision.action, or that a [[decisions.match]] rule names",
    )
