"""I/O: counts decision events over the size budget, by the service that sent them.

Where so many come that to measure all of them would take a twentieth of the work, the newest are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.event_schema import BUDGET_BYTES, IDS_AND_TIMES_BYTES
from collector.core.log import get_logger
from collector.core.sql import sql
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections

# Names come from outside: more of them than this are one, so that nobody fills a scraper's store.
SERVICES_MAX: Final = 100
OTHERS: Final = "(others)"
# A run looks at no more than what takes so long, by what the one before it took; but at a second
# of arrival, however slow a busy store is, else it would look at less each time and then at none.
_RUN_NS_MAX: Final = 100 * NS_PER_MS
_STRETCH_NS_MIN: Final = NS_PER_S
_SQL: Final = sql("event_sizes", __file__)
_LOG = get_logger("collector")


@dataclass(slots=True)
class Oversize:
    """What one service sent over the budget since the start of this process."""

    events: int = 0
    largest: int = 0
    example: str = ""  # trace id of the largest


class EventSizes:
    """Measures what was stored since its last run; begins with what arrives after its first.

    Args:
        store: where events are read.
        counters: where they are counted.
        stored_ns: returns an instant by which everything received is stored.
        clock: by which a run is kept short.
    """

    def __init__(
        self, store: Connections, counters: Counters, stored_ns: Callable[[], int], clock: Clock
    ) -> None:
        self._store = store
        self._counters = counters
        self._stored_ns = stored_ns
        self._clock = clock
        self._after_ns = 0
        self._stretch_ns: int | None = None  # of arrival, that a run looks at; None for all
        self.oversized: dict[str, Oversize] = {}

    def run_once(self, now_ns: int) -> int:
        """Measure what came since, or the newest of it; return how many were over the budget."""
        until_ns = min(now_ns, self._stored_ns())
        after_ns, self._after_ns = self._after_ns, max(self._after_ns, until_ns)
        if after_ns == 0 or after_ns >= until_ns:
            return 0
        if self._stretch_ns is not None:
            after_ns = max(after_ns, until_ns - self._stretch_ns)
        began_ns = self._clock.monotonic_ns()
        rows = self._store.reader().query(
            _SQL,
            parameters={
                "after_ns": after_ns,
                "until_ns": until_ns,
                "budget": BUDGET_BYTES,
                "fixed": IDS_AND_TIMES_BYTES,
            },
        )
        took_ns = max(self._clock.monotonic_ns() - began_ns, 1)
        stretch_ns = (until_ns - after_ns) * _RUN_NS_MAX // took_ns
        self._stretch_ns = max(stretch_ns, _STRETCH_NS_MIN)
        for service, _, over, largest, example in rows.result_rows:
            self._note(str(service), int(over), int(largest), str(example))
        return sum(int(row[2]) for row in rows.result_rows)

    def _note(self, service: str, over: int, largest: int, example: str) -> None:
        if service not in self.oversized:
            if len(self.oversized) >= SERVICES_MAX:
                service = OTHERS
            else:
                _LOG.warning(
                    "decision_event_over_budget", service=service, bytes=largest, trace_id=example
                )
        oversize = self.oversized.setdefault(service, Oversize())
        oversize.events += over
        if largest > oversize.largest:
            oversize.largest, oversize.example = largest, example
        self._counters.events_over_budget.labels(service).inc(over)
        self._counters.event_bytes_max.labels(service).set(oversize.largest)
