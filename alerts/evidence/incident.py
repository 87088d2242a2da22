"""Pure: which alerts are of one incident: several rules and classes see one cause.

An alert joins when it begins to fire, and stays: what receivers were told does not change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from alerts.rows import AlertEvent
from alerts.state.subject import ALL
from collector.core.clock import NS_PER_MINUTE

# Alerts whose cause is not known are one where they begin together; a ticket that fires for days
# is not about what happens on its third.
_TOGETHER_NS: Final = 30 * NS_PER_MINUTE


def incident_of(event: AlertEvent, firing: Iterable[AlertEvent]) -> str:
    """Return the incident of an alert that begins to fire: one that is open, else its own.

    It joins alerts whose time goes into the same segment, of decisions of the same action or
    region. Where of one of the two no segment stands out, it joins those about the same decisions
    that began within the last half hour. Of several incidents it joins the oldest. What a rule in
    shadow says joins nothing that people were told of, and the other way round.

    Args:
        event: of the alert, with its suspect.
        firing: the latest events of the alerts that fire.
    """
    found = [each for each in firing if _is_one(event, each)]
    oldest = min(found, key=lambda each: (each.started_ns, each.episode_id), default=event)
    return oldest.incident_id or oldest.episode_id


def _is_one(event: AlertEvent, other: AlertEvent) -> bool:
    if event.episode_id == other.episode_id or event.is_shadow != other.is_shadow:
        return False
    shared = [
        ALL in pair or pair[0] == pair[1] for pair in zip(_of(event), _of(other), strict=True)
    ]
    if event.blamed_stage and other.blamed_stage:
        blamed = event.blamed_stage, event.blamed_class
        return any(shared) and blamed == (other.blamed_stage, other.blamed_class)
    return all(shared) and event.started_ns - other.started_ns <= _TOGETHER_NS


def _of(event: AlertEvent) -> tuple[str, str]:
    """Return the action and the region; of data that stopped altogether these are all."""
    return (event.action, event.region) if event.action or event.region else (ALL, ALL)
