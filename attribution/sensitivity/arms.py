"""Pure: what the arms of experiments say besides a line: does the effect bend, are outcomes lost.

Inside a cell the arms differ in nothing but their delay. So the outcomes that are known have to be
the same share of the decisions in every arm, and what an arm does beyond a line through all of them
is how the effect changes with the delay.

What is drawn is a unit in a minute, not a decision: so the arms have to make equally many decisions
of a draw, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from attribution.path.spans import Ints
from attribution.sensitivity.clusters import clustered, codes, left_out, spread, student_quantile
from attribution.sensitivity.sums import INJECTED, LATENCY, OUTCOME, CellSums, Floats

# What the arms leave open of the next ms, as a share of the effect, one standard deviation: so
# much whatever they are, and so much for each 100 ms by which their delays go beyond it. Where
# buyers give up at steps (`bench causal`), a line through 40 and 80 ms is off by a quarter.
_OPEN = 0.05
_OPEN_PER_100MS = 0.2
_FEWER = "the arms differ in more than their delay"
# Tests of what should not be: one sound estimate in a hundred is refused by each.
TEST_LEVEL = 0.99
# Outcomes that come less often when slow are a finding from this share of them per 100 ms on.
_LOST_PER_100MS = 0.01
# Minutes with a hit, of like weight, that are expected of the delayed: fewer, and that they have
# none is chance. What a batch does is one of them, however large it is.
_EXPECTED_MIN = 10.0
# Sales of which nobody knows the arm, of those that may be of a delayed decision.
_UNSURE_MAX = 0.05
# A delay that makes decisions fail, or be made again, is a finding from this part of what it costs,
# and the latter from this part of the error of that.
_FINDING_PART = 0.1
_ERROR_PART = 0.5


@dataclass(frozen=True, slots=True)
class Bend:
    """How the effect on the outcome changes with the delay: y = a z + b z^2 over the delay z."""

    per_ms2: float  # b, of the outcome
    se: float
    reach: float  # of the interval of b, to either side
    off: float  # by which share a line through the arms would be off where it begins
    allowed: float  # of that, what the interval of the line has anyway: `left_open`

    @property
    def is_seen(self) -> bool:
        """Return whether the bend is neither chance nor small."""
        return abs(self.per_ms2) > self.reach and self.off > self.allowed

    @property
    def reason(self) -> str:
        """Return in words what the arms say."""
        return (
            f"the effect of a ms changes by {200 * self.per_ms2:.3g} over 100 ms of delay (chance "
            f"reaches {200 * self.reach:.3g}), so that a line through the arms is off by "
            f"{self.off:.0%}: register shorter delays"
        )


@dataclass(frozen=True, slots=True)
class LostOutcomes:
    """Which share of the outcomes is known, and how it changes with delay and latency."""

    share: float
    by_delay_per_100ms: float  # change of the share
    by_latency_per_100ms: float
    reason: str  # why no slope may rest on what is left, "" where one may


def bend_of(rows: CellSums, level: float) -> Bend | None:
    """Return how the effect bends; None where no cell has three different delays."""
    if not rows.has_arms:
        return None
    z, minute, cell = rows.answers.delay_ms, codes(rows.minute), codes(rows.answers.cell)
    n, y = rows.n.astype(np.float64), rows.sums[:, OUTCOME]
    dz, dq = _deviations(cell, n, z), _deviations(cell, n, z**2)
    szz = float(n @ dz**2)
    if not szz:
        return None
    across = dq - float(n @ (dz * dq)) / szz * dz
    strength = n * across**2
    if float(strength.sum()) <= 1e-9 * float(n @ dq**2):
        return None
    slope = float(dz @ y) / szz
    b = float(across @ y) / float(strength.sum())
    mean_y = _cell_means(cell, n, y)
    # What a row adds beyond line and bend, its cell's mean taken off.
    residual = y - n * (mean_y + slope * dz + b * across)
    by_minute = np.bincount(minute, weights=strength)
    if (by_minute > 0).sum() < 2:
        return None
    influence = left_out(minute, across * residual, strength)
    se = clustered(influence)
    minutes = spread(minute, strength)
    half_width = student_quantile(0.5 + level / 2, max(minutes - 1, 1)) * se
    off = abs(_middle_ms(rows) * b / slope) if slope else math.inf
    return Bend(b, se, half_width, off, left_open(rows))


def left_open(rows: CellSums) -> float:
    """Return by which share the next ms may differ from a line through the arms: one deviation.

    Arms say what they delay by. What the first ms costs they do not say, the less the longer they
    are; and where nobody sees a bend, one may be there that the data are too few for. Of amounts
    that count as a limit the part beyond it is not seen: latency may take from none of it to twice
    the share that it takes of the rest, anything between being as likely.
    """
    return math.hypot(
        _OPEN + _OPEN_PER_100MS * _middle_ms(rows) / 100.0, rows.cut_off / math.sqrt(3.0)
    )


def latencies_ms(rows: CellSums) -> tuple[float, float] | None:
    """Return between which latencies delays were injected; None where there are no arms.

    From the mean without a delay less its standard deviation to the mean with the longest one more
    that, over decisions of experiments.
    """
    if not rows.has_arms:
        return None
    z, cell = rows.answers.delay_ms, codes(rows.answers.cell)
    delayed = np.isin(cell, cell[z > 0])
    ends = []
    for side, is_arm in ((-1, delayed & (z == 0)), (1, delayed & (z == z.max(initial=0.0)))):
        n = float(rows.n[is_arm].sum())
        if not n:
            return None
        mean = float(rows.sums[is_arm, LATENCY].sum()) / n
        square = float(rows.products[is_arm, LATENCY, LATENCY].sum()) / n
        ends.append(mean + side * math.sqrt(max(square - mean**2, 0.0)))
    return ends[0], ends[1]


def failing(rows: CellSums, lost_per_ms: float) -> tuple[str, bool]:
    """Return in words how a delay makes decisions fail, "" where it does not; or the control does.

    Args:
        rows: of the arms.
        lost_per_ms: share of the outcome that a ms of delay costs in all. A failing that is a small
            part of it changes nothing.

    What fails at a deadline bends: the next ms costs next to nothing, and the last one all. What
    fails without a delay fails for another reason, and its arm is not what the others would earn.
    """
    if not rows.has_arms:
        return "", False
    answers = rows.answers
    by_delay, half_width = _change(
        rows.minute, answers.cell, answers.delay_ms, answers.enrolled, answers.failed
    )
    if abs(by_delay) <= half_width or abs(by_delay) < _FINDING_PART * abs(lost_per_ms):
        return "", False
    if by_delay < 0:
        reason = (
            f"{_FEWER}: with 100 ms of delay {-100 * by_delay:.2%} fewer of the decisions fail "
            f"(chance reaches {100 * half_width:.2%}), as where the control runs other code or "
            "another instance; find why it fails, and register anew"
        )
        return reason, True
    reason = (
        f"with 100 ms of delay {100 * by_delay:.2%} more of the decisions fail (chance reaches "
        f"{100 * half_width:.2%}): they have a deadline, and a line says nothing of one; register "
        "delays that stay below it"
    )
    return reason, False


def decided_again(rows: CellSums, lost_per_ms: float, error_per_ms: float) -> str:
    """Return in words how a delay changes how many decisions units make, "" where it does not.

    People reload what is slow, clients ask again after a timeout, and who waits leaves before the
    next decision. What a decision earns is then another thing than what a delay costs: of visits
    that are reloaded, and of which none is lost, the decisions earn less.

    Args:
        rows: with the draws of their experiments.
        lost_per_ms: share of the outcome that a ms of delay costs in all.
        error_per_ms: one standard deviation of it. A change of the number that is a small part of
            either changes nothing.
    """
    draws = rows.draws
    if draws is None or not draws.again.any():
        return ""
    by_delay, half_width = _change(
        draws.minute, draws.cell, draws.delay_ms, draws.draws, draws.again
    )
    per_draw = 1 + float(draws.again.sum()) / float(draws.draws.sum())
    small = max(_FINDING_PART * abs(lost_per_ms), _ERROR_PART * error_per_ms)
    if abs(by_delay) <= half_width or abs(by_delay) / per_draw < small:
        return ""
    more = "more" if by_delay > 0 else "fewer"
    return (
        f"with 100 ms of delay the same units make {abs(100 * by_delay / per_draw):.1%} {more} "
        f"decisions in their minute (chance reaches {100 * half_width / per_draw:.1%}): they ask "
        "again, or leave, and what a decision earns says nothing of what that costs; register "
        "shorter delays, or give what is asked again no decision of its own"
    )


def missing_amounts(rows: CellSums) -> str:
    """Return in words how a delay makes amounts be missing, "" where it does not.

    Of the decisions that earned something those without a known amount are in no sum, and the ones
    that earned nothing are: where an arm has more of them, it seems to earn less.
    """
    answers = rows.answers
    if not rows.has_arms or not answers.unknown.any():
        return ""
    by_delay, half_width = _change(
        rows.minute, answers.cell, answers.delay_ms, answers.earning, answers.unknown
    )
    if abs(by_delay) <= half_width:
        return ""
    share = float(answers.unknown.sum() / answers.earning.sum())
    return (
        f"the amount is not known of {share:.1%} of what earned, and of {100 * by_delay:+.2%} with "
        f"100 ms of injected delay (chance reaches {100 * half_width:.2%}): "
        "what is left is another population; send amounts from a place that delays do not reach"
    )


def unsure_sales(rows: CellSums) -> str:
    """Return in words of how many sales nobody knows the arm, "" where these are few.

    A sale of a customer and a day is counted to the last decision of both, which was drawn anew:
    the more there are, the less an arm seems to do.
    """
    if not rows.has_arms or not rows.unsure:
        return ""
    answers = rows.answers
    share = rows.unsure / (rows.unsure + int(answers.earning[answers.delay_ms > 0].sum()))
    if share <= _UNSURE_MAX:
        return ""
    return (
        f"{rows.unsure:,} sales are of decisions in several arms, by a key and a whole day "
        f"({share:.0%} of those that may be of a delayed one): nobody knows which one sold, "
        "and arms seem alike; send decision.id with the sale, or its time to the second"
    )


def lost_outcomes(rows: CellSums) -> LostOutcomes | None:
    """Return how the share of known outcomes changes; None where all of them are known."""
    answers = rows.answers
    if not rows.has_arms or int(answers.answered.sum()) == int(answers.enrolled.sum()):
        return None
    minute, cell = codes(rows.minute), codes(answers.cell)
    n = answers.enrolled.astype(np.float64)
    share = float(answers.answered.sum() / n.sum())
    by_delay, delay_half_width = _change(
        rows.minute,
        answers.cell,
        answers.delay_ms,
        answers.enrolled,
        answers.enrolled - answers.answered,
    )
    by_delay = -by_delay
    # Of all decisions, in an experiment or not: their latency beyond that of their cell.
    mean_ms = _cell_means(cell, n, answers.enrolled_ms)
    square = np.maximum(rows.products[:, LATENCY, LATENCY], 0.0) * n / np.maximum(rows.n, 1)
    strength = np.maximum(square - n * mean_ms**2, 0.0)
    answered_share = _cell_means(cell, n, answers.answered.astype(np.float64))
    score = (answers.answered_ms - mean_ms * answers.answered) - answered_share * (
        answers.enrolled_ms - mean_ms * n
    )
    by_latency, latency_half_width = _line(minute, score, strength, strength)
    reason = ""
    if abs(by_delay) > delay_half_width:
        reason = (
            f"{share:.1%} of the outcomes are known, and {100 * by_delay:+.2%} with 100 ms of "
            f"injected delay (chance reaches {100 * delay_half_width:.2%}): what is left is "
            "another population; send outcomes from a place that delays do not reach"
        )
    elif (
        not rows.is_coarse
        and by_latency < -latency_half_width
        and -100 * by_latency > _LOST_PER_100MS * share
    ):
        reason = (
            f"{share:.1%} of the outcomes are known, and {100 * by_latency:+.2%} with 100 ms of "
            f"latency (chance reaches {100 * latency_half_width:.2%}): send outcomes from a "
            "place that latency does not reach"
        )
    return LostOutcomes(share, 100 * by_delay, 100 * by_latency, reason)


def _change(minute: Ints, cell: Ints, delay_ms: Floats, n: Ints, hits: Ints) -> tuple[float, float]:
    """Return by how much a share changes with the delay inside cells, and how far chance takes it.

    Args:
        minute: code of each row's minute, which is a cluster.
        cell: code of what is compared with nothing but itself.
        delay_ms: of the arm.
        n: of what hits are a share, or a rate.
        hits: of the row.
    """
    every = n.astype(np.float64)
    dz = _deviations(codes(cell), every, delay_ms)
    strength = every * dz**2
    # As if each were a cluster, too: a few hits that all came in the large arm seem never to vary.
    rate = float(hits.sum()) / max(float(every.sum()), 1.0)
    least = rate * max(1.0 - rate, 0.0)
    by_delay, half_width = _line(codes(minute), dz * hits, strength, strength, least)
    if by_delay < 0:
        each = np.bincount(codes(minute), weights=hits)
        alike = float(each.sum()) ** 2 / float(each @ each)
        if alike * float(every[dz > 0].sum()) < _EXPECTED_MIN * float(every.sum()):
            return by_delay, math.inf
    return by_delay, half_width


def _line(
    minute: Ints,
    moved: Floats,
    strength: Floats,
    weights: Floats,
    least: float = 0.0,
) -> tuple[float, float]:
    """Return a slope, and how far chance takes it; 0 and infinity where nothing varies.

    `least` is the variance of a single one.
    """
    total = float(strength.sum())
    if not total or len(np.unique(minute)) < 2:
        return 0.0, math.inf
    slope = float(moved.sum()) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        se = clustered(left_out(minute, moved - slope * strength, weights))
    se = max(se, math.sqrt(least / total))
    minutes = spread(minute, strength)
    half_width = student_quantile(0.5 + TEST_LEVEL / 2, max(minutes - 1, 1)) * se
    return slope, half_width if math.isfinite(half_width) else math.inf


def _middle_ms(rows: CellSums) -> float:
    """Return at which delay a curve of y = a z + b z^2 is as steep as a + b x this: sum zq / zz."""
    if rows.has_arms:
        z, cell = rows.answers.delay_ms, codes(rows.answers.cell)
        n = rows.n.astype(np.float64)
        dz, dq = _deviations(cell, n, z), _deviations(cell, n, z**2)
        szz = float(n @ dz**2)
        return float(n @ (dz * dq)) / szz if szz else 0.0
    # Of whole cells: the mean delay of the delayed, each weighed by its delay.
    total = float(rows.sums[:, INJECTED].sum())
    return float(rows.products[:, INJECTED, INJECTED].sum()) / total if total else 0.0


def _cell_means(cell: Ints, n: Floats, sums: Floats) -> Floats:
    """Return for each row the mean of its cell."""
    counts = np.bincount(cell, weights=n)
    means: Floats = (np.bincount(cell, weights=sums) / np.maximum(counts, 1e-300))[cell]
    return means


def _deviations(cell: Ints, n: Floats, values: Floats) -> Floats:
    """Return how far each row's value is from the mean of its cell's decisions."""
    return values - _cell_means(cell, n, n * values)
