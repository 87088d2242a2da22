"""Pure: decisions as lines of a grid, the columns of that grid, and their sum in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from dashboard.read.decision.outcome_wording import money_words
from dashboard.read.decisions.listing import FILE_ROWS_MAX, DecisionRow, Totals
from dashboard.read.rows import DecisionFacts, exact_id
from dashboard.units import UNKNOWN, Zone, count, counted, ms, usd, utc_iso

_LINES: Final = {"cellRenderer": "TwoLines"}
COLUMNS: Final[list[dict[str, Any]]] = [
    {"field": "at", "headerName": "Time (UTC)", "width": 92, "cellRenderer": "TimeLink"},
    {"field": "latency", "headerName": "Latency", "minWidth": 84, "flex": 2,
     "cellRenderer": "Latency"},
    {"field": "worst", "headerName": "Longest in", "minWidth": 94, "flex": 2, **_LINES,
     "cellRendererParams": {"first": "worst", "second": "worst_ms"}},
    {"field": "lost", "headerName": "Lost", "width": 80, "type": "rightAligned",
     "tooltipField": "interval"},
    {"field": "value", "headerName": "Worth", "width": 92, "type": "rightAligned"},
    {"field": "outcome", "headerName": "Outcome", "minWidth": 110, "flex": 1, **_LINES,
     "cellRendererParams": {"first": "outcome", "second": "earned"}},
    {"field": "packets", "headerName": "Packets", "width": 82},
    {"field": "what", "headerName": "Action", "minWidth": 120, "flex": 1, **_LINES,
     "cellRendererParams": {"first": "action", "second": "region"}},
    {"field": "service", "headerName": "Service", "minWidth": 110, "flex": 1, **_LINES,
     "cellRendererParams": {"first": "service", "second": "of"}},
    {"field": "short", "headerName": "Id", "width": 96, "tooltipField": "decision"},
]  # fmt: skip


def totals_line(totals: Totals) -> str:
    """Return the sum in words: `1,482 decisions, $212 lost (90 %: $64 to $720)`."""
    number = counted(totals.decisions, "decision")
    low, high = totals.loss_low_usd, totals.loss_high_usd
    if totals.loss_usd is None or low is None or high is None:
        return f"{number}, what they lost is {UNKNOWN}" if totals.decisions else "No decision"
    lost = f"{number}, {usd(totals.loss_usd)} lost (90 %: {usd(low)} to {usd(high)})"
    lost += f", {count(totals.late)} late"
    if totals.value_usd is not None:
        lost += f" · worth {usd(totals.value_usd)}"
    return lost + (f" · {count(totals.unvalued)} of unknown value" if totals.unvalued else "")


def csv_words(decisions: int) -> str:
    """Return what the file has, before somebody takes it for all of them."""
    if decisions <= FILE_ROWS_MAX:
        return "CSV of all that the filter holds"
    return f"CSV of the first {count(FILE_ROWS_MAX)} of {count(decisions)} in this order"


def listed_lines(rows: Sequence[DecisionRow], zone: Zone) -> list[dict[str, object]]:
    """Return the rows of the grid; bars are as long as the slowest of them allows."""
    longest = max([1, *(row.total_ns for row in rows), *(row.target_ns for row in rows)])
    return [_line(row, longest, zone) for row in rows]


def _line(row: DecisionRow, longest_ns: int, zone: Zone) -> dict[str, object]:
    interval = ""
    if row.loss_low_usd is not None and row.loss_high_usd is not None:
        interval = f"90 %: {usd(row.loss_low_usd)} to {usd(row.loss_high_usd)}"
    return {
        **_named(row.decision_id, row.ingress_ns, zone),
        "latency": ms(row.total_ns),
        "isLate": row.total_ns > row.target_ns,
        "bar": round(row.total_ns / longest_ns * 100, 1),
        "tick": round(row.target_ns / longest_ns * 100, 1),
        # The class and the time first: a telephone has no room for the stage.
        "worst": row.worst.partition("/")[2],
        "worst_ms": f"{ms(row.worst_ns)} · {row.worst.partition('/')[0]}",
        "lost": _dollars(row.loss_usd),
        "interval": interval,
        "value": _dollars(row.value_usd),
        "outcome": _outcome(row.converted),
        "earned": " · ".join(part for part in (_earned(row), "error" * row.is_error) if part),
        "packets": "linked" if row.packets else "none",
        "action": row.action,
        "region": row.region,
        "service": row.service_name,
        "of": " · ".join(part for part in (row.channel, row.cohort) if part),
    }


def found_line(facts: DecisionFacts, zone: Zone) -> dict[str, object]:
    """Return one row for a decision that was searched for, attributed or not."""
    return {
        **_named(facts.decision_id, facts.ingress_ns, zone),
        "latency": ms(facts.end_ns - facts.ingress_ns),
        "isLate": False,
        "bar": 0,
        "tick": 0,
        "worst": "see the decision",
        "packets": "see the decision",
        "action": facts.action,
        "region": facts.region,
        "service": facts.service_name,
    }


def decision_href(decision_id: str, ingress_ns: int) -> str:
    """Return the address of one decision's page, whatever other has its id."""
    return f"/decision?{urlencode({'id': exact_id(decision_id, ingress_ns)}, safe='@')}"


def _named(decision_id: str, ingress_ns: int, zone: Zone) -> dict[str, object]:
    instant = utc_iso(zone.wall_ns(ingress_ns))
    return {
        "id": f"{decision_id} {ingress_ns}",
        "decision": decision_id,
        "short": decision_id[:8],
        "href": decision_href(decision_id, ingress_ns),
        "at": instant[11:19],
        "day": f".{instant[-3:]} · {instant[5:10]}",
    }


def _dollars(amount: Decimal | None) -> str:
    return UNKNOWN if amount is None else usd(amount)


def _outcome(converted: bool | None) -> str:
    if converted is None:
        return "none yet"
    return "sold" if converted else "nothing sold"


def _earned(row: DecisionRow) -> str:
    if not row.converted or row.earned is None:
        return ""
    return money_words(row.earned, row.currency)
