"""Pure: versions of the slope: what an estimate says, what is used, and from when on.

A version whose estimate is identified is used; one that is not falls back to the prior and says
what is missing. Where an experiment of one's own contradicts the prior, neither is used: what
lateness costs is unknown until the experiment is precise enough. Each version is in force from its
instant on: the dollars of a second follow from the version of that second, whenever they are
computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from attribution.core.config import SlopePrior
from attribution.core.slo import Z90, Z95
from attribution.path.spans import Ints
from attribution.revenue.loss import (
    Slope,
    Slopes,
    slope_of,
)
from attribution.sensitivity.estimate import SlopeEstimate, Status
from attribution.sensitivity.instruments import Instrument, relative
from collector.core.times import NS_PER_MS, NS_PER_S

ESTIMATE, PRIOR, UNKNOWN = "estimate", "prior", "unknown"
# An estimate has a 95 % interval; what is used are the 5 % and the 95 % quantile.
_TO_90 = Z90 / Z95
# A version that moves the median by less than this share of its interval is no news.
_NEWS = 0.25
_NEEDED_NEWS = 0.1
_EARNS_NOTHING = (
    "the decisions it was measured on cost more than they earn, and there is no share of that to "
    "lose: the prior is used"
)
# These say nothing of the effect, neither for the prior nor against it.
_UNUSABLE = (
    Status.UNCONFIRMED, Status.NOT_APPLIED, Status.LOST, Status.DECIDED_AGAIN, Status.UNSURE,
    Status.UNEQUAL,
)  # fmt: skip
# More of the same decisions would mend none of these.
_REFUSED = (
    Status.NOT_APPLIED, Status.NOT_LINEAR, Status.LOST, Status.DECIDED_AGAIN, Status.UNSURE,
    Status.UNEQUAL,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SlopeModel:
    """One version, as in the table `slope_models`."""

    version: int
    effective_ns: int
    computed_ns: int
    from_ns: int
    to_ns: int
    source: str
    status: str
    reason: str
    outcome: str
    decisions: int
    minutes: int
    decisions_needed: int | None
    mean_outcome: float
    median_per_ns: float
    low_per_ns: float
    high_per_ns: float
    backend_per_ms: float | None
    backend_se: float | None
    injection_per_ms: float | None
    injection_se: float | None
    delay_max_ns: int  # the longest delay of an arm
    latency_low_ns: int  # between these two latencies the effect was measured; 0 where none was
    latency_high_ns: int
    not_randomised: int  # decisions whose delay Millworth did not draw: in no figure
    experiments: list[str]  # that it rests on
    config_hash: str

    @property
    def is_refused(self) -> bool:
        """Return whether the arms speak against any slope: another experiment like it would too."""
        return self.status in _REFUSED

    @property
    def measured_ms(self) -> tuple[float, float] | None:
        """Return between which mean latencies the effect was measured; None where it was not."""
        if not self.latency_high_ns:
            return None
        return self.latency_low_ns / NS_PER_MS, self.latency_high_ns / NS_PER_MS

    @property
    def slope(self) -> Slope:
        """Return what the dollars are computed with: no loss is below 0."""
        return _no_gain(Slope(self.median_per_ns, self.low_per_ns, self.high_per_ns))


def unmeasured(measured_ms: tuple[float, float] | None, before_ms: float, after_ms: float) -> str:
    """Return in words that what a change of the mean latency does was not measured, "" if it was.

    Args:
        measured_ms: between which mean latencies it was; None where nobody says.
        before_ms: the mean as it is.
        after_ms: with the change.
    """
    if measured_ms is None or measured_ms[0] <= after_ms <= measured_ms[1]:
        return ""
    low_ms, high_ms = measured_ms
    return (
        f"the mean latency would go from {before_ms:.3g} to {after_ms:.3g} ms, and what a ms does "
        f"was measured between {low_ms:.3g} and {high_ms:.3g} ms: beyond that it may do nothing"
    )


def model_of(
    estimate: SlopeEstimate, prior: SlopePrior, outcome: str, window: tuple[int, int]
) -> SlopeModel:
    """Return what an estimate makes of a version; number and instants are left at 0.

    Args:
        estimate: of the change of the outcome per ms.
        prior: used where the estimate is not identified, and nothing speaks against it.
        outcome: what was estimated on.
        window: of the data, in ns.
    """
    mean = estimate.mean_outcome
    used, source, reason = _used(estimate, prior, mean)
    low_ms, high_ms = estimate.latencies_ms or (0.0, 0.0)
    return SlopeModel(
        version=0,
        effective_ns=0,
        computed_ns=0,
        from_ns=window[0],
        to_ns=window[1],
        source=source,
        status=str(estimate.status),
        reason=reason,
        outcome=outcome,
        decisions=estimate.n,
        minutes=estimate.minutes,
        decisions_needed=estimate.decisions_needed,
        mean_outcome=mean,
        median_per_ns=float(used.median),
        low_per_ns=float(used.low),
        high_per_ns=float(used.high),
        backend_per_ms=_relative(estimate.backend, mean),
        backend_se=_relative_se(estimate.backend, mean),
        injection_per_ms=_relative(estimate.injection, mean),
        injection_se=_relative_se(estimate.injection, mean),
        delay_max_ns=round(estimate.delay_max_ms * NS_PER_MS),
        latency_low_ns=max(round(low_ms * NS_PER_MS), 0),
        latency_high_ns=max(round(high_ms * NS_PER_MS), 0),
        not_randomised=0,
        experiments=[],
        config_hash="",
    )


def _used(estimate: SlopeEstimate, prior: SlopePrior, mean: float) -> tuple[Slope, str, str]:
    """Return the slope that is used, with its source and the reason.

    What refuses the prior is looked at every hour, so that it has to hold at any look.
    """
    fallback, sure = slope_of(prior), estimate.at_any_look
    if mean < 0:
        return fallback, PRIOR, f"{estimate.reason}; {_EARNS_NOTHING}"
    if sure is None or mean == 0 or estimate.status in _UNUSABLE:
        return fallback, PRIOR, estimate.reason
    slope, (_, low, high) = own_slope(estimate), _ends(sure, mean)
    range_text = f"{_per_100ms(low)} to {_per_100ms(high)} of the value per 100 ms"
    if high <= 0:
        return (
            slope,
            UNKNOWN,
            f"slower decisions earn more, {range_text}: find out why before it is used",
        )
    if estimate.status is Status.IDENTIFIED:
        return slope, ESTIMATE, estimate.reason
    if not low <= fallback.median <= high:
        reason = (
            f"{estimate.reason}; your own experiment says {range_text}, which the prior of "
            f"{_per_100ms(float(fallback.median))} contradicts: it is not used"
        )
        return slope, UNKNOWN, reason
    return fallback, PRIOR, estimate.reason


def own_slope(estimate: SlopeEstimate) -> Slope:
    """Return what an estimate says, shown or not: its low end below 0 where a wait may earn money.

    Of one with `next_ms`, and a mean outcome above 0.
    """
    assert estimate.next_ms is not None
    median, low, high = _ends(estimate.next_ms, estimate.mean_outcome)
    return Slope(median, median + (low - median) * _TO_90, median + (high - median) * _TO_90)


def _ends(next_ms: Instrument, mean: float) -> tuple[float, float, float]:
    """Return the relative loss per ns, and the ends of its interval."""
    line = relative(next_ms, mean)
    # What loses least is the high end of the estimate, which is negative.
    return -line.estimate / NS_PER_MS, -line.high / NS_PER_MS, -line.low / NS_PER_MS


def _per_100ms(per_ns: float) -> str:
    """Return in words which share of the value another 100 ms lose."""
    return f"{-math.expm1(-per_ns * 100 * NS_PER_MS):.3%}"


def is_news(fresh: SlopeModel, last: SlopeModel | None) -> bool:
    """Return whether a version differs from the last by what its readers would see."""
    if last is None or (fresh.source, fresh.status) != (last.source, last.status):
        return True
    if fresh.config_hash != last.config_hash or fresh.outcome != last.outcome:
        return True
    if fresh.source != ESTIMATE and _differ(fresh.decisions_needed, last.decisions_needed):
        return True
    width = last.high_per_ns - last.low_per_ns
    moved = abs(fresh.median_per_ns - last.median_per_ns)
    narrower = (fresh.high_per_ns - fresh.low_per_ns) < (1 - _NEWS) * width
    return moved > _NEWS * width or (fresh.source == ESTIMATE and narrower)


def _differ(fresh: int | None, last: int | None) -> bool:
    """Return whether what is missing changed by a tenth: whoever is refused is told the number."""
    if fresh is None or last is None:
        return fresh is not last
    return abs(fresh - last) > _NEEDED_NEWS * last


def numbered(fresh: SlopeModel, last: SlopeModel | None, now_ns: int) -> SlopeModel:
    """Return a version ready to be stored, in force from now on."""
    version = 1 if last is None else last.version + 1
    return replace(fresh, version=version, effective_ns=now_ns, computed_ns=now_ns)


class SlopeBook:
    """Which slope the decisions of an instant are valued by.

    What was the prior then is the prior of now: a corrected setting corrects the past too.
    """

    def __init__(self, models: Sequence[SlopeModel], prior: SlopePrior) -> None:
        self._models = sorted(models, key=lambda model: (model.effective_ns, model.version))
        self._prior = slope_of(prior)
        used = [self._prior, *(_BY_SOURCE[m.source](m, self._prior) for m in self._models)]
        self._instants = np.array([model.effective_ns for model in self._models], np.int64)
        self._sources = [PRIOR, *(model.source for model in self._models)]
        self._columns = np.array([(each.median, each.low, each.high) for each in used])

    @property
    def last(self) -> SlopeModel | None:
        """Return the version in force from the latest instant on, None without any."""
        return self._models[-1] if self._models else None

    @property
    def identified(self) -> SlopeModel | None:
        """Return the newest version that was estimated, in force or not; None without any."""
        models = [model for model in self._models if model.source == ESTIMATE]
        return models[-1] if models else None

    def slopes(self, instants_ns: Ints) -> Slopes:
        """Return the slope at each of these instants."""
        columns = self._columns[self._at(instants_ns)]
        return Slopes(columns[:, 0], columns[:, 1], columns[:, 2])

    def slope(self, instant_ns: int) -> Slope:
        """Return the slope at one instant."""
        return Slope(*self._columns[self._at(np.array([instant_ns]))[0]].tolist())

    def steps(self, from_ns: int, to_ns: int) -> list[tuple[int, Slope]]:
        """Return each slope of a range with the instant from which it is in force, in order.

        The first is that of the begin of the range, and said to be in force since ever.
        """
        changes = [
            instant_ns for instant_ns in self._instants.tolist() if from_ns < instant_ns < to_ns
        ]
        return [
            (instant_ns, self.slope(instant_ns or from_ns))
            for instant_ns in (0, *sorted(set(changes)))
        ]

    def parameters(self, from_ns: int, to_ns: int) -> dict[str, object]:
        """Return the parameters of the statements that say what decisions of a range lost.

        A decision is valued by the slope of its second, which may begin before the range.
        """
        begin_ns = from_ns - from_ns % NS_PER_S
        steps = self.steps(begin_ns, to_ns)
        return {
            "slope_unknown": [
                int(self._is_unknown(instant_ns or begin_ns)) for instant_ns, _ in steps
            ],
            "slope_since_ns": [since_ns for since_ns, _ in steps],
            "slope_median": [slope.median for _, slope in steps],
            "slope_low": [slope.low for _, slope in steps],
            "slope_high": [slope.high for _, slope in steps],
        }

    def signed(self, instant_ns: int) -> Slope:
        """Return the slope at an instant as it was estimated, where a wait may earn money.

        What dollars are computed with has no end below 0. How likely it is that a wait costs
        nothing is in that part.
        """
        model = self.in_force(instant_ns)
        if model is None:
            return self.slope(instant_ns)
        return Slope(model.median_per_ns, model.low_per_ns, model.high_per_ns)

    def cautious(self, instant_ns: int) -> float:
        """Return the largest loss per ns that an instant leaves possible: what a delay may cost."""
        place = int(self._at(np.array([instant_ns]))[0])
        high = float(self._columns[place][2])
        if self._sources[place] != UNKNOWN:
            return high
        return max(float(self._prior.high), self._models[place - 1].high_per_ns)

    def in_force(self, instant_ns: int) -> SlopeModel | None:
        """Return the estimate that is used at an instant, None where there is none."""
        place = int(self._at(np.array([instant_ns]))[0])
        return self._models[place - 1] if self._sources[place] == ESTIMATE else None

    def refusal(self, instant_ns: int) -> str:
        """Return why what lateness costs is unknown at an instant, "" where it is not."""
        place = int(self._at(np.array([instant_ns]))[0])
        return self._models[place - 1].reason if self._sources[place] == UNKNOWN else ""

    def basis(self, instant_ns: int, prior_basis: str) -> str:
        """Return in words what the dollars of an instant rest on."""
        refusal = self.refusal(instant_ns)
        if refusal:
            return f"unknown, lateness is in no figure: {refusal}"
        model = self.in_force(instant_ns)
        if model is None:
            return prior_basis
        return (
            f"slope version {model.version}, estimated on the {model.outcome} of "
            f"{model.decisions:,} decisions of your own, delayed at random by up to "
            f"{model.delay_max_ns / NS_PER_MS:g} ms"
        )

    def sources(self, instants_ns: Ints) -> list[str]:
        """Return what the dollars of each of these instants rest on."""
        return [self._sources[each] for each in self._at(instants_ns).tolist()]

    def _is_unknown(self, instant_ns: int) -> bool:
        return self.sources(np.array([instant_ns])) == [UNKNOWN]

    def _at(self, instants_ns: Ints) -> Ints:
        """Return the place in `_columns`: 0 before the first version."""
        return np.searchsorted(self._instants, instants_ns, side="right")


def _no_gain(slope: Slope) -> Slope:
    return Slope(*(max(each, 0.0) for each in (slope.median, slope.low, slope.high)))


# What an unknown slope makes of lateness is nothing, and `sources` says so.
_BY_SOURCE: Mapping[str, Callable[[SlopeModel, Slope], Slope]] = {
    ESTIMATE: lambda model, _: model.slope,
    PRIOR: lambda _, prior: prior,
    UNKNOWN: lambda _, __: Slope(0.0, 0.0, 0.0),
}


def _relative(instrument: Instrument | None, mean: float) -> float | None:
    return None if instrument is None or not mean else instrument.estimate / mean


def _relative_se(instrument: Instrument | None, mean: float) -> float | None:
    if instrument is None or not mean or not math.isfinite(instrument.se):
        return None
    return instrument.se / abs(mean)
