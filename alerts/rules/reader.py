"""I/O: what alerting asks of the store, one typed method a file in `sql/`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from alerts.config import BurnRule
from alerts.rules.burn_rate import Window, Windows
from alerts.rules.decision_class import DecisionClass
from alerts.rules.suspect import SegmentTimes
from collector.core.clock import NS_PER_DAY, NS_PER_S
from collector.core.sql import sql
from collector.store.connect import Connections


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the dollars of decisions have come; Unix ns, None where nothing is there."""

    newest_ns: int | None  # newest second with a decision
    attributed_ns: int | None  # what was received before it has been attributed


class AlertReader:
    """Reads through the calling thread's limited, read-only connection."""

    def __init__(self, store: Connections) -> None:
        self._store = store

    def watermark(self) -> Watermark:
        """Return how far the dollars of decisions have come."""
        newest_ns, attributed_ns = self._rows("watermark")[0]
        return Watermark(int(newest_ns) or None, int(attributed_ns) or None)

    def windows(self, rule: BurnRule, end_ns: int) -> dict[DecisionClass, Windows]:
        """Return the two windows of a rule, for every class that decided anything in the long one.

        Classes that the rule does not cover are among them: they are where to move to.
        """
        long = self._losses(rule.long_window_s, end_ns)
        short = self._losses(rule.short_window_s, end_ns)
        nothing = empty_window(rule.short_window_s)
        return {
            decision_class: Windows(long=window, short=short.get(decision_class, nothing))
            for decision_class, window in long.items()
        }

    def budget_spent(self, rule: BurnRule, decision_class: DecisionClass, end_ns: int) -> Decimal:
        """Return what a class lost in the time that the rule's budget is for."""
        from_ns = max(0, end_ns - round(rule.budget_days * NS_PER_DAY))
        rows = self._rows(
            "budget_spent",
            from_ns=from_ns,
            end_ns=end_ns,
            action=decision_class.action,
            region=decision_class.region,
        )
        return Decimal(rows[0][0])

    def segment_times(self, action: str, from_ns: int, end_ns: int) -> dict[str, SegmentTimes]:
        """Return the times of the segments by region."""
        rows = self._rows("segment_times", action=action, from_ns=from_ns, end_ns=end_ns)
        return {
            str(region): SegmentTimes(int(decisions), tuple(mean_ns), tuple(variance_ns2))
            for region, decisions, mean_ns, variance_ns2 in rows
        }

    def revised(self, action: str, from_ns: int, end_ns: int) -> tuple[int, int]:
        """Return how many revisions decisions of [from, end) had, and when the newest was made."""
        revisions, newest_ns = self._rows(
            "revised", action=action, from_ns=max(from_ns, 0), end_ns=end_ns
        )[0]
        return int(revisions), int(newest_ns)

    def usual_route(self, decision_class: DecisionClass, from_ns: int, end_ns: int) -> str:
        """Return the route that most decisions took, "" where they carry none."""
        rows = self._rows(
            "usual_route",
            from_ns=from_ns,
            end_ns=end_ns,
            action=decision_class.action,
            region=decision_class.region,
        )
        return str(rows[0][0]) if rows else ""

    def arrivals(self, after_ns: int) -> dict[str, int]:
        """Return by service when its last data arrived, where something came after an instant."""
        return {str(service): int(ns) for service, ns in self._rows("arrivals", after_ns=after_ns)}

    def _losses(self, seconds: int, end_ns: int) -> dict[DecisionClass, Window]:
        rows = self._rows("loss_windows", from_ns=end_ns - seconds * NS_PER_S, end_ns=end_ns)
        return {
            DecisionClass(str(action), str(region)): Window(seconds, *figures)
            for action, region, *figures in rows
        }

    def _rows(self, name: str, **parameters: str | int) -> list[Any]:
        return list(
            self._store.reader().query(sql(name, __file__), parameters=parameters).result_rows
        )


def empty_window(seconds: int) -> Window:
    """Return the window of a class that decided nothing."""
    return Window(
        seconds=seconds,
        decisions=0,
        late=0,
        unvalued=0,
        loss_usd=Decimal(0),
        loss_low_usd=Decimal(0),
        loss_high_usd=Decimal(0),
        loss_squared=0.0,
        basis="",
        slope_source="",
        newest_ns=0,
    )
