"""Pure: a review as a page of Markdown, from the JSON that `/api/v1/review` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attribution.core.money import currency
from dashboard.units import exact_digits, markdown_text

_UNKNOWN = "unknown"


def markdown(review: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> str:
    """Return the page; figures are those of the JSON, rounded to the cent."""
    sections = (
        _head(review), _findings(findings), _revenue(review), _channels(review),
        _ranking(review), _gate(review), _experiments(review), _costs(review),
    )  # fmt: skip
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def _head(review: Mapping[str, Any]) -> Iterator[str]:
    coverage = review["coverage"]
    yield f"# Review of {review['quarter']}"
    yield ""
    yield f"{_day(review['from_ns'])} to {_day(review['to_ns'])} (not included), UTC."
    days = f"{coverage['days_with_decisions']} of {coverage['days']} days"
    yield f"{_n(coverage['decisions'])} decisions on {days}."
    if not review["is_over"]:
        yield "The quarter is not over: figures are so far."
    yield ""


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Findings"
    yield ""
    rows = [(each["severity"], each["text"], each["remedy"]) for each in findings]
    yield from _table(("severity", "finding", "remedy"), rows, "none")


def _revenue(review: Mapping[str, Any]) -> Iterator[str]:
    nodes, unmapped = review["nodes"], review["nodes"]["unmapped"]
    yield f"## Revenue by node, {nodes['currency']}"
    yield ""
    rows = [
        (each["name"], _n(each["decisions"]), _n(each["outcomes"]), exact_digits(each["revenue"]),
         _share(each["share"]))
        for each in nodes["nodes"]
    ]  # fmt: skip
    revenue, share = exact_digits(unmapped["revenue"]), _share(unmapped["share"])
    rows.append(("unmapped", _n(unmapped["decisions"]), "", revenue, share))
    for name, words in (
        ("in_no_node", "of decisions in no node"),
        ("unmatched", "of no decision"),
        ("ambiguous", "of several decisions"),
        ("not_in_outcomes", "in the ledger alone"),
    ):
        rows.append((f"... {words}", "", "", exact_digits(unmapped[name]), ""))
    rows.append((nodes["total_is"], "", "", exact_digits(nodes["total"]), ""))
    yield from _table(("node", "decisions", "outcomes", "revenue", "share"), rows)
    yield "## Ledger by day"
    yield ""
    days = [
        (
            _day(each["day_ns"]),
            *(exact_digits(each[name]) for name in ("matched", "unmatched", "ambiguous")),
            "no rate" if each["unconverted"] else exact_digits(each["ledger"]),
            exact_digits(each["difference"]),
            _n(each["unknown_outcomes"]),
        )
        for each in review["ledger"]
    ]
    head = ("day", "matched", "unmatched", "ambiguous", "ledger", "difference", "unknown outcomes")
    yield from _table(head, days, "no outcome and no ledger")


def _channels(review: Mapping[str, Any]) -> Iterator[str]:
    channels = review["channels"]
    yield f"## Channels, {channels['currency']}"
    yield ""
    yield from _table(
        ("channel", "kind", "decisions", "clicks", "a click", "quality", "paid", "paid a sale"),
        [
            (each["name"] or "(none)", each["kind"] or "not said", _n(each["decisions"]),
             _n(each["clicks"]), each["cost_per_click"] or _UNKNOWN,
             each["quality_score"] or _UNKNOWN, exact_digits(each["acquisition_usd"]),
             each["acquisition_per_sale_usd"] or _UNKNOWN)
            for each in channels["channels"]
        ],
    )  # fmt: skip
    yield from _table(
        ("channel", "days", "known", "sold", "conversion", "earned", "rests on", "less paid",
         "final on"),
        [
            (each["name"] or "(none)", f"{line['days']}{' (own)' if line['is_own'] else ''}",
             _n(line["known"]), _n(line["sold"]), _share(line["conversion"]),
             exact_digits(line["earned_usd"]), line["basis"],
             exact_digits(line["after_acquisition_usd"]), line["final_from"])
            for each in channels["channels"]
            for line in each["horizons"]
        ],
    )  # fmt: skip


def _ranking(review: Mapping[str, Any]) -> Iterator[str]:
    yield f"## What the next millisecond is worth, {currency()} an hour, by channel"
    yield ""
    ranking = review["ranking"]
    if ranking is None:
        yield markdown_text(review["ranking_refusal"])
        yield ""
        return
    lineage = ranking["lineage"]
    slope, denominator = (markdown_text(lineage[name]) for name in ("slope", "denominator"))
    yield f"Rests on: {slope}. Value over {denominator}."
    yield ""
    yield from _table(
        ("channel", "kind", "decisions", "known", "sampled", f"{currency()} a second", "per ms",
         "90 %"),
        [
            (each["name"] or "(none)", each["kind"] or "not said", _n(each["decisions"]),
             _n(each["known"]), _n(each["sampled"]), f"{each['erv_usd_per_s']['median']:.4g}",
             f"{band['median']:.3g}", f"{band['low']:.3g} to {band['high']:.3g}")
            for each in ranking["groups"]
            for band in [each["marginal_usd_per_ms_hour"]]
        ],
    )  # fmt: skip


def _gate(review: Mapping[str, Any]) -> Iterator[str]:
    yield "## Gate"
    yield ""
    yield from _table(
        ("day", "option", "ruling", "rests on", "gain at least", "cost", "signed", "verdict"),
        [
            (_day(each["judged_ns"]), each["option"], each["ruling"], each["basis"],
             exact_digits(each["gain_low_usd"]), exact_digits(each["cost_usd"]),
             "yes" if each["is_signed"] else "no", each["sha256"][:12])
            for each in review["gate"]
        ],
        "nothing was judged",
    )  # fmt: skip


def _experiments(review: Mapping[str, Any]) -> Iterator[str]:
    yield "## Experiments"
    yield ""
    yield from _table(
        ("experiment", "owner", "state", "from", "to", "decisions", "delayed", "at risk", "budget",
         "cost", "says"),
        [
            (each["name"], each["owner"], each["state"], _day(each["from_ns"]),
             _day(each["ended_ns"]), _n(each["decisions"]), _n(each["delayed"]),
             *(exact_digits(each[name]) for name in ("at_risk_usd", "budget_usd", "loss_usd")),
             "disproved" if each["is_disproved"] else each["status"])
            for each in review["experiments"]
        ],
        "none ran",
    )  # fmt: skip


def _costs(review: Mapping[str, Any]) -> Iterator[str]:
    cost = review["unit_cost"]
    yield f"## Cost of a decision, {cost['currency']}"
    yield ""
    met = {True: "met", False: "missed", None: _UNKNOWN}[cost["is_met"]]
    yield (
        f"{exact_digits(cost['effective'])} amortised, {exact_digits(cost['billed'])} billed, over "
        f"{_n(cost['decisions'])} decisions: {cost['per_decision'] or _UNKNOWN} a decision, at "
        f"most {cost['target']} are asked for: {met}. Bills cover {_share(cost['covered_ratio'])}."
    )
    yield ""
    for title in ("provider", "host", "service"):
        yield from _table(
            (title, "amortised", "billed", "lines", "a decision"),
            [
                (each["name"] or "(not said)", exact_digits(each["effective"]),
                 exact_digits(each["billed"]), _n(each["lines"]), each["per_decision"] or _UNKNOWN)
                for each in cost[f"by_{title}"]
            ],
            "no bill",
        )  # fmt: skip


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], empty: str = "none"
) -> Iterator[str]:
    if rows:
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' * len(head)}"
        yield from (f"| {' | '.join(markdown_text(cell) for cell in row)} |" for row in rows)
    else:
        yield empty
    yield ""


def _n(value: int | None) -> str:
    return _UNKNOWN if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.2%}"


def _day(ns: int) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).date().isoformat()
