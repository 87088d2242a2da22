"""I/O: counts decision events over the size budget, by the service that sent them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from collector.core.counters import Counters
from collector.core.event_schema import BUDGET_BYTES, IDS_AND_TIMES_BYTES
from collector.core.log import get_logger
from collector.core.sql import sql
from collector.store.connect import Connections

# Names come from outside: more of them than this are one, so that nobody fills a scraper's store.
SERVICES_MAX: Final = 100
OTHERS: Final = "(others)"
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
    """

    def __init__(
        self, store: Connections, counters: Counters, stored_ns: Callable[[], int]
    ) -> None:
        self._store = store
        self._counters = counters
        self._stored_ns = stored_ns
        self._after_ns = 0
        self.found: dict[str, Oversize] = {}

    def run_once(self, now_ns: int) -> int:
        """Measure what came since; return how many events were over the budget."""
        until_ns = min(now_ns, self._stored_ns())
        after_ns, self._after_ns = self._after_ns, until_ns
        if after_ns == 0 or after_ns >= until_ns:
            self._after_ns = max(after_ns, until_ns)
            return 0
        rows = self._store.reader().query(
            _SQL,
            parameters={
                "after_ns": after_ns,
                "until_ns": until_ns,
                "budget": BUDGET_BYTES,
                "fixed": IDS_AND_TIMES_BYTES,
            },
        )
        for service, _, over, largest, example in rows.result_rows:
            self._note(str(service), int(over), int(largest), str(example))
        return sum(int(row[2]) for row in rows.result_rows)

    def _note(self, service: str, over: int, largest: int, example: str) -> None:
        if service not in self.found:
            if len(self.found) >= SERVICES_MAX:
                service = OTHERS
            else:
                _LOG.warning(
                    "decision_event_over_budget", service=service, bytes=largest, trace_id=example
                )
        known = self.found.setdefault(service, Oversize())
        known.events += over
        if largest > known.largest:
            known.largest, known.example = largest, example
        self._counters.events_over_budget.labels(service).inc(over)
        self._counters.event_bytes_max.labels(service).set(known.largest)
