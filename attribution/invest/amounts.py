"""Pure: amounts of files: exact numbers, and ranges of what is not known exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from attribution.invest.npv import Range
from collector.core.config import Section


def _as_decimal(value: object) -> object:
    # A float has lost the digits that were written.
    return str(value) if isinstance(value, float) else value


# A quadrillion: what is made of several of them is still exact to the cent.
AMOUNT_MAX = Decimal(10**15)
Amount = Annotated[
    Decimal,
    BeforeValidator(_as_decimal),
    Field(allow_inf_nan=False, gt=-AMOUNT_MAX, lt=AMOUNT_MAX),
]


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
    if isinstance(value, str | int | float | Decimal):
        return {"low": value, "median": value, "high": value}
    return value


Spread = Annotated[RangeEntry, BeforeValidator(_as_range)]
