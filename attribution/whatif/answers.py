"""Pure: what a question about decisions is, and what is answered; `/api/v1` sends it as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from attribution.core.money import MICROS_PER_USD
from attribution.core.segments import SEGMENTS
from attribution.core.slo import Promise, Verdict
from attribution.path.spans import Ints
from attribution.whatif.carriers import Carried, Carrier
from attribution.whatif.compare import Comparison, Difference
from attribution.whatif.losses import Side, beyond_usd
from attribution.whatif.replay import Change
from attribution.whatif.shapley import whole
from attribution.whatif.what_if import WhatIf
from collector.core.times import NS_PER_HOUR, NS_PER_MS, NS_PER_S

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Latencies:
    """Latency of a population, in ms."""

    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Money:
    """Dollars with their interval and what they rest on."""

    usd: Decimal
    low_usd: Decimal
    high_usd: Decimal
    usd_per_hour: Decimal  # from the second of the first decision to that of the last
    bases: list[str]  # margin, revenue or expected
    slope: str  # where the sensitivity of value to latency comes from
    slope_version: int | None  # None for the prior
    unvalued: int  # decisions of unknown value, in none of the figures


@dataclass(frozen=True, slots=True)
class SharePart:
    """What one part of the changes saves; the parts sum to the whole."""

    part: str
    saved_ns: int
    saved_ms_mean: float
    usd: Decimal | None


@dataclass(frozen=True, slots=True)
class WhatIfAnswer:
    """What decisions would have taken. Without a decision there are no latencies."""

    changes: list[str]  # in words, such as "store: 2 ms off each call"
    decisions: int  # that the question is about
    replayed: int  # of them, the same for the same question
    before: Latencies | None
    after: Latencies | None
    saved_ns: int  # over those replayed
    saved_ms_mean: float | None
    money: Money | None  # of all decisions; None where it is unknown
    no_money: str  # why it is unknown, "" where it is not
    shares: list[SharePart]
    shares_method: str
    warnings: tuple[str, ...] = ()  # by what the money may be wrong


@dataclass(frozen=True, slots=True)
class SegmentDifference:
    """How much longer one segment took, between decisions of equal action and region."""

    segment: str  # stage/class
    before_ms: float
    after_ms: float
    change_ms: float
    low_ms: float
    high_ms: float
    q: float  # share of false discoveries, if this and all that are clearer are believed
    is_different: bool
    usd_per_hour: Decimal | None  # of the change of time, at what a ms costs; no failure is in it


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """What one value of a dimension carries of the difference, beyond its share of `before`.

    The excesses of the values of one dimension sum to 0, and so do the dollars: what its decisions
    lost by failures and lateness, less its share of what all lost.
    """

    dimension: str  # action, region, channel, cohort or service
    value: str
    decisions_before: int
    decisions_after: int
    before_ms: float | None  # mean; null where it has no decision there
    after_ms: float | None
    excess_ms: float  # a decision of `after`
    low_ms: float  # 95 %
    high_ms: float
    q: float  # share of false discoveries, if this and all that are clearer are believed
    failed_before: int
    failed_after: int
    failed_q: float  # as q, of its failures
    is_different: bool  # in time or in failures
    usd_per_hour: Decimal | None  # of all decisions of `after`; null where it is unknown
    failed_usd_per_hour: Decimal | None  # of it, by failures


@dataclass(frozen=True, slots=True)
class FailedDifference:
    """How often both sides failed, and what that cost."""

    before: int  # decisions that failed
    after: int
    low: float  # 95 %: by which share more of `after` failed
    high: float
    q: float  # share of false discoveries, if this and all that are clearer are believed
    is_different: bool
    usd_per_hour: Decimal | None  # lost by failures, beyond as many decisions of `before`


@dataclass(frozen=True, slots=True)
class Lost:
    """What one side lost, as a list of its decisions says."""

    unknown: int  # decisions that lost an unknown amount: in no dollar
    left_out: int  # decisions of an unknown value: in no dollar that one side lost beyond the other
    usd: Decimal | None
    failed_usd: Decimal | None  # of it, by those that failed


@dataclass(frozen=True, slots=True)
class CompareAnswer:
    """Where two populations differ. `mix_ms` and the changes of all segments sum to `change_ms`.

    The mix is that of actions and regions; what another mix of channels or cohorts changed is among
    the segments.
    """

    verdict: str  # "different", "no difference found" or "n too small"
    decisions_before: int
    decisions_after: int
    before: Latencies | None
    after: Latencies | None
    change_ms: float
    mix_ms: float
    uncompared: int
    slope: str
    segments: list[SegmentDifference]  # the dearest first
    values: list[ValueDifference]  # the dearest first; of dimensions of one value none
    one_in_before: int  # so many decisions stand behind each of `decisions_before`
    one_in_after: int
    is_assumed: bool  # dollars rest on the prior of the slope, and not on data of your own
    usd_per_hour: Decimal | None  # lost by `after`, beyond as many decisions of `before`
    failures: FailedDifference | None  # null where one side has no decision; in usd_per_hour too
    lost_before: Lost
    lost_after: Lost


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """One latency budget over the window that ends now."""

    name: str
    action: str
    region: str
    channel: str
    segment: str
    window_s: int
    decisions: int
    verdict: Verdict
    promises: list[Promise]
    # What the reference decision path itself takes there, of its last day; None where none ran.
    reference_p50_ms: float | None
    reference_p95_ms: float | None


def latencies_of(total_ns: Ints) -> Latencies | None:
    """Return mean and quantiles, None of no decisions."""
    if len(total_ns) == 0:
        return None
    p50, p95, p99 = np.quantile(total_ns, [0.5, 0.95, 0.99]) / NS_PER_MS
    return Latencies(float(total_ns.mean()) / NS_PER_MS, float(p50), float(p95), float(p99))


def what_if_answer(
    decisions: int,
    result: WhatIf,
    counted_s: float,
    changes: Sequence[Change],
    bases: list[str],
    slope: tuple[str, int | None],
    refusal: str = "",
) -> WhatIfAnswer:
    """Put a replay into an answer; dollars of a sample are scaled to all decisions.

    Args:
        decisions: that the question is about.
        result: the replay of a sample of them.
        counted_s: over how many seconds all of them are spread.
        changes: that were replayed.
        bases: what the values rest on.
        slope: in words, and its version.
        refusal: why what lateness costs is unknown, "" where it is not.
    """
    replayed = len(result.before_ns)
    scale = Decimal(decisions) / Decimal(replayed) if replayed else Decimal(0)
    is_valued = replayed > result.dollars.unvalued and not refusal
    no_money = "" if is_valued else refusal or "no decision of the window has a known value"
    money = None
    if is_valued:
        median, low, high = (
            _usd(each, scale)
            for each in (result.dollars.median, result.dollars.low, result.dollars.high)
        )
        money = Money(
            usd=median,
            low_usd=low,
            high_usd=high,
            usd_per_hour=_per_hour(result.dollars.median * scale / MICROS_PER_USD, counted_s),
            bases=bases,
            slope=slope[0],
            slope_version=slope[1],
            unvalued=round(result.dollars.unvalued * scale),
        )
    saved_ns = int((result.before_ns - result.after_ns).sum())
    shares_usd = _shares_usd(result, scale, money)
    return WhatIfAnswer(
        changes=[each.text() for each in changes],
        decisions=decisions,
        replayed=replayed,
        before=latencies_of(result.before_ns),
        after=latencies_of(result.after_ns),
        saved_ns=saved_ns,
        saved_ms_mean=saved_ns / replayed / NS_PER_MS if replayed else None,
        money=money,
        no_money=no_money,
        shares=[
            SharePart(
                part=each.name,
                saved_ns=each.saved_ns,
                saved_ms_mean=each.saved_ns / replayed / NS_PER_MS if replayed else 0.0,
                usd=usd,
            )
            for each, usd in zip(result.shares, shares_usd, strict=True)
        ],
        shares_method="every order" if result.is_exact else "400 drawn orders",
    )


def compare_answer(
    compared: tuple[Comparison, Carried],
    sides: tuple[Side, Side],
    counted_s: float,
    one_in: tuple[int, int],
    slope: str,
    *,
    is_assumed: bool,
) -> CompareAnswer:
    """Put a comparison into an answer; dollars are those of all decisions of the second one.

    Args:
        compared: by segment, and by value of a dimension.
        sides: each decision compared, of both.
        counted_s: over how many seconds those of the second one are spread.
        one_in: how many decisions stand behind each that was compared, of both sides.
        slope: what dollars rest on, in words.
        is_assumed: that is the prior.
    """
    segments, carried = compared
    is_different = (
        carried.is_failing_different
        or any(each.is_different for each in segments.differences)
        or any(each.is_different for each in carried.values)
    )

    def per_hour(usd: float | None) -> Decimal | None:
        return None if usd is None else _per_hour(Decimal(usd * one_in[1]), counted_s)

    def of_segment(difference: Difference) -> SegmentDifference:
        usd = difference.usd_per_decision
        return _segment(
            difference, per_hour(None if usd is None else usd * segments.decisions_after)
        )

    return CompareAnswer(
        verdict="n too small"
        if not segments.is_enough
        else "different"
        if is_different
        else "no difference found",
        decisions_before=segments.decisions_before,
        decisions_after=segments.decisions_after,
        before=latencies_of(sides[0].total_ns),
        after=latencies_of(sides[1].total_ns),
        change_ms=segments.change_ns / NS_PER_MS,
        mix_ms=segments.mix_ns / NS_PER_MS,
        uncompared=segments.uncompared,
        slope=slope,
        segments=[of_segment(each) for each in segments.differences],
        values=[_value(each, per_hour) for each in carried.values],
        one_in_before=one_in[0],
        one_in_after=one_in[1],
        is_assumed=is_assumed,
        usd_per_hour=per_hour(beyond_usd(*sides)),
        failures=_failed(carried, per_hour(beyond_usd(*sides, failed=True))),
        lost_before=_lost(sides[0], one_in[0]),
        lost_after=_lost(sides[1], one_in[1]),
    )


def _failed(carried: Carried, usd_per_hour: Decimal | None) -> FailedDifference | None:
    if (failures := carried.failures) is None:
        return None
    return FailedDifference(
        before=failures.before,
        after=failures.after,
        low=failures.low,
        high=failures.high,
        q=carried.failed_q,
        is_different=carried.is_failing_different,
        usd_per_hour=usd_per_hour,
    )


def _lost(side: Side, one_in: int) -> Lost:
    usd, failed = side.lost_usd(), side.lost_usd(failed=True)
    return Lost(
        unknown=len(side) - int(side.is_known.sum()),
        left_out=len(side) - int(side.is_compared.sum()),
        usd=None if usd is None else Decimal(usd * one_in).quantize(_CENT),
        failed_usd=None if failed is None else Decimal(failed * one_in).quantize(_CENT),
    )


def _segment(difference: Difference, usd_per_hour: Decimal | None) -> SegmentDifference:
    return SegmentDifference(
        segment="/".join(SEGMENTS[difference.segment]),
        before_ms=difference.mean_before_ns / NS_PER_MS,
        after_ms=difference.mean_after_ns / NS_PER_MS,
        change_ms=difference.change_ns / NS_PER_MS,
        low_ms=difference.low_ns / NS_PER_MS,
        high_ms=difference.high_ns / NS_PER_MS,
        q=difference.q,
        is_different=difference.is_different,
        usd_per_hour=usd_per_hour,
    )


def _value(carrier: Carrier, per_hour: Callable[[float | None], Decimal | None]) -> ValueDifference:
    return ValueDifference(
        dimension=carrier.dimension,
        value=carrier.value,
        decisions_before=carrier.decisions_before,
        decisions_after=carrier.decisions_after,
        before_ms=_in_ms(carrier.mean_before_ns),
        after_ms=_in_ms(carrier.mean_after_ns),
        excess_ms=carrier.excess_ns / NS_PER_MS,
        low_ms=carrier.low_ns / NS_PER_MS,
        high_ms=carrier.high_ns / NS_PER_MS,
        q=carrier.q,
        failed_before=carrier.failed_before,
        failed_after=carrier.failed_after,
        failed_q=carrier.failed_q,
        is_different=carrier.is_different,
        usd_per_hour=per_hour(carrier.usd),
        failed_usd_per_hour=per_hour(carrier.failed_usd),
    )


def _in_ms(ns: float | None) -> float | None:
    return None if ns is None else ns / NS_PER_MS


def _usd(micros: int, scale: Decimal) -> Decimal:
    return (Decimal(micros) * scale / MICROS_PER_USD).quantize(_CENT)


def _shares_usd(result: WhatIf, scale: Decimal, money: Money | None) -> list[Decimal | None]:
    """Return the dollars of the parts, which sum to those of the whole to the cent."""
    if money is None:
        return [None] * len(result.shares)
    to_cents = Fraction(scale) * 100 / MICROS_PER_USD
    exact = [each.saved_micros * to_cents for each in result.shares]
    return [cents * _CENT for cents in whole(exact, int(money.usd / _CENT))]


def _per_hour(usd: Decimal, counted_s: float) -> Decimal:
    return (usd * NS_PER_HOUR / (Decimal(counted_s) * NS_PER_S)).quantize(_CENT)
