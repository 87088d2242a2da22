"""I/O: `/api/v1/import/costs`: bills, and those that a provider states anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request

from collector.core.times import INSTANT_NS_MAX
from collector.imports.costs import import_costs
from collector.imports.outcomes import ImportReport
from collector.store.connect import Connections
from collector.store.row_removal import remove_rows
from dashboard.api.caller import audit
from dashboard.api.context import Services
from dashboard.api.imports.body import BYTES_MAX, TAKES_FILE, body_of

_NEWEST = "SELECT max(received_ns) FROM costs WHERE source = {source:String}"
_TIME_ANEW = (
    "SELECT min(from_ns), argMax(to_ns, (from_ns, to_ns)) FROM costs "
    "WHERE source = {source:String} AND received_ns >= {before_ns:UInt64}"
)
_BEFORE = (
    "source = {source:String} AND received_ns < {before_ns:UInt64} "
    "AND from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64}"
)
# A line that came again as it was is a newer row by now: FINAL shows that one.
_COUNT_BEFORE = (
    "SELECT count() FROM costs FINAL "
    "WHERE source = {source:String} AND received_ns < {before_ns:UInt64} "
    "AND from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64}"
)


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a bill that came anew took the place of."""

    lines: int
    from_ns: int  # charge periods that begin in [from_ns, to_ns); 0 where nothing came anew
    to_ns: int


def drop_replaced(store: Connections, source: str, before_ns: int) -> Replaced:
    """Drop what a source said before of the time that it has a bill of anew.

    A provider restates the lines of an open month day by day, and a line is known by its text. Its
    time ends with the line that begins last: a fee of the whole month says nothing of later days.

    Args:
        store: whose bills they are.
        source: name of the bill.
        before_ns: when the import of the new one began; its time is that of the lines that came
            since.
    """
    of_source = {"source": source, "before_ns": before_ns}
    ((from_ns, to_ns),) = store.client().query(_TIME_ANEW, parameters=of_source).result_rows
    if not to_ns:
        return Replaced(0, 0, 0)
    chosen = {**of_source, "from_ns": from_ns, "to_ns": to_ns}
    ((lines,),) = store.client().query(_COUNT_BEFORE, parameters=chosen).result_rows
    remove_rows(store, "costs", _BEFORE, chosen)
    return Replaced(lines, from_ns, to_ns)


def costs_router(services: Services) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/import", tags=["imports"])
    store, clock = services.store, services.clock

    @router.post("/costs", openapi_extra=TAKES_FILE)
    async def upload_costs(
        request: Request, name: str = "costs.csv", source: str = "bill"
    ) -> ImportReport:
        """Import a bill in FOCUS; the same lines again change nothing."""
        content = await body_of(request, name, BYTES_MAX)

        def run() -> ImportReport:
            client = store.client()
            # Where the clock steps back between two files of a bill, the second is not an old one.
            ((newest_ns,),) = client.query(_NEWEST, parameters={"source": source}).result_rows
            return import_costs(client, name, content, source, max(clock.now_ns(), newest_ns))

        return await services.questions.run(run)

    @router.post("/costs/replace")
    async def replace_costs(
        source: str, before_ns: Annotated[int, Query(ge=0, le=INSTANT_NS_MAX)]
    ) -> Replaced:
        """Drop what a source billed before of the time that came anew since `before_ns`."""

        def run() -> Replaced:
            found = drop_replaced(store, source, before_ns)
            detail = f"{source}: {found.lines} lines from {found.from_ns} to {found.to_ns}"
            audit(store, clock.now_ns(), "costs_replaced", detail)
            return found

        return await services.questions.run(run)

    return router
