"""I/O: holds the outcomes that come against what they should be, again and again."""

from __future__ import annotations

from typing import Final

from attribution.books.group_values import contradictions, read_group_values
from attribution.books.unmatched import unmatched_outcomes
from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from collector.core.times import NS_PER_HOUR
from collector.store.connect import Connections

_WINDOW_NS: Final = NS_PER_HOUR


class OutcomeModeJob:
    """Holds `outcomes.complete` against an hour of decisions whose outcomes are due.

    Args:
        config: of the attribution, with how outcomes are read.
        store: whose decisions and outcomes they are.
    """

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self.contradictions: list[str] = []  # contradictions of the last run, in words
        self.unmatched: list[str] = []  # whether outcomes are of no decision that is known

    def run_once(self, now_ns: int) -> list[str]:
        """Return in words what contradicts the mode, none where nothing does."""
        config = self._config
        hours = now_ns - 2 * _WINDOW_NS, now_ns
        self.unmatched = unmatched_outcomes(self._store, hours, now_ns, config.outcome_delay_s)
        to_ns = max(self._config.due_ns(now_ns), 0)
        window = Selection(max(to_ns - _WINDOW_NS, 0), to_ns)
        values = read_group_values(self._store, self._config, window, "channel")
        self.contradictions = contradictions(values, self._config)
        return self.contradictions
