"""I/O: `/api/v1/packets/{name}`: the packets of an incident, as a file that Wireshark opens."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from collector.store.connect import Connections
from dashboard.workers import Workers
from packet.export_reader import ExportReader

PCAPNG = "application/x-pcapng"


def packets_router(store: Connections, workers: Workers) -> APIRouter:
    """Return the route; a large file is built beside those that a page waits for."""
    router = APIRouter(prefix="/api/v1")
    reader = ExportReader(store)

    @router.get(
        "/packets/{name:path}",
        response_class=Response,
        responses={200: {"content": {PCAPNG: {}}, "description": "pcapng"}},
    )
    async def packets(name: str) -> Response:
        """Return packet headers of an alert's episode, a trigger, a decision or a trace."""
        content = await workers.run(reader.export, name.strip())
        return Response(content, media_type=PCAPNG)

    return router
