"""Pure: where the decisions of a class that loses could go instead: a proposal, no move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from alerts.config import BurnRule
from alerts.rules.burn_rate import Status, Window, Windows, evaluate
from alerts.rules.decision_class import DecisionClass

# A region that loses half as much a decision as the one in trouble is not yet a refuge.
_LOSS_RATIO_MAX = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class Move:
    """Send the decisions of one class to another region."""

    action: str
    region: str
    from_route: str  # "" where the decisions carry no route
    to_region: str


def propose(
    rule: BurnRule, affected: DecisionClass, seen: Mapping[DecisionClass, Windows], from_route: str
) -> Move | None:
    """Return a move to the region of the same action that loses least a decision.

    Args:
        rule: by which every region is judged alike.
        affected: the class that began to fire.
        seen: every class in the same windows, the affected one too.
        from_route: the route that its decisions take now.

    Returns:
        None where no other region is known to be well: one without data is not.
    """
    bearable = _LOSS_RATIO_MAX * _loss(seen[affected].short)
    refuges = [
        (_loss(windows.short), other.region)
        for other, windows in seen.items()
        if other.action == affected.action
        and other.region not in ("", affected.region)
        and evaluate(rule, windows).status is Status.OK
        and _loss(windows.short) <= bearable
    ]
    if not refuges:
        return None
    return Move(affected.action, affected.region, from_route, min(refuges)[1])


def _loss(window: Window) -> Fraction:
    """Return the loss a decision of known value; the status has seen to it that there is one."""
    return Fraction(window.loss_usd) / max(1, window.decisions - window.unvalued)
