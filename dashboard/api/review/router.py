"""I/O: `/api/v1/review`: the review of a quarter, with its findings; it only reads."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from dashboard.api.context import Services
from dashboard.api.review.findings import Finding, findings
from dashboard.api.review.job import Review, ReviewJob
from dashboard.api.review.quarter import parse_quarter


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review, and what to know before it is believed."""

    review: Review
    findings: list[Finding]


def review_router(services: Services) -> APIRouter:
    """Return the route of the quarterly review."""
    config, store = services.context.attribution, services.store
    workers, clock = services.questions, services.clock
    kept_days = services.context.retention.decisions_days
    router = APIRouter(prefix="/api/v1", tags=["investments"])
    job = ReviewJob(config, store, kept_days)

    @router.get("/review")
    async def get_review(quarter: str) -> Reviewed:
        """Return the review of a quarter, 2026Q3; the same of the same data."""
        asked = parse_quarter(quarter)
        found = await workers.run(job.review, asked, clock.now_ns())
        return Reviewed(found, findings(found))

    return router
