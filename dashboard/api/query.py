"""I/O: `/api/v1/query`: SQL from outside, of which few run and few wait at a time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

from clickhouse_connect.driver.exceptions import ClickHouseError
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.core.errors import BusyError, InputError, StoreUnavailableError, first_line
from dashboard.api.caller import audit
from dashboard.api.context import Services
from dashboard.read.adhoc.reader import OutsideReader, Running
from dashboard.read.rows import Answer
from dashboard.read.workers import Workers

# Threads of its own: neither pages nor long questions wait for somebody's SQL.
THREADS = 2
WAITING_MAX = 8
DETAIL_MAX = 2_000  # letters of a statement that the audit keeps


class QueryRequest(BaseModel):
    """One read-only statement."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(
        description="One SELECT, WITH, SHOW TABLES, SHOW CREATE TABLE, DESCRIBE, EXISTS, or EXPLAIN"
    )
    parameters: dict[str, object] = Field(
        default_factory=dict, description="Values of placeholders such as {name:String}"
    )


def query_router(services: Services) -> APIRouter:
    """Return the route."""
    store, clock = services.store, services.clock
    reader = OutsideReader(store)
    seconds_max = store.config.query_seconds_max  # of asking, waiting included
    router = APIRouter(prefix="/api/v1", tags=["questions"])
    statements = Workers(THREADS, "outside-sql", WAITING_MAX)

    def _audited(request: QueryRequest, running: Running) -> Answer:
        try:
            audit(store, clock.now_ns(), "queried", request.sql[:DETAIL_MAX])
        except (ClickHouseError, OSError) as error:
            raise StoreUnavailableError(
                f"the audit cannot be written, so nothing is answered: {first_line(error)}"
            ) from error
        return reader.answer(request.sql, request.parameters, running)

    @router.post("/query", response_model=Answer)
    async def run_query(request: QueryRequest) -> Response:
        """Answer read-only SQL within limits on rows, memory and time.

        Integers are JSON integers at any size; a Decimal is a string, so that no digit is lost;
        times are strings with all their digits; NaN and infinities are null. A statement ends
        when its client leaves. 429 where too many wait.
        """
        running = Running()
        try:
            async with asyncio.timeout(seconds_max):
                answer = await statements.run(_audited, request, running)
        except (asyncio.CancelledError, TimeoutError) as error:
            # A call that still waited has given up its place; one that runs is told to end.
            with contextlib.suppress(BusyError):  # it ends by its own limit of time then
                await asyncio.shield(services.workers.run(reader.stop, running))
            if isinstance(error, asyncio.CancelledError):
                raise
            raise InputError(
                f"no answer within {seconds_max:g} s of asking, waiting included "
                "(store.query_seconds_max); narrow the statement, or ask again later"
            ) from error
        return JSONResponse(dataclasses.asdict(answer))

    return router
