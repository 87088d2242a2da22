"""I/O: `/api/v1/review`: the review of a quarter, with its findings; it only reads."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from attribution.core.config import AttributionConfig
from collector.core.clock import Clock
from collector.store.connect import Connections
from dashboard.api.review.findings import Finding, findings
from dashboard.api.review.job import Review, ReviewJob
from dashboard.api.review.quarter import parse_quarter
from dashboard.read.workers import Workers


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review, and what to know before it is believed."""

    review: Review
    findings: list[Finding]


def review_router(
    config: AttributionConfig, store: Connections, kept_days: int, workers: Workers, clock: Clock
) -> APIRouter:
    """Return the route of the quarterly review."""
    router = APIRouter(prefix="/api/v1", tags=["investments"])
    job = ReviewJob(config, store, kept_days)

    @router.get("/review")
    async def get_review(quarter: str) -> Reviewed:
        """Return the review of a quarter, 2026Q3; the same of the same data."""
        asked = parse_quarter(quarter)
        found = await workers.run(job.review, asked, clock.now_ns())
        return Reviewed(found, findings(found))

    return router
