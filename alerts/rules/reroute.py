"""Pure: a proposal where the decisions of a class that loses money could go instead."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from alerts.rules.base import Move
from alerts.rules.burn_rate import Losses, Window, burn_of
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import Subject
from alerts.state.transitions import Status

# A region that loses half as much a decision as the one in trouble is not yet a refuge.
_LOSS_RATIO_MAX = Fraction(1, 4)


def propose(
    rule: DollarBurnConfig, affected: Subject, seen: Mapping[Subject, Losses], from_route: str
) -> Move | None:
    """Return a move to the region of the same action that loses least a decision.

    Args:
        rule: every region is compared with it.
        affected: the class that began to fire.
        seen: every class in the same windows; of the affected one there may be none.
        from_route: the route that its decisions take now.

    Returns:
        None where the class loses nothing in the shortest window, and where no other region is
        known to be healthy; a region without data is not.
    """
    short_s = rule.tiers[0].short_window_s
    if affected not in seen or not _loss(seen[affected].window(short_s)):
        return None
    bearable = _LOSS_RATIO_MAX * _loss(seen[affected].window(short_s))
    refuges = [
        (_loss(losses.window(short_s)), other.region)
        for other, losses in seen.items()
        if other.action == affected.action
        and other.region not in ("", affected.region)
        and burn_of(rule, losses).status is Status.OK
        and _loss(losses.window(short_s)) <= bearable
    ]
    if not refuges:
        return None
    return Move(affected.action, affected.region, from_route, min(refuges)[1])


def _loss(window: Window) -> Fraction:
    """Return the mean loss of the decisions of known value; the status OK implies that some are."""
    return Fraction(window.loss_usd) / max(1, window.decisions - window.unvalued)
