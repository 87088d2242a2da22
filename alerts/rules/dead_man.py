"""Pure: data that stopped. Whoever was sent to, and is not any more, says so by itself.

Silence is counted from the last arrival, and never from before the start of the service: one that
was just started, or that nobody ever sent to, has nothing to miss. An alert that burns goes on
over a restart, until data come again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from alerts.config import DEAD_MAN, AlertsConfig, BurnRule
from alerts.rows import AlertEvent
from alerts.rules.burn_rate import Status, duration_text
from alerts.rules.decision_class import DecisionClass
from alerts.rules.state_machine import (
    AlertState,
    Observation,
    Phase,
    Transition,
    advance,
    first_state,
)
from collector.core.clock import NS_PER_S

ALL_DATA: Final = DecisionClass("", "")
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What is known of arrivals at one instant, Unix ns."""

    now_ns: int
    started_ns: int  # of this process
    stored_ns: int  # everything that was received by then is stored
    newest_ns: int  # of all data, 0 where none ever came
    by_service: Mapping[str, int]  # the newest of each; a service of which nothing new came is out


def watched(config: AlertsConfig) -> set[DecisionClass]:
    """Return what is watched: all data, and the services that are named; nothing where it is off.

    A service stands where a rule has an action.
    """
    if config.dead_man_seconds == 0:
        return set()
    return {ALL_DATA, *(DecisionClass(name, "") for name in config.dead_man_services)}


def judge(
    config: AlertsConfig, states: Mapping[DecisionClass, AlertState], seen: Arrivals
) -> Iterator[tuple[AlertState, AlertEvent | None, Transition | None]]:
    """Yield the state of each thing that is watched and was ever there, and what changed."""
    for what in sorted(watched(config)):
        is_all = what == ALL_DATA
        newest_ns = seen.newest_ns if is_all else seen.by_service.get(what.action, 0)
        state = states.get(what)
        if state is None:
            if newest_ns == 0:
                continue
            state = first_state(DEAD_MAN, what, newest_ns)
        last_ns = max(newest_ns, state.data_ns)
        # A store that is behind makes no service silent.
        until_ns = seen.now_ns if is_all else min(seen.now_ns, seen.stored_ns)
        silent_ns = until_ns - max(last_ns, seen.started_ns)
        is_over = newest_ns > state.data_ns
        burns_on = state.phase is Phase.FIRING and not is_over
        breached = burns_on or silent_ns > config.dead_man_seconds * NS_PER_S
        after, transition = advance(
            state,
            _rule(config),
            Observation(
                status=Status.BREACHED if breached else Status.OK,
                at_ns=seen.now_ns,
                newest_ns=last_ns,
                is_silent=False,
            ),
        )
        event = None
        if transition is not None:
            silence_ns = seen.now_ns - last_ns
            event = _event(config, after, transition, _reason(what, last_ns, silence_ns, breached))
        yield after, event, transition


def _rule(config: AlertsConfig) -> BurnRule:
    # Only its times matter here: it fires at once, and ends with the first arrival.
    window_s = max(2, round(config.dead_man_seconds))
    return BurnRule(
        name=DEAD_MAN,
        budget_usd=1.0,
        budget_share=1.0,
        long_window_s=window_s,
        short_window_s=1,
        keep_firing_s=0.0,
    )


def _reason(what: DecisionClass, last_ns: int, silent_ns: int, breached: bool) -> str:
    who = f"service {what.action}" if what.action else "any service"
    at = datetime.fromtimestamp(last_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if not breached:
        return f"data of {who} arrive again"
    silence = duration_text(silent_ns / NS_PER_S)
    return (
        f"no data of {who} for {silence}, the last came at {at} UTC; "
        "look at the senders, and at what is between them and this service"
    )


def _event(
    config: AlertsConfig, state: AlertState, transition: Transition, reason: str
) -> AlertEvent:
    return AlertEvent(
        episode_id=transition.episode_id,
        seq=transition.seq,
        rule=DEAD_MAN,
        severity="page",
        action=state.decision_class.action,
        region="",
        from_state=transition.from_state.value,
        to_state=transition.to_state.value,
        at_ns=transition.at_ns,
        recorded_ns=transition.at_ns,
        started_ns=transition.started_ns,
        window_s=round(config.dead_man_seconds),
        # What silence costs nobody knows; "unknown" says so where the columns have no null.
        loss_usd=_NOTHING,
        loss_low_usd=_NOTHING,
        loss_high_usd=_NOTHING,
        revenue_at_risk_usd_per_h=_NOTHING,
        burn=0.0,
        basis="unknown",
        slope_source="",
        blamed_stage="",
        blamed_class="",
        blamed_excess_ns=0,
        reason=reason,
    )
