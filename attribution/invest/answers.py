"""Pure: investments beside each other; `/api/v1` and the command say it as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from attribution.invest.gate import Evidence
from attribution.invest.npv import (
    Draws,
    Option,
    PresentValues,
    Range,
    Swing,
    draws,
    present_values,
    tornado,
)
from collector.core.times import NS_PER_DAY


@dataclass(frozen=True, slots=True)
class Compared:
    """One option with all that is said about it."""

    name: str
    basis: str  # what its gain rests on
    told: str  # the same in words: source, slope, or what is missing
    gain_usd_per_quarter: Range
    values: PresentValues
    draws: Draws
    tornado: list[Swing]  # the widest first
    sign_turns_on: list[str]  # inputs that alone can make the net present value negative, or not


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every option, the highest net present value first."""

    rate: Decimal
    years: int
    options: list[Compared]
    nothing_is_best_ratio: float  # of the draws in which no option is worth its cost


def compare_options(
    options: Sequence[tuple[Option, Evidence]], rate: Decimal, years: int, seed: int
) -> Comparison:
    """Compare options over one horizon."""
    drawn = draws([option for option, _ in options], rate, seed=seed)
    rows = []
    for (option, evidence), option_draws in zip(options, drawn, strict=True):
        swings = tornado(option, rate)
        rows.append(
            Compared(
                name=option.name,
                basis=str(evidence.basis),
                told=_evidence_text(evidence),
                gain_usd_per_quarter=option.gain,
                values=present_values(option, rate),
                draws=option_draws,
                tornado=swings,
                sign_turns_on=[s.name for s in swings if (s.at_low < 0) != (s.at_high < 0)],
            )
        )
    nothing = 1.0 - sum(each.best_ratio for each in drawn)
    rows.sort(key=lambda row: (-row.values.npv, row.name))
    return Comparison(rate, years, rows, max(0.0, nothing))


def _evidence_text(evidence: Evidence) -> str:
    """Return what a gain rests on, and from how little it was scaled up."""
    scaled = ""
    if evidence.replayed is not None:
        days = (evidence.replayed.to_ns - evidence.replayed.from_ns) / NS_PER_DAY
        scaled = (
            f"; scaled to a quarter from {evidence.replayed.decisions:,} decisions of a window of "
            f"{days:.3g} days"
        )
    if evidence.reason:
        missing = evidence.decisions_missing
        missing_text = f"; {missing:,} more decisions are needed" if missing else ""
        return f"{evidence.reason}{missing_text}{scaled}"
    if evidence.replayed is not None:
        return f"{evidence.replayed.slope}{scaled}"
    return evidence.source or "stated in the file, without a source"
