"""Pure: what a millisecond of latency does to an outcome, from sums, or why that cannot be said.

Minute x region x cohort cells absorb what moves latency and intent together from outside. Inside a
cell only the delay that Millworth drew is known to be random, so what is shown rests on it alone:
the outcome's change with the delay over the latency's, as a share of what the cells earn in which a
delay varies. Errors are clustered by minute, and never below those of single decisions.

A line through the arms gives the mean effect of the delays injected. What the next millisecond does
differs from it as far as the effect bends; the interval that is shown has both the error of the
line and what the arms leave open of a bend. Where the arms show one, nothing is shown.

Large amounts count as a limit; what that leaves open is in the interval. The jitter of the back end
gives a second opinion, which is observational and used for nothing. Outcomes are in the caller's
unit, latency in ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from attribution.sensitivity.arms import (
    TEST_LEVEL,
    Bend,
    LostOutcomes,
    bend_of,
    decided_again,
    failing,
    latencies_ms,
    left_open,
    lost_outcomes,
    missing_amounts,
    unsure_sales,
)
from attribution.sensitivity.clusters import sequential_quantile, student_quantile
from attribution.sensitivity.instruments import Fit, Fits, Instrument, fits_of, relative
from attribution.sensitivity.power import at_most, multiplier
from attribution.sensitivity.sums import INJECTED, CellSums

# A clustered error of fewer minutes is not known well enough to weigh a cohort by: it is normal for
# the pooling, and with two to four minutes the intervals of such cohorts held the truth in 85 %.
POOLED_MINUTES_MIN = 10
_SAID_FROM = 0.005
# A millisecond that was injected and moves the latency by less, or by more, was not just waited.
_FIRST_STAGE_MIN, _FIRST_STAGE_MAX = 0.5, 2.0
_FIRST_STAGE_OFF = 0.05  # beyond it, and beyond chance, some waited and others did not


class Status(StrEnum):
    """Whether a slope may be shown."""

    IDENTIFIED = "identified"
    NOT_YET = "not yet identified"
    UNCONFIRMED = "not confirmed by a randomised delay"
    NOT_APPLIED = "the delay does not reach the latency"
    NOT_LINEAR = "the arms disagree with a line"
    LOST = "outcomes are lost more often when slow"
    DECIDED_AGAIN = "delays change how many decisions are made"
    UNSURE = "it is not known which decisions sold"
    UNEQUAL = "the control fails more often"


@dataclass(frozen=True, slots=True)
class Demands:
    """What has to hold before a slope is shown."""

    relative_per_ms: float  # smallest relative effect that must be seen, with a power of 80 %
    level: float = 0.95
    # Fewer clusters, and the clustered error itself is too uncertain (Cameron & Miller 2015). A
    # minute without an injected delay says nothing of what a delay does, and is none.
    minutes_min: int = 30
    # Above it the t-ratio of an instrument is not distorted (Lee et al., AER 2022).
    first_stage_f_min: float = 104.7


@dataclass(frozen=True, slots=True)
class SlopeEstimate:
    """One answer about one slope. `estimate` and its interval are None unless identified."""

    status: Status
    reason: str
    estimate: float | None  # change of the outcome by the next ms
    low: float | None
    high: float | None
    n: int
    minutes: int
    mean_outcome: float  # of the decisions that it was measured on, as the delays weigh them
    basis: str
    injection: Instrument | None  # the line through the arms; None where no delay varies
    next_ms: Instrument | None  # with what the arms leave open: what is shown, once it may be
    # The same with the interval that holds at every look but for one such experiment in a hundred;
    # None before `Demands.minutes_min`. What refuses the prior is looked at every hour.
    at_any_look: Instrument | None
    delay_max_ms: float
    # Mean latency without the delay less its standard deviation, and with the longest delay more
    # that: between them the effect was measured. None where there are no arms.
    latencies_ms: tuple[float, float] | None
    bend: Bend | None  # how the effect changes with the delay; None of one arm
    backend: Instrument | None  # second opinion, observational
    gap: float | None  # backend less injection
    gap_se: float | None
    lost: LostOutcomes | None  # None where every outcome is known
    # Share of the decisions that need not be had, since what their units bought before is known.
    saved: float
    decisions_needed: int | None  # further ones; None where more of the same would not help


def estimate_slope(rows: CellSums, basis: str, demands: Demands) -> SlopeEstimate:
    """Return the slope of the outcome on latency, or why there is none.

    Args:
        rows: of one population, whole minutes; one row an arm, or the tests of the arms are left
            out and the bend is all that it may be.
        basis: what the outcome is and where it comes from; printed beside the figure.
        demands: what has to hold.
    """
    cells = rows.cells()
    n, minutes = int(cells.n.sum()), len(np.unique(cells.minute))
    fits = fits_of(cells, demands.level, demands.minutes_min)
    mean = fits.mean_outcome
    bend, lost = bend_of(rows, demands.level), lost_outcomes(rows)
    next_ms, at_any_look = _next_ms(rows, fits, demands)
    against = _against(rows, bend, lost, fits, mean)
    status, reason, needed = _judge(fits, demands, against)
    saved = fits.injection.saved if fits.injection else 0.0
    if status in (Status.IDENTIFIED, Status.NOT_YET):
        reason += _footnote(saved, rows.cut_off)
    if status is Status.IDENTIFIED:
        reason += _reached(fits.injection)
    if status is Status.IDENTIFIED and rows.has_arms and bend is None:
        reason += "; of one delay it is assumed that the effect is a line"
    line = next_ms if status is Status.IDENTIFIED else None
    gap = fits.gap
    return SlopeEstimate(
        status=status,
        reason=reason,
        estimate=line.estimate if line else None,
        low=line.low if line else None,
        high=line.high if line else None,
        n=n,
        minutes=minutes,
        mean_outcome=mean,
        basis=basis,
        injection=fits.injection.line if fits.injection else None,
        next_ms=next_ms,
        at_any_look=at_any_look,
        delay_max_ms=_delay_max_ms(rows),
        latencies_ms=latencies_ms(rows),
        bend=bend,
        backend=fits.backend.line if fits.backend else None,
        gap=gap[0] if gap else None,
        gap_se=gap[1] if gap else None,
        lost=lost,
        saved=saved,
        decisions_needed=needed,
    )


def relative_slope(rows: CellSums, level: float = 0.95) -> Instrument | None:
    """Return the line through the arms as a share of the mean outcome, for pooling.

    Little is demanded of it: pooling is for what is weak by itself. None where no delay varies, or
    over fewer than POOLED_MINUTES_MIN, or nothing was earned. The mean's own error is left out: the
    slope's is some hundred times larger, relative to what each estimates. What the arms leave open
    (`arms.left_open`) is left out too: it is alike in all groups, and no mean of them takes it off.
    """
    cells = rows.cells()
    fits = fits_of(cells, level, POOLED_MINUTES_MIN)
    mean, injection = fits.mean_outcome, fits.injection
    if injection is None or injection.minutes < POOLED_MINUTES_MIN or injection.is_exact:
        return None
    return relative(injection.line, mean) if mean else None


def _next_ms(
    rows: CellSums, fits: Fits, demands: Demands
) -> tuple[Instrument | None, Instrument | None]:
    """Return the slope where the line through the arms begins, and with what holds at any look.

    The error of the line is another at each look. What the arms leave open is drawn once, and
    needs no more for looking again.
    """
    if fits.injection is None:
        return None, None
    line, minutes = fits.injection.line, fits.injection.minutes
    open_to = left_open(rows) * line.estimate

    def within(errors: float, deviations: float) -> Instrument:
        half_width = math.hypot(errors * line.se, deviations * open_to)
        low, high = line.estimate - half_width, line.estimate + half_width
        se = math.hypot(line.se, open_to)
        return Instrument(line.estimate, se, low, high, line.first_stage_f)

    once, tested = (
        student_quantile(0.5 + level / 2, max(minutes - 1, 1))
        for level in (demands.level, TEST_LEVEL)
    )
    if fits.delayed_minutes < demands.minutes_min:
        return within(once, once), None
    often = sequential_quantile(TEST_LEVEL, minutes, demands.minutes_min)
    return within(once, once), within(often, tested)


def _against(
    rows: CellSums, bend: Bend | None, lost: LostOutcomes | None, fits: Fits, mean: float
) -> tuple[Status, str] | None:
    """Return what in the arms themselves says that no figure may rest on them."""
    if lost is not None and lost.reason:
        return Status.LOST, lost.reason
    if missing := missing_amounts(rows):
        return Status.LOST, missing
    if unsure := unsure_sales(rows):
        return Status.UNSURE, unsure
    bent = (Status.NOT_LINEAR, bend.reason) if bend is not None and bend.is_seen else None
    if fits.injection is None or not mean:
        return bent
    share = fits.injection.first_stage / mean
    lost_per_ms = fits.injection.line.estimate * share
    if reason := decided_again(rows, lost_per_ms, abs(fits.injection.line.se * share)):
        return Status.DECIDED_AGAIN, reason
    reason, is_control = failing(rows, lost_per_ms)
    if is_control:
        return Status.UNEQUAL, reason
    return bent or ((Status.NOT_LINEAR, reason) if reason else None)


def _judge(
    fits: Fits,
    demands: Demands,
    against: tuple[Status, str] | None,
) -> tuple[Status, str, int | None]:
    """Return status, reason and how many more decisions are needed.

    Precision is judged by the error alone, never by the estimate: to show what is significant would
    show what is exaggerated. What is missing is decisions of minutes in which delays are drawn.
    """
    delayed, injection = fits.delayed_minutes, fits.injection
    n, mean = fits.delayed_decisions, fits.mean_outcome
    if not delayed:
        return Status.UNCONFIRMED, "no delay was injected at random in this window", None
    if delayed < demands.minutes_min:
        more = at_most(n * (demands.minutes_min / delayed - 1))
        reason = (
            f"injected delays amount to {delayed} full minutes, {demands.minutes_min} are needed; "
            f"about {more:,} more decisions needed"
        )
        return Status.NOT_YET, reason, more
    if mean == 0:
        return Status.NOT_YET, "no decision earned anything in this window", None
    if injection is None or injection.is_exact:
        reason = "latency or the outcome does not vary, or follows the other to the last digit"
        return Status.NOT_YET, reason, None
    if against is not None:
        return (*against, None)
    if injection.line.first_stage_f < demands.first_stage_f_min:
        ratio = demands.first_stage_f_min / max(injection.line.first_stage_f, 1e-9)
        more = at_most(n * (ratio - 1))
        reason = f"the delay hardly moves latency; {more:,} more decisions needed"
        return Status.NOT_YET, reason, more
    if not _FIRST_STAGE_MIN <= injection.first_stage <= _FIRST_STAGE_MAX:
        reason = (
            f"1 ms of delay moves the latency by {injection.first_stage:.2f} ms, where "
            f"{_FIRST_STAGE_MIN:g} to {_FIRST_STAGE_MAX:g} is a delay that was waited"
        )
        return Status.NOT_APPLIED, reason, None
    allowed = demands.relative_per_ms * abs(mean) / multiplier(demands.level)
    ratio = (injection.line.se / allowed) ** 2
    if ratio > 1:
        more = at_most(n * (ratio - 1))
        return Status.NOT_YET, f"{more:,} more decisions needed", more
    return Status.IDENTIFIED, "precise enough, by delays drawn at random alone", 0


def _footnote(saved: float, cut_off: float) -> str:
    """Return in words what was done to the outcomes, "" where it changes next to nothing."""
    note = ""
    if saved >= _SAID_FROM:
        note += f"; what units bought before takes off {saved:.1%} of the decisions needed"
    if cut_off >= _SAID_FROM:
        note += (
            f"; amounts above what one sale counts as are {cut_off:.1%} of the money, and left open"
        )
    return note


def _reached(injection: Fit | None) -> str:
    """Return in words that the delay moves the latency by less, or more, than itself."""
    if injection is None:
        return ""
    moved, deviations = injection.first_stage, student_quantile(0.975, injection.minutes)
    error = abs(moved) / math.sqrt(injection.line.first_stage_f)
    if abs(moved - 1) <= _FIRST_STAGE_OFF + deviations * error:
        return ""
    return (
        f"; 1 ms of delay moves the latency by {moved:.2f} ms: the effect is that of the decisions "
        "which the delay reached"
    )


def _delay_max_ms(rows: CellSums) -> float:
    if rows.has_arms:
        return float(rows.answers.delay_ms.max(initial=0.0))
    # Of whole cells the longest is not known; the mean delay of those that were delayed is less.
    total = float(rows.sums[:, INJECTED].sum())
    return float(rows.products[:, INJECTED, INJECTED].sum()) / total if total else 0.0
