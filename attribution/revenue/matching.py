"""Pure: of which decision each outcome is."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """What one outcome says of the decision that it is of."""

    decision_id: str
    key: str  # counts where the id is empty
    event_ns: int
    is_refund: bool
    is_sale: bool  # it earns something and is no refund


def match_outcomes(
    named: Sequence[Named], candidates: Sequence[tuple[int, str, str]]
) -> list[tuple[int, str] | None]:
    """Return ingress and id of the decision of each outcome, None where there is none.

    By id: the earliest of the decisions that share it. By key: the last decision that carries it
    and began before the outcome happened; a refund is of the last of them that has a sale, and of
    the last where none has.

    Args:
        named: the outcomes.
        candidates: ingress, id and key of every decision that an outcome may mean, by ingress.
    """
    by_id: dict[str, tuple[int, str]] = {}
    by_key: dict[str, list[tuple[int, str]]] = {}
    for ingress_ns, decision_id, key in candidates:
        by_id.setdefault(decision_id, (ingress_ns, decision_id))
        by_key.setdefault(key, []).append((ingress_ns, decision_id))

    def last(each: Named, among: Container[tuple[int, str]] | None) -> tuple[int, str] | None:
        for found in reversed(by_key.get(each.key, ())):
            if found[0] <= each.event_ns and (among is None or found in among):
                return found
        return None

    matched = [
        by_id.get(each.decision_id) if each.decision_id else last(each, None) for each in named
    ]
    sold = {found for each, found in zip(named, matched, strict=True) if each.is_sale and found}
    return [
        last(each, sold) or found if each.is_refund and not each.decision_id else found
        for each, found in zip(named, matched, strict=True)
    ]
