"""I/O: `millworth vram decisions`: which decisions, and what each and all of them lost."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from dashboard.cli.client import asking
from dashboard.cli.console import OUT, plain
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UntilOption, UrlOption, WindowOption
from dashboard.units import UNKNOWN, count, counted, ms, usd, utc_iso

SegmentOption = Annotated[
    str, typer.Option(help="Longest in: store, decision, decision/store and so on.")
]
SortOption = Annotated[str, typer.Option(help="time, latency, segment, lost or value.")]
LateOption = Annotated[bool, typer.Option("--late", help="Over their target alone.")]
FailedOption = Annotated[bool, typer.Option("--failed", help="Failed alone.")]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="Decisions of the page.")]
AfterOption = Annotated[str, typer.Option(help="Where a page ended, as it printed it.")]


def decisions(
    window: WindowOption = "15m",
    until: UntilOption = "",
    action: Annotated[str, typer.Option(help="Only this decision.action.")] = "",
    region: Annotated[str, typer.Option(help="Only this decision.region.")] = "",
    channel: Annotated[str, typer.Option(help="Only this decision.channel.")] = "",
    service: Annotated[str, typer.Option(help="Only of this service.name.")] = "",
    cohort: Annotated[str, typer.Option(help="Only this decision.cohort.")] = "",
    segment: SegmentOption = "",
    late: LateOption = False,
    failed: FailedOption = False,
    sort: SortOption = "time",
    ascending: Annotated[bool, typer.Option("--ascending", help="The least first.")] = False,
    limit: LimitOption = 20,
    after: AfterOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List decisions by any filter, in one order over all of them, and what they lost in sum."""
    asked = {
        "window": window,
        "until": until,
        "action": action,
        "region": region,
        "channel": channel,
        "service": service,
        "cohort": cohort,
        "segment": segment,
        "late": str(late).lower(),
        "failed": str(failed).lower(),
        "sort": sort,
        "order": "asc" if ascending else "desc",
        "limit": limit,
        "after": after,
    }
    with asking(config, url) as api:
        found = api.get(f"/api/v1/decisions?{urlencode(asked)}")
    if as_json:
        print_json(found)
        return
    for row in found["decisions"]:
        OUT.print(_line(row))
    OUT.print(_sum(found["totals"]))
    if found["next"]:
        OUT.print(f"more: --until {utc_iso(found['to_ns'])}Z --after '{found['next']}'")


def _line(row: dict[str, Any]) -> str:
    # As JSON writes them: a sender's text must not reach a terminal as it is.
    what = "/".join(plain(row[key]) for key in ("action", "region") if row[key])
    return ", ".join(
        (
            f"{utc_iso(row['ingress_ns'])} {plain(row['decision_id'])}",
            what,
            f"{ms(row['total_ns'])}, {ms(row['worst_ns'])} of it in {row['worst']}",
            f"lost {_usd(row['loss_usd'])} of {_usd(row['value_usd'])}",
        )
    )


def _sum(totals: dict[str, Any]) -> str:
    number = f"{counted(totals['decisions'], 'decision')}, {count(totals['late'])} late"
    if not totals["decisions"]:
        return number
    if totals["loss_usd"] is None:
        return f"{number}; what they lost is {UNKNOWN}"
    ends = f"{_usd(totals['loss_low_usd'])} to {_usd(totals['loss_high_usd'])}"
    return f"{number}; {_usd(totals['loss_usd'])} lost (90 %: {ends})"


def _usd(amount: str | None) -> str:
    return UNKNOWN if amount is None else usd(float(amount))
