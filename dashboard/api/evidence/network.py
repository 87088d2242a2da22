"""I/O: `/api/v1/network` and `clocks`: what packets prove over a range, and whose clocks agree."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from dashboard.api.context import Services
from dashboard.api.vram.questions import Chosen
from dashboard.read.network.reader import clocks, network
from dashboard.read.network.rows import ClockPair, Network
from dashboard.read.rows import Range


@dataclass(frozen=True, slots=True)
class Clocks:
    """Each pair of hosts that packets or spans link, the gravest first."""

    clocks: list[ClockPair]


def network_router(services: Services) -> APIRouter:
    """Return both routes."""
    reader = services.context.reader
    workers, clock = services.workers, services.clock
    router = APIRouter(prefix="/api/v1", tags=["packets"])

    @router.get("/network")
    async def get_network(
        window: str = "15m", until: str = "", action: str = "", region: str = ""
    ) -> Network:
        """Return what decisions waited for, who spoke with whom, and bursts.

        What was waited for is of one action and region; connections and bursts are of all.
        """
        chosen = Chosen(window=window, until=until, action=action, region=region)
        return await workers.run(network, reader, _range(chosen, clock.now_ns()))

    @router.get("/clocks")
    async def list_clocks(window: str = "24h", until: str = "") -> Clocks:
        """Return how far the clocks of two hosts are apart, at the end of the window."""
        view = _range(Chosen(window=window, until=until), clock.now_ns())
        return Clocks(await workers.run(clocks, reader, view))

    return router


def _range(chosen: Chosen, now_ns: int) -> Range:
    """Return what is asked for. Raises InputError for a time that cannot be read."""
    selection = chosen.selection(now_ns)
    return Range(selection.from_ns, selection.to_ns, selection.action, selection.region)
