"""Pure: what in a review does not hold, is missing, or has to be known before it is believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dashboard.api.review.job import Review
from dashboard.units import counted, utc_iso

PROBLEM, WARNING, NOTE = "problem", "warning", "note"
_CENT = Decimal("0.01")
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know."""

    id: str
    severity: str  # problem: a figure is wrong or unknown; warning; note
    text: str
    remedy: str  # "" where nothing is to be done


def findings(of: Review) -> list[Finding]:
    """Return every finding, the gravest first; the same of the same review."""
    found = [
        *_coverage(of), *_ledger(of), *_nodes(of), *_channels(of), *_ranking(of), *_gate(of),
        *_experiments(of), *_costs(of),
    ]  # fmt: skip
    return sorted(found, key=lambda each: (PROBLEM, WARNING, NOTE).index(each.severity))


def _coverage(of: Review) -> Iterator[Finding]:
    own = of.coverage
    if not of.is_over:
        yield Finding(
            "quarter-not-over", WARNING, f"{of.quarter} is not over: figures are so far", "wait"
        )
    if own.days_with_decisions < own.days:
        first = f"; the first is of {utc_iso(own.first_ns)[:10]}" if own.decisions else ""
        yield Finding(
            "days-without-decisions",
            PROBLEM if own.kept_days < own.days else WARNING,
            f"decisions are stored of {own.days_with_decisions} of {own.days} days{first}; they "
            f"are kept for {own.kept_days} days",
            "set retention.decisions_days to 185 or more, or export the review when the quarter "
            "ends" if own.kept_days < own.days else "",
        )  # fmt: skip
    if own.received_late or own.happened_late:
        yield Finding(
            "amended-since",
            NOTE,
            f"{counted(own.received_late, 'outcome')} of the quarter came after it, and "
            f"{own.happened_late:,} of its decisions happened after it; they are in the figures "
            "as far as the horizon goes",
            "",
        )


def _ledger(of: Review) -> Iterator[Finding]:
    without = [_day(each.day_ns) for each in of.ledger if each.ledger is None]
    if without:
        yield Finding(
            "ledger-missing", PROBLEM, f"no ledger, or no rate for it: {_listed(without)}",
            "millworth import ledger, millworth import rates",
        )  # fmt: skip
    differing = [
        each for each in of.ledger if each.difference is not None and abs(each.difference) >= _CENT
    ]
    if differing:
        gross = sum((abs(each.difference or Decimal(0)) for each in differing), Decimal(0))
        yield Finding(
            "ledger-differs",
            PROBLEM,
            f"ledger and outcomes differ on {len(differing)} days, by {gross:.2f} "
            f"{of.nodes.currency} without signs: {_listed([_day(x.day_ns) for x in differing])}",
            "millworth reconcile",
        )
    if of.nodes.unknown_outcomes:
        yield Finding(
            "outcomes-unknown", PROBLEM,
            f"{of.nodes.unknown_outcomes:,} outcomes have no known amount and are in no sum",
            "send the amount; millworth import rates",
        )  # fmt: skip


def _nodes(of: Review) -> Iterator[Finding]:
    unmapped = of.nodes.unmapped
    if not of.nodes.nodes:
        yield Finding("no-nodes", WARNING, "no revenue node is declared: all is unmapped",
                      "[[attribution.nodes]]")  # fmt: skip
    elif unmapped.share:
        yield Finding(
            "unmapped", WARNING,
            f"{unmapped.share:.2%} of revenue is in no node ({unmapped.revenue:.2f} "
            f"{of.nodes.currency}; the share is without signs), {unmapped.decisions:,} decisions",
            "[[attribution.nodes]]; millworth vram nodes lists the flows",
        )  # fmt: skip


def _channels(of: Review) -> Iterator[Finding]:
    for each in of.channels.channels:
        name = each.name or "(none)"
        own = next(line for line in each.horizons if line.is_own)
        if not each.kind:
            yield Finding("channel-kind", NOTE, f"channel {name}: nobody says whether it is paid "
                          "or owned", f"[channels.{each.name or 'NAME'}] kind")  # fmt: skip
        if each.acquisition_usd is None:
            yield Finding("channel-cost-unknown", WARNING, f"channel {name}: what was paid is "
                          f"unknown: {each.acquisition_basis}", "")  # fmt: skip
        elif each.acquisition_usd and not each.decisions:
            yield Finding("channel-without-decisions", PROBLEM, f"channel {name}: "
                          f"{each.acquisition_usd} {of.channels.currency} were paid, and no "
                          "decision names it", "spell it as decision.channel has it")  # fmt: skip
        left = own.after_acquisition_usd
        if left is not None and left < 0:
            yield Finding("channel-loses", WARNING, f"channel {name}: margin less what was paid is "
                          f"{left} {of.channels.currency} within {own.days} days", "")  # fmt: skip
        if each.decisions:
            yield Finding("channel-final", NOTE, f"channel {name}: its {own.days} days are final "
                          f"on {own.final_from}", "")  # fmt: skip
        if not own.is_kept:
            yield Finding("channel-horizon", WARNING, f"channel {name}: its {own.days} days are "
                          "longer than decisions are kept", "retention.decisions_days")  # fmt: skip


def _ranking(of: Review) -> Iterator[Finding]:
    if not of.slope_is_identified:
        yield Finding(
            "slope-not-identified", WARNING,
            f"what a millisecond is worth rests on: {of.slope_basis}",
            "millworth vram slope proposes the experiment",
        )  # fmt: skip
    if of.ranking is None:
        yield Finding("ranking-refused", WARNING, of.ranking_refusal, "millworth vram slope")
        return
    for warning in of.ranking["lineage"]["warnings"]:
        if "outcomes.complete" in warning:
            yield Finding("outcomes-contradict", PROBLEM, warning, "outcomes.complete")
        else:
            yield Finding("amounts-missing", WARNING, warning, "millworth reconcile")
    for kind, what in (("unknown", "of unknown value"), ("unsampled", "too small for the sample")):
        names = [name or "(none)" for name in of.ranking[kind]]
        if names:
            yield Finding(f"ranking-{kind}", WARNING, f"{what}, in no figure: {_listed(names)}", "")


def _gate(of: Review) -> Iterator[Finding]:
    for each in of.gate:
        if each.ruling != "fund":
            yield Finding("gate-not-funded", NOTE, f"{each.option}: {each.ruling}"
                          f"{f': {each.reason}' if each.reason else ''}", "")  # fmt: skip
        elif not each.is_signed:
            yield Finding("gate-unsigned", WARNING, f"{each.option}: funded, and nobody signed "
                          f"verdict {each.sha256[:12]}", "millworth vram gate --key")  # fmt: skip


def _experiments(of: Review) -> Iterator[Finding]:
    for each in of.experiments:
        if each.is_disproved:
            yield Finding("experiment-disproved", PROBLEM, f"experiment {each.name}: decisions "
                          "did not fall into its arms as registered; it proves nothing",
                          f"millworth vram experiments report {each.name}")  # fmt: skip
        elif each.stop_reason:
            yield Finding("experiment-stopped", NOTE,
                          f"experiment {each.name}: {each.stop_reason}", "")  # fmt: skip


def _costs(of: Review) -> Iterator[Finding]:
    cost = of.unit_cost
    if cost.per_decision is None:
        yield Finding("unit-cost-unknown", PROBLEM, "what a decision cost is unknown: no bill, no "
                      "decision, or no rate", "millworth import costs; import rates")  # fmt: skip
    if cost.is_met is False:
        yield Finding("unit-cost-missed", WARNING, f"a decision cost {cost.per_decision} "
                      f"{cost.currency}, at most {cost.target} are asked for", "")  # fmt: skip
    if 0 < cost.covered_ratio < 1:
        yield Finding("bills-cover-a-part", WARNING, f"bills cover {cost.covered_ratio:.1%} of the "
                      "quarter; the rest is in no unit cost", "millworth import costs")  # fmt: skip
    for each in cost.rates_missing:
        yield Finding("bill-without-a-rate", PROBLEM, f"{each.lines:,} lines of bills in "
                      f"{each.currency} have no rate", "millworth import rates")  # fmt: skip
    unnamed = next((each for each in cost.by_provider if not each.name), None)
    if unnamed is not None and unnamed.lines:
        yield Finding("bill-without-a-provider", NOTE, f"{unnamed.lines:,} lines of bills name no "
                      "provider", "export them as FOCUS 1.0 or later")  # fmt: skip


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if
                                         len(names) > _LISTED else "")  # fmt: skip


def _day(ns: int) -> str:
    return utc_iso(ns)[:10]
