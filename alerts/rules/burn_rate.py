"""Pure: the arithmetic of the dollar burn: a rule over two windows of one class of decisions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from alerts.rows import UNKNOWN
from alerts.rules.base import Cost, DecisionRuleConfig, duration_text
from alerts.state.transitions import Status
from collector.core.intervals import Z90

_S_PER_DAY = 86_400
_S_PER_H = 3_600
_MICRO_USD = Decimal("0.000001")
_ZERO = Decimal(0)


class DollarBurnConfig(DecisionRuleConfig):
    """Burn of a dollar budget over two windows: both have to burn, so that an alert also ends."""

    kind: Literal["dollar_burn"] = Field(default="dollar_burn", description="Kind of the rule")
    budget_usd: float = Field(gt=0, description="Loss allowed in budget_days")
    budget_days: float = Field(default=30.0, gt=0, description="Time that the budget is for")
    long_window_s: int = Field(gt=0, description="Window that has to burn")
    short_window_s: int = Field(gt=0, description="... and the window that has to burn still")
    budget_share: float = Field(
        gt=0, le=1, description="Share of the budget lost in the long window at which it fires"
    )
    events_min: float = Field(
        default=8.0, ge=1, description="Effective number of losing decisions, (sum l)^2 / sum l^2"
    )
    confidence_z: float = Field(
        default=1.645, ge=0, description="The lower bound at this z has to exceed the threshold"
    )

    @model_validator(mode="after")
    def _short_is_shorter(self) -> Self:
        if self.short_window_s >= self.long_window_s:
            raise ValueError(
                f"rule {self.name}: short_window_s {self.short_window_s} has to be less than "
                f"long_window_s {self.long_window_s}"
            )
        return self

    @property
    def long_threshold_usd(self) -> Decimal:
        """Return the loss in the long window at which the rule fires."""
        return Decimal(str(self.budget_usd)) * Decimal(str(self.budget_share))

    @property
    def short_threshold_usd(self) -> Decimal:
        """Return the loss in the short window at the same rate: the budget still burns."""
        return self.long_threshold_usd * self.short_window_s / self.long_window_s


@dataclass(frozen=True, slots=True)
class Window:
    """The cost of the decisions of one class between two instants."""

    decisions: int
    unvalued: int  # of unknown value: in no dollar figure
    loss_usd: Decimal  # at the median slope
    loss_low_usd: Decimal  # at the 5 % slope
    loss_high_usd: Decimal  # at the 95 % slope
    loss_squared: float  # sum of squared losses, USD^2
    basis: str  # margin, revenue, expected; joined by + where they are mixed
    slope_source: str  # prior, estimate or unknown
    newest_ns: int  # newest second with a decision, 0 where there is none


# Of a class without decisions.
EMPTY_WINDOW = Window(
    decisions=0,
    unvalued=0,
    loss_usd=_ZERO,
    loss_low_usd=_ZERO,
    loss_high_usd=_ZERO,
    loss_squared=0.0,
    basis="",
    slope_source="",
    newest_ns=0,
)


@dataclass(frozen=True, slots=True)
class Windows:
    """The two windows of a rule, which end at the same instant."""

    long: Window
    short: Window
    spent_usd: Decimal | None = None  # loss in the time of the budget; None: not read


@dataclass(frozen=True, slots=True)
class Burn:
    """The result of one rule for one class at one instant."""

    status: Status
    loss_usd: Decimal  # in the long window, with the interval of the slope
    loss_low_usd: Decimal
    loss_high_usd: Decimal
    burn: float  # multiple of the budget's own rate
    risk_usd_per_h: Decimal  # at the rate of the short window
    budget_share: float  # lost in the long window
    exhaustion_s: float | None  # until the budget is spent at this rate; None: nothing burns
    basis: str
    slope_source: str
    reason: str

    @property
    def cost(self) -> Cost:
        """Return the figures that an alert carries."""
        return Cost(
            loss_usd=self.loss_usd,
            loss_low_usd=self.loss_low_usd,
            loss_high_usd=self.loss_high_usd,
            risk_usd_per_h=self.risk_usd_per_h,
            burn=self.burn,
            basis=self.basis or UNKNOWN,
            slope_source=self.slope_source,
        )


def burn_of(rule: DollarBurnConfig, windows: Windows) -> Burn:
    """Compare the loss of one class with the budget of a rule.

    It is breached when the lower bound of the loss in the long window reaches the rule's share of
    the budget, the short window burns at that rate still, and the loss comes from enough events.
    The bound only begins an alert. What keeps one is the loss itself, so that more loss never ends
    an alert: one large loss widens the bound more than it lifts it.

    Source: Google SRE Workbook, ch. 5, for two windows; a budget in dollars, the bound and the
    effective events are ours.
    """
    long, short = windows.long, windows.short
    status, why = _status(rule, windows)
    budget_usd = Decimal(str(rule.budget_usd))
    risk_usd_per_h = short.loss_usd * _S_PER_H / rule.short_window_s
    budget_s = rule.budget_days * _S_PER_DAY
    share = float(long.loss_usd / budget_usd)
    left_usd = max(_ZERO, budget_usd - (windows.spent_usd or _ZERO))
    exhaustion_s = float(left_usd / risk_usd_per_h) * _S_PER_H if risk_usd_per_h > 0 else None
    reason = why
    if status in (Status.BREACHED, Status.BURNING):
        summary = _three_ways(rule, risk_usd_per_h, share, exhaustion_s)
        reason = f"{summary}; {why}; {_provenance(long)}"
    return Burn(
        status=status,
        loss_usd=long.loss_usd,
        loss_low_usd=long.loss_low_usd,
        loss_high_usd=long.loss_high_usd,
        burn=share * budget_s / rule.long_window_s,
        risk_usd_per_h=risk_usd_per_h.quantize(_MICRO_USD),
        budget_share=share,
        exhaustion_s=exhaustion_s,
        basis=long.basis,
        slope_source=long.slope_source,
        reason=reason + _unvalued(long),
    )


def effective_events(window: Window) -> float:
    """Return the number of equal losses that would vary as much as these: (sum l)^2 / sum l^2."""
    if window.loss_usd <= 0 or window.loss_squared <= 0:
        return 0.0
    return float(window.loss_usd) ** 2 / window.loss_squared


def lower_bound(window: Window, z: float) -> Decimal:
    """Return the bound that the loss exceeds, at z standard deviations.

    Two things vary: which decisions came (compound Poisson, relative variance sum l^2 / (sum l)^2)
    and the slope that turns lateness into dollars (log-normal, its deviation from the 5 % slope).
    They add up on the log scale: a literature prior is so wide that on the linear scale the bound
    is below zero for every loss. With many events and z = 1.645 it is the loss at the 5 % slope,
    at which `loss_low_usd` is stated.
    """
    events = effective_events(window)
    if events == 0 or window.loss_low_usd <= 0:
        return _ZERO
    slope_deviation = max(0.0, math.log(window.loss_usd / window.loss_low_usd) / Z90)
    deviation = math.sqrt(1 / events + slope_deviation**2)
    return (window.loss_usd * Decimal(math.exp(-z * deviation))).quantize(_MICRO_USD)


def _status(rule: DollarBurnConfig, windows: Windows) -> tuple[Status, str]:
    long, short = windows.long, windows.short
    long_usd, short_usd = rule.long_threshold_usd, rule.short_threshold_usd
    for name, window in (("long", long), ("short", short)):
        if window.decisions == 0:
            seconds = rule.long_window_s if name == "long" else rule.short_window_s
            return Status.NO_DATA, f"no decisions in the {name} window of {seconds} s"
    if long.unvalued == long.decisions:
        return Status.NO_DATA, "the value of every decision is unknown; send outcomes or a value"
    if long.loss_usd < long_usd:
        return Status.OK, f"loss {_usd(long.loss_usd)} < {_usd(long_usd)}"
    if short.loss_usd < short_usd:
        return Status.OK, f"loss {_usd(short.loss_usd)} < {_usd(short_usd)} in the short window"
    events = effective_events(long)
    if events < rule.events_min:
        return Status.BURNING, (
            f"loss {_usd(long.loss_usd)} from {events:.1f} effective events < {rule.events_min:g}"
        )
    lower_bound_usd = lower_bound(long, rule.confidence_z)
    bound = f"at least {_usd(lower_bound_usd)} at z {rule.confidence_z:g}"
    if lower_bound_usd < long_usd:
        return Status.BURNING, f"loss {_usd(long.loss_usd)}, {bound} < {_usd(long_usd)}"
    return Status.BREACHED, f"loss {_usd(long.loss_usd)}, {bound} >= {_usd(long_usd)}"


def _three_ways(
    rule: DollarBurnConfig, risk_usd_per_h: Decimal, share: float, exhaustion_s: float | None
) -> str:
    # "Burn 14.4" is what nobody can explain to a colleague: a rate, a share and a time are.
    lasts = "not going" if exhaustion_s is None else f"gone in {duration_text(exhaustion_s)}"
    return (
        f"{_usd(risk_usd_per_h)}/h at risk, {100 * share:.2g}% of the {rule.budget_days:g} d "
        f"budget in {duration_text(rule.long_window_s)}, the rest of it {lasts}"
    )


def _provenance(window: Window) -> str:
    source = {"prior": "article prior", "unknown": "unknown, lateness is in no figure"}.get(
        window.slope_source, window.slope_source
    )
    return (
        f"{window.basis} basis, slope: {source}, "
        f"90% interval {_usd(window.loss_low_usd)} to {_usd(window.loss_high_usd)}"
    )


def _unvalued(window: Window) -> str:
    if window.unvalued == 0:
        return ""
    return f"; {window.unvalued} of {window.decisions} decisions have no known value"


def _usd(amount: Decimal) -> str:
    return f"${amount:,.0f}" if amount >= 1_000 else f"${amount:,.2f}"
