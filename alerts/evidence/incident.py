"""Pure: which alerts are of one incident: several rules and classes see one cause.

An alert joins when it begins to fire, and stays: what receivers were told does not change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alerts.rows import AlertEvent
from alerts.state.subject import Subject
from collector.core.times import NS_PER_MINUTE

# Alerts whose cause is not known are one where they begin together; a ticket that fires for days
# is not about what happens on its third.
_TOGETHER_NS: Final = 30 * NS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Sighting:
    """An alert that fires, and what it is about.

    Args:
        event: the latest, with its suspect.
        of_class: the class of decisions that its evidence is of: of a wide alert the one that lost
            most when it began. None where it is not about decisions.
        subject: what it is about otherwise, in the words of its rule.
    """

    event: AlertEvent
    of_class: Subject | None
    subject: str = ""


def incident_of(sighting: Sighting, firing: Iterable[Sighting]) -> str:
    """Return the incident of an alert that begins to fire: one that is open, else its own.

    It joins alerts whose time goes into the same segment, of decisions of the same action or
    region. Where of one of the two no segment stands out, it joins those about the same decisions
    that began within the last half hour. A wide alert is about the decisions that made it fire: it
    ties nothing together that is about others. What is not about decisions joins what is about the
    same thing. Of several incidents it joins the oldest. What a rule in shadow says joins nothing
    that people were told of, and the other way round.

    Args:
        sighting: of the alert.
        firing: the alerts that fire.
    """
    event = sighting.event
    found = [each.event for each in firing if _is_one(sighting, each)]
    oldest = min(found, key=lambda each: (each.started_ns, each.episode_id), default=event)
    return oldest.incident_id or oldest.episode_id


def _is_one(sighting: Sighting, firing: Sighting) -> bool:
    event, other = sighting.event, firing.event
    if event.episode_id == other.episode_id or event.is_shadow != other.is_shadow:
        return False
    is_together = event.started_ns - other.started_ns <= _TOGETHER_NS
    if sighting.of_class is None or firing.of_class is None:
        is_same = sighting.of_class is firing.of_class and sighting.subject == firing.subject
        return is_same and is_together
    (action, region), others = _names(sighting.of_class), _names(firing.of_class)
    shared = (action == others[0], region == others[1])
    if event.blamed_stage and other.blamed_stage:
        blamed = event.blamed_stage, event.blamed_class
        return any(shared) and blamed == (other.blamed_stage, other.blamed_class)
    return all(shared) and is_together


def _names(of_class: Subject) -> tuple[str, str]:
    return of_class.action, of_class.region
