"""Pure: how far a clock that stamps spans is off from the one that stamps packets, by votes.

Each span names its connection, and its request is one of those that were seen there: every
difference between one of them and the span's begin is a vote. The right request gives the same
difference for every span of a clock; all others scatter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from collector.core.times import NS_PER_MS, NS_PER_S
from packet.decode.columns import I64

LAG_MAX_NS: Final = NS_PER_S  # packets that are further off are not read
VOTERS_MIN: Final = 8  # of fewer, chance would be a clock
VOTERS_MAX: Final = 500  # of more, the lag is no other
AGREED: Final = 0.5  # share of the spans that fit as they are, or that have to agree on a lag
# Wide as the scheduling of a span's begin, narrower where requests are closer than that.
_BINS_NS: Final = (NS_PER_MS, NS_PER_MS // 5, NS_PER_MS // 20)
_OFFSETS_MAX: Final = 1.1  # of a span in the bin that is agreed on
# Requests at even distances have as many votes one period on: nobody can say which it is.
_LEAD: Final = 1.25
# A caller begins before its request leaves, a callee after it came: the nearest of those that agree
# tells, but for the very nearest, which may be another's.
_NEAREST: Final = 0.1


def voted_lag(offsets_ns: Sequence[I64], *, of_callees: bool) -> int:
    """Return what is to be added to the times of spans of one clock, 0 where nothing is agreed.

    Args:
        offsets_ns: of each span, from its begin to every request of its connection.
        of_callees: they answer; else they ask.
    """
    if len(offsets_ns) < VOTERS_MIN:
        return 0
    voter = np.repeat(np.arange(len(offsets_ns)), [len(each) for each in offsets_ns])
    offsets = np.concatenate(offsets_ns)
    near = np.abs(offsets) <= LAG_MAX_NS
    voter, offsets = voter[near], offsets[near]
    if not len(offsets):
        return 0
    for bin_ns in _BINS_NS:
        agreed = _agreed(voter, offsets, bin_ns, len(offsets_ns))
        if agreed is not None:
            nearest = 1 - _NEAREST if of_callees else _NEAREST
            return int(agreed[int(nearest * (len(agreed) - 1))])
    return 0


def _agreed(voter: I64, offsets: I64, bin_ns: int, voters: int) -> I64 | None:
    """Return the offsets that most agree on, ascending, None where that is not one of each."""
    place = offsets // bin_ns - int(offsets.min()) // bin_ns
    # A span votes once for a bin, and for the next: a true lag may lie at their border.
    ballots = np.unique(np.stack([np.r_[place, place + 1], np.r_[voter, voter]]), axis=1)
    votes = np.bincount(ballots[0])
    most = int(np.argmax(votes))
    remaining = votes.copy()
    remaining[max(most - 2, 0) : most + 3] = 0
    agreed = np.sort(offsets[(place == most) | (place == most - 1)])
    if len(agreed) > _OFFSETS_MAX * votes[most]:
        return None
    if votes[most] < AGREED * voters or votes[most] < _LEAD * remaining.max():
        return None
    return agreed
