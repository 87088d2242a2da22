"""I/O: `/api/v1/packets` and `/api/v1/reconstructions`: the packets of an incident, and if all."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response

from dashboard.api.caller import audit
from dashboard.api.context import Services
from packet.files.export import ExportReader, Rebuilt

PCAPNG = "application/x-pcapng"


@dataclass(frozen=True, slots=True)
class Reconstructions:
    """One a request to a recorder, by time; none where no packets were asked for."""

    reconstructions: list[Rebuilt]


def packets_router(services: Services) -> APIRouter:
    """Return the route; a large file is built beside those that a page waits for."""
    store = services.store
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1", tags=["packets"])
    reader = ExportReader(store)

    def export(name: str) -> bytes:
        content = reader.export(name)
        audit(store, clock.now_ns(), "packets_exported", f"{name[:200]}: {len(content)} bytes")
        return content

    @router.get(
        "/packets/{name:path}",
        response_class=Response,
        responses={200: {"content": {PCAPNG: {}}, "description": "pcapng"}},
    )
    async def export_packets(name: str) -> Response:
        """Return packet headers of an alert's episode, a trigger, a decision or a trace."""
        return Response(await workers.run(export, name.strip()), media_type=PCAPNG)

    @router.get("/reconstructions/{name:path}")
    async def list_reconstructions(name: str) -> Reconstructions:
        """Return how likely nothing is missing of an alert's episode or a trigger, and why."""
        return Reconstructions(await workers.run(reader.rebuilt, name.strip()))

    return router
