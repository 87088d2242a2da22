"""Pure: entries of the debt ledger in a file of investments.

[[debt]]
id = "runtime/shop/cpython-3.8"      # as the ledger names what telemetry found, or a name of yours
incidents_per_year = 2
hours_per_incident = { low = 1, median = 3, high = 8 }
usd_per_hour = 4000
fix_usd = 30000
source = "incident reports of 2026"
"""

from __future__ import annotations

from dataclasses import fields

from pydantic import Field, model_validator

from attribution.invest.amounts import Spread
from attribution.invest.debt import Burden
from collector.core.config import Section

_PAIRS = (
    ("incidents_per_year", "hours_per_incident"),
    ("delay_days_per_year", "usd_per_delay_day"),
)


class DebtEntry(Section):
    """One thing that is owed, or what one that telemetry found costs."""

    id: str = Field(min_length=1, max_length=200, description="As the ledger names it")
    what: str = Field(default="", description="In words")
    source: str = Field(default="", description="Where the amounts are written down")
    incidents_per_year: Spread | None = Field(default=None, description="That it causes")
    hours_per_incident: Spread | None = Field(default=None, description="... and how long each is")
    usd_per_hour: Spread | None = Field(default=None, description="What such an hour costs")
    impact: Spread | None = Field(
        default=None, description="Instead: share of the expected revenue velocity, 0 to 1"
    )
    drag_ms: Spread | None = Field(default=None, description="Taken from each decision")
    delay_days_per_year: Spread | None = Field(default=None, description="Campaigns that wait")
    usd_per_delay_day: Spread | None = Field(default=None, description="... and what a day costs")
    run_usd_per_year: Spread | None = Field(default=None, description="To keep it running")
    fix_usd: Spread | None = Field(default=None, description="To be rid of it, at once")

    @model_validator(mode="after")
    def _is_whole(self) -> DebtEntry:
        for first, second in _PAIRS:
            if (getattr(self, first) is None) != (getattr(self, second) is None):
                raise ValueError(f"debt {self.id!r}: {first} and {second} go together; give both")
        for each in fields(Burden):
            amount = getattr(self, each.name)
            if amount is not None and amount.low < 0:
                raise ValueError(
                    f"debt {self.id!r}: {each.name} is {amount.low}; expected 0 or more"
                )
        an_hour = self.usd_per_hour or self.impact
        if an_hour is not None and self.incidents_per_year is None:
            raise ValueError(
                f"debt {self.id!r}: usd_per_hour and impact are of an incident; give "
                "incidents_per_year and hours_per_incident"
            )
        if self.usd_per_hour is not None and self.impact is not None:
            raise ValueError(f"debt {self.id!r}: give usd_per_hour or impact, not both")
        if self.impact is not None and self.impact.high > 1:
            raise ValueError(
                f"debt {self.id!r}: impact is {self.impact.high}; expected a share, 0 to 1"
            )
        return self

    def burden(self) -> Burden:
        """Return what the cores take."""
        given = {each.name: getattr(self, each.name) for each in fields(Burden)}
        return Burden(**{name: each.range() for name, each in given.items() if each is not None})
