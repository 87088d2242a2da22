"""Pure: versions of the slope: what an estimate says, what is used, and from when on.

A version whose estimate is identified is used; one that is not falls back to the prior and says
what is missing. Each is in force from its instant on: the dollars of a second follow from the
version of that second, whenever they are computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from attribution.core.config import SlopePrior
from attribution.core.slo import Z90, Z95
from attribution.path.spans import Ints
from attribution.revenue.loss import Slope, Slopes, slope_of
from attribution.sensitivity.estimate import Instrument, SlopeEstimate, Status
from collector.core.clock import NS_PER_MS

ESTIMATE, PRIOR = "estimate", "prior"
# An estimate has a 95 % interval; what is used are the 5 % and the 95 % quantile.
_TO_90 = Z90 / Z95
# A version that moves the median by less than this share of its interval is no news.
_NEWS = 0.25
_NEEDED_NEWS = 0.1


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
    config_hash: str

    @property
    def slope(self) -> Slope:
        """Return what the dollars are computed with."""
        return Slope(self.median_per_ns, self.low_per_ns, self.high_per_ns)


def model_of(
    estimate: SlopeEstimate, prior: SlopePrior, outcome: str, window: tuple[int, int]
) -> SlopeModel:
    """Return what an estimate makes of a version; number and instants are left at 0.

    Args:
        estimate: of the change of the outcome per ms.
        prior: used where the estimate is not identified, or says that latency earns money.
        outcome: what was estimated on.
        window: of the data, in ns.
    """
    used, source, reason = slope_of(prior), PRIOR, estimate.reason
    mean = estimate.mean_outcome
    if estimate.status is Status.IDENTIFIED and estimate.estimate is not None and mean > 0:
        assert estimate.low is not None
        assert estimate.high is not None
        median = _per_ns(estimate.estimate, mean)
        if median > 0:
            # What loses least is the high end of the estimate, which is negative.
            low = median - (median - _per_ns(estimate.high, mean)) * _TO_90
            high = median + (_per_ns(estimate.low, mean) - median) * _TO_90
            used, source = Slope(median, max(low, 0.0), high), ESTIMATE
        else:
            reason = "the estimate says that slower decisions earn more; the prior is used"
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
        config_hash="",
    )


def is_news(fresh: SlopeModel, last: SlopeModel | None) -> bool:
    """Return whether a version differs from the last by what its readers would see."""
    if last is None or (fresh.source, fresh.status) != (last.source, last.status):
        return True
    if fresh.config_hash != last.config_hash or fresh.outcome != last.outcome:
        return True
    if fresh.source == PRIOR and _differ(fresh.decisions_needed, last.decisions_needed):
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
        before = slope_of(prior)
        used = [before, *(m.slope if m.source == ESTIMATE else before for m in self._models)]
        self._instants = np.array([model.effective_ns for model in self._models], np.int64)
        self._sources = [PRIOR, *(model.source for model in self._models)]
        self._columns = np.array([(each.median, each.low, each.high) for each in used])

    @property
    def last(self) -> SlopeModel | None:
        """Return the version in force from the latest instant on, None without any."""
        return self._models[-1] if self._models else None

    def slopes(self, instants_ns: Ints) -> Slopes:
        """Return the slope at each of these instants."""
        found = self._columns[self._at(instants_ns)]
        return Slopes(found[:, 0], found[:, 1], found[:, 2])

    def slope(self, instant_ns: int) -> Slope:
        """Return the slope at one instant."""
        return Slope(*self._columns[self._at(np.array([instant_ns]))[0]].tolist())

    def signed(self, instant_ns: int) -> Slope:
        """Return the slope at an instant with its 5 % quantile as it was estimated.

        What dollars are computed with has none below 0. How likely it is that a wait costs nothing
        is in that part, which is as far below the median as the 95 % quantile is above it.
        """
        used = self.slope(instant_ns)
        if used.low > 0 or self.in_force(instant_ns) is None:
            return used
        return replace(used, low=2 * used.median - used.high)

    def in_force(self, instant_ns: int) -> SlopeModel | None:
        """Return the estimate that is used at an instant, None where that is the prior."""
        place = int(self._at(np.array([instant_ns]))[0])
        return None if self._sources[place] == PRIOR else self._models[place - 1]

    def told(self, instant_ns: int, prior_basis: str) -> str:
        """Return in words what the dollars of an instant rest on."""
        model = self.in_force(instant_ns)
        if model is None:
            return prior_basis
        return (
            f"slope version {model.version}, estimated on the {model.outcome} of "
            f"{model.decisions:,} decisions of your own"
        )

    def sources(self, instants_ns: Ints) -> list[str]:
        """Return what the dollars of each of these instants rest on."""
        return [self._sources[each] for each in self._at(instants_ns).tolist()]

    def _at(self, instants_ns: Ints) -> Ints:
        """Return the place in `_columns`: 0 before the first version."""
        return np.searchsorted(self._instants, instants_ns, side="right")


def _per_ns(change_per_ms: float, mean: float) -> float:
    """Return the relative loss per ns of a change per ms; a loss is positive."""
    return -change_per_ms / mean / NS_PER_MS


def _relative(instrument: Instrument | None, mean: float) -> float | None:
    return None if instrument is None or not mean else instrument.estimate / mean


def _relative_se(instrument: Instrument | None, mean: float) -> float | None:
    if instrument is None or not mean or not math.isfinite(instrument.se):
        return None
    return instrument.se / abs(mean)
