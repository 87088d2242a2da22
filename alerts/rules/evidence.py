"""I/O: what is found out about an alert at the instant at which it begins to fire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from alerts.config import BurnRule
from alerts.rules.burn_rate import Windows
from alerts.rules.decision_class import DecisionClass
from alerts.rules.reader import AlertReader
from alerts.rules.reroute import Move, propose
from alerts.rules.suspect import Baseline, Blame, blame, pool
from collector.core.clock import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S

# What was usual: the class in the ten minutes before the window.
_BASELINE_NS = 10 * NS_PER_MINUTE
# The segments of more decisions than an hour has say nothing more about which one it is.
_BLAME_NS_MAX = NS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why, what is left of the budget, and what could be done."""

    blame: Blame | None
    move: Move | None
    spent_usd: Decimal


def gather(
    reader: AlertReader,
    rule: BurnRule,
    decision_class: DecisionClass,
    seen: Mapping[DecisionClass, Windows],
    end_ns: int,
) -> Evidence:
    """Read what a person or a machine needs to know about a class that begins to fire."""
    start_ns = end_ns - rule.long_window_s * NS_PER_S
    route = reader.usual_route(decision_class, start_ns, end_ns)
    return Evidence(
        blame=blame_until(reader, rule, decision_class, end_ns),
        move=propose(rule, decision_class, seen, route),
        spent_usd=reader.budget_spent(rule, decision_class, end_ns),
    )


def baseline_start_ns(rule: BurnRule, end_ns: int) -> int:
    """Return the earliest instant that the blame for a window that ends then is told from."""
    return end_ns - rule.long_window_s * NS_PER_S - _BASELINE_NS


def blame_until(
    reader: AlertReader, rule: BurnRule, decision_class: DecisionClass, end_ns: int
) -> Blame | None:
    """Return the segment that stood out in the rule's long window that ended then."""
    action, region = decision_class.action, decision_class.region
    start_ns = end_ns - rule.long_window_s * NS_PER_S
    during = reader.segment_times(action, max(start_ns, end_ns - _BLAME_NS_MAX), end_ns)
    if region not in during:
        return None
    before = reader.segment_times(action, baseline_start_ns(rule, end_ns), start_ns)
    baselines = [Baseline("before", before[region])] if region in before else []
    others = [times for other, times in during.items() if other != region]
    baselines.append(Baseline("in other regions", pool(others)))
    return blame(during[region], baselines)
