"""Pure: what an investment in latency is worth: present values, tornado, draws. Money is exact.

A gain comes slowly: `ramp` is its share by quarter, the last one goes on. Quarters are discounted
at their end: NPV = -capex + sum over q of (ramp_q x gain - opex_q) / (1 + rate)^(q / 4).

A gain may be the product of several drivers, such as volume, margin and conversion. What carries
one name in several options is one quantity: it is drawn once for all of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from statistics import NormalDist

import numpy as np

from attribution.core.money import currency
from attribution.core.slo import Z90
from attribution.revenue.sums import Floats
from collector.core.errors import InputError

CENT = Decimal("0.01")
QUARTERS_A_YEAR = 4
# An amount whose low end is this part of its median, or more, is log-normal; one that may be 0 or
# less is normal; one between them is between them, so that a lower low end is never worth more.
# Were it less than 1/e, it could be.
_LOG_FROM = Decimal("0.5")
# Digits of the discount factors: a trillion dollars over ten years stays exact to the cent.
_PRECISION = 40


@dataclass(frozen=True, slots=True)
class Range:
    """An amount that is not known exactly: its median, its 5 % and its 95 % quantile."""

    low: Decimal
    median: Decimal
    high: Decimal

    def __post_init__(self) -> None:
        if not self.low <= self.median <= self.high:
            raise ValueError(f"{self.low}, {self.median}, {self.high} do not ascend")

    @classmethod
    def exactly(cls, amount: Decimal) -> Range:
        """Return an amount that is known."""
        return cls(amount, amount, amount)

    def quantile(self, probability: float) -> Decimal:
        """Return a quantile: log-normal on either side of a median well above 0, else normal.

        The side below the median is scaled by `low`, the one above by `high`.
        """
        signed = NormalDist().inv_cdf(probability) / Z90
        z, share = Decimal(abs(signed)), self.logs
        with localcontext() as context:
            # Decimal, so that a verdict is worked out again to the same cent on any machine.
            context.prec = _PRECISION
            if not share:
                return self.median + ((self.low if signed < 0 else self.high) - self.median) * z
            if signed >= 0:
                logs = (self.high / self.median) ** z
                return self.median * share * logs + (1 - share) * (
                    self.median + (self.high - self.median) * z
                )
            ratio = max(self.low / self.median, _LOG_FROM)
            inside = min(z, Decimal(1))
            part = share * ratio**inside + (1 - share) * (1 - inside)
            # Beyond the low end it goes on as a log-normal: what is above 0 stays there.
            return self.median * part * ratio ** (z - inside)

    @property
    def logs(self) -> Decimal:
        """Return how far it is log-normal: 0 not at all, 1 all."""
        if self.low <= 0:
            return Decimal(0)
        return min(self.low / self.median / _LOG_FROM, Decimal(1))


@dataclass(frozen=True, slots=True)
class Driver:
    """One factor of a gain."""

    name: str
    amount: Range


@dataclass(frozen=True, slots=True)
class Option:
    """One way to get faster, and what it costs."""

    name: str
    capex: Range  # at once
    opex: Range  # a quarter
    gain: Range  # a quarter, once it is all there
    ramp: tuple[Decimal, ...] = (Decimal(1),)  # share of the gain by quarter; the last goes on
    quarters: int = 12
    drivers: tuple[Driver, ...] = ()  # whose product the gain is; none where it is stated

    def __post_init__(self) -> None:
        if not self.ramp or not all(0 <= share <= 1 for share in self.ramp):
            raise ValueError(f"{self.name}: a ramp is a share of the gain by quarter, 0 to 1")
        if self.quarters < 1:
            raise ValueError(f"{self.name}: {self.quarters} quarters; give 1 or more")


@dataclass(frozen=True, slots=True)
class PresentValues:
    """What an option costs and brings, today, to the cent."""

    capex: Decimal
    opex: Decimal
    gain: Decimal
    npv: Decimal
    payback_quarter: int | None  # the first with what came in covering what went out


@dataclass(frozen=True, slots=True)
class Swing:
    """What the uncertainty of one input alone does to the net present value."""

    name: str
    at_low: Decimal
    at_high: Decimal

    @property
    def width(self) -> Decimal:
        """Return how far apart they are."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, slots=True)
class Draws:
    """Net present values of many draws of all inputs at once."""

    count: int
    mean: Decimal
    p5: Decimal
    p50: Decimal
    p95: Decimal
    positive_ratio: float
    best_ratio: float  # better than every other option, and than doing nothing


def product(parts: Sequence[Range]) -> Range:
    """Return the product of independent amounts with medians of at least 0, to the cent.

    Log-normal amounts have a log-normal product: the squares of their distances from the median,
    as logarithms, add up. Of normal ones the squares of what each does alone do.
    """
    with localcontext() as context:
        context.prec = _PRECISION
        median = math.prod((each.median for each in parts), start=Decimal(1))
        share = min((each.logs for each in parts), default=Decimal(1))
        edges = []
        for name, sign in (("low", -1), ("high", 1)):
            edge = Decimal(0)
            if share:
                squares = sum(((getattr(e, name) / e.median).ln() ** 2 for e in parts), Decimal(0))
                edge += share * median * (sign * squares.sqrt()).exp()
            if share < 1:
                squares = Decimal(0)
                for index, each in enumerate(parts):
                    others = [other.median for other in (*parts[:index], *parts[index + 1 :])]
                    alone = getattr(each, name) - each.median
                    squares += (math.prod(others, start=Decimal(1)) * alone) ** 2
                edge += (1 - share) * (median + sign * squares.sqrt())
            edges.append(edge)
        return Range(cents(edges[0]), cents(median), cents(edges[1]))


def present_values(option: Option, rate: Decimal) -> PresentValues:
    """Return the present values at the medians.

    Args:
        option: whose medians are taken.
        rate: discount rate a year.
    """
    return values_at(option, rate, option.capex.median, option.opex.median, option.gain.median)


def values_at(
    option: Option, rate: Decimal, capex: Decimal, opex: Decimal, gain: Decimal
) -> PresentValues:
    """Return the present values at these amounts; each is rounded once, half to even."""
    with localcontext() as context:
        context.prec = _PRECISION
        gain_factor, opex_factor = factors(option, rate)
        present_opex, present_gain = opex * opex_factor, gain * gain_factor
        payback, balance = None, -capex
        for quarter in range(1, option.quarters + 1):
            balance += (_share(option, quarter) * gain - opex) * discount(rate, quarter)
            if payback is None and balance >= 0:
                payback = quarter
        return PresentValues(
            capex=cents(capex),
            opex=cents(present_opex),
            gain=cents(present_gain),
            npv=cents(present_gain - present_opex - capex),
            payback_quarter=payback,
        )


def factors(option: Option, rate: Decimal) -> tuple[Decimal, Decimal]:
    """Return what a dollar of gain and one of opex a quarter are worth today."""
    with localcontext() as context:
        context.prec = _PRECISION
        quarters = range(1, option.quarters + 1)
        gain = sum((_share(option, q) * discount(rate, q) for q in quarters), Decimal(0))
        return gain, sum((discount(rate, q) for q in quarters), Decimal(0))


def discount(rate: Decimal, quarter: int) -> Decimal:
    """Return what a dollar at the end of a quarter is worth today."""
    with localcontext() as context:
        context.prec = _PRECISION
        return (1 + rate) ** (Decimal(-quarter) / QUARTERS_A_YEAR)


def tornado(option: Option, rate: Decimal) -> list[Swing]:
    """Return what each input does alone, from its low to its high, the widest first."""
    median = (option.capex.median, option.opex.median, option.gain.median)
    inputs = [("capex", 0, option.capex), ("opex", 1, option.opex)]
    if not option.drivers:
        inputs.append(("gain", 2, option.gain))
    for index, driver in enumerate(option.drivers):
        others = [
            each.amount.median for each in (*option.drivers[:index], *option.drivers[index + 1 :])
        ]
        inputs.append((driver.name, 2, _times(driver.amount, math.prod(others, start=Decimal(1)))))
    swings = []
    for name, place, each in inputs:
        npv = []
        for amount in (each.low, each.high):
            amounts = list(median)
            amounts[place] = amount
            npv.append(values_at(option, rate, *amounts).npv)
        swings.append(Swing(name, npv[0], npv[1]))
    slower = replace(option, ramp=(Decimal(0), *option.ramp))
    swings.append(
        Swing("a quarter later", present_values(slower, rate).npv, present_values(option, rate).npv)
    )
    return sorted(swings, key=lambda swing: (-swing.width, swing.name))


def draws(
    options: Sequence[Option], rate: Decimal, *, count: int = 20_000, seed: int = 1
) -> list[Draws]:
    """Return net present values of draws of all inputs, in the order of the options.

    Every input is drawn by its own name, so that options which share a driver are compared in
    the same worlds, and one more option changes no figure of another.
    """
    worlds = [_npv_draws(option, rate, count, seed) for option in options]
    best = np.max([np.zeros(count), *worlds], axis=0)
    draws = []
    for npv in worlds:
        p5, p50, p95 = np.quantile(npv, [0.05, 0.5, 0.95])
        draws.append(
            Draws(
                count=count,
                mean=cents(Decimal(float(npv.mean()))),
                p5=cents(Decimal(float(p5))),
                p50=cents(Decimal(float(p50))),
                p95=cents(Decimal(float(p95))),
                positive_ratio=float((npv > 0).mean()),
                best_ratio=float(((npv >= best) & (npv > 0)).mean()),
            )
        )
    return draws


def _npv_draws(option: Option, rate: Decimal, count: int, seed: int) -> Floats:
    def normal(name: str) -> Floats:
        name_seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        return np.random.default_rng([seed, name_seed]).standard_normal(count)

    gain_factor, opex_factor = factors(option, rate)
    if option.drivers:
        gain = np.ones(count)
        for driver in option.drivers:
            gain = gain * _drawn(driver.amount, normal(f"driver {driver.name}"))
    else:
        gain = _drawn(option.gain, normal(f"gain of {option.name}"))
    opex = _drawn(option.opex, normal(f"opex of {option.name}"))
    capex = _drawn(option.capex, normal(f"capex of {option.name}"))
    npv: Floats = gain * float(gain_factor) - opex * float(opex_factor) - capex
    return npv


def _times(amount: Range, factor: Decimal) -> Range:
    return Range(amount.low * factor, amount.median * factor, amount.high * factor)


def cents(amount: Decimal) -> Decimal:
    """Return an amount to the cent, half to even.

    Raises:
        InputError: it has more digits than are worked with, as a product of huge amounts has.
    """
    with localcontext() as context:
        context.prec = _PRECISION
        try:
            return amount.quantize(CENT, ROUND_HALF_EVEN)
        except InvalidOperation as error:
            raise InputError(
                f"{amount:.3g} {currency()} is not told to the cent; give less"
            ) from error


def _share(option: Option, quarter: int) -> Decimal:
    return option.ramp[min(quarter, len(option.ramp)) - 1]


def _drawn(amount: Range, normal: Floats) -> Floats:
    """Return draws of an amount, as `Range.quantile` has them."""
    z, is_below, share = np.abs(normal) / Z90, normal < 0, float(amount.logs)
    low, median, high = float(amount.low), float(amount.median), float(amount.high)
    plain: Floats = median + (np.where(is_below, low, high) - median) * z
    if not share:
        return plain
    above = share * median * (high / median) ** z + (1 - share) * plain
    ratio, inside = max(low / median, float(_LOG_FROM)), np.minimum(z, 1.0)
    below = median * (share * ratio**inside + (1 - share) * (1 - inside)) * ratio ** (z - inside)
    return np.where(is_below, below, above)
