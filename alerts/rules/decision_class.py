"""Pure: what a rule is about, and the dollars at which it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from alerts.config import BurnRule


@dataclass(frozen=True, slots=True, order=True)
class DecisionClass:
    """The decisions that a rule judges together; an empty region is one of its own."""

    action: str
    region: str

    def __str__(self) -> str:
        return f"{self.action or '(no action)'}/{self.region or '(no region)'}"


def covers(rule: BurnRule, decision_class: DecisionClass) -> bool:
    """Tell whether the rule judges this class."""
    return rule.action in ("", decision_class.action) and rule.region in ("", decision_class.region)


def named_class(rule: BurnRule) -> DecisionClass | None:
    """Return the one class that the rule names in full, None where it takes what comes.

    Such a class is judged before its first decision: its silence is then seen.
    """
    return DecisionClass(rule.action, rule.region) if rule.action and rule.region else None


def long_threshold_usd(rule: BurnRule) -> Decimal:
    """Return the loss in the long window at which the rule fires."""
    return Decimal(str(rule.budget_usd)) * Decimal(str(rule.budget_share))


def short_threshold_usd(rule: BurnRule) -> Decimal:
    """Return the loss in the short window that shows that it burns still: the same rate."""
    return long_threshold_usd(rule) * rule.short_window_s / rule.long_window_s
