"""Pure: what in a review does not hold, is missing, or has to be known before it is believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dashboard.api.review.job import Review
from dashboard.units import counted, named, utc_iso

PROBLEM, WARNING, NOTE = "problem", "warning", "note"
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know."""

    id: str
    severity: str  # problem: a figure is wrong or unknown; warning; note
    text: str
    remedy: str  # "" where nothing is to be done


def findings(review: Review) -> list[Finding]:
    """Return every finding, the gravest first; the same of the same review."""
    unsorted = [
        *_coverage(review), *_ledger(review), *_nodes(review), *_channels(review),
        *_ranking(review), *_gate(review), *_experiments(review), *_costs(review),
    ]  # fmt: skip
    return sorted(unsorted, key=lambda each: (PROBLEM, WARNING, NOTE).index(each.severity))


def _coverage(review: Review) -> Iterator[Finding]:
    coverage = review.coverage
    if not review.is_over:
        yield Finding(
            "quarter-not-over", WARNING, f"{review.quarter} is not over: figures are so far", "wait"
        )
    if coverage.days_with_decisions < coverage.days:
        first = f"; the first is of {utc_iso(coverage.first_ns)[:10]}" if coverage.decisions else ""
        yield Finding(
            "days-without-decisions",
            PROBLEM if coverage.kept_days < coverage.days else WARNING,
            f"decisions are stored of {coverage.days_with_decisions} of {coverage.days} "
            f"days{first}; they are kept for {coverage.kept_days} days",
            "set retention.decisions_days to 185 or more, or export the review when the quarter "
            "ends" if coverage.kept_days < coverage.days else "",
        )  # fmt: skip
    if coverage.received_late or coverage.happened_late:
        yield Finding(
            "amended-since",
            NOTE,
            f"{counted(coverage.received_late, 'outcome')} of the quarter came after it, and "
            f"{coverage.happened_late:,} of its decisions happened after it; they are in the "
            "figures as far as the horizon goes",
            "",
        )


def _ledger(review: Review) -> Iterator[Finding]:
    without = [_day(day.day_ns) for day in review.ledger if day.ledger is None]
    if without:
        yield Finding(
            "ledger-missing", PROBLEM, f"no ledger, or no rate for it: {named(without)}",
            "millworth import ledger, millworth import rates",
        )  # fmt: skip
    differing = [
        day for day in review.ledger if day.difference is not None and abs(day.difference) >= _CENT
    ]
    if differing:
        gross = sum((abs(day.difference or Decimal(0)) for day in differing), Decimal(0))
        yield Finding(
            "ledger-differs",
            PROBLEM,
            f"ledger and outcomes differ on {len(differing)} days, by {gross:.2f} "
            f"{review.nodes.currency} without signs: "
            f"{named([_day(each.day_ns) for each in differing])}",
            "millworth reconcile",
        )
    if review.nodes.unknown_outcomes:
        yield Finding(
            "outcomes-unknown", PROBLEM,
            f"{review.nodes.unknown_outcomes:,} outcomes have no known amount and are in no sum",
            "send the amount; millworth import rates",
        )  # fmt: skip


def _nodes(review: Review) -> Iterator[Finding]:
    unmapped = review.nodes.unmapped
    if not review.nodes.nodes:
        yield Finding("no-nodes", WARNING, "no revenue node is declared: all is unmapped",
                      "[[attribution.nodes]]")  # fmt: skip
    elif unmapped.share:
        yield Finding(
            "unmapped", WARNING,
            f"{unmapped.share:.2%} of revenue is in no node ({unmapped.revenue:.2f} "
            f"{review.nodes.currency}; the share is without signs), "
            f"{unmapped.decisions:,} decisions",
            "[[attribution.nodes]]; millworth vram nodes lists the flows",
        )  # fmt: skip


def _channels(review: Review) -> Iterator[Finding]:
    for channel in review.channels.channels:
        name = channel.name or "(none)"
        horizon = next(line for line in channel.horizons if line.is_own)
        if not channel.kind:
            yield Finding("channel-kind", NOTE, f"channel {name}: nobody says whether it is paid "
                          "or owned", f"[channels.{channel.name or 'NAME'}] kind")  # fmt: skip
        if channel.acquisition_usd is None:
            yield Finding("channel-cost-unknown", WARNING, f"channel {name}: what was paid is "
                          f"unknown: {channel.acquisition_basis}", "")  # fmt: skip
        elif channel.acquisition_usd and not channel.decisions:
            yield Finding("channel-without-decisions", PROBLEM, f"channel {name}: "
                          f"{channel.acquisition_usd} {review.channels.currency} were paid, and no "
                          "decision names it", "spell it as decision.channel has it")  # fmt: skip
        left = horizon.after_acquisition_usd
        if left is not None and left < 0:
            yield Finding("channel-loses", WARNING, f"channel {name}: margin less what was paid is "
                          f"{left} {review.channels.currency} within {horizon.days} days",
                          "")  # fmt: skip
        if channel.decisions:
            yield Finding("channel-final", NOTE, f"channel {name}: its {horizon.days} days are "
                          f"final on {horizon.final_from}", "")  # fmt: skip
        if not horizon.is_kept:
            yield Finding("channel-horizon", WARNING, f"channel {name}: its {horizon.days} days "
                          "are longer than decisions are kept",
                          "retention.decisions_days")  # fmt: skip


def _ranking(review: Review) -> Iterator[Finding]:
    if not review.slope_is_identified:
        yield Finding(
            "slope-not-identified", WARNING,
            f"what a millisecond is worth rests on: {review.slope_basis}",
            "millworth vram slope proposes the experiment",
        )  # fmt: skip
    if review.ranking is None:
        yield Finding("ranking-refused", WARNING, review.ranking_refusal, "millworth vram slope")
        return
    for warning in review.ranking["lineage"]["warnings"]:
        if "outcomes.complete" in warning:
            yield Finding("outcomes-contradict", PROBLEM, warning, "outcomes.complete")
        else:
            yield Finding("amounts-missing", WARNING, warning, "millworth reconcile")
    for kind, what in (("unknown", "of unknown value"), ("unsampled", "too small for the sample")):
        names = [name or "(none)" for name in review.ranking[kind]]
        if names:
            yield Finding(f"ranking-{kind}", WARNING, f"{what}, in no figure: {named(names)}", "")


def _gate(review: Review) -> Iterator[Finding]:
    for ruled in review.gate:
        if ruled.ruling != "fund":
            yield Finding("gate-not-funded", NOTE, f"{ruled.option}: {ruled.ruling}"
                          f"{f': {ruled.reason}' if ruled.reason else ''}", "")  # fmt: skip
        elif not ruled.is_signed:
            yield Finding("gate-unsigned", WARNING, f"{ruled.option}: funded, and nobody signed "
                          f"verdict {ruled.sha256[:12]}", "millworth vram gate --key")  # fmt: skip


def _experiments(review: Review) -> Iterator[Finding]:
    for experiment in review.experiments:
        if experiment.is_disproved:
            yield Finding("experiment-disproved", PROBLEM, f"experiment {experiment.name}: "
                          "decisions did not fall into its arms as registered; it proves nothing",
                          f"millworth vram experiments report {experiment.name}")  # fmt: skip
        elif experiment.stop_reason:
            yield Finding("experiment-stopped", NOTE,
                          f"experiment {experiment.name}: {experiment.stop_reason}",
                          "")  # fmt: skip


def _costs(review: Review) -> Iterator[Finding]:
    cost = review.unit_cost
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


def _day(ns: int) -> str:
    return utc_iso(ns)[:10]
