"""Pure: a file of investments in TOML -> options, tiers and what is asked of them.

[invest]
rate = "0.10"

[[options]]
name = "managed edge"
capex_usd = "120000"
opex_usd_per_quarter = { low = "18000", median = "20000", high = "26000" }
gain_usd_per_quarter = { low = "60000", median = "90000", high = "140000" }
basis = "experiment"        # estimate, experiment, prior or observational
source = "holdout of May, report 12"
ramp = ["0", "0.5", "1"]

A gain is one of: `gain_usd_per_quarter`, stated; `gain_drivers`, whose product it is; `saves`,
which is replayed on stored decisions.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal

from pydantic import Field, ValidationError, model_validator

from attribution.core.segments import segments_of
from attribution.invest.amounts import AMOUNT_MAX, Amount, Spread
from attribution.invest.debt_file import DebtEntry
from attribution.invest.gate import Basis, Demand
from attribution.invest.npv import Driver, Option, Range, product
from attribution.invest.tiers import Tier, recovery_factor
from attribution.vram.tail import CostPoint
from attribution.whatif.replay import Change
from collector.core.config import Section
from collector.core.errors import InputError
from collector.core.times import NS_PER_HOUR, duration_ns

# An hour: no decision takes as long.
_SAVED_NS_MAX = NS_PER_HOUR


def _saved_ns(segment: str, text: str) -> int:
    saved_ns = duration_ns(text, segment, ("us", "ms", "s"))
    if saved_ns > _SAVED_NS_MAX:
        raise ValueError(f"{text!r} is over an hour; give a time that a decision may take")
    return saved_ns


class OptionEntry(Section):
    """One way to get faster."""

    name: str = Field(min_length=1, description="Shown, and named by the commands")
    capex_usd: Spread = Field(description="At once")
    opex_usd_per_quarter: Spread = Field(description="A quarter")
    gain_usd_per_quarter: Spread | None = Field(
        default=None, description="A quarter, once it is all there; else from saves"
    )
    gain_drivers: dict[str, Spread] = Field(
        default_factory=dict,
        description="Instead: what the gain of a quarter is the product of; what has one name in "
        "several options is one quantity",
    )
    saves: dict[str, str] = Field(
        default_factory=dict,
        description='Instead: what is saved, such as {"decision/store" = "10ms"}, replayed on '
        "your own decisions",
    )
    basis: Basis = Field(default=Basis.OBSERVATIONAL, description="What a stated gain rests on")
    source: str = Field(default="", description="Where that is written down")
    ramp: tuple[Amount, ...] = Field(
        default=(Decimal(1),), description="Share of the gain by quarter; the last goes on"
    )

    @model_validator(mode="after")
    def _gains_once(self) -> OptionEntry:
        given = (self.gain_usd_per_quarter is not None, bool(self.gain_drivers), bool(self.saves))
        if sum(given) != 1:
            raise ValueError(
                f"option {self.name!r}: give one of gain_usd_per_quarter, gain_drivers and saves, "
                "not several"
            )
        for name, each in self.gain_drivers.items():
            if each.median < 0:
                raise ValueError(
                    f"option {self.name!r}: driver {name!r} has a median of {each.median}; "
                    "expected 0 or more"
                )
        if not self.ramp or not all(0 <= share <= 1 for share in self.ramp):
            raise ValueError(
                f"option {self.name!r}: ramp: give a share of the gain by quarter, 0 to 1"
            )
        try:
            self.changes()
        except (ValueError, InputError) as error:
            raise ValueError(f"option {self.name!r}: saves: {error}") from error
        return self

    def option(self, quarters: int, gain: Range, drivers: tuple[Driver, ...] = ()) -> Option:
        """Return what the cores take."""
        return Option(
            self.name,
            self.capex_usd.range(),
            self.opex_usd_per_quarter.range(),
            gain,
            self.ramp,
            quarters,
            drivers,
        )

    def stated(self, quarters: int) -> Option | None:
        """Return the option where its gain is stated, None where it has to be replayed."""
        if self.gain_usd_per_quarter is not None:
            return self.option(quarters, self.gain_usd_per_quarter.range())
        if self.saves:
            return None
        drivers = tuple(Driver(name, each.range()) for name, each in self.gain_drivers.items())
        gain = product([each.amount for each in drivers])
        if gain.high >= AMOUNT_MAX:
            raise ValueError(f"{self.name!r}: the product of gain_drivers is over {AMOUNT_MAX:.0e}")
        return self.option(quarters, gain, drivers)

    def changes(self) -> list[Change]:
        """Return what is replayed."""
        return [
            Change(segments_of(segment), decision_ns=_saved_ns(segment, text))
            for segment, text in self.saves.items()
        ]


class TierEntry(Section):
    """One target latency, and what it takes to be there."""

    latency_ms: Amount = Field(gt=0, description="Target")
    erv_usd_per_year: Amount = Field(description="Expected revenue velocity")
    capex_usd: Amount = Field(ge=0, description="In all, from nothing")
    opex_usd_per_year: Amount = Field(ge=0, description="A year")

    def tier(self) -> Tier:
        """Return what the cores take."""
        return Tier(self.latency_ms, self.erv_usd_per_year, self.capex_usd, self.opex_usd_per_year)


class TailEntry(Section):
    """One percentile that may be held at the target latency, and what that takes."""

    percentile: Amount = Field(
        gt=0, le=Decimal("99.9999999"), description="99 is 99 of 100 decisions"
    )
    capex_usd: Amount = Field(default=Decimal(0), ge=0, description="In all, from nothing")
    opex_usd_per_year: Amount = Field(ge=0, description="A year")

    def point(self, demand: DemandEntry) -> CostPoint:
        """Return what it costs a year, capital spread over the horizon at the discount rate."""
        capital = self.capex_usd * recovery_factor(demand.rate, demand.years)
        return CostPoint(float(self.percentile), float(capital + self.opex_usd_per_year))


class DemandEntry(Section):
    """What is asked of every option."""

    rate: Amount = Field(default=Decimal("0.10"), ge=0, lt=10, description="Discount rate a year")
    years: int = Field(default=3, gt=0, le=30, description="Horizon")
    multiple: Amount = Field(default=Decimal("1.5"), gt=0, description="Gain over cost at the gate")
    probability: Amount = Field(
        default=Decimal("0.8"), gt=0, lt=1, description="... with this probability"
    )
    window_days_min: int = Field(
        default=7, ge=0, le=366, description="Days of decisions that a replayed gain needs"
    )
    seed: int = Field(default=1, ge=0, description="Of the draws")

    def demand(self) -> Demand:
        """Return what the cores take."""
        return Demand(self.rate, self.multiple, self.probability, self.window_days_min)

    @property
    def quarters(self) -> int:
        """Return the horizon."""
        return self.years * 4


class InvestFile(Section):
    """Everything that a file of investments can say."""

    invest: DemandEntry = Field(default_factory=DemandEntry)
    options: tuple[OptionEntry, ...] = Field(default=(), description="What is compared")
    tiers: tuple[TierEntry, ...] = Field(default=(), description="Target latencies")
    tail: tuple[TailEntry, ...] = Field(default=(), description="What holding percentiles costs")
    debt: tuple[DebtEntry, ...] = Field(default=(), description="What is owed, and what it costs")

    @model_validator(mode="after")
    def _named_once(self) -> InvestFile:
        names = [each.name for each in self.options]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two options are named {twice[0]!r}; rename one")
        ids = [each.id for each in self.debt]
        again = sorted({each for each in ids if ids.count(each) > 1})
        if again:
            raise ValueError(f"two entries of debt are {again[0]!r}; keep one")
        return self

    def chosen(self, name: str) -> OptionEntry:
        """Return an option by name, or the only one. Raises InputError where that is none."""
        options = [each for each in self.options if name in ("", each.name)]
        if len(options) != 1:
            names = ", ".join(each.name for each in self.options) or "none"
            raise InputError(f"option {name!r} names no single option; options: {names}")
        return options[0]


def parse_invest(name: str, text: str) -> InvestFile:
    """Read a file of investments.

    Raises:
        InputError: it is no TOML, or a value is wrong; names the file, the key and the remedy.
    """
    try:
        return InvestFile.model_validate(
            tomllib.loads(text.removeprefix("\ufeff"), parse_float=Decimal)
        )
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: {error}; correct the TOML") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{name}: {where}: {first['msg']}") from error
