"""I/O: `/api/v1/vram`: what latency is worth; a model that says something new is stored."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from attribution.core.config import AttributionConfig
from attribution.experiments.job import ExperimentJob
from attribution.sensitivity.groups import DIMENSIONS
from attribution.sensitivity.job import SlopeJob
from attribution.sensitivity.versions import ESTIMATE
from attribution.vram.allocation import Allocation, allocate
from attribution.vram.document import Document, differences, ranked
from attribution.vram.job import YEAR_DAYS_MIN, VramJob
from collector.core.clock import Clock
from dashboard.api.context import Services
from dashboard.api.vram.questions import Chosen
from dashboard.read.workers import Workers

Version = Annotated[int, Field(ge=1, lt=2**32, description="As `millworth vram models` has it")]


class ModelRequest(Chosen):
    """Decisions, and how they are grouped."""

    dimension: str = Field(default="channel", description=f"One of {', '.join(DIMENSIONS)}")
    budget_usd: Decimal | None = Field(
        default=None, description="Shared out among the groups, by what they bring; by default none"
    )
    reserve_share: Decimal | None = Field(
        default=None, description="Kept back of it; by default attribution.reserve_share"
    )
    step_usd: Decimal | None = Field(
        default=None,
        description="The smallest amount that is worth giving; by default a hundredth",
    )
    annualise: bool = Field(
        default=False,
        description=f"State figures of a year on fewer than {YEAR_DAYS_MIN} days of decisions too",
    )

    def allocation(self, model: Document, config: AttributionConfig) -> dict[str, Allocation]:
        """Return the budget shared out, nothing where there is none. Raises InputError."""
        if self.budget_usd is None:
            return {}
        share = self.reserve_share
        if share is None:
            share = Decimal(str(config.reserve_share))
        return {"allocation": allocate(ranked(model), self.budget_usd, share, self.step_usd)}


def vram_router(services: Services) -> APIRouter:
    """Return the routes of the model, its versions and the slope."""
    config, store = services.context.attribution, services.store
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1", tags=["vram"])
    vram, slope = VramJob(config, store), SlopeJob(config, store)
    experiments = ExperimentJob(config, store)

    @router.post("/vram/model")
    async def build_model(request: ModelRequest) -> dict[str, Any]:
        """Return what latency is worth to the groups of some decisions, the dearest first.

        A model that says something new is stored under the next version. With a budget,
        `allocation` shares it out.
        """
        now_ns = clock.now_ns()
        selection = request.selection(now_ns)
        model = await workers.run(
            vram.model, selection, request.dimension, now_ns, annualise=request.annualise
        )
        return {**model, **request.allocation(model, config)}

    router.include_router(_worth_router(vram, workers, clock))

    @router.get("/vram/models")
    async def list_models() -> dict[str, Any]:
        """Return every version with its lineage."""
        versions = await workers.run(vram.versions)
        return {
            "models": [
                {"version": version, "computed_ns": computed_ns, "content_hash": name,
                 "lineage": json.loads(document)["lineage"]}
                for version, computed_ns, name, document in versions
            ]
        }  # fmt: skip

    @router.get("/vram/models/{version}")
    async def get_model(version: Version) -> dict[str, Any]:
        """Return one version."""
        return await workers.run(vram.load, version)

    @router.get("/vram/diff")
    async def compare_models(before: Version, after: Version) -> dict[str, Any]:
        """Return what changed between two versions, the largest change of money first."""
        old = await workers.run(vram.load, before)
        new = await workers.run(vram.load, after)
        return {"before": before, "after": after, "changes": differences(old, new)}

    @router.post("/slope")
    async def estimate_slope() -> dict[str, Any]:
        """Estimate the slope now; a version that is news is stored and in force from now on.

        Where it is not identified, `proposal` is the experiment that would decide it; null where
        the arms of one speak against any slope, and another like it would be refused too.
        """

        def run() -> dict[str, Any]:
            now_ns = clock.now_ns()
            report = slope.run_once(now_ns)
            is_settled = report.model.source == ESTIMATE or report.model.is_refused
            proposal = None if is_settled else experiments.propose(now_ns)
            return {
                "stored_version": report.stored,
                "model": report.model,
                "proposal": proposal,
            }

        return await workers.run(run)

    return router


def _worth_router(vram: VramJob, workers: Workers, clock: Clock) -> APIRouter:
    """Return the route that models and stores nothing."""
    router = APIRouter()

    @router.get("/vram/worth")
    async def get_worth(
        window: str = "15m",
        until: str = "",
        action: str = "",
        region: str = "",
        dimension: str = "channel",
    ) -> dict[str, Any]:
        """Return the same model of some decisions, and store nothing; the Velocity page has it."""
        chosen = Chosen(window=window, until=until, action=action, region=region)
        now_ns = clock.now_ns()
        return await workers.run(vram.compute, chosen.selection(now_ns), dimension, now_ns)

    return router
