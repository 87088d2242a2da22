"""Pure: which experiment would decide what a millisecond costs, and what that would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from attribution.core.config import ExperimentLimits
from attribution.core.money import currency
from attribution.sensitivity.estimate import Demands
from attribution.sensitivity.power import power_decisions
from attribution.sensitivity.registered import Arm, variance_ms2, with_control
from collector.core.times import NS_PER_MS

_CENT = Decimal("0.01")
# Longer, and what a line through the arms leaves open of the next ms grows.
_DELAY_MS = 80.0
# Of each of two arms, the mildest first.
_SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25)


OUTCOMES_CAME = "the last 24 h whose outcomes have come"
OUTCOMES_COME = "the last 24 h, whose outcomes may still come"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the decisions of a day earned."""

    n: int
    free: int  # of these, what is beyond the first of each cell, which is compared with nothing
    per_day: float
    outcome: str  # margin, revenue or converted
    mean: float  # of the outcome, the largest of which count as a limit
    variance: float  # ... within cells
    when: str  # which day
    whole: float = 1.0  # by so much larger the mean is without that limit

    @property
    def basis(self) -> str:
        """Return in words what it rests on."""
        return f"{self.outcome} of the {self.n:,} decisions of {self.when}"

    def needed(self, variance_delay_ms2: float, demands: Demands) -> int | None:
        """Return how many decisions see the effect of the prior with a power of 80 %."""
        if self.mean <= 0 or not variance_delay_ms2 or not self.free:
            return None
        effect = demands.relative_per_ms * self.mean
        # Of the delays too only what differs inside a cell says something.
        inside = variance_delay_ms2 * self.free / self.n
        return round(power_decisions(self.variance, effect, inside, demands.level))

    def cost_usd(
        self, arms: Sequence[Arm], decisions: float, per_ns: float | None
    ) -> Decimal | None:
        """Return what the delays cost at a relative loss per ns.

        None where the loss is unknown, or it is not money.
        """
        if per_ns is None or self.outcome == "converted" or not self.mean:
            return None
        share = sum(arm.share * per_ns * arm.delay_ms * NS_PER_MS for arm in arms)
        return Decimal(decisions * share * self.mean * self.whole).quantize(_CENT)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The mildest experiment that decides it within the window of the slope; None is unknown."""

    arms: tuple[Arm, ...]
    decisions_needed: int | None
    days: int  # as long as it lasts
    is_enough: bool  # at the decisions of the last day
    cost_usd: Decimal | None  # expected, at the median of the slope; None while that is unknown
    at_risk_usd: Decimal | None  # at its high end
    command: str
    reason: str  # what it rests on, or why it is not enough


def propose(
    traffic: Traffic,
    limits: ExperimentLimits,
    demands: Demands,
    *,
    days_max: int,
    per_ns: tuple[float | None, float],
) -> Proposal:
    """Return the experiment to register.

    Args:
        traffic: the decisions of the last day.
        limits: of this service.
        demands: what has to hold before a slope is shown.
        days_max: decisions older than that are in no estimate.
        per_ns: relative loss, as it is expected, None where that is unknown, and at most.
    """
    longest = min(_DELAY_MS, limits.delay_ms_max)
    days_max = int(min(days_max, limits.days_max))
    shares = [share for share in _SHARES if 2 * share <= limits.share_max] or [limits.share_max / 2]
    arms: tuple[Arm, ...] = ()
    needed, is_enough = None, False
    for share in shares:
        delayed = [Arm(f"slow{ms:g}", share, ms) for ms in (longest / 2, longest)]
        arms = with_control(delayed)
        needed = traffic.needed(variance_ms2(arms), demands)
        is_enough = needed is not None and needed <= traffic.per_day * days_max
        if is_enough:
            break
    days = days_max
    if is_enough and needed is not None:
        # Each weekday as often as the others.
        days = min(max(-(-int(needed / traffic.per_day + 1) // 7) * 7, 7), days_max)
    cost, risk = (traffic.cost_usd(arms, traffic.per_day * days, each) for each in per_ns)
    budget = currency() if risk is None else f"{max(risk, _CENT)}"
    options = " ".join(
        f"--arm {arm.name}={arm.share * 100:g}%:{arm.delay_ms:g}ms" for arm in arms if arm.delay_ms
    )
    return Proposal(
        arms=arms,
        decisions_needed=needed,
        days=days,
        is_enough=is_enough,
        cost_usd=cost,
        at_risk_usd=risk,
        command=f"millworth vram experiments register slope-1 {options} --budget {budget} "
        f"--lasts {days}d --owner YOU",
        reason=_reason(traffic, needed, days_max, is_enough=is_enough),
    )


def _reason(traffic: Traffic, needed: int | None, days_max: int, *, is_enough: bool) -> str:
    if needed is None:
        if traffic.mean > 0:
            return (
                "no two decisions are of one minute, region, cohort and action: nothing can be "
                "compared; send coarser cohorts"
            )
        return f"no decision of {traffic.when} earned anything that is known: send outcomes first"
    source = f"by the {traffic.basis}"
    if is_enough:
        return source
    # The error falls with the root of the decisions.
    factor = (needed / max(traffic.per_day * days_max, 1.0)) ** 0.5
    return (
        f"{source}; in {days_max} days they are too few: only an effect {factor:.2g} times as "
        "large as the prior's would be seen"
    )
