"""I/O: cells of a heatmap, kept for as long as nobody could see that they changed.

A page that is open reads anew every few seconds, and so does each of its viewers. Over a day a
column is a quarter of an hour wide: what was read less than a sixteenth of a column ago looks the
same, and costs as much as a million decisions do.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from collector.core.times import NS_PER_MINUTE
from dashboard.read.decisions.filter import DecisionFilter
from dashboard.read.decisions.listing import DecisionList, FilterValues, HeatCell
from dashboard.read.rows import Range
from dashboard.read.scope import step_of

_KEPT_MAX: Final = 32
_OF_A_COLUMN: Final = 16
_KEPT_NS_MAX: Final = NS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Heat:
    """What was read of one filter over one range."""

    view: Range
    step_ns: int
    cells: list[HeatCell]
    offered: FilterValues


class KeptCells:
    """Reads cells, or hands out those of a moment ago."""

    def __init__(self, listing: DecisionList) -> None:
        self._listing = listing
        self._kept: OrderedDict[tuple[DecisionFilter, bool], tuple[int, Heat]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, criteria: DecisionFilter, now_ns: int, *, is_live: bool) -> Heat:
        """Return the cells of a filter; a live range may end a moment before the one asked for.

        Args:
            criteria: the filter and its range.
            now_ns: the time.
            is_live: its range ends now, and is the same question a second later.
        """
        view = criteria.view
        length_ns = view.to_ns - view.from_ns
        step_ns = step_of(length_ns)
        keyed = replace(view, from_ns=0, to_ns=length_ns) if is_live else view
        key = (replace(criteria, view=keyed), is_live)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and 0 <= now_ns - kept[0] < min(step_ns // _OF_A_COLUMN, _KEPT_NS_MAX):
            return kept[1]
        cells = self._listing.cells(criteria, step_ns, stated=self._listing.stated(view))
        heat = Heat(view, step_ns, cells, self._listing.offered(view))
        with self._lock:
            self._kept[key] = (now_ns, heat)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        return heat
