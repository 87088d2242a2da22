"""Pure: the settings of the rule kind `dollar_burn`: a budget, and the tiers that watch it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from alerts.rules.base import DecisionRuleConfig, Severity, split_by_severity
from alerts.state.subject import ALL, Subject
from collector.core.config import Section

_S_PER_DAY: Final = 86_400


class Tier(Section):
    """A pair of windows that both have to burn, and the share of the budget that is too much."""

    budget_share: float = Field(
        gt=0, le=1, description="Share of the budget lost in the long window at which it fires"
    )
    long_window_s: int = Field(gt=0, description="Window that has to burn")
    short_window_s: int = Field(gt=0, description="... and the window that has to burn still")
    severity: Severity | None = Field(
        default=None, description="page or ticket; by default that of the rule"
    )

    @model_validator(mode="after")
    def _short_is_shorter(self) -> Self:
        if self.short_window_s >= self.long_window_s:
            raise ValueError(
                f"short_window_s {self.short_window_s} has to be less than "
                f"long_window_s {self.long_window_s}"
            )
        return self

    @property
    def rate(self) -> float:
        """Return the share of the budget lost a second at which it fires."""
        return self.budget_share / self.long_window_s


# SRE Workbook, ch. 5, table 5-8; a tier before it for what burns a month's budget in hours, and one
# at the rate of the six hours for what is over in three.
TIERS: Final = (
    Tier(budget_share=0.01, long_window_s=300, short_window_s=60),
    Tier(budget_share=0.02, long_window_s=3_600, short_window_s=300),
    Tier(budget_share=0.025, long_window_s=10_800, short_window_s=900),
    Tier(budget_share=0.05, long_window_s=21_600, short_window_s=1_800),
    Tier(budget_share=0.10, long_window_s=259_200, short_window_s=21_600, severity="ticket"),
)


class DollarBurnConfig(DecisionRuleConfig):
    """Burn of a dollar budget, over tiers of two windows each.

    Tiers of both severities make two rules, `NAME` and `NAME-ticket`: a ticket that becomes a page
    is a page, and a page that ends may leave a ticket.
    """

    kind: Literal["dollar_burn"] = Field(default="dollar_burn", description="Kind of the rule")
    budget_usd: float = Field(gt=0, description="Loss allowed in budget_days")
    budget_days: float = Field(default=30.0, gt=0, description="Time that the budget is for")
    budget_for: Literal["class", "action", "all"] = Field(
        default="class",
        description="What spends it: each action in each region has one (class), each action in "
        "all its regions (action), or everything that the rule covers together (all)",
    )
    tiers: tuple[Tier, ...] = Field(
        default=TIERS,
        min_length=1,
        description="Pairs of windows; the default is 1 %/5m+1m, 2 %/1h+5m, 2.5 %/3h+15m, "
        "5 %/6h+30m (page) and 10 %/3d+6h (ticket)",
    )
    calendars: tuple[str, ...] = Field(
        default=(),
        description="Names of [[alerts.calendars]] by which the budget allows more or less",
    )
    events_min: float = Field(
        default=8.0, ge=1, description="Effective number of losing decisions, (sum l)^2 / sum l^2"
    )
    confidence_z: float = Field(
        default=1.28,
        ge=0,
        description="The lower bound at this z has to exceed the threshold: 1.28 is nine in ten",
    )
    reset_window_s: int = Field(
        default=300,
        gt=0,
        description="The end is judged by the loss of the newest so many seconds alone, or of a "
        "twelfth of the short window, whichever is longer",
    )
    reset_share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="The alert ends where that loss is below this share of what begins one, or "
        "within the budget",
    )
    keep_firing_s: float = Field(
        default=300.0, ge=0, description="Time that the alert fires on after the condition ended"
    )

    @property
    def by_severity(self) -> tuple[DollarBurnConfig, ...]:
        """Return a rule for each severity of the tiers, the fastest tier first in each."""
        fastest_first = sorted(self.tiers, key=lambda each: -each.rate)
        return split_by_severity(self, fastest_first)

    @property
    def breadth(self) -> int:
        """Return 0 for classes, 1 for actions, 2 for everything."""
        return ("class", "action", "all").index(self.budget_for)

    @property
    def follows(self) -> tuple[str, ...]:
        """Return the calendars that the rule follows."""
        return self.calendars

    @property
    def windows_s(self) -> tuple[int, ...]:
        """Return the lengths of all windows, ascending."""
        lengths = {
            each
            for tier in self.tiers
            for each in (tier.long_window_s, tier.short_window_s, self.reset_s(tier))
        }
        return tuple(sorted(lengths))

    @property
    def named(self) -> Subject | None:
        """Return the one subject that the settings name, None where the rule takes what comes."""
        if self.budget_for == "class":
            return super().named
        if self.budget_for == "action" and not self.action:
            return None
        return self.spender(Subject(self.action, self.region))

    def covers(self, subject: Subject) -> bool:
        """Return whether a subject has a budget by this rule."""
        if self.budget_for == "class":
            return self.spends(subject) and ALL not in (subject.action, subject.region)
        has_its_name = self.action == subject.action or (
            not self.action and (subject.action == ALL) == (self.budget_for == "all")
        )
        return has_its_name and subject.region == (self.region or ALL)

    def spends(self, of_class: Subject) -> bool:
        """Return whether the decisions of a class spend a budget of this rule."""
        return super().covers(of_class)

    def spender(self, of_class: Subject) -> Subject:
        """Return the subject that spends the budget on behalf of a class."""
        if self.budget_for == "class":
            return of_class
        action = of_class.action if self.budget_for == "action" else self.action
        return Subject(action or ALL, self.region or ALL)

    def reset_s(self, tier: Tier) -> int:
        """Return the window by which the end is judged."""
        reset_s = max(self.reset_window_s, tier.short_window_s // 12)
        return reset_s if reset_s < tier.long_window_s else tier.short_window_s

    def keeps_usd(self, tier: Tier, window_s: int) -> Decimal:
        """Return the loss in a window that keeps an alert: never less than the budget allows."""
        share = Decimal(str(self.reset_share)) * self.threshold_usd(tier, window_s)
        budget_s = Decimal(str(self.budget_days)) * _S_PER_DAY
        return max(share, Decimal(str(self.budget_usd)) * window_s / budget_s)

    def threshold_usd(self, tier: Tier, window_s: int) -> Decimal:
        """Return the loss in a window at the rate at which a tier fires."""
        of_tier_usd = Decimal(str(self.budget_usd)) * Decimal(str(tier.budget_share))
        return of_tier_usd * window_s / tier.long_window_s
