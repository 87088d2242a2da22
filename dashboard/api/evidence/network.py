"""I/O: `/api/v1/network` and `clocks`: what packets prove over a range, and whose clocks agree."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter

from collector.core.clock import Clock
from dashboard.read.network.reader import clocks, network
from dashboard.read.network.rows import ClockPair, Network
from dashboard.read.reader import Reader
from dashboard.read.scope import parse_scope
from dashboard.read.workers import Workers


@dataclass(frozen=True, slots=True)
class Clocks:
    """Each pair of hosts that packets or spans link, the gravest first."""

    clocks: list[ClockPair]


def network_router(reader: Reader, workers: Workers, clock: Clock) -> APIRouter:
    """Return both routes."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/network")
    async def of_network(
        window: str = "15m", until: str = "", action: str = "", region: str = ""
    ) -> Network:
        """Return what decisions waited for, who spoke with whom, and bursts.

        What was waited for is of one action and region; connections and bursts are of all.
        """
        asked = {"window": window, "until": until, "action": action, "region": region}
        seen = parse_scope(urlencode(asked)).range_at(clock.now_ns())
        return await workers.run(network, reader, seen)

    @router.get("/clocks")
    async def of_clocks(window: str = "24h", until: str = "") -> Clocks:
        """Return how far the clocks of two hosts are apart, at the end of the window."""
        scope = parse_scope(urlencode({"window": window, "until": until}))
        return Clocks(await workers.run(clocks, reader, scope.range_at(clock.now_ns())))

    return router
