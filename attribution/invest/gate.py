"""Pure: the funding gate: money goes where even the low end of the gain covers the cost.

An option is funded where the present value of its gain, at the quantile that it exceeds with the
probability asked for, is at least a multiple of what it costs; costs are taken at the quantile
that they stay below with the same probability. A gain that rests on a slope nobody has identified
is not judged: the gate refuses, and says what is missing. A verdict carries every input, so that
whoever has it can work it out again; the decisions that a gain was replayed on are named by their
window.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Any

from attribution.core.money import currency
from attribution.invest.npv import Driver, Option, Range, cents, factors, product
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_S, S_PER_YEAR

VERSION = 4
# Of 365.25 days.
QUARTER_NS = S_PER_YEAR * NS_PER_S // 4


class Basis(StrEnum):
    """What a gain rests on."""

    ESTIMATE = "estimate"  # a slope that our own data have identified
    EXPERIMENT = "experiment"  # a registered experiment alone, which is estimated anew
    PRIOR = "prior"  # the literature
    OBSERVATIONAL = "observational"  # correlation


class Ruling(StrEnum):
    """What the gate says. The exit code of the command follows it."""

    FUND = "fund"
    REJECT = "reject"
    REFUSE = "refuse"  # the data cannot say


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of an investment."""

    rate: Decimal = Decimal("0.10")
    multiple: Decimal = Decimal("1.5")
    probability: Decimal = Decimal("0.8")
    days_min: int = 7  # of decisions that a gain is replayed on: each weekday once


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a gain was replayed on, so that it can be replayed again."""

    from_ns: int
    to_ns: int
    saves: tuple[tuple[str, str], ...]  # segment and time off each decision, as they were written
    decisions: int
    replayed: int  # of them; figures are scaled to all
    unvalued: int  # of unknown value, in no figure
    saved: Range  # in the window; the low end is below 0 where that of the slope is
    bases: tuple[str, ...]
    slope: str
    # Days of 24 hours since from_ns that have a decision; None in verdicts of before, which were
    # judged by the length of the window.
    days: int | None = None

    @property
    def days_seen(self) -> float:
        """Return on how many days there are decisions."""
        return (self.to_ns - self.from_ns) / NS_PER_DAY if self.days is None else self.days

    def quarterly(self) -> Range:
        """Return what is saved in a quarter, at the pace of the window."""
        with localcontext() as context:
            context.prec = 40
            factor = Decimal(QUARTER_NS) / max(self.to_ns - self.from_ns, 1)
            amounts = [each * factor for each in (self.saved.low, self.saved.median)]
            return Range(cents(amounts[0]), cents(amounts[1]), cents(self.saved.high * factor))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the gain comes from."""

    basis: Basis
    reason: str = ""  # why it is no proof, where it is none
    model_version: int | None = None
    decisions_missing: int | None = None
    source: str = ""  # where a stated gain is written down; the experiment, where it rests on one
    replayed: Replayed | None = None
    # Of the experiment whose estimate was recomputed; None where none was.
    experiment_decisions: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One ruling with its figures."""

    ruling: Ruling
    reason: str
    gain_low_usd: Decimal | None  # present value at the quantile asked for
    cost_usd: Decimal | None  # present value of capital and opex
    multiple: Decimal | None  # of the two, to four digits


def judge(option: Option, evidence: Evidence, demand: Demand) -> Verdict:
    """Rule on one option.

    A refusal has the figures too where the file states the gain: what they come to, not a ruling.
    """
    why = _refusal(evidence, demand)
    if why and (evidence.replayed is not None or evidence.basis is Basis.OBSERVATIONAL):
        return Verdict(Ruling.REFUSE, why, None, None, None)
    gain_factor, opex_factor = factors(option, demand.rate)
    probability = float(demand.probability)
    low = option.gain.quantile(1 - probability) * gain_factor
    cost = option.capex.quantile(probability) + option.opex.quantile(probability) * opex_factor
    gain_low, cost_usd = cents(low), cents(cost)
    multiple = (gain_low / cost_usd).quantize(Decimal("0.0001")) if cost_usd > 0 else None
    if why:
        return Verdict(Ruling.REFUSE, why, gain_low, cost_usd, multiple)
    unit = currency()
    if multiple is None:
        is_funded = gain_low >= cost_usd
        reason = f"it costs nothing ({cost_usd} {unit}) and brings {gain_low} {unit}"
    else:
        is_funded = gain_low >= demand.multiple * cost_usd
        reason = (
            f"with a probability of {demand.probability} the gain is at least {gain_low} {unit}, "
            f"{multiple} times the cost of {cost_usd} {unit}; {demand.multiple} times is asked for"
        )
    ruling = Ruling.FUND if is_funded else Ruling.REJECT
    return Verdict(ruling, reason, gain_low, cost_usd, multiple)


def _refusal(evidence: Evidence, demand: Demand) -> str:
    """Return why nothing is ruled, empty where the evidence is enough."""
    if evidence.basis not in (Basis.ESTIMATE, Basis.EXPERIMENT) or evidence.reason:
        missing = evidence.decisions_missing
        missing_text = f"; {missing:,} more decisions are needed" if missing else ""
        why = evidence.reason or f"the gain rests on {evidence.basis}, which proves no cause"
        return f"{why}{missing_text}"
    if evidence.basis is Basis.EXPERIMENT and evidence.experiment_decisions is None:
        return (
            f"nobody recomputed experiment {evidence.source[:80]!r}; name a registered one in "
            "source, and ask the service, not --offline"
        )
    replayed = evidence.replayed
    if replayed is not None and replayed.days_seen < demand.days_min:
        return (
            f"the gain is scaled to a quarter from {replayed.days_seen:.3g} days of decisions; "
            f"{demand.days_min} are asked for: give a --window with decisions on as many days"
        )
    if replayed is None and not evidence.source:
        return (
            f"the file says that the gain rests on an {evidence.basis}, and not where that is "
            "written down; say so in source"
        )
    return ""


def document(option: Option, evidence: Evidence, demand: Demand, judged_at: str) -> dict[str, Any]:
    """Return a verdict with all that it was made of, as it is signed and kept.

    Args:
        option: what was judged.
        evidence: what its gain rests on.
        demand: what was asked of it.
        judged_at: when, ISO 8601.
    """
    verdict = judge(option, evidence, demand)
    return {
        "version": VERSION,
        "at": judged_at,
        "option": {
            "name": option.name,
            "capex_usd": _range(option.capex),
            "opex_usd_per_quarter": _range(option.opex),
            "gain_usd_per_quarter": _range(option.gain),
            "gain_drivers": [
                {"name": each.name, **_range(each.amount)}
                for each in (option.drivers if evidence.replayed is None else ())
            ],
            "ramp": [str(each) for each in option.ramp],
            "quarters": option.quarters,
        },
        "evidence": {
            "basis": str(evidence.basis),
            "reason": evidence.reason,
            "model_version": evidence.model_version,
            "decisions_missing": evidence.decisions_missing,
            "source": evidence.source,
            "experiment_decisions": evidence.experiment_decisions,
            "replayed": _replayed_fields(evidence.replayed),
        },
        "demand": {
            "rate": str(demand.rate),
            "multiple": str(demand.multiple),
            "probability": str(demand.probability),
            "days_min": demand.days_min,
        },
        "verdict": {
            "ruling": str(verdict.ruling),
            "reason": verdict.reason,
            "gain_low_usd": _text(verdict.gain_low_usd),
            "cost_usd": _text(verdict.cost_usd),
            "multiple": _text(verdict.multiple),
        },
    }


def reproduce(verdict: dict[str, Any]) -> dict[str, Any]:
    """Work a verdict out again from its own inputs; it is true where this equals it.

    Raises:
        ValueError: it is not a verdict of ours.
    """
    try:
        if verdict["version"] != VERSION:
            raise ValueError(f"a verdict of version {verdict['version']}, {VERSION} is known")
        option, evidence, demand = verdict["option"], verdict["evidence"], verdict["demand"]
        replayed = _read(evidence["replayed"])
        drivers = tuple(Driver(each["name"], _parsed(each)) for each in option["gain_drivers"])
        if replayed is not None:
            gain = replayed.quarterly()
        elif drivers:
            gain = product([each.amount for each in drivers])
        else:
            gain = _parsed(option["gain_usd_per_quarter"])
        return document(
            Option(
                name=option["name"],
                capex=_parsed(option["capex_usd"]),
                opex=_parsed(option["opex_usd_per_quarter"]),
                gain=gain,
                ramp=tuple(Decimal(each) for each in option["ramp"]),
                quarters=option["quarters"],
                drivers=drivers,
            ),
            Evidence(
                Basis(evidence["basis"]),
                evidence["reason"],
                evidence["model_version"],
                evidence["decisions_missing"],
                evidence["source"],
                replayed,
                evidence["experiment_decisions"],
            ),
            Demand(
                rate=Decimal(demand["rate"]),
                multiple=Decimal(demand["multiple"]),
                probability=Decimal(demand["probability"]),
                days_min=demand["days_min"],
            ),
            verdict["at"],
        )
    except (KeyError, TypeError, AttributeError, ArithmeticError, InputError) as error:
        raise ValueError(f"it is not a verdict: {error!r}") from error


def canonical(verdict: dict[str, Any]) -> bytes:
    """Return the bytes of a verdict that are signed: sorted, without spaces, UTF-8."""
    return json.dumps(verdict, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(verdict: dict[str, Any]) -> str:
    """Return the SHA-256 of a verdict, which names it."""
    return hashlib.sha256(canonical(verdict)).hexdigest()


def _replayed_fields(replayed: Replayed | None) -> dict[str, Any] | None:
    if replayed is None:
        return None
    return {
        "from_ns": replayed.from_ns,
        "to_ns": replayed.to_ns,
        "saves": dict(replayed.saves),
        "decisions": replayed.decisions,
        "replayed": replayed.replayed,
        "unvalued": replayed.unvalued,
        "saved_usd": _range(replayed.saved),
        "bases": list(replayed.bases),
        "slope": replayed.slope,
    } | ({} if replayed.days is None else {"days": replayed.days})


def _read(fields: dict[str, Any] | None) -> Replayed | None:
    if fields is None:
        return None
    return Replayed(
        fields["from_ns"],
        fields["to_ns"],
        tuple(fields["saves"].items()),
        fields["decisions"],
        fields["replayed"],
        fields["unvalued"],
        _parsed(fields["saved_usd"]),
        tuple(fields["bases"]),
        fields["slope"],
        fields.get("days"),
    )


def _range(bounds: Range) -> dict[str, str]:
    return {"low": str(bounds.low), "median": str(bounds.median), "high": str(bounds.high)}


def _parsed(fields: dict[str, str]) -> Range:
    return Range(*(Decimal(fields[name]) for name in ("low", "median", "high")))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
