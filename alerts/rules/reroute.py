"""Pure: a proposal where the decisions of a class that loses money could go instead."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from alerts.rules.burn_rate import Losses, Window, burn_of
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.proposal import Move
from alerts.state.subject import Subject
from alerts.state.transitions import Status

# A region that loses half as much a decision as the one in trouble is not yet a refuge.
_LOSS_RATIO_MAX = Fraction(1, 4)
# One that takes next to nothing is well by chance, and nobody knows what it can carry.
_DECISIONS_SHARE_MIN = Fraction(1, 10)


def propose(
    rule: DollarBurnConfig,
    affected: Subject,
    seen: Mapping[Subject, Losses],
    is_closed: Callable[[Subject], bool] = lambda _: False,
    bound: Callable[[Subject], float] = lambda _: 0.0,
) -> Move | None:
    """Return a move to the region of the same action that loses least a decision.

    Before that comes how many times its own decisions a region would get, by this and all that is
    to be moved there already: a cause of many regions would fill the best one otherwise. Of regions
    that lose the same it is the one that takes most decisions.

    Args:
        rule: every region is compared with it.
        affected: the class that began to fire.
        seen: every class in the same windows; of the affected one there may be none.
        is_closed: whether nothing is to be moved to a class.
        bound: how many decisions a second are to be moved to a class already.

    Returns:
        None where the class loses nothing in the shortest window, and where no other region is
        known to be healthy; a region without data is not, nor one that takes less than a tenth of
        the decisions that are to be moved there. The route is not known here.
    """
    short_s = rule.tiers[0].short_window_s
    if affected not in seen or not _loss(seen[affected].window(short_s)):
        return None
    here = seen[affected].window(short_s)
    refuges = [
        (
            _times(there.decisions, there_by_now, here.decisions),
            _loss(there),
            -there.decisions,
            other.region,
        )
        for other, losses in seen.items()
        for there in [losses.window(short_s)]
        for there_by_now in [Fraction(bound(other)) * Fraction(losses.attributed_s(short_s))]
        if other.action == affected.action
        and other.region not in ("", affected.region)
        and there.decisions >= _DECISIONS_SHARE_MIN * (here.decisions + there_by_now)
        and _loss(there) <= _LOSS_RATIO_MAX * _loss(here)
        and burn_of(rule, losses).status is Status.OK
        and not is_closed(other)
    ]
    if not refuges:
        return None
    return Move(affected.action, affected.region, "", min(refuges)[-1])


def _times(decisions: int, moved: Fraction, more: int) -> int:
    """Return how many times its own decisions a region would get at most, at least once.

    Args:
        decisions: in the window, of the region; who carries moves out has them in it.
        moved: of them, or beside them, that were to be moved there.
        more: that are to be moved there now.
    """
    own = max(decisions - moved, _DECISIONS_SHARE_MIN * decisions)
    return max(1, math.ceil((moved + more) / own)) if own else 1


def _loss(window: Window) -> Fraction:
    """Return the mean loss of the decisions of known value; the status OK implies that some are."""
    return Fraction(window.loss_usd) / max(1, window.decisions - window.unvalued)
