"""I/O: the decisions that show best what an alert is about."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.rules.base import RuleConfig
from alerts.rules.threshold import ThresholdConfig
from collector.core.times import NS_PER_MS, NS_PER_S
from dashboard.read.alerts.losses import BEFORE_S_MAX
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference, segment_place


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A decision that shows what an alert is about."""

    decision_id: str
    ingress_ns: int
    total_ns: int
    is_error: int
    segment_ns: int  # in the blamed segment; without one, all of it
    packets: int  # 1 where its packets are linked


def slow_over_ms(rule: RuleConfig | None) -> float | None:
    """Return the latency over which a rule counts a decision, None where it names none."""
    return rule.target_ms if isinstance(rule, ThresholdConfig) else None


def exemplars(
    reader: Reader,
    alert: AlertRow,
    rule: RuleConfig | None,
    reference: Reference,
    until_ns: int,
    *,
    rows_max: int,
) -> list[Exemplar]:
    """Return them, the best first, late or failed; none of an alert that is not about decisions.

    Args:
        reader: of the store.
        alert: whose class and time they are of, from its window before it fired.
        rule: of that name; of one that names a latency they are what took longer, and that alone.
        reference: the latencies that decisions are late by.
        until_ns: the last instant at which one may have begun.
        rows_max: at most so many.
    """
    if not alert.is_about_decisions:
        return []
    over_ms = slow_over_ms(rule)
    if over_ms is not None:
        reference = Reference(round(over_ms * NS_PER_MS), {})
    began_ns = alert.started_ns or alert.first_ns
    action, region = alert.scope
    by_action = reference.by_action_ns or {"": reference.default_ns}
    rows = reader.ask(
        "exemplars",
        __file__,
        {
            "from_ns": max(0, began_ns - min(alert.window_s, BEFORE_S_MAX) * NS_PER_S),
            "to_ns": until_ns + 1,
            "action": action,
            "region": region,
            "reference_actions": list(by_action),
            "reference_ns": list(by_action.values()),
            "default_reference_ns": reference.default_ns,
            "segment": segment_place(alert.blamed_stage, alert.blamed_class),
            "is_of_failures": int(alert.failing_share > 0),
            "is_of_time": int(over_ms is not None),
            "rows_max": rows_max,
        },
    )
    return [Exemplar(**row) for row in rows]
