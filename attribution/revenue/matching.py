"""Pure: of which decision each outcome is."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from collector.core.times import (
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    NS_PER_MS,
    NS_PER_S,
    NS_PER_US,
)

# In which times are written, the longest first; nobody writes the hour alone.
_UNITS_NS: Final = (NS_PER_DAY, NS_PER_MINUTE, NS_PER_S, NS_PER_MS, NS_PER_US)


@dataclass(frozen=True, slots=True)
class DecisionReference:
    """What one outcome says of the decision that it is of."""

    decision_id: str
    key: str  # counts where the id is empty
    event_ns: int
    received_ns: int
    is_refund: bool
    is_sale: bool  # it earns something and is no refund


def latest_begin_ns(event_ns: int, received_ns: int) -> int:
    """Return when the decision of an outcome that names it by key began at the latest, in ns.

    A time names an interval that is as long as the last unit that it is written in: an order of
    10:00:00 was taken before 10:00:01. One that was taken was not received before that, but clocks
    differ: what began more than an hour after it came counts by the time that is written alone.

    Args:
        event_ns: when the outcome happened, as it is written.
        received_ns: when it came.
    """
    unit_ns = next((each for each in _UNITS_NS if event_ns % each == 0), 1)
    return max(event_ns, min(event_ns + unit_ns - 1, received_ns + NS_PER_HOUR))


def match_outcomes(
    named: Sequence[DecisionReference], candidates: Sequence[tuple[int, str, str]]
) -> list[tuple[int, str] | None]:
    """Return ingress and id of the decision of each outcome, None where there is none.

    By id: the earliest of the decisions that share it. By key: the last decision that carries it
    and began by `latest_begin_ns`; a refund is of the last of them that has a sale, and of the last
    where none has.

    Args:
        named: the outcomes.
        candidates: ingress, id and key of every decision that an outcome may mean, by ingress.
    """
    by_id: dict[str, tuple[int, str]] = {}
    by_key: dict[str, list[tuple[int, str]]] = {}
    for ingress_ns, decision_id, key in candidates:
        by_id.setdefault(decision_id, (ingress_ns, decision_id))
        by_key.setdefault(key, []).append((ingress_ns, decision_id))

    def last(
        reference: DecisionReference, among: Container[tuple[int, str]] | None
    ) -> tuple[int, str] | None:
        until_ns = latest_begin_ns(reference.event_ns, reference.received_ns)
        for candidate in reversed(by_key.get(reference.key, ())):
            if candidate[0] <= until_ns and (among is None or candidate in among):
                return candidate
        return None

    matched = [
        by_id.get(each.decision_id) if each.decision_id else last(each, None) for each in named
    ]
    sold = {
        decision for each, decision in zip(named, matched, strict=True) if each.is_sale and decision
    }
    return [
        last(each, sold) or decision if each.is_refund and not each.decision_id else decision
        for each, decision in zip(named, matched, strict=True)
    ]
