"""I/O: which alert owns which lost dollar at the end of a pass, from the cells of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from operator import add
from typing import Any

from alerts.rows import Dollars, Owned
from alerts.rules.base import Moment, Reader, Rule, RuleConfig, attributed_s
from alerts.rules.burn_rate import EMPTY_WINDOW, Window
from alerts.rules.dollar_burn import KEPT_S, window_end_ns
from alerts.rules.ledger import Claim, narrower, shares
from alerts.rules.rings import read_sums
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import ACTIVE_PHASES, AlertState, Status
from collector.core.times import NS_PER_S

_AnyRule = Rule[RuleConfig, Any]
Sums = Mapping[Subject, Mapping[int, Window]]  # by class and by the instant since when


class Ledger:
    """Reads what the alerts that fire own.

    Args:
        reader: of the store.
        alert_state: what fires, what was sent, and what people did.
        is_shadow: whether a rule routes nothing yet: its alerts own nothing.
    """

    def __init__(
        self, reader: Reader, alert_state: AlertStore, is_shadow: Callable[[str], bool]
    ) -> None:
        self._reader = reader
        self._alert_state = alert_state
        self._is_shadow = is_shadow

    def owned(
        self,
        rules: Mapping[str, _AnyRule],
        facts: Mapping[str, Any],
        known: Mapping[tuple[str, Subject], AlertState],
        updates: Iterable[Update],
        moment: Moment,
    ) -> list[Owned]:
        """Return what each alert owns that fires after a pass.

        Args:
            rules: by name.
            facts: of the pass, by the name of the rule; a rule that could not be read has none, and
                its alerts are as they were.
            known: the states before the pass.
            updates: of the pass.
            moment: of the pass.
        """
        after = {key: Update(state) for key, state in known.items()}
        after |= {update.state.key: update for update in updates}
        firing = dict(self._claims(rules, after.values()))
        if not firing:
            return []
        end_ns = moment.end_ns
        lost, recent = self._lost(
            {claim.since_ns for claim in firing},
            {claim.rate_start_ns(end_ns) for claim in firing},
            end_ns,
        )

        def an_hour_since(classes: Iterable[Subject], since_ns: int) -> Dollars:
            windows = (recent.get(each, {}).get(since_ns, EMPTY_WINDOW) for each in classes)
            window = reduce(add, windows, EMPTY_WINDOW)
            seconds = (end_ns - since_ns) // NS_PER_S
            return window.loss.an_hour(attributed_s(seconds, window.decisions, window.missing))

        found = shares(
            firing, lost, lambda of_class, since_ns: lost[of_class][since_ns], an_hour_since, end_ns
        )
        return [
            Owned(
                update.state.episode_id,
                end_ns,
                claim.since_ns,
                found[claim].lost,
                found[claim].at_risk,
                _explained(rules[claim.rule], facts.get(claim.rule), update, claim, firing),
            )
            for claim, update in firing.items()
        ]

    def _claims(
        self, rules: Mapping[str, _AnyRule], updates: Iterable[Update]
    ) -> Iterator[tuple[Claim, Update]]:
        for update in updates:
            state = update.state
            rule = rules.get(state.rule)
            is_claim = state.phase in ACTIVE_PHASES and not update.is_over
            if rule is None or not rule.owns_losses or not is_claim or self._is_shadow(state.rule):
                continue
            began_s, window_s = self._windows_s(rule, update)
            yield (
                Claim(
                    state.rule,
                    state.subject,
                    rule.config.severity,
                    window_s,
                    max(state.ended_ns, state.started_ns - began_s * NS_PER_S),
                    _covers(rule, state.subject),
                    is_judged=not state.is_unknown,
                ),
                update,
            )

    def _windows_s(self, rule: _AnyRule, update: Update) -> tuple[int, int]:
        """Return the window whose losses made an alert fire, and that of its last change."""
        state = update.state
        events = self._alert_state.events(state.episode_id)
        if update.event is not None:
            events.append(update.event)
        began = (each.window_s for each in events if each.at_ns == state.started_ns)
        return next(began, rule.window_s), events[-1].window_s if events else rule.window_s

    def _lost(
        self, since_ns: set[int], rate_starts_ns: set[int], end_ns: int
    ) -> tuple[dict[Subject, dict[int, Dollars]], Sums]:
        """Return what every class lost since each instant, and the sums of what is recent.

        What is older than half an hour is read once a minute, as it is for the rules.
        """
        minute_ns = window_end_ns(KEPT_S + 1, end_ns)
        old = {each for each in since_ns if each < end_ns - KEPT_S * NS_PER_S}
        new = {*since_ns - old, *rate_starts_ns}
        recent = read_sums(self._reader.rows, new | ({minute_ns} if old else set()), end_ns)
        kept = read_sums(self._reader.kept_rows, old, minute_ns)
        lost = {
            of_class: {
                **{each: _dollars(recent, of_class, each) for each in new},
                **{
                    each: _dollars(kept, of_class, each) + _dollars(recent, of_class, minute_ns)
                    for each in old
                },
            }
            for of_class in {*recent, *kept}
        }
        return lost, recent


def _dollars(sums: Sums, of_class: Subject, since_ns: int) -> Dollars:
    return sums.get(of_class, {}).get(since_ns, EMPTY_WINDOW).loss


def _covers(rule: _AnyRule, subject: Subject) -> Callable[[Subject], bool]:
    return lambda of_class: rule.owner(of_class) == subject


def _explained(
    rule: _AnyRule, facts: object, update: Update, claim: Claim, claims: Iterable[Claim]
) -> str:
    """Return the narrower alerts without whose decisions this one would not fire, "" for none.

    Less keeps an alert than begins it: what only keeps it is no reason to tell of it.
    """
    parts = narrower(claim, claims)
    if not parts or facts is None:
        return ""
    rest = rule.without(facts, lambda of_class: any(each.covers(of_class) for each in parts))
    if rule.evaluate(rest, update.state).seen.status is Status.BREACHED:
        return ""
    return ", ".join(sorted(f"{each.rule} ({each.subject})" for each in parts))
