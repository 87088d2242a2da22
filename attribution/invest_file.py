"""Pure: a file of investments in TOML -> options, tiers and what is asked of them.

[invest]
rate = "0.10"

[[options]]
name = "managed edge"
capex_usd = "120000"
opex_usd_per_quarter = { low = "18000", median = "20000", high = "26000" }
gain_usd_per_quarter = { low = "60000", median = "90000", high = "140000" }
basis = "experiment"        # estimate, experiment, prior or observational
ramp = ["0", "0.5", "1"]
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from attribution.gate import Basis, Demand
from attribution.invest import Option, Range
from attribution.tiers import Tier
from collector.config import Section
from collector.errors import InputError


def _as_decimal(value: object) -> object:
    # A float has lost the digits that were written.
    return str(value) if isinstance(value, float) else value


Amount = Annotated[Decimal, BeforeValidator(_as_decimal), Field(allow_inf_nan=False)]


class RangeEntry(Section):
    """An amount that is not known exactly."""

    low: Amount = Field(description="5 % quantile")
    median: Amount = Field(description="Median")
    high: Amount = Field(description="95 % quantile")

    @model_validator(mode="after")
    def _ascends(self) -> RangeEntry:
        if not self.low <= self.median <= self.high:
            raise ValueError(f"{self.low}, {self.median}, {self.high} do not ascend")
        return self

    def range(self) -> Range:
        """Return what the cores take."""
        return Range(self.low, self.median, self.high)


def _as_range(value: object) -> object:
    """Take a single amount for a range of one."""
    if isinstance(value, str | int | float):
        return {"low": value, "median": value, "high": value}
    return value


Spread = Annotated[RangeEntry, BeforeValidator(_as_range)]


class OptionEntry(Section):
    """One way to get faster."""

    name: str = Field(min_length=1, description="Shown, and named by the commands")
    capex_usd: Spread = Field(description="At once")
    opex_usd_per_quarter: Spread = Field(description="A quarter")
    gain_usd_per_quarter: Spread | None = Field(
        default=None, description="A quarter, once it is all there; else from saves"
    )
    saves: dict[str, str] = Field(
        default_factory=dict,
        description='Instead of a gain: what is saved, such as {"decision/store" = "10ms"}, '
        "replayed on your own decisions",
    )
    basis: Basis = Field(default=Basis.OBSERVATIONAL, description="What a stated gain rests on")
    ramp: tuple[Amount, ...] = Field(
        default=(Decimal(1),), description="Share of the gain by quarter; the last goes on"
    )

    @model_validator(mode="after")
    def _gains_once(self) -> OptionEntry:
        if (self.gain_usd_per_quarter is None) == (not self.saves):
            raise ValueError(f"option {self.name!r}: give gain_usd_per_quarter or saves, not both")
        return self

    def option(self, quarters: int, gain: Range) -> Option:
        """Return what the cores take."""
        return Option(
            self.name,
            self.capex_usd.range(),
            self.opex_usd_per_quarter.range(),
            gain,
            self.ramp,
            quarters,
        )

    def stated_gain(self) -> Range | None:
        """Return the gain that is stated, None where it has to be replayed."""
        return None if self.gain_usd_per_quarter is None else self.gain_usd_per_quarter.range()


class TierEntry(Section):
    """One target latency, and what it takes to be there."""

    latency_ms: Amount = Field(gt=0, description="Target")
    erv_usd_per_year: Amount = Field(description="Expected revenue velocity")
    capex_usd: Amount = Field(ge=0, description="In all, from nothing")
    opex_usd_per_year: Amount = Field(ge=0, description="A year")

    def tier(self) -> Tier:
        """Return what the cores take."""
        return Tier(self.latency_ms, self.erv_usd_per_year, self.capex_usd, self.opex_usd_per_year)


class DemandEntry(Section):
    """What is asked of every option."""

    rate: Amount = Field(default=Decimal("0.10"), ge=0, lt=10, description="Discount rate a year")
    years: int = Field(default=3, gt=0, le=30, description="Horizon")
    multiple: Amount = Field(default=Decimal("1.5"), gt=0, description="Gain over cost at the gate")
    probability: Amount = Field(
        default=Decimal("0.8"), gt=0, lt=1, description="... with this probability"
    )
    seed: int = Field(default=1, ge=0, description="Of the draws")

    def demand(self) -> Demand:
        """Return what the cores take."""
        return Demand(self.rate, self.multiple, self.probability)


class InvestFile(Section):
    """Everything that a file of investments can say."""

    invest: DemandEntry = Field(default_factory=DemandEntry)
    options: tuple[OptionEntry, ...] = Field(default=(), description="What is compared")
    tiers: tuple[TierEntry, ...] = Field(default=(), description="Target latencies")


def parse_invest(name: str, text: str) -> InvestFile:
    """Read a file of investments.

    Raises:
        InputError: it is no TOML, or a value is wrong; names the file, the key and the remedy.
    """
    try:
        return InvestFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: {error}; correct the TOML") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{name}: {where}: {first['msg']}") from error
