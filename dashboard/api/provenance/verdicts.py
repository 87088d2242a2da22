"""I/O: `/api/v1/provenance`: what the service said of sealed decisions."""

from __future__ import annotations

from fastapi import APIRouter

from dashboard.api.context import Services
from dashboard.read.scope import asked_range
from dashboard.read.sealed.verdicts import VerdictReader, Verdicts


def verdicts_router(services: Services) -> APIRouter:
    """Return the route of `/api/v1/provenance`."""
    reader = VerdictReader(services.store)
    workers, clock = services.workers, services.clock
    router = APIRouter(prefix="/api/v1", tags=["provenance"])

    @router.get("/provenance")
    async def get_provenance(
        window: str = "24h", until: str = "", unsigned: bool = False
    ) -> Verdicts:
        """Return what is said of sealed decisions that arrived in a window; as in a page's URL.

        With `unsigned` a decision without a seal is a finding.
        """
        view = asked_range(window, until, clock.now_ns())
        return await workers.run(_verdicts, reader, view.from_ns, view.to_ns, unsigned)

    return router


def _verdicts(reader: VerdictReader, from_ns: int, to_ns: int, unsigned: bool) -> Verdicts:
    return reader.verdicts(from_ns, to_ns, unsigned=unsigned)
