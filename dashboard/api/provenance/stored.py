"""I/O: `/api/v1/store`: what lies on the disk, and whether it is as it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter

from collector.core.errors import NotFoundError
from collector.store.client.broken_parts import BrokenParts, broken_parts
from collector.store.client.stored_parts import StoredPart, damage, stored_parts
from dashboard.api.context import Services

# Its partition, the blocks that it is of, how often it was merged, and by which change.
_PART: Final = re.compile(r"[A-Za-z0-9-]+_\d+_\d+_\d+(_\d+)?")


@dataclass(frozen=True, slots=True)
class StoredParts:
    """The parts of every table; of a cluster those of the node that answers."""

    parts: list[StoredPart]  # by table
    left_out: list[BrokenParts]  # that the store could not read at its start


@dataclass(frozen=True, slots=True)
class CheckedPart:
    """What reading all of a part found."""

    damage: str  # "" for none, and for a part that was merged since it was listed


def stored_router(services: Services) -> APIRouter:
    """Return the routes."""
    store, workers = services.store, services.questions
    router = APIRouter(prefix="/api/v1/store", tags=["retention"])

    @router.get("/parts")
    async def list_parts() -> StoredParts:
        """Return every part of every table, and those that are left out."""

        def read() -> StoredParts:
            client = store.client()
            return StoredParts(stored_parts(client), broken_parts(client))

        return await workers.run(read)

    @router.get("/parts/{table}/{part}")
    async def check_part(table: str, part: str) -> CheckedPart:
        """Read all rows of a part, and hold them against their checksums."""
        if _PART.fullmatch(part) is None:
            raise NotFoundError(f"{part[:60]!r} is no part; GET /api/v1/store/parts lists them")
        return CheckedPart(await workers.run(lambda: damage(store.client(), table, part)))

    return router
