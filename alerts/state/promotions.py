"""I/O: which rules are routed, in the alert state: a new one is in shadow until promoted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alerts.state.acts import Act, note_act
from alerts.state.sqlite import AlertStore

_READ: Final = "SELECT rule, first_ns, promoted_ns, actor, reason FROM rules"


@dataclass(frozen=True, slots=True)
class Promotion:
    """How long a rule is known, and since when it is routed."""

    rule: str
    first_ns: int  # of its first evaluation
    promoted_ns: int | None  # None: in shadow
    actor: str
    reason: str


class Promotions:
    """The table `rules`; safe to use from several threads."""

    def __init__(self, alert_state: AlertStore) -> None:
        self._alert_state = alert_state

    def see(self, rules: Iterable[str], now_ns: int) -> None:
        """Note rules that are evaluated for the first time."""
        with self._alert_state.transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO rules VALUES (?, ?, NULL, '', '')",
                [(rule, now_ns) for rule in rules],
            )

    def all(self) -> dict[str, Promotion]:
        """Return what is known of every rule that was ever evaluated, by name."""
        return {row[0]: Promotion(*row) for row in self._alert_state.rows(_READ)}

    def of(self, rule: str) -> Promotion | None:
        """Return what is known of a rule, None before its first evaluation."""
        rows = self._alert_state.rows(f"{_READ} WHERE rule = ?", (rule,))
        return Promotion(*rows[0]) if rows else None

    def promote(self, rule: str, act: Act, reason: str) -> None:
        """Route a rule from now on; what fires already goes out too."""
        self._set(rule, act.at_ns, act, reason, "rule_promoted")

    def demote(self, rule: str, act: Act, reason: str) -> None:
        """Put a rule back into shadow."""
        self._set(rule, None, act, reason, "rule_demoted")

    def _set(self, rule: str, at_ns: int | None, act: Act, reason: str, action: str) -> None:
        with self._alert_state.transaction() as db:
            db.execute(
                "INSERT INTO rules VALUES (?, ?, ?, ?, ?) ON CONFLICT (rule) DO UPDATE"
                " SET promoted_ns = excluded.promoted_ns, actor = excluded.actor,"
                " reason = excluded.reason",
                (rule, act.at_ns, at_ns, act.actor, reason),
            )
            note_act(db, act, action, {"rule": rule, "reason": reason})
