"""Pure: the funding gate: money goes where even the low end of the gain covers the cost.

An option is funded where the present value of its gain, at the quantile that it exceeds with the
probability asked for, is at least a multiple of what it costs. A gain that rests on a slope nobody
has identified is not judged: the gate refuses, and says what is missing. A verdict carries every
input, so that whoever has it can work it out again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from attribution.invest import Option, Range, cents, factors

VERSION = 1


class Basis(StrEnum):
    """What a gain rests on."""

    ESTIMATE = "estimate"  # a slope that our own data have identified
    EXPERIMENT = "experiment"  # measured in a randomised experiment
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the gain comes from."""

    basis: Basis
    reason: str = ""  # of a slope that is not identified
    model_version: int | None = None
    decisions_missing: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One ruling with its figures."""

    ruling: Ruling
    reason: str
    gain_low_usd: Decimal | None  # present value at the quantile asked for
    cost_usd: Decimal | None  # present value of capital and opex
    multiple: Decimal | None  # of the two, to four digits


def judge(option: Option, evidence: Evidence, demand: Demand) -> Verdict:
    """Rule on one option."""
    if evidence.basis not in (Basis.ESTIMATE, Basis.EXPERIMENT) or evidence.reason:
        missing = evidence.decisions_missing
        told = f"; {missing:,} more decisions are needed" if missing else ""
        why = evidence.reason or f"the gain rests on {evidence.basis}, which proves no cause"
        return Verdict(Ruling.REFUSE, f"{why}{told}", None, None, None)
    gain_factor, opex_factor = factors(option, demand.rate)
    low = option.gain.quantile(1 - float(demand.probability)) * gain_factor
    cost = option.capex.median + option.opex.median * opex_factor
    gain_low, cost_usd = cents(low), cents(cost)
    if cost_usd <= 0:
        return Verdict(Ruling.FUND, "it costs nothing", gain_low, cost_usd, None)
    multiple = (gain_low / cost_usd).quantize(Decimal("0.0001"))
    is_enough = gain_low >= demand.multiple * cost_usd
    reason = (
        f"with a probability of {demand.probability} the gain is at least {gain_low} USD, "
        f"{multiple} times the cost of {cost_usd} USD; {demand.multiple} times is asked for"
    )
    ruling = Ruling.FUND if is_enough else Ruling.REJECT
    return Verdict(ruling, reason, gain_low, cost_usd, multiple)


def document(option: Option, evidence: Evidence, demand: Demand, at: str) -> dict[str, Any]:
    """Return a verdict with all that it was made of, as it is signed and kept.

    Args:
        option: what was judged.
        evidence: what its gain rests on.
        demand: what was asked of it.
        at: when, ISO 8601.
    """
    verdict = judge(option, evidence, demand)
    return {
        "version": VERSION,
        "at": at,
        "option": {
            "name": option.name,
            "capex_usd": _range(option.capex),
            "opex_usd_per_quarter": _range(option.opex),
            "gain_usd_per_quarter": _range(option.gain),
            "ramp": [str(each) for each in option.ramp],
            "quarters": option.quarters,
        },
        "evidence": {
            "basis": str(evidence.basis),
            "reason": evidence.reason,
            "model_version": evidence.model_version,
            "decisions_missing": evidence.decisions_missing,
        },
        "demand": {
            "rate": str(demand.rate),
            "multiple": str(demand.multiple),
            "probability": str(demand.probability),
        },
        "verdict": {
            "ruling": str(verdict.ruling),
            "reason": verdict.reason,
            "gain_low_usd": _text(verdict.gain_low_usd),
            "cost_usd": _text(verdict.cost_usd),
            "multiple": _text(verdict.multiple),
        },
    }


def reproduce(told: dict[str, Any]) -> dict[str, Any]:
    """Work a verdict out again from its own inputs; it is true where this equals it.

    Raises:
        ValueError: it is no verdict of ours.
    """
    try:
        if told["version"] != VERSION:
            raise ValueError(f"a verdict of version {told['version']}, {VERSION} is known")
        option, evidence, demand = told["option"], told["evidence"], told["demand"]
        return document(
            Option(
                name=option["name"],
                capex=_parsed(option["capex_usd"]),
                opex=_parsed(option["opex_usd_per_quarter"]),
                gain=_parsed(option["gain_usd_per_quarter"]),
                ramp=tuple(Decimal(each) for each in option["ramp"]),
                quarters=option["quarters"],
            ),
            Evidence(
                Basis(evidence["basis"]),
                evidence["reason"],
                evidence["model_version"],
                evidence["decisions_missing"],
            ),
            Demand(*(Decimal(demand[name]) for name in ("rate", "multiple", "probability"))),
            told["at"],
        )
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"it is no verdict: {error!r}") from error


def canonical(told: dict[str, Any]) -> bytes:
    """Return the bytes of a verdict that are signed: sorted, without spaces, UTF-8."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(told: dict[str, Any]) -> str:
    """Return the SHA-256 of a verdict, which names it."""
    return hashlib.sha256(canonical(told)).hexdigest()


def _range(each: Range) -> dict[str, str]:
    return {"low": str(each.low), "median": str(each.median), "high": str(each.high)}


def _parsed(each: dict[str, str]) -> Range:
    return Range(*(Decimal(each[name]) for name in ("low", "median", "high")))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
