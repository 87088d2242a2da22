"""I/O: `/api/v1/decisions`: the decisions of a range by any filter, in one order, and the sum."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from collector.core.times import instant_ns
from dashboard.api.context import Services
from dashboard.read.decisions.filter import DecisionFilter, Order, parse_cursor
from dashboard.read.decisions.listing import (
    FILE_ROWS_MAX,
    PAGE_ROWS_MAX,
    DecisionList,
    DecisionRow,
    Totals,
)
from dashboard.read.rows import Range
from dashboard.read.scope import latency_bounds_ns, window_length_ns
from dashboard.read.workers import Workers

TRUNCATED: Final = "X-Millworth-Truncated"
# What begins a formula to some spreadsheet, the wide forms too.
_FORMULA_MARKS: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_COLUMNS: Final = [field.name for field in fields(DecisionRow)]


class FilterQuery(BaseModel):
    """A filter; of each text, empty is any."""

    model_config = ConfigDict(extra="forbid")

    window: str = Field(default="15m", max_length=20, description="Length of the range")
    until: str = Field(default="", max_length=64, description="Its end, ISO 8601; empty: now")
    action: str = Field(default="", max_length=200)
    region: str = Field(default="", max_length=200)
    channel: str = Field(default="", max_length=200)
    service: str = Field(default="", max_length=200)
    cohort: str = Field(default="", max_length=200)
    segment: str = Field(
        default="", max_length=60, description="Longest in: a class, a stage or stage/class"
    )
    late: bool = Field(default=False, description="Over their target alone")
    failed: bool = Field(default=False, description="Failed alone")
    low_ms: float = Field(default=0, ge=0, lt=1e9, description="Took at least this")
    high_ms: float | None = Field(default=None, ge=0, lt=1e9, description="Took less")

    def criteria(self, now_ns: int) -> DecisionFilter:
        """Return the filter. Raises InputError for a range or a segment that is none."""
        to_ns = instant_ns(self.until, "until") if self.until else now_ns
        from_ns = max(0, to_ns - window_length_ns(self.window))
        low_ns, high_ns = latency_bounds_ns(self.low_ms, self.high_ms)
        return DecisionFilter(
            Range(from_ns, to_ns, self.action, self.region),
            channel=self.channel,
            service=self.service,
            cohort=self.cohort,
            segment=self.segment,
            late=self.late,
            failed=self.failed,
            low_ns=low_ns,
            high_ns=high_ns,
        )


class FileQuery(FilterQuery):
    """A filter, and the order of what it holds."""

    sort: Literal["time", "latency", "segment", "lost", "value"] = Field(
        default="time", description="By what all of them are sorted"
    )
    order: Literal["desc", "asc"] = Field(default="desc", description="desc: the largest first")
    # It ends with the id of a decision, which may be long; a URL as a whole has 64 KiB.
    after: str = Field(default="", max_length=16_000, description="`next` of the page before")

    @property
    def by(self) -> Order:
        """Return the order. Raises InputError for a place that no page gave."""
        return Order(self.sort, self.order == "asc", parse_cursor(self.after))


class PageQuery(FileQuery):
    """The same, of one page."""

    limit: int = Field(default=100, ge=1, le=PAGE_ROWS_MAX, description="Rows of the page")
    totals: bool = Field(default=True, description="Whether all that the filter holds is summed")


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """One page of decisions, and what all that the filter holds cost."""

    from_ns: int
    to_ns: int
    decisions: list[DecisionRow]
    next: str  # `after` of the next page, "" on the last
    totals: Totals | None  # null where they were not asked for


def decisions_router(services: Services, rows_max: int = FILE_ROWS_MAX) -> APIRouter:
    """Return the routes; a file has at most `rows_max` rows."""
    listing = services.context.decisions
    workers, clock = services.workers, services.clock
    router = APIRouter(prefix="/api/v1", tags=["decisions"])

    @router.get("/decisions")
    async def list_decisions(query: Annotated[PageQuery, Query()]) -> DecisionPage:
        """Return decisions, a page at a time, and what all that the filter holds cost."""
        return await workers.run(_page, listing, query, clock.now_ns())

    @router.get(
        "/decisions.csv",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {"text/csv": {}},
                "headers": {TRUNCATED: {"schema": {"type": "string"}, "description": "N of M"}},
            }
        },
    )
    async def export_decisions(query: Annotated[FileQuery, Query()]) -> StreamingResponse:
        """Return the same as CSV, up to 100,000 rows.

        Where the filter holds more, the header `X-Millworth-Truncated` says how many are in the
        file and how many there are, as `100000 of 250000`; else there is no such header.
        """
        criteria, order = query.criteria(clock.now_ns()), query.by
        rows = listing.all_rows(criteria, order, rows_max)
        first: list[DecisionRow] = await workers.run(next, rows, [])
        headers = {"content-disposition": 'attachment; filename="decisions.csv"'}
        # From a place on, nobody knows how many are left but by reading them.
        decisions = 0 if order.cursor else await workers.run(listing.count, criteria)
        if decisions > rows_max:
            headers[TRUNCATED] = f"{rows_max} of {decisions}"
        return StreamingResponse(
            _lines(first, rows, workers), media_type="text/csv; charset=utf-8", headers=headers
        )

    return router


def _page(listing: DecisionList, query: PageQuery, now_ns: int) -> DecisionPage:
    criteria = query.criteria(now_ns)
    stated = listing.stated(criteria.view)
    rows, cursor = listing.page(criteria, query.by, query.limit, stated=stated)
    totals = listing.totals(criteria, stated=stated) if query.totals else None
    begin, end = criteria.view.from_ns, criteria.view.to_ns
    return DecisionPage(begin, end, rows, "" if cursor is None else str(cursor), totals)


async def _lines(
    first: list[DecisionRow], rows: Iterator[list[DecisionRow]], workers: Workers
) -> AsyncIterator[str]:
    """Yield the file; the first rows were read before, so that a failure still has a status."""
    yield _csv([_COLUMNS])
    part: list[DecisionRow] = first
    while part:
        yield _csv([[_cell(getattr(row, name)) for name in _COLUMNS] for row in part])
        part = await workers.run(next, rows, [])


def _csv(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()


def _cell(value: object) -> str:
    """Return a value as text that no spreadsheet takes for a formula; unknown is empty."""
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    # A sender's text may begin with what starts one.
    is_formula = isinstance(value, str) and text.startswith(_FORMULA_MARKS)
    return f"'{text}" if is_formula else text
