"""I/O: `/api/v1/what-if`, `compare` and `budgets`: questions about decisions; all only read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from attribution.core.segments import SEGMENTS, segments_of
from attribution.core.selection import Narrowed, Selection
from attribution.jobs.report import AttributionReport
from attribution.whatif.analyst import Analyst
from attribution.whatif.answers import BudgetStanding, CompareAnswer, WhatIfAnswer
from attribution.whatif.replay import Change
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_MS, instant_ns
from dashboard.api.caller import audit
from dashboard.api.context import Services
from dashboard.read.scope import latency_bounds_ns, window_length_ns
from dashboard.units import utc_iso

CHANGES_MAX = 32
RECOMPUTE_NS_MAX = NS_PER_DAY


class Chosen(BaseModel):
    """Which decisions: those that began in a window, and how they are narrowed."""

    model_config = ConfigDict(extra="forbid")

    window: str = Field(
        default="15m", description="Length of the window: a number and s, m, h or d; at most 31d"
    )
    until: str = Field(
        default="", description="Its end, ISO 8601; without an offset UTC; by default now"
    )
    action: str = Field(default="", description="decision.action, empty for all")
    region: str = Field(default="", description="decision.region, empty for all")
    low_ms: float = Field(default=0.0, ge=0, le=1e9, description="Latency at least")
    high_ms: float | None = Field(default=None, gt=0, le=1e9, description="Latency below")

    def selection(self, now_ns: int) -> Selection:
        """Return what the cores take. Raises InputError for a time that cannot be read."""
        to_ns = instant_ns(self.until, "until") if self.until else now_ns
        bounds_ns = latency_bounds_ns(self.low_ms, self.high_ms)
        return Selection(
            max(0, to_ns - window_length_ns(self.window)),
            to_ns,
            self.action,
            self.region,
            *bounds_ns,
        )


class ChangeRequest(BaseModel):
    """One change to the time that some segments take."""

    model_config = ConfigDict(extra="forbid")

    segment: str = Field(
        description="A class (network, compute, store, untraced), a stage, stage/class, or all"
    )
    scale: float = Field(default=1.0, ge=0, le=100, description="0.5 halves the time")
    cut_ms_per_call: float = Field(
        default=0.0, ge=0, le=1e6, description="Taken off each call, at most all it did itself"
    )
    cut_ms_per_decision: float = Field(
        default=0.0, ge=0, le=1e6, description="Taken off each decision's time in the segment"
    )
    floor_ms: float | None = Field(
        default=None, ge=0, le=1e6, description="Time in the segment where it is more"
    )

    def change(self) -> Change:
        """Return what the cores take. Raises InputError for a segment that is none."""
        return Change(
            segments_of(self.segment),
            self.scale,
            round(self.cut_ms_per_call * NS_PER_MS),
            round(self.cut_ms_per_decision * NS_PER_MS),
            None if self.floor_ms is None else round(self.floor_ms * NS_PER_MS),
        )


class WhatIfRequest(Chosen):
    """Decisions, and what is changed about them, all at once."""

    changes: Annotated[list[ChangeRequest], Field(min_length=1, max_length=CHANGES_MAX)]
    shares: str = Field(
        default="class",
        pattern="^(class|stage|segment)$",
        description="How the saving is shared out among the changed segments",
    )


class Side(Chosen):
    """One side of a comparison, narrowed as a list of decisions is."""

    channel: str = Field(default="", max_length=200, description="Empty for all")
    cohort: str = Field(default="", max_length=200, description="Empty for all")
    service: str = Field(default="", max_length=200, description="Empty for all")
    segment: str = Field(
        default="", max_length=60, description="Longest in: a class, a stage or stage/class"
    )

    def narrowed(self, now_ns: int) -> Narrowed:
        """Return what the cores take. Raises InputError for a time or a segment that is none."""
        found = segments_of(self.segment) if self.segment else frozenset()
        places = () if len(found) == len(SEGMENTS) else tuple(sorted(at + 1 for at in found))
        of = self.selection(now_ns)
        return Narrowed(of, self.channel, self.cohort, self.service, places)


class CompareRequest(BaseModel):
    """Two populations; `after` is explained, `before` is what it is compared with."""

    model_config = ConfigDict(extra="forbid")

    before: Side
    after: Side
    rest: bool = Field(
        default=False,
        description="Leave out of `before` what lies in the time and the latency of `after`",
    )

    @model_validator(mode="after")
    def _differ(self) -> CompareRequest:
        if self.before == self.after:
            raise ValueError("before and after are the same decisions; change one of them")
        return self


@dataclass(frozen=True, slots=True)
class Budgets:
    """Every latency budget, in the order of the settings."""

    budgets: list[BudgetStanding]


class RecomputeRequest(BaseModel):
    """A range of time; an instant is ISO 8601, without an offset UTC."""

    model_config = ConfigDict(extra="forbid")

    begin: str = Field(description="First ingress")
    end: str = Field(description="Behind the last ingress; at most a day later")

    def range_ns(self) -> tuple[int, int]:
        """Return both as Unix ns. Raises InputError for what is no range."""
        begin_ns, end_ns = instant_ns(self.begin, "begin"), instant_ns(self.end, "end")
        if not 0 < end_ns - begin_ns <= RECOMPUTE_NS_MAX:
            raise InputError(
                f"{self.begin} to {self.end} is not a range of at most a day; ask day by day"
            )
        return begin_ns, end_ns


def recompute_router(services: Services) -> APIRouter:
    """Return the route that attributes a range of time again; none where another process does."""
    job, store = services.context.attribution_job, services.store
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1", tags=["questions"])
    if job is None:
        return router

    def run(begin_ns: int, end_ns: int) -> AttributionReport:
        report = job.recompute(begin_ns, end_ns, clock.now_ns())
        audit(
            store,
            clock.now_ns(),
            "attribution_recomputed",
            f"{utc_iso(begin_ns)}Z to {utc_iso(end_ns)}Z: "
            f"{report.attributed + report.revised} written, {report.unchanged} unchanged",
        )
        return report

    @router.post("/recompute")
    async def recompute_decisions(request: RecomputeRequest) -> AttributionReport:
        """Attribute the decisions of a range of time again, from their stored trees.

        What comes out as it is stored is left alone; the minutes, the cells and the dollars of
        the range are rewritten. The audit says that it was done.
        """
        return await workers.run(run, *request.range_ns())

    return router


def questions_router(services: Services) -> APIRouter:
    """Return the routes of the questions."""
    analyst = Analyst(services.context.attribution, services.store)
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1", tags=["questions"])

    @router.post("/what-if")
    async def ask_what_if(request: WhatIfRequest) -> WhatIfAnswer:
        """Replay decisions under some changes: what they would have taken, and been worth.

        The shares of the changed parts sum to what all save together, to the nanosecond.
        """
        changes = [each.change() for each in request.changes]
        now_ns = clock.now_ns()
        selection = request.selection(now_ns)
        return await workers.run(analyst.what_if, selection, changes, request.shares, now_ns)

    @router.post("/compare")
    async def compare_decisions(request: CompareRequest) -> CompareAnswer:
        """Return where two populations of decisions differ, and what that costs.

        By segment, and by value of action, region, channel, cohort and service; the dearest first.
        Dollars of values, of failures and of both sides are what decisions lost, as their list
        says; those of segments are of time alone.
        """
        now_ns = clock.now_ns()
        sides = request.before.narrowed(now_ns), request.after.narrowed(now_ns)
        return await workers.run(analyst.compare, *sides, rest=request.rest)

    @router.get("/budgets")
    async def list_budgets() -> Budgets:
        """Return every latency budget: what is promised, and what was measured until now."""
        return Budgets(await workers.run(analyst.budgets, clock.now_ns()))

    return router
