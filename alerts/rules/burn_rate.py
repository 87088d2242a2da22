"""Pure: the arithmetic of the dollar burn: tiers of two windows over the losses of one subject."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from alerts.rows import MICRO_USD, UNKNOWN, Dollars, rate_text, share_text
from alerts.rules.base import Cost, attributed_s, duration_text, is_much, missing_s
from alerts.rules.tiers import DollarBurnConfig, Tier
from alerts.state.transitions import Status
from attribution.core import money
from collector.core.intervals import Z90

_S_PER_DAY = 86_400
_S_PER_H = 3_600
_ZERO = Decimal(0)
_ONE = Decimal(1)

_WORSE: Final = {Status.NO_DATA: 0, Status.OK: 1, Status.BURNING: 2, Status.BREACHED: 3}


@dataclass(frozen=True, slots=True)
class Window:
    """The cost of the decisions of one subject between two instants."""

    decisions: int
    unvalued: int  # of unknown value: in no dollar figure
    loss_usd: Decimal  # at the median slope
    loss_low_usd: Decimal  # ends of the 90 % interval, of slope and value
    loss_high_usd: Decimal
    loss_squared: float  # sum of squared losses, USD^2
    basis: str  # margin, revenue, expected; joined by + where they are mixed
    slope_source: str  # prior, estimate or unknown
    newest_ns: int  # newest second with a decision, missing or not, 0 where there is none
    missing: int = 0  # decisions that arrived and are not attributed yet: in no figure above
    # About the value of late decisions where nobody knows what lateness costs, each at the mean of
    # its class and second: so much more may be lost.
    unknown_usd: Decimal = _ZERO

    @property
    def loss(self) -> Dollars:
        """Return the loss without the decisions."""
        return Dollars(self.loss_usd, self.loss_low_usd, self.loss_high_usd)

    def __add__(self, other: Window) -> Window:
        """Return the window of the decisions of both."""
        return Window(
            self.decisions + other.decisions,
            self.unvalued + other.unvalued,
            self.loss_usd + other.loss_usd,
            self.loss_low_usd + other.loss_low_usd,
            self.loss_high_usd + other.loss_high_usd,
            self.loss_squared + other.loss_squared,
            _joined(self.basis, other.basis),
            _joined(self.slope_source, other.slope_source),
            max(self.newest_ns, other.newest_ns),
            self.missing + other.missing,
            self.unknown_usd + other.unknown_usd,
        )


def _joined(one: str, other: str) -> str:
    return "+".join(sorted({*one.split("+"), *other.split("+")} - {""}))


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
class Away:
    """A class of decisions that was proposed to be moved: those that are at home still."""

    by_seconds: Mapping[int, Window]
    usual_per_s: float  # decisions a second before any was moved

    def loss_usd(self, seconds: int) -> Decimal | None:
        """Return what those that are away would lose at home as the others do; None: none tells."""
        window = self.by_seconds.get(seconds, EMPTY_WINDOW)
        usual = Decimal(self.usual_per_s) * attributed_s(seconds, window.decisions, window.missing)
        if window.decisions >= usual:
            return _ZERO
        valued = window.decisions - window.unvalued
        return window.loss_usd / valued * (usual - window.decisions) if valued else None


@dataclass(frozen=True, slots=True)
class Losses:
    """What one subject lost in windows that end at the same instant, by their length."""

    by_seconds: Mapping[int, Window]
    spent_usd: Decimal | None = None  # loss in the time of the budget; None: not read
    # How many times its usual loss the budget allows in a window, by its length; once by default.
    factors: Mapping[int, Decimal] = field(default_factory=dict)
    away: Away | None = None  # decisions that may be elsewhere by a proposal that holds

    def window(self, seconds: int) -> Window:
        """Return the window of a length, an empty one where nothing was decided in it."""
        return self.by_seconds.get(seconds, EMPTY_WINDOW)

    def factor(self, seconds: int) -> Decimal:
        """Return how many times its usual loss the budget allows in the window of a length."""
        return self.factors.get(seconds, _ONE)

    def allowed(self, seconds: int) -> Decimal:
        """Return how many times its usual loss what is attributed of a window may have lost.

        By its own decisions, those that are in the loss and those that are missing of it.
        """
        return self.factor(seconds) * self.attributed_s(seconds) / seconds

    def attributed_s(self, seconds: int) -> Decimal:
        """Return how many seconds of the window of a length are attributed, a second at least."""
        window = self.window(seconds)
        return attributed_s(seconds, window.decisions, window.missing)

    def missing_s(self, seconds: int) -> float:
        """Return how many seconds of the window of a length are not attributed."""
        window = self.window(seconds)
        return missing_s(seconds, window.decisions, window.missing)

    def __add__(self, other: Losses) -> Losses:
        """Return the losses of both."""
        lengths = {*self.by_seconds, *other.by_seconds}
        added = {each: self.window(each) + other.window(each) for each in lengths}
        return replace(self, by_seconds=added)


@dataclass(frozen=True, slots=True)
class Burn:
    """The result of one rule for one subject at one instant."""

    status: Status
    tier: Tier  # the fastest that burns
    loss_usd: Decimal  # in the long window of the tier, with the interval of the slope
    loss_low_usd: Decimal
    loss_high_usd: Decimal
    burn: float  # multiple of the budget's own rate
    risk_usd_per_h: Decimal  # at the rate of the newest decisions
    budget_share: float  # lost in the long window
    exhaustion_s: float | None  # until the budget is spent at this rate; None: nothing burns
    basis: str
    slope_source: str
    reason: str
    is_end_missing: bool  # whether much is not attributed of what judges the end
    # Late decisions of the newest might be why it burns on, "" where they are not: in words.
    end_unknown: str
    holds: bool  # ... and a long window has what made it burn yet: no end is seen before

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


def burn_of(rule: DollarBurnConfig, losses: Losses) -> Burn:
    """Compare the loss of one subject with the budget of a rule.

    A tier is breached when the lower bound of the loss in its long window reaches its share of the
    budget, the short window and the newest decisions burn at that rate still, and the loss comes
    from enough events. That only begins an alert. The loss of the newest decisions alone keeps one:
    the long windows remember an incident for hours after its end. It needs less to keep than to
    begin, so that an incident whose rate varies is one alert.

    More loss never ends an alert, though it may widen the bound more than it lifts it.

    Source: Google SRE Workbook, ch. 5, for tiers of two windows; a budget in dollars, the bound,
    the effective events and the end are ours.
    """
    verdicts = [(tier, *_judge(rule, tier, losses)) for tier in rule.tiers]
    # The fastest tier of the worst status speaks for the rule.
    tier, status, why = max(verdicts, key=lambda verdict: _WORSE[verdict[1]])
    long, newest = losses.window(tier.long_window_s), _newest(rule, tier, losses)
    budget_usd = Decimal(str(rule.budget_usd))
    risk_usd_per_h = newest.window.loss_usd * _S_PER_H / losses.attributed_s(newest.seconds)
    budget_s = rule.budget_days * _S_PER_DAY
    share = float(long.loss_usd / budget_usd)
    left_usd = max(_ZERO, budget_usd - max(losses.spent_usd or _ZERO, _over(long, budget_usd)))
    exhaustion_s = float(left_usd / risk_usd_per_h) * _S_PER_H if risk_usd_per_h > 0 else None
    unknown = {each: _unknown(rule, each, losses) for each in rule.tiers}
    reason = why
    if status in (Status.BREACHED, Status.BURNING):
        risk = rate_text(f"{_usd(risk_usd_per_h)}/h", duration_text(newest.seconds))
        summary = _three_ways(rule, tier, risk, share, exhaustion_s)
        factor = losses.factor(tier.long_window_s)
        planned = "" if factor == 1 else f"; calendars allow {factor:.3g} times the usual loss"
        reason = f"{summary}; {why}{planned}; {_provenance(long)}"
    return Burn(
        status=status,
        tier=tier,
        loss_usd=long.loss_usd,
        loss_low_usd=long.loss_low_usd,
        loss_high_usd=long.loss_high_usd,
        burn=share * budget_s / tier.long_window_s,
        risk_usd_per_h=risk_usd_per_h.quantize(MICRO_USD),
        budget_share=share,
        exhaustion_s=exhaustion_s,
        basis=long.basis,
        slope_source=long.slope_source,
        reason=reason + _unvalued(long),
        is_end_missing=any(
            is_much(losses.missing_s(each), each)
            for each in {_newest(rule, tier, losses).seconds for tier in rule.tiers}
        ),
        end_unknown=next(filter(None, unknown.values()), ""),
        holds=any(why and _remembers(rule, each, losses) for each, why in unknown.items()),
    )


def effective_events(window: Window) -> float:
    """Return the number of equal losses that would vary as much as these: (sum l)^2 / sum l^2."""
    if window.loss_usd <= 0 or window.loss_squared <= 0:
        return 0.0
    return float(window.loss_usd) ** 2 / window.loss_squared


def lower_bound(window: Window, z: float) -> Decimal:
    """Return the bound that the loss exceeds, at z standard deviations.

    Two things vary: which decisions came (compound Poisson, relative variance sum l^2 / (sum l)^2)
    and what turns them into dollars, slope and value (log-normal, its deviation from the low end of
    the loss). They add up on the log scale: a literature prior is so wide that on the linear scale
    the bound is below zero for every loss. With many events and z = 1.645 it is `loss_low_usd`.
    """
    events = effective_events(window)
    if events == 0 or window.loss_low_usd <= 0:
        return _ZERO
    stated_deviation = max(0.0, math.log(window.loss_usd / window.loss_low_usd) / Z90)
    deviation = math.sqrt(1 / events + stated_deviation**2)
    return (window.loss_usd * Decimal(math.exp(-z * deviation))).quantize(MICRO_USD)


def _judge(rule: DollarBurnConfig, tier: Tier, losses: Losses) -> tuple[Status, str]:
    """Compare the loss of one subject with one tier; return the verdict and its words."""
    for seconds in (tier.long_window_s, tier.short_window_s):
        window = losses.window(seconds)
        if window.decisions == 0:
            return Status.NO_DATA, f"no decisions in the window of {duration_text(seconds)}"
        if window.unvalued == window.decisions:
            why = "the value of every decision is unknown; send outcomes or a value"
            return Status.NO_DATA, why
    newest = _newest(rule, tier, losses)
    missed = _unmet(rule, tier, losses)
    if missed:
        away_usd = losses.away.loss_usd(newest.seconds) if losses.away is not None else _ZERO
        lost_usd = newest.window.loss_usd + (away_usd or _ZERO)
        if lost_usd >= _keeps_usd(rule, tier, losses, newest.seconds):
            return Status.BURNING, missed
        if away_usd is None:
            return Status.NO_DATA, f"its decisions may be elsewhere, and none is left; {missed}"
        return Status.OK, missed
    long = losses.window(tier.long_window_s)
    threshold_usd = _threshold_usd(rule, tier, losses, tier.long_window_s)
    return Status.BREACHED, f"{_bounded(rule, long)} >= {_usd(threshold_usd)}"


def _unknown(rule: DollarBurnConfig, tier: Tier, losses: Losses) -> str:
    """Return why a tier may burn on though it lost too little, "" where it does not.

    A late decision loses its value at the most, which is what remains to be said of it where an
    experiment contradicts the slope, and no lateness is in the loss.
    """
    newest = _newest(rule, tier, losses)
    unknown_usd = newest.window.unknown_usd
    most_usd = newest.window.loss_usd + unknown_usd
    if unknown_usd <= 0 or most_usd < _keeps_usd(rule, tier, losses, newest.seconds):
        return ""
    return (
        "what lateness costs is unknown, so nobody knows whether it burns on: of late decisions up "
        f"to {_usd(unknown_usd)} may be lost in {duration_text(newest.seconds)}"
    )


def _remembers(rule: DollarBurnConfig, tier: Tier, losses: Losses) -> bool:
    """Return whether the long window holds a loss that burned, of a time when a slope was known."""
    long = losses.window(tier.long_window_s)
    burned = long.loss_usd >= _threshold_usd(rule, tier, losses, tier.long_window_s)
    return burned and long.slope_source != UNKNOWN


def _keeps_usd(rule: DollarBurnConfig, tier: Tier, losses: Losses, seconds: int) -> Decimal:
    return rule.keeps_usd(tier, seconds) * losses.allowed(seconds)


def _threshold_usd(rule: DollarBurnConfig, tier: Tier, losses: Losses, seconds: int) -> Decimal:
    return rule.threshold_usd(tier, seconds) * losses.allowed(seconds)


def _unmet(rule: DollarBurnConfig, tier: Tier, losses: Losses) -> str:
    """Return which condition of a breach does not hold, "" where all do."""
    long = losses.window(tier.long_window_s)
    long_usd = _threshold_usd(rule, tier, losses, tier.long_window_s)
    for seconds in (tier.long_window_s, tier.short_window_s, _newest(rule, tier, losses).seconds):
        loss_usd = losses.window(seconds).loss_usd
        threshold_usd = _threshold_usd(rule, tier, losses, seconds)
        if loss_usd < threshold_usd:
            return f"loss {_usd(loss_usd)} < {_usd(threshold_usd)} in {duration_text(seconds)}"
    events = effective_events(long)
    if events < rule.events_min:
        return (
            f"loss {_usd(long.loss_usd)} from {events:.1f} effective events < {rule.events_min:g}"
        )
    if lower_bound(long, rule.confidence_z) < long_usd:
        return f"{_bounded(rule, long)} < {_usd(long_usd)}"
    return ""


@dataclass(frozen=True, slots=True)
class _Newest:
    seconds: int
    window: Window


def _newest(rule: DollarBurnConfig, tier: Tier, losses: Losses) -> _Newest:
    """Return the window that judges the end: the short one where the newest has no value."""
    seconds = rule.reset_s(tier)
    window = losses.window(seconds)
    if window.unvalued == window.decisions:
        seconds = tier.short_window_s
    return _Newest(seconds, losses.window(seconds))


def _bounded(rule: DollarBurnConfig, long: Window) -> str:
    bound_usd = lower_bound(long, rule.confidence_z)
    return f"loss {_usd(long.loss_usd)}, at least {_usd(bound_usd)} at z {rule.confidence_z:g}"


def _three_ways(
    rule: DollarBurnConfig,
    tier: Tier,
    risk: str,
    share: float,
    exhaustion_s: float | None,
) -> str:
    # "Burn 14.4" is what nobody can explain to a colleague: a rate, a share and a time are.
    rest = "the rest of it not going"
    if exhaustion_s is not None:
        gone = f"the rest of it gone in {duration_text(exhaustion_s)}"
        rest = gone if exhaustion_s >= 1 else "nothing of it is left"
    return (
        f"{risk}, {share_text(share)} of the {rule.budget_days:g} d "
        f"budget in {duration_text(tier.long_window_s)}, {rest}"
    )


def _over(long: Window, budget_usd: Decimal) -> Decimal:
    """Return what is spent for sure, though nobody read it: a window that lost all of a budget."""
    return long.loss_usd if long.loss_usd >= budget_usd else _ZERO


def _provenance(window: Window) -> str:
    source = {"prior": "assumed rate", "unknown": "unknown, lateness is in no figure"}.get(
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
    return money.amount(f"{amount:,.0f}" if amount >= 1_000 else money.digits(amount))
